//! Distinguished names (RFC 5280 4.1.2.4): read from DER, compared as section 7.1 wants it, shown as RFC 4514 has it.

use crate::der::{self, Der, Element, Malformed};

mod attribute;

pub use attribute::AttributeType;

/// Relative names of one name, and attributes of one relative name: more are not read. Names have about six of one
/// each; comparing sets takes the square of their size.
const MAX_PARTS: usize = 64;
const MAX_VALUES: usize = 16;

/// A distinguished name: its DER, and its attributes in the DER's order.
#[derive(Clone, Default)]
pub struct Name {
    der: Vec<u8>,
    relative: Vec<Vec<Attribute>>,
}

/// One type and value of a relative name.
#[derive(Clone)]
struct Attribute {
    oid: Vec<u8>,
    /// None when the value is not a string that we can read.
    text: Option<String>,
    /// The value in DER.
    value: Vec<u8>,
}

impl Name {
    /// Reads a name from its DER, which must be all of `octets`: the body of an ID payload of type ID_DER_ASN1_DN or
    /// of a certificate request.
    pub fn from_der(octets: &[u8]) -> Result<Self, Malformed> {
        let mut name = Der::only_sequence(octets)?;
        let mut relative = Vec::new();
        while !name.is_empty() {
            let mut set = name.inside(der::SET)?;
            let mut attributes = Vec::new();
            while !set.is_empty() {
                let mut pair = set.sequence()?;
                let oid = pair.expect(der::OID)?.value.to_vec();
                let value = pair.element()?;
                pair.finish()?;
                if attributes.len() >= MAX_VALUES {
                    return Err(Malformed);
                }
                attributes.push(Attribute { oid, text: string(value), value: value.whole.to_vec() });
            }
            if relative.len() >= MAX_PARTS {
                return Err(Malformed);
            }
            relative.push(attributes);
        }
        Ok(Self { der: octets.to_vec(), relative })
    }

    /// The name in DER, a SEQUENCE of relative names.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// True for a name that names nobody.
    pub fn is_empty(&self) -> bool {
        self.relative.is_empty()
    }

    /// The values of one attribute, in the certificate's order.
    pub fn values(&self, attribute: AttributeType) -> Vec<&str> {
        let oid = attribute.oid();
        self.relative
            .iter()
            .flatten()
            .filter(|attribute| attribute.oid == oid)
            .filter_map(|attribute| attribute.text.as_deref())
            .collect()
    }

    /// Whether two names are the same by RFC 5280 7.1: the same attributes in the same relative names; texts compare
    /// without regard to case, kind of string and repeated white space. An empty name is nobody's.
    pub fn matches(&self, other: &Self) -> bool {
        !self.is_empty()
            && self.relative.len() == other.relative.len()
            && self.relative.iter().zip(&other.relative).all(|(ours, theirs)| {
                ours.len() == theirs.len() && all_among(ours, theirs) && all_among(theirs, ours)
            })
    }
}

/// Whether each of some attributes is among others.
fn all_among(some: &[Attribute], others: &[Attribute]) -> bool {
    some.iter().all(|one| others.iter().any(|other| one.matches(other)))
}

impl Attribute {
    fn matches(&self, other: &Self) -> bool {
        self.oid == other.oid
            && match (&self.text, &other.text) {
                (Some(ours), Some(theirs)) => folded(ours) == folded(theirs),
                _ => self.value == other.value,
            }
    }
}

/// Lower case, no white space at the ends and single spaces within.
fn folded(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// The text of a string of any of the kinds that names are made of (RFC 5280 4.1.2.4).
pub(crate) fn string(element: Element<'_>) -> Option<String> {
    match element.tag {
        der::UTF8_STRING => std::str::from_utf8(element.value).ok().map(str::to_owned),
        // A TeletexString is Latin-1 in practice, and so is what else stands in the others against their rules.
        der::PRINTABLE_STRING
        | der::NUMERIC_STRING
        | der::IA5_STRING
        | der::VISIBLE_STRING
        | der::TELETEX_STRING => Some(element.value.iter().map(|octet| char::from(*octet)).collect()),
        der::BMP_STRING => {
            let (units, []) = element.value.as_chunks::<2>() else { return None };
            let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            String::from_utf16(&units).ok()
        }
        der::UNIVERSAL_STRING => {
            let (units, []) = element.value.as_chunks::<4>() else { return None };
            units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect()
        }
        _ => None,
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Name {}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Name({self})")
    }
}

/// One line as RFC 4514 has it, the last relative name first; nothing in it can move a terminal's cursor.
impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_empty() {
            return f.write_str("(no name)");
        }
        for (place, attributes) in self.relative.iter().rev().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            for (place, attribute) in attributes.iter().enumerate() {
                if place > 0 {
                    f.write_str("+")?;
                }
                attribute.show(f)?;
            }
        }
        Ok(())
    }
}

impl Attribute {
    fn show(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match attribute::short_name(&self.oid) {
            Some(name) => write!(f, "{name}=")?,
            None => write!(f, "{}=", der::dotted(&self.oid))?,
        }
        let Some(text) = &self.text else {
            f.write_str("#")?;
            return self.value.iter().try_for_each(|octet| write!(f, "{octet:02x}"));
        };
        let last = text.chars().count().saturating_sub(1);
        for (place, character) in text.chars().enumerate() {
            match character {
                ' ' if place == 0 || place == last => f.write_str("\\ ")?,
                '#' if place == 0 => f.write_str("\\#")?,
                '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(f, "\\{character}")?,
                unprintable if is_unprintable(unprintable) => escape(f, unprintable)?,
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

/// Control characters, and those that turn the direction of writing: both can make a log line lie.
pub(crate) fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn escape(f: &mut std::fmt::Formatter<'_>, character: char) -> std::fmt::Result {
    let mut octets = [0; 4];
    character.encode_utf8(&mut octets).bytes().try_for_each(|octet| write!(f, "\\{octet:02X}"))
}

#[cfg(test)]
mod tests;

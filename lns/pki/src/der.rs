//! Reads DER (X.690) one element at a time with the house's cursor. Only what certificates and their wrappers need:
//! tags of one octet, definite lengths in their shortest form.

use tollgate_sansio::Reader;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const NUMERIC_STRING: u8 = 0x12;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const TELETEX_STRING: u8 = 0x14;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const VISIBLE_STRING: u8 = 0x1a;
pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
pub(crate) const BMP_STRING: u8 = 0x1e;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// Bit 6: the contents are elements.
pub(crate) const CONSTRUCTED: u8 = 0x20;

/// The tag `[number]` with primitive contents.
pub(crate) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// The tag `[number]` with elements inside.
pub(crate) const fn context_constructed(number: u8) -> u8 {
    0xa0 | number
}

/// The octets are not the DER of what was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the encoding cannot be read: it is damaged, cut short or of another kind")]
pub struct Malformed;

/// One element: its tag, its contents, and both with the length between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// A cursor over elements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Der<'a> {
    rest: Reader<'a>,
}

impl<'a> Der<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { rest: Reader::new(octets) }
    }

    /// A cursor over the elements of the only SEQUENCE in `octets`.
    pub(crate) fn only_sequence(octets: &'a [u8]) -> Result<Self, Malformed> {
        Self::only(octets, SEQUENCE)
    }

    /// A cursor over the contents of the only element in `octets`.
    pub(crate) fn only(octets: &'a [u8], tag: u8) -> Result<Self, Malformed> {
        let mut outer = Self::new(octets);
        let inner = outer.inside(tag)?;
        outer.finish()?;
        Ok(inner)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Nothing may be left.
    pub(crate) fn finish(&self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    /// The next element, whatever it is.
    pub(crate) fn element(&mut self) -> Result<Element<'a>, Malformed> {
        let start = self.rest.peek();
        let tag = self.rest.u8().map_err(|_| Malformed)?;
        if tag & 0x1f == 0x1f {
            return Err(Malformed);
        }
        let length = self.length()?;
        let value = self.rest.take(length).map_err(|_| Malformed)?;
        let taken = start.len().saturating_sub(self.rest.remaining());
        Ok(Element { tag, value, whole: start.get(..taken).ok_or(Malformed)? })
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        let element = self.element()?;
        if element.tag == tag { Ok(element) } else { Err(Malformed) }
    }

    /// The next element, if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        if self.rest.peek().first() == Some(&tag) { self.element().map(Some) } else { Ok(None) }
    }

    /// A cursor over the contents of the next element, which must have this tag.
    pub(crate) fn inside(&mut self, tag: u8) -> Result<Self, Malformed> {
        self.expect(tag).map(|element| Self::new(element.value))
    }

    /// A cursor over the contents of the next element, which must be a SEQUENCE.
    pub(crate) fn sequence(&mut self) -> Result<Self, Malformed> {
        self.inside(SEQUENCE)
    }

    /// The next element, a number that is not negative and fits.
    pub(crate) fn small_number(&mut self) -> Result<u32, Malformed> {
        let digits = magnitude(self.expect(INTEGER)?.value)?;
        if digits.len() > 4 {
            return Err(Malformed);
        }
        Ok(digits.iter().fold(0, |number, digit| number << 8 | u32::from(*digit)))
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        let first = self.rest.u8().map_err(|_| Malformed)?;
        if first < 0x80 {
            return Ok(usize::from(first));
        }
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return Err(Malformed);
        }
        let digits = self.rest.take(count).map_err(|_| Malformed)?;
        let length = digits.iter().fold(0_usize, |length, digit| length << 8 | usize::from(*digit));
        if length < 0x80 || digits.first() == Some(&0) {
            return Err(Malformed);
        }
        Ok(length)
    }
}

/// The digits of an INTEGER that is not negative, without the leading zero.
pub(crate) fn magnitude(value: &[u8]) -> Result<&[u8], Malformed> {
    match value {
        [] => Err(Malformed),
        [0] => Ok(&[]),
        [0, rest @ ..] => Ok(rest),
        [first, ..] if *first >= 0x80 => Err(Malformed),
        all => Ok(all),
    }
}

/// Bits of a number without leading zero octets.
pub(crate) fn bits(digits: &[u8]) -> u32 {
    let Some(first) = digits.first() else { return 0 };
    u32::try_from(digits.len()).unwrap_or(u32::MAX).saturating_mul(8).saturating_sub(first.leading_zeros())
}

/// The octets of a BIT STRING that has no odd bits.
pub(crate) fn whole_octets(value: &[u8]) -> Result<&[u8], Malformed> {
    match value {
        [0, rest @ ..] => Ok(rest),
        _ => Err(Malformed),
    }
}

/// An object identifier with dots, for a person to read.
pub(crate) fn dotted(oid: &[u8]) -> String {
    let mut text = String::new();
    let mut arc: u64 = 0;
    for octet in oid {
        arc = arc.wrapping_shl(7) | u64::from(octet & 0x7f);
        if octet & 0x80 != 0 {
            continue;
        }
        if text.is_empty() {
            let root = (arc / 40).min(2);
            text = format!("{root}.{}", arc - root * 40);
        } else {
            text.push_str(&format!(".{arc}"));
        }
        arc = 0;
    }
    text
}

/// Appends an element to `out`.
pub(crate) fn write(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    out.push(tag);
    let length = value.len();
    if length < 0x80 {
        out.push(u8::try_from(length).unwrap_or_default());
    } else {
        let digits = length.to_be_bytes();
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        out.push(0x80 | u8::try_from(digits.len() - zeros).unwrap_or_default());
        out.extend(digits.iter().skip(zeros));
    }
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests;

//! `[[ipsec.certificate-map]]` and `tunnel-group-map`: which tunnel group a client with a certificate arrives in.

use std::str::FromStr;

use super::super::section::Section;

/// What places a client that shows a certificate; where nothing does, it arrives in `DefaultRAGroup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TunnelGroupSource {
    /// `rules`: the first certificate map whose rules all hold.
    Rules,
    /// `ou`: an OU of the certificate's subject that is a tunnel group's name.
    OrganizationalUnit,
    /// `ike-id`: the identity of phase 1, where it is a name or key id that is a tunnel group's name.
    IkeId,
}

impl FromStr for TunnelGroupSource {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "rules" => Ok(Self::Rules),
            "ou" => Ok(Self::OrganizationalUnit),
            "ike-id" => Ok(Self::IkeId),
            _ => Err(()),
        }
    }
}

/// `crypto ca certificate map` and `tunnel-group-map` of the old system in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateMap {
    /// `sequence`, 1 to 65,535: the lowest is tried first.
    pub sequence: u16,
    /// `rules`: all of them must hold.
    pub rules: Vec<CertificateRule>,
    /// `tunnel-group`
    pub tunnel_group: String,
}

/// `FIELD [attr X] COMPARISON VALUE`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRule {
    /// What is looked at.
    pub field: CertificateField,
    /// `attr X`: one attribute of the name; `None`: the name as a whole, as text.
    pub attribute: Option<NameAttribute>,
    /// How.
    pub comparison: Comparison,
    /// With what.
    pub value: String,
}

/// The part of a certificate that a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CertificateField {
    /// `subject-name`
    Subject,
    /// `issuer-name`
    Issuer,
    /// `alt-subject-name`: each name of the subjectAltName extension.
    AlternativeSubject,
}

/// How a rule compares; upper and lower case are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `eq`: a value is this one.
    Equal,
    /// `ne`: no value is this one.
    NotEqual,
    /// `co`: a value contains this one.
    Contains,
    /// `nc`: no value contains this one.
    ContainsNot,
}

/// Declares the attributes with their words.
macro_rules! attributes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal;)+) => {
        /// An attribute of a distinguished name, in the old system's words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum NameAttribute { $($(#[$doc])* $variant),+ }

        impl NameAttribute {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word in a rule.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

attributes! {
    /// Common name.
    CommonName = "cn";
    /// Surname.
    Surname = "sn";
    /// Serial number of the device or person.
    SerialNumber = "ser";
    /// Country.
    Country = "c";
    /// Locality.
    Locality = "l";
    /// State or province.
    State = "sp";
    /// Organization.
    Organization = "o";
    /// Organizational unit.
    OrganizationalUnit = "ou";
    /// Title.
    Title = "t";
    /// Name.
    Name = "n";
    /// Given name.
    GivenName = "gn";
    /// Initials.
    Initials = "i";
    /// Generation qualifier.
    GenerationQualifier = "genq";
    /// Qualifier of the distinguished name.
    DnQualifier = "dnq";
    /// Mail address.
    EmailAddress = "ea";
    /// Unstructured name.
    UnstructuredName = "uname";
    /// Unstructured address.
    UnstructuredAddress = "ip";
    /// User id.
    UserId = "uid";
    /// Domain component.
    DomainComponent = "dc";
}

impl CertificateRule {
    /// Reads a rule; the error says what is wrong with it.
    fn parse(text: &str) -> Result<Self, String> {
        if text.len() > 255 {
            return Err("is longer than 255 octets".into());
        }
        let (word, rest) = split(text);
        let field = match word {
            "subject-name" => CertificateField::Subject,
            "issuer-name" => CertificateField::Issuer,
            "alt-subject-name" => CertificateField::AlternativeSubject,
            _ => {
                return Err(format!(
                    "begins with {word:?}, not with subject-name, issuer-name or alt-subject-name"
                ));
            }
        };
        let (word, after) = split(rest);
        let (attribute, rest) = if word == "attr" {
            let (name, after) = split(after);
            let attribute =
                NameAttribute::ALL.iter().find(|attribute| attribute.name().eq_ignore_ascii_case(name));
            let Some(attribute) = attribute else {
                let known: Vec<_> = NameAttribute::ALL.iter().map(|attribute| attribute.name()).collect();
                return Err(format!("names attribute {name:?}; known are {}", known.join(", ")));
            };
            if field == CertificateField::AlternativeSubject {
                return Err("names an attribute, which alt-subject-name has none of".into());
            }
            (Some(*attribute), after)
        } else {
            (None, rest)
        };
        let (word, value) = split(rest);
        let comparison = match word {
            "eq" => Comparison::Equal,
            "ne" => Comparison::NotEqual,
            "co" => Comparison::Contains,
            "nc" => Comparison::ContainsNot,
            _ => return Err(format!("has {word:?} where eq, ne, co or nc belongs")),
        };
        if value.is_empty() {
            return Err(format!("has nothing after {word}"));
        }
        Ok(Self { field, attribute, comparison, value: value.to_owned() })
    }
}

/// The first word and what follows it.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

pub(super) fn read_order(table: &mut Section<'_>) -> Vec<TunnelGroupSource> {
    table
        .list("tunnel-group-map", "\"rules\", \"ou\" or \"ike-id\" in quotes")
        .unwrap_or_else(|| vec![TunnelGroupSource::Rules, TunnelGroupSource::OrganizationalUnit])
}

pub(super) fn read(ipsec: &mut Section<'_>, tunnel_groups: &[String]) -> Vec<CertificateMap> {
    let mut maps: Vec<CertificateMap> = Vec::new();
    for table in ipsec.tables("certificate-map") {
        if let Some(map) = read_map(table, tunnel_groups, &maps) {
            maps.push(map);
        }
    }
    maps.sort_by_key(|map| map.sequence);
    maps
}

fn read_map(
    mut table: Section<'_>,
    tunnel_groups: &[String],
    others: &[CertificateMap],
) -> Option<CertificateMap> {
    let sequence = if table.has("sequence") {
        table.optional_number("sequence", 1..=65_535u16)
    } else {
        table.error("sequence", "is missing", "write sequence = 10; the lowest number is tried first");
        None
    };
    if let Some(sequence) = sequence.filter(|number| others.iter().any(|other| other.sequence == *number)) {
        table.error(
            "sequence",
            format!("{sequence} is the sequence of another map"),
            "give each map a number of its own",
        );
    }
    const RULES: &str = "a list of rules such as [\"subject-name attr ou eq sales\"]";
    let has_rules = table.has("rules");
    let texts: Option<Vec<String>> = table.get("rules", RULES);
    if !has_rules || texts.as_ref().is_some_and(Vec::is_empty) {
        table.error("rules", if has_rules { "is empty" } else { "is missing" }, format!("write {RULES}"));
    }
    let mut rules = Vec::new();
    for (index, text) in texts.unwrap_or_default().iter().enumerate() {
        match CertificateRule::parse(text) {
            Ok(rule) => rules.push(rule),
            Err(what) => table.error(
                &format!("rules.{}", index + 1),
                format!("the rule {what}"),
                "write subject-name|issuer-name|alt-subject-name [attr NAME] eq|ne|co|nc VALUE",
            ),
        }
    }
    let has_group = table.has("tunnel-group");
    let tunnel_group: Option<String> = table.get("tunnel-group", "the name of a tunnel group in quotes");
    match &tunnel_group {
        Some(group) if !tunnel_groups.contains(group) => {
            table.error(
                "tunnel-group",
                format!("names tunnel group {group}, which is not configured"),
                format!("add [tunnel-group.{group}]"),
            );
        }
        None if !has_group => {
            table.error("tunnel-group", "is missing", "write tunnel-group = \"NAME\"");
        }
        Some(_) | None => {}
    }
    table.finish();
    Some(CertificateMap { sequence: sequence?, rules, tunnel_group: tunnel_group? })
}

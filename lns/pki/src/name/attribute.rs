//! The attributes that names are made of, with the words that people use for them.

/// The attributes of a name that a rule can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    /// commonName (X.520), `cn`.
    CommonName,
    /// organizationName, `o`.
    Organization,
    /// organizationalUnitName, `ou`.
    OrganizationalUnit,
    /// countryName, `c`.
    Country,
    /// localityName, `l`.
    Locality,
    /// stateOrProvinceName, `st`.
    State,
    /// emailAddress of PKCS#9 (RFC 2985 5.2.1), `ea`.
    Email,
    /// domainComponent (RFC 4519 2.4), `dc`.
    DomainComponent,
    /// serialNumber of a device or person, `serialnumber`.
    SerialNumber,
    /// userId (RFC 4519 2.39), `uid`.
    UserId,
}

impl AttributeType {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::CommonName,
        Self::Organization,
        Self::OrganizationalUnit,
        Self::Country,
        Self::Locality,
        Self::State,
        Self::Email,
        Self::DomainComponent,
        Self::SerialNumber,
        Self::UserId,
    ];

    /// The word for it in a rule.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::CommonName => "cn",
            Self::Organization => "o",
            Self::OrganizationalUnit => "ou",
            Self::Country => "c",
            Self::Locality => "l",
            Self::State => "st",
            Self::Email => "ea",
            Self::DomainComponent => "dc",
            Self::SerialNumber => "serialnumber",
            Self::UserId => "uid",
        }
    }

    /// The attribute that a rule's word means, in any case. `email`, `s` and `ser` are known as well.
    pub fn from_keyword(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        match word.as_str() {
            "email" | "emailaddress" => Some(Self::Email),
            "s" | "sp" => Some(Self::State),
            "ser" => Some(Self::SerialNumber),
            _ => Self::ALL.into_iter().find(|attribute| attribute.keyword() == word),
        }
    }

    pub(crate) fn oid(self) -> &'static [u8] {
        match self {
            Self::CommonName => &[0x55, 4, 3],
            Self::Organization => &[0x55, 4, 10],
            Self::OrganizationalUnit => &[0x55, 4, 11],
            Self::Country => &[0x55, 4, 6],
            Self::Locality => &[0x55, 4, 7],
            Self::State => &[0x55, 4, 8],
            Self::Email => &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1],
            Self::DomainComponent => &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25],
            Self::SerialNumber => &[0x55, 4, 5],
            Self::UserId => &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1],
        }
    }
}

/// unstructuredName of PKCS#9: where older Cisco devices put their host name.
pub(crate) const UNSTRUCTURED_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 2];

/// The name before the equals sign in the text of a distinguished name: those of RFC 4514 3, and a few that everybody
/// else shows by name too.
pub(super) fn short_name(oid: &[u8]) -> Option<&'static str> {
    match oid {
        [0x55, 4, 3] => Some("CN"),
        [0x55, 4, 4] => Some("SN"),
        [0x55, 4, 5] => Some("serialNumber"),
        [0x55, 4, 6] => Some("C"),
        [0x55, 4, 7] => Some("L"),
        [0x55, 4, 8] => Some("ST"),
        [0x55, 4, 9] => Some("STREET"),
        [0x55, 4, 10] => Some("O"),
        [0x55, 4, 11] => Some("OU"),
        [0x55, 4, 12] => Some("title"),
        [0x55, 4, 42] => Some("givenName"),
        UNSTRUCTURED_NAME => Some("unstructuredName"),
        other if other == AttributeType::Email.oid() => Some("emailAddress"),
        other if other == AttributeType::DomainComponent.oid() => Some("DC"),
        other if other == AttributeType::UserId.oid() => Some("UID"),
        _ => None,
    }
}

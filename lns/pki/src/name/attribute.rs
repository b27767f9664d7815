//! The attributes that names are made of, with the words that people use for them.

/// Each attribute with its word in a rule, its name in the text of a distinguished name, and its object identifier.
macro_rules! attributes {
    ($($(#[$documentation:meta])* $variant:ident = $keyword:literal, $shown:literal, $oid:expr;)+) => {
        /// The attributes of a name that a rule can ask for: those of Cisco's certificate maps.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum AttributeType {
            $($(#[$documentation])* $variant,)+
        }

        impl AttributeType {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word for it in a rule.
            pub fn keyword(self) -> &'static str {
                match self { $(Self::$variant => $keyword),+ }
            }

            /// The name before the equals sign: that of RFC 4514 3 where there is one.
            fn shown(self) -> &'static str {
                match self { $(Self::$variant => $shown),+ }
            }

            pub(crate) fn oid(self) -> &'static [u8] {
                match self { $(Self::$variant => $oid),+ }
            }
        }
    };
}

attributes! {
    /// commonName (X.520).
    CommonName = "cn", "CN", &[0x55, 4, 3];
    /// surname.
    Surname = "sn", "SN", &[0x55, 4, 4];
    /// serialNumber of a device or person.
    SerialNumber = "serialnumber", "serialNumber", &[0x55, 4, 5];
    /// countryName.
    Country = "c", "C", &[0x55, 4, 6];
    /// localityName.
    Locality = "l", "L", &[0x55, 4, 7];
    /// stateOrProvinceName.
    State = "st", "ST", &[0x55, 4, 8];
    /// organizationName.
    Organization = "o", "O", &[0x55, 4, 10];
    /// organizationalUnitName.
    OrganizationalUnit = "ou", "OU", &[0x55, 4, 11];
    /// title.
    Title = "t", "title", &[0x55, 4, 12];
    /// name.
    Name = "n", "name", &[0x55, 4, 41];
    /// givenName.
    GivenName = "gn", "givenName", &[0x55, 4, 42];
    /// initials.
    Initials = "i", "initials", &[0x55, 4, 43];
    /// generationQualifier.
    GenerationQualifier = "genq", "generationQualifier", &[0x55, 4, 44];
    /// dnQualifier.
    DnQualifier = "dnq", "dnQualifier", &[0x55, 4, 46];
    /// emailAddress of PKCS#9 (RFC 2985 5.2.1).
    Email = "ea", "emailAddress", &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];
    /// unstructuredName of PKCS#9: where older Cisco devices put their host name.
    UnstructuredName = "uname", "unstructuredName", &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 2];
    /// unstructuredAddress of PKCS#9: the address of such a device.
    UnstructuredAddress = "ip", "unstructuredAddress", &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 8];
    /// userId (RFC 4519 2.39).
    UserId = "uid", "UID", &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1];
    /// domainComponent (RFC 4519 2.4).
    DomainComponent = "dc", "DC", &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25];
}

impl AttributeType {
    /// The attribute that a rule's word means, in any case. `email`, `sp` and `ser` are known as well.
    pub fn from_keyword(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        match word.as_str() {
            "email" | "emailaddress" => Some(Self::Email),
            "s" | "sp" => Some(Self::State),
            "ser" => Some(Self::SerialNumber),
            _ => Self::ALL.iter().copied().find(|attribute| attribute.keyword() == word),
        }
    }
}

/// The name before the equals sign in the text of a distinguished name.
pub(super) fn short_name(oid: &[u8]) -> Option<&'static str> {
    match oid {
        [0x55, 4, 9] => Some("STREET"),
        _ => AttributeType::ALL.iter().find(|attribute| attribute.oid() == oid).map(|known| known.shown()),
    }
}

//! Distinguished names (RFC 5280 4.1.2.4, 7.1), shown as RFC 4514 has it.

/// A distinguished name: its DER and its attributes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Name {
    der: Vec<u8>,
}

impl Name {
    /// The name in DER, a SEQUENCE of relative names.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The values of one attribute, in the certificate's order.
    pub fn values(&self, attribute: AttributeType) -> Vec<&str> {
        let _ = attribute;
        Vec::new()
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("")
    }
}

/// The attributes of a name that a rule can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    /// commonName.
    CommonName,
    /// organizationName.
    Organization,
    /// organizationalUnitName.
    OrganizationalUnit,
    /// countryName.
    Country,
    /// localityName.
    Locality,
    /// stateOrProvinceName.
    State,
    /// emailAddress of PKCS#9.
    Email,
    /// domainComponent.
    DomainComponent,
    /// serialNumber.
    SerialNumber,
    /// userId.
    UserId,
}

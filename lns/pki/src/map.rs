//! From what a certificate says to a tunnel group.

use crate::{AttributeType, Peer};

/// What a criterion looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The subject's name, or one of its attributes.
    SubjectName(Option<AttributeType>),
    /// The issuer's name, or one of its attributes.
    IssuerName(Option<AttributeType>),
    /// The subject's alternative names.
    AlternativeSubjectName,
}

/// How a criterion compares, without regard to case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// A value is equal.
    Equal,
    /// No value is equal.
    NotEqual,
    /// A value contains the text.
    Contains,
    /// No value contains the text.
    NotContains,
}

/// Why a criterion cannot be read; the text says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CriterionError {
    /// Not a field.
    #[error("no such field: {0:?}; allowed are subject-name, issuer-name and alt-subject-name")]
    Field(String),
    /// Not an attribute.
    #[error("no such attribute: {0:?}; allowed are cn, o, ou, c, l, st, ea, dc, serialnumber and uid")]
    Attribute(String),
    /// An attribute of a field that has none.
    #[error("alt-subject-name has no attributes: leave {0:?} out")]
    NoAttributes(String),
    /// Not an operator.
    #[error("no such operator: {0:?}; allowed are eq, ne, co and nc")]
    Operator(String),
    /// Nothing to compare with.
    #[error("the value is empty")]
    EmptyValue,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Criterion {
    /// What is looked at.
    pub field: Field,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub value: String,
}

impl Criterion {
    /// From an operator's words: field, attribute of a name if one is meant, operator, value.
    pub fn new(
        field: &str,
        attribute: Option<&str>,
        operator: &str,
        value: &str,
    ) -> Result<Self, CriterionError> {
        let _ = (attribute, operator, value);
        Err(CriterionError::Field(field.to_owned()))
    }

    /// Whether a peer's certificate meets the criterion.
    pub fn matches(&self, peer: &Peer) -> bool {
        let _ = peer;
        false
    }
}

/// A tunnel group for certificates that meet all criteria.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Rules are asked in the order of this number.
    pub sequence: u32,
    /// All of these must be met; none are met by nobody.
    pub criteria: Vec<Criterion>,
    /// The tunnel group.
    pub tunnel_group: String,
}

/// Rules in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateMap {
    rules: Vec<Rule>,
}

impl CertificateMap {
    /// Rules, which are put in order of their sequence number.
    pub fn new(mut rules: Vec<Rule>) -> Self {
        rules.sort_by_key(|rule| rule.sequence);
        Self { rules }
    }

    /// The rules in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The tunnel group of the first rule that a certificate meets.
    pub fn tunnel_group(&self, peer: &Peer) -> Option<&str> {
        self.rules
            .iter()
            .find(|rule| {
                !rule.criteria.is_empty() && rule.criteria.iter().all(|criterion| criterion.matches(peer))
            })
            .map(|rule| rule.tunnel_group.as_str())
    }
}

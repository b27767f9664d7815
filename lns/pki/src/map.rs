//! From what a certificate says to a tunnel group, in the manner of Cisco's `crypto ca certificate map`.

use crate::{AttributeType, Name, Peer};

/// What a criterion looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `subject-name`: the subject's name in one line, or the values of one of its attributes.
    SubjectName(Option<AttributeType>),
    /// `issuer-name`: the same of the issuer's.
    IssuerName(Option<AttributeType>),
    /// `alt-subject-name`: the subject's alternative names.
    AlternativeSubjectName,
}

/// How a criterion compares, without regard to case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `eq`: a value is equal.
    Equal,
    /// `ne`: no value is equal.
    NotEqual,
    /// `co`: a value contains the text.
    Contains,
    /// `nc`: no value contains the text.
    NotContains,
}

/// Why a criterion cannot be read; the text says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CriterionError {
    /// Not a field.
    #[error("{0:?} is no field: write subject-name, issuer-name or alt-subject-name")]
    Field(String),
    /// Not an attribute.
    #[error(
        "{0:?} is no attribute: write cn, ou, o, c, l, st, ea (or email), dc, uid, serialnumber, sn, gn, n, i, t, genq, \
         dnq, uname or ip"
    )]
    Attribute(String),
    /// An attribute of a field that has none.
    #[error("alt-subject-name has no attributes: leave {0:?} out")]
    NoAttributes(String),
    /// Not an operator.
    #[error("{0:?} is no operator: write eq, ne, co or nc")]
    Operator(String),
    /// Nothing to compare with.
    #[error("the value is empty: write the text to compare with")]
    EmptyValue,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Criterion {
    field: Field,
    operator: Operator,
    /// In lower case, the white space of names taken together.
    value: String,
}

impl Criterion {
    /// From an operator's words: field, attribute of a name if one is meant, operator, value.
    pub fn new(
        field: &str,
        attribute: Option<&str>,
        operator: &str,
        value: &str,
    ) -> Result<Self, CriterionError> {
        let attribute = attribute
            .map(|word| {
                AttributeType::from_keyword(word).ok_or_else(|| CriterionError::Attribute(word.to_owned()))
            })
            .transpose()?;
        let field = match (field.to_ascii_lowercase().as_str(), attribute) {
            ("subject-name", attribute) => Field::SubjectName(attribute),
            ("issuer-name", attribute) => Field::IssuerName(attribute),
            ("alt-subject-name", None) => Field::AlternativeSubjectName,
            ("alt-subject-name", Some(attribute)) => {
                return Err(CriterionError::NoAttributes(attribute.keyword().to_owned()));
            }
            _ => return Err(CriterionError::Field(field.to_owned())),
        };
        let operator = match operator.to_ascii_lowercase().as_str() {
            "eq" => Operator::Equal,
            "ne" => Operator::NotEqual,
            "co" => Operator::Contains,
            "nc" => Operator::NotContains,
            _ => return Err(CriterionError::Operator(operator.to_owned())),
        };
        let value = folded(value);
        if value.is_empty() { Err(CriterionError::EmptyValue) } else { Ok(Self { field, operator, value }) }
    }

    /// What is looked at.
    pub fn field(&self) -> Field {
        self.field
    }

    /// How it is compared.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// With what, in lower case.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a peer's certificate meets the criterion. A certificate that has no such value meets `ne` and `nc`.
    pub fn matches(&self, peer: &Peer) -> bool {
        let values = match self.field {
            Field::SubjectName(attribute) => name_values(&peer.subject, attribute),
            Field::IssuerName(attribute) => name_values(&peer.issuer, attribute),
            Field::AlternativeSubjectName => peer
                .alternative_names
                .iter()
                .filter_map(|name| name.text())
                .map(|text| folded(&text))
                .collect(),
        };
        match self.operator {
            Operator::Equal => values.contains(&self.value),
            Operator::NotEqual => !values.contains(&self.value),
            Operator::Contains => values.iter().any(|value| value.contains(&self.value)),
            Operator::NotContains => !values.iter().any(|value| value.contains(&self.value)),
        }
    }
}

/// A whole name counts as the line that the log shows (RFC 4514), with or without spaces behind the commas.
fn name_values(name: &Name, attribute: Option<AttributeType>) -> Vec<String> {
    match attribute {
        Some(attribute) => name.values(attribute).into_iter().map(folded).collect(),
        None => vec![folded(&name.to_string())],
    }
}

/// Lower case, single spaces, none at the ends and none behind a comma.
fn folded(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace(", ", ",").to_lowercase()
}

/// A tunnel group for certificates that meet all criteria.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Rules are asked in the order of this number.
    pub sequence: u32,
    /// All of these must be met. A rule without any is met by nobody.
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
    /// Puts rules in the order of their sequence numbers; those of one number stay as they were written.
    pub fn new(mut rules: Vec<Rule>) -> Self {
        rules.sort_by_key(|rule| rule.sequence);
        Self { rules }
    }

    /// The rules in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The tunnel group of the first rule that a peer's certificate meets.
    pub fn tunnel_group(&self, peer: &Peer) -> Option<&str> {
        let met = |rule: &&Rule| {
            !rule.criteria.is_empty() && rule.criteria.iter().all(|criterion| criterion.matches(peer))
        };
        self.rules.iter().find(met).map(|rule| rule.tunnel_group.as_str())
    }
}

#[cfg(test)]
mod tests;

//! Messages of LDAP (RFC 4511 section 4): questions are built here, answers are read here.
//!
//! Filters come from the `ldap3` crate. Answers do not go through it: its decoder panics on what is no LDAP, and reads
//! without a bound.

use ldap3::asn1::{PL, StructureTag};
use tollgate_aaa::Secret;
use zeroize::Zeroizing;

use super::ber::{
    BOOLEAN, ENUMERATED, INTEGER, Malformed, OCTET_STRING, Reader, SEQUENCE, put, put_header, put_unsigned,
    unsigned,
};

const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const SEARCH_REQUEST: u8 = 0x63;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;
const EXTENDED_REQUEST: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;
const INTERMEDIATE_RESPONSE: u8 = 0x79;
const CONTROLS: u8 = 0xa0;
const REFERRAL: u8 = 0xa3;
const SET: u8 = 0x31;
const SIMPLE: u8 = 0x80;
const EXTENDED_NAME: u8 = 0x80;
const RESPONSE_NAME: u8 = 0x8a;

/// StartTLS (RFC 4511 section 4.14).
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
/// The password policy control of draft-behera-ldap-password-policy section 6.
const PASSWORD_POLICY: &[u8] = b"1.3.6.1.4.1.42.2.27.8.5.1";

/// How far below the base a search goes (RFC 4511 section 4.5.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// The entry itself.
    Base,
    /// Its children.
    Children,
    /// It and all below it.
    Subtree,
}

/// A search.
#[derive(Debug, Clone)]
pub(super) struct Search {
    pub(super) base: String,
    pub(super) depth: Depth,
    /// In BER.
    pub(super) filter: Vec<u8>,
    pub(super) attributes: Vec<String>,
    /// Entries that are wanted at most; 0: all.
    pub(super) size_limit: u32,
    /// Seconds that the server may spend.
    pub(super) time_limit: u32,
}

/// A bind with a name and a password, which asks for the state of the account.
pub(super) fn bind(id: u32, name: &str, password: &Secret) -> Zeroizing<Vec<u8>> {
    // Large enough from the beginning, so that no copy of the password stays behind.
    let mut operation = Zeroizing::new(Vec::with_capacity(name.len() + password.len() + 32));
    put_unsigned(&mut operation, INTEGER, 3);
    put(&mut operation, OCTET_STRING, name.as_bytes());
    put(&mut operation, SIMPLE, password);
    let mut control = Vec::new();
    put(&mut control, OCTET_STRING, PASSWORD_POLICY);
    let mut controls = Vec::new();
    put(&mut controls, SEQUENCE, &control);
    message(id, BIND_REQUEST, &operation, &controls)
}

/// A search.
pub(super) fn search(id: u32, search: &Search) -> Zeroizing<Vec<u8>> {
    let mut operation = Vec::new();
    put(&mut operation, OCTET_STRING, search.base.as_bytes());
    let depth = match search.depth {
        Depth::Base => 0,
        Depth::Children => 1,
        Depth::Subtree => 2,
    };
    put_unsigned(&mut operation, ENUMERATED, depth);
    // Aliases are followed nowhere: a user would be known under several names.
    put_unsigned(&mut operation, ENUMERATED, 0);
    put_unsigned(&mut operation, INTEGER, search.size_limit);
    put_unsigned(&mut operation, INTEGER, search.time_limit);
    put(&mut operation, BOOLEAN, &[0]);
    operation.extend_from_slice(&search.filter);
    let mut attributes = Vec::new();
    for attribute in &search.attributes {
        put(&mut attributes, OCTET_STRING, attribute.as_bytes());
    }
    put(&mut operation, SEQUENCE, &attributes);
    message(id, SEARCH_REQUEST, &operation, &[])
}

/// StartTLS.
pub(super) fn start_tls(id: u32) -> Zeroizing<Vec<u8>> {
    let mut operation = Vec::new();
    put(&mut operation, EXTENDED_NAME, START_TLS);
    message(id, EXTENDED_REQUEST, &operation, &[])
}

fn message(id: u32, tag: u8, operation: &[u8], controls: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut content = Zeroizing::new(Vec::with_capacity(operation.len() + controls.len() + 32));
    put_unsigned(&mut content, INTEGER, id);
    put(&mut content, tag, operation);
    if !controls.is_empty() {
        put(&mut content, CONTROLS, controls);
    }
    let mut whole = Zeroizing::new(Vec::with_capacity(content.len() + 8));
    put_header(&mut whole, SEQUENCE, content.len());
    whole.extend_from_slice(&content);
    whole
}

/// A filter of the `ldap3` crate in BER.
pub(super) fn encode(tag: StructureTag) -> Vec<u8> {
    let number = u8::try_from(tag.id).unwrap_or(0) & 0x1f;
    let class = (tag.class as u8) << 6;
    let mut out = Vec::new();
    match tag.payload {
        PL::P(content) => put(&mut out, class | number, &content),
        PL::C(children) => {
            let content: Vec<u8> = children.into_iter().flat_map(encode).collect();
            put(&mut out, class | 0x20 | number, &content);
        }
    }
    out
}

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// To a bind.
    Bind(Outcome),
    /// One entry of a search.
    Entry(Entry),
    /// Another part of a search's answer is elsewhere.
    Reference(Vec<String>),
    /// A search's end.
    Done(Outcome),
    /// To StartTLS, or unasked: that the connection ends.
    Extended(Outcome),
    /// Something on the way that means nothing to us.
    Intermediate,
}

/// LDAPResult (RFC 4511 section 4.1.9), with the controls that came with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// resultCode.
    pub(super) code: u32,
    /// diagnosticMessage.
    pub(super) text: String,
    /// URLs of a referral.
    pub(super) referrals: Vec<String>,
    /// What the password policy control said.
    pub(super) policy: Policy,
}

/// PasswordPolicyResponseValue (draft-behera-ldap-password-policy section 6.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Policy {
    /// The password expires in so many seconds.
    pub(super) expires_in: Option<u32>,
    /// So many more logins with the expired password.
    pub(super) grace_logins: Option<u32>,
    /// 0 password expired, 1 account locked, 2 change after reset; others concern changes of the password.
    pub(super) error: Option<u32>,
}

/// An entry and those of its attributes that were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) dn: String,
    pub(super) attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Entry {
    /// Values of an attribute, whose name's case does not matter, nor what options it came with (`;range=0-1499`).
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.attributes
            .iter()
            .filter(move |(attribute, _)| {
                attribute.eq_ignore_ascii_case(name)
                    || attribute.split(';').next().is_some_and(|bare| bare.eq_ignore_ascii_case(name))
            })
            .flat_map(|(_, values)| values.iter().map(Vec::as_slice))
    }
}

/// Reads one whole message: its number and what it says.
pub(super) fn read(octets: &[u8]) -> Result<(u32, Answer), Malformed> {
    let mut message = Reader::new(Reader::new(octets).expect(SEQUENCE, "a message that is no sequence")?);
    let id = unsigned(message.expect(INTEGER, "a message without a number")?)?;
    let (tag, content) = message.any()?;
    let mut controls = None;
    while !message.is_empty() {
        match message.any()? {
            (CONTROLS, content) => controls = Some(content),
            // Active Directory's notice of disconnection has its name here, outside of the operation.
            (RESPONSE_NAME, _) => {}
            _ => return Err(Malformed("something behind the operation that is no control")),
        }
    }
    let outcome = |content| outcome(Reader::new(content), controls);
    let answer = match tag {
        BIND_RESPONSE => Answer::Bind(outcome(content)?),
        SEARCH_DONE => Answer::Done(outcome(content)?),
        EXTENDED_RESPONSE => Answer::Extended(outcome(content)?),
        SEARCH_ENTRY => Answer::Entry(entry(Reader::new(content))?),
        SEARCH_REFERENCE => Answer::Reference(urls(Reader::new(content))?),
        INTERMEDIATE_RESPONSE => Answer::Intermediate,
        _ => return Err(Malformed("an operation that no server answers with")),
    };
    Ok((id, answer))
}

fn outcome(mut reader: Reader<'_>, controls: Option<&[u8]>) -> Result<Outcome, Malformed> {
    let code = unsigned(reader.expect(ENUMERATED, "a result without a code")?)?;
    reader.expect(OCTET_STRING, "a result without a matched name")?;
    let text = reader.expect(OCTET_STRING, "a result without a message")?;
    let referrals = match reader.optional(REFERRAL)? {
        Some(content) => urls(Reader::new(content))?,
        None => Vec::new(),
    };
    let policy = controls.map_or(Ok(None), policy)?.unwrap_or_default();
    Ok(Outcome { code, text: printable(text), referrals, policy })
}

fn policy(controls: &[u8]) -> Result<Option<Policy>, Malformed> {
    let mut controls = Reader::new(controls);
    while !controls.is_empty() {
        let mut control = Reader::new(controls.expect(SEQUENCE, "a control that is no sequence")?);
        let name = control.expect(OCTET_STRING, "a control without a name")?;
        if name != PASSWORD_POLICY {
            continue;
        }
        control.optional(BOOLEAN)?;
        let Some(value) = control.optional(OCTET_STRING)? else { continue };
        let mut value =
            Reader::new(Reader::new(value).expect(SEQUENCE, "a password policy that is no sequence")?);
        let mut policy = Policy::default();
        if let Some(warning) = value.optional(0xa0)? {
            match Reader::new(warning).any()? {
                (0x80, seconds) => policy.expires_in = Some(unsigned(seconds)?),
                (0x81, logins) => policy.grace_logins = Some(unsigned(logins)?),
                _ => return Err(Malformed("a password policy warning of an unknown kind")),
            }
        }
        if let Some(error) = value.optional(0x81)? {
            policy.error = Some(unsigned(error)?);
        }
        return Ok(Some(policy));
    }
    Ok(None)
}

fn entry(mut reader: Reader<'_>) -> Result<Entry, Malformed> {
    let dn = reader.expect(OCTET_STRING, "an entry without a name")?;
    let dn = String::from_utf8(dn.to_vec()).map_err(|_| Malformed("an entry's name that is not UTF-8"))?;
    let mut list = Reader::new(reader.expect(SEQUENCE, "an entry without attributes")?);
    let mut attributes = Vec::new();
    while !list.is_empty() {
        let mut attribute = Reader::new(list.expect(SEQUENCE, "an attribute that is no sequence")?);
        let name = printable(attribute.expect(OCTET_STRING, "an attribute without a name")?);
        let mut set = Reader::new(attribute.expect(SET, "an attribute without values")?);
        let mut values = Vec::new();
        while !set.is_empty() {
            values.push(set.expect(OCTET_STRING, "a value that is no octet string")?.to_vec());
        }
        attributes.push((name, values));
    }
    Ok(Entry { dn, attributes })
}

fn urls(mut reader: Reader<'_>) -> Result<Vec<String>, Malformed> {
    let mut urls = Vec::new();
    while !reader.is_empty() {
        urls.push(printable(reader.expect(OCTET_STRING, "a referral that is no text")?));
    }
    Ok(urls)
}

/// Text of the server, fit for a log: no control characters, and no novel.
fn printable(octets: &[u8]) -> String {
    const LONGEST: usize = 512;
    let text = String::from_utf8_lossy(octets);
    let text = text.trim_matches(|c: char| c.is_control() || c.is_whitespace());
    text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;

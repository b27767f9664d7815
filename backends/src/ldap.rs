//! LDAP version 3 (RFC 4511): the user's entry is searched for with an account of our own, then a bind as that entry
//! proves the password. Active Directory and OpenLDAP, in clear, with StartTLS and over TLS (RFC 4513, 4511 section
//! 4.14).
//!
//! - `directory`: the steps of one login.
//! - `connection`, `message`, `ber`: octets.
//! - `filter`, `referral`: names, filters and URLs.
//! - `refusal`: what a result means.
//! - [`map`]: what an entry says about the session.

mod ber;
mod connection;
mod directory;
mod filter;
pub mod map;
mod message;
mod referral;
mod refusal;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tollgate_aaa::{
    AuthRequest, Backend, Counters, Credentials, Reject, RejectReason, Secret, ServerType, Verdict,
};

use crate::net::Endpoint;
use crate::tls::TlsSettings;
use connection::Failure;
use directory::Directory;
pub use map::{AttributeMap, AttributeRule, Target, UnknownTarget};
use message::Answer;

/// How the connection is protected.
#[derive(Debug, Clone)]
pub enum Security {
    /// Not at all: passwords go in the clear.
    Clear,
    /// TLS begun on the ordinary port.
    StartTls(TlsSettings),
    /// TLS from the first octet, usually on port 636.
    Ldaps(TlsSettings),
}

/// Where entries are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Directly below the base.
    OneLevel,
    /// Anywhere below the base.
    Subtree,
}

/// What kind of directory it is. Only Active Directory is asked for groups within groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectoryType {
    /// Active Directory.
    Microsoft,
    /// OpenLDAP and all others.
    OpenLdap,
    /// The server tells.
    AutoDetect,
}

/// One LDAP server.
#[derive(Debug, Clone)]
pub struct LdapSettings {
    /// Where it is.
    pub endpoint: Endpoint,
    /// How the connection is protected.
    pub security: Security,
    /// Where the search begins.
    pub base_dn: String,
    /// How deep it goes.
    pub scope: Scope,
    /// Attributes that hold the user name; one that fits is enough.
    pub naming_attributes: Vec<String>,
    /// Name and password of our own account; `None`: the search is anonymous.
    pub login: Option<(String, Secret)>,
    /// Makes the name to bind with of the user name, `uid={user},ou=people,dc=x`, without a search.
    pub dn_template: Option<String>,
    /// What an entry must fit beside the name; `{user}` in it is the user name.
    pub filter: Option<String>,
    /// What kind of directory it is.
    pub server_type: DirectoryType,
    /// How long a login may take, 1 to 300 seconds.
    pub timeout: Duration,
    /// What an entry says about the session.
    pub attribute_map: Arc<AttributeMap>,
}

/// Why a server cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LdapError {
    /// Nothing to connect to.
    #[error("an LDAP server has an empty address; give it a host name or an IP address")]
    EmptyAddress,
    /// Nothing to search by.
    #[error("the LDAP server {0} has no ldap-naming-attribute; set uid, cn or sAMAccountName")]
    NoNamingAttribute(Endpoint),
    /// Everything would fit, or nothing.
    #[error("ldap-naming-attribute {0:?} is no name of an attribute")]
    BadNamingAttribute(String),
    /// A directory takes it for an anonymous bind and says yes.
    #[error("ldap-login-dn {0:?} and its password must both be given, or none of them")]
    HalfLogin(String),
    /// Everybody would bind as the same name.
    #[error("the DN template {0:?} has no {{user}} in it")]
    TemplateWithoutUser(String),
    /// Not in the language of RFC 4515.
    #[error("ldap-filter {0:?} is no search filter; write it like (objectClass=person)")]
    BadFilter(String),
    /// A file cannot be read, or the like.
    #[error("TLS to the LDAP server {0}: {1}")]
    Tls(Endpoint, String),
}

/// An LDAP server.
pub struct LdapBackend {
    address: String,
    timeout: Duration,
    directory: Directory,
    counters: Counters,
}

impl LdapBackend {
    /// Files of TLS are read now; connections are opened when they are needed.
    pub fn new(settings: LdapSettings) -> Result<Arc<Self>, LdapError> {
        check(&settings)?;
        let endpoint = settings.endpoint.clone();
        let timeout = settings.timeout;
        let directory = Directory::new(settings).map_err(|why| LdapError::Tls(endpoint.clone(), why))?;
        Ok(Arc::new(Self {
            address: endpoint.to_string(),
            timeout,
            directory,
            counters: Counters::default(),
        }))
    }
}

fn check(settings: &LdapSettings) -> Result<(), LdapError> {
    let LdapSettings { endpoint, naming_attributes, login, dn_template, filter, attribute_map, .. } =
        settings;
    if endpoint.host.is_empty() {
        return Err(LdapError::EmptyAddress);
    }
    if let Some(template) = dn_template
        && !template.contains(filter::PLACE)
    {
        return Err(LdapError::TemplateWithoutUser(template.clone()));
    }
    let searches = match dn_template {
        None => true,
        Some(template) => !filter::is_dn(template) && (!attribute_map.is_empty() || filter.is_some()),
    };
    if searches && naming_attributes.is_empty() {
        return Err(LdapError::NoNamingAttribute(endpoint.clone()));
    }
    let is_name = |name: &String| {
        !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-.;".contains(&c))
    };
    if let Some(bad) = naming_attributes.iter().find(|name| !is_name(name)) {
        return Err(LdapError::BadNamingAttribute(bad.clone()));
    }
    if let Some((name, password)) = login
        && (name.is_empty() || password.is_empty())
    {
        return Err(LdapError::HalfLogin(name.clone()));
    }
    if let Some(text) = filter
        && filter::for_entry(Some(text), "user").is_none()
    {
        return Err(LdapError::BadFilter(text.clone()));
    }
    Ok(())
}

/// What a whole message of a directory says, in words and as a login reads it; `None`: it is none.
pub fn in_words(octets: &[u8]) -> Option<String> {
    let (number, answer) = message::read(octets).ok()?;
    Some(match answer {
        Answer::Bind(outcome) => {
            let judgement = refusal::judge(&outcome, "directory", "user");
            format!("{number}: {}: {judgement:?}", refusal::words(&outcome))
        }
        Answer::Done(outcome) | Answer::Extended(outcome) => {
            format!("{number}: {}", refusal::words(&outcome))
        }
        Answer::Entry(entry) => format!("{number}: {:?} has {} attributes", entry.dn, entry.attributes.len()),
        Answer::Reference(urls) => format!("{number}: elsewhere: {urls:?}"),
        Answer::Intermediate => format!("{number}: more to come"),
    })
}

impl LdapBackend {
    fn heard(&self, answer: Result<Verdict, Failure>) -> Verdict {
        answer.unwrap_or_else(|failure| {
            if matches!(failure, Failure::Malformed(_)) {
                Counters::count(&self.counters.malformed);
            }
            Verdict::Unavailable(failure.into())
        })
    }
}

/// The name and the password, when they can be sent.
fn sendable<'a>(request: &'a AuthRequest<'_>) -> Result<(&'a str, &'a Secret), RejectReason> {
    let cannot = |why: &str| Err(RejectReason::CannotBeSent(why.to_owned()));
    let Credentials::Pap { password } = request.credentials else {
        return cannot("LDAP takes the password itself, which only PAP carries");
    };
    if password.is_empty() {
        return Err(RejectReason::EmptyPassword);
    }
    if password.contains(&0) {
        return cannot("the password has a NUL octet in it, which no directory takes");
    }
    Ok((sendable_name(request)?, password))
}

/// The name, when it can be sent.
fn sendable_name<'a>(request: &AuthRequest<'a>) -> Result<&'a str, RejectReason> {
    let cannot = |why: &str| Err(RejectReason::CannotBeSent(why.to_owned()));
    match std::str::from_utf8(request.name) {
        Ok("") => cannot("the user name is empty"),
        Ok(name) if name.contains('\0') => {
            cannot("the user name has a NUL octet in it, which no directory takes")
        }
        Ok(name) => Ok(name),
        Err(_) => cannot("the user name is not UTF-8, which LDAP wants"),
    }
}

#[async_trait]
impl Backend for LdapBackend {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn server_type(&self) -> ServerType {
        ServerType::Ldap
    }

    fn timeout(&self) -> Option<Duration> {
        Some(self.timeout)
    }

    async fn authenticate(&self, request: &AuthRequest<'_>) -> Verdict {
        let (user, password) = match sendable(request) {
            Ok(login) => login,
            Err(reason) => return Verdict::Reject(Reject::new(reason)),
        };
        self.heard(self.directory.login(user, password).await)
    }

    async fn authorize(&self, request: &AuthRequest<'_>) -> Verdict {
        match sendable_name(request) {
            Ok(user) => self.heard(self.directory.authorize(user).await),
            Err(reason) => Verdict::Reject(Reject::new(reason)),
        }
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }
}

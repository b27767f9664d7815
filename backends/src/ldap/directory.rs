//! The steps of one login: find the entry with our own account, bind as it, read what it says about the session.

mod reach;

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;
use tollgate_aaa::pool::{Place, Pool};
use tollgate_aaa::{Layer, Reject, RejectReason, Secret, Unavailable, Verdict};
use tracing::debug;

use super::connection::{Connection, Failure, Protection};
use super::message::{Depth, Entry, Outcome, Search};
use super::refusal::{self, Judgement};
use super::{DirectoryType, LdapSettings, Scope, Security, filter, referral};
use crate::net::Endpoint;

/// Connections of one kind at most.
const CONNECTIONS: usize = 16;
/// How long a connection is kept without work. Firewalls forget them after a few minutes.
const IDLE: Duration = Duration::from_secs(60);
/// Referrals that one question follows.
const MOST_HOPS: u32 = 3;
/// Entries that are asked for; more than one is too many.
const WANTED_ENTRIES: u32 = 16;
/// A server says by this that it is Active Directory ([MS-ADTS] section 3.1.1.3.4.3).
const ACTIVE_DIRECTORY: &[u8] = b"1.2.840.113556.1.4.800";

pub(super) struct Directory {
    settings: LdapSettings,
    protection: Protection,
    /// Bound as our own account; nobody else's password ever goes over these.
    searching: Pool<Connection>,
    binding: Pool<Connection>,
    is_microsoft: OnceLock<bool>,
}

/// How a login ends without an accept.
enum End {
    Refused(RejectReason),
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Unavailable> for End {
    fn from(unavailable: Unavailable) -> Self {
        Self::Failed(Failure::Unavailable(unavailable))
    }
}

/// An entry, and the server that has it.
struct Located {
    entry: Entry,
    /// `None`: the configured one.
    server: Option<Endpoint>,
}

/// A connection bound as the user, with its place in the pool; without, at another server.
struct Bound<'a> {
    connection: Connection,
    place: Option<Place<'a, Connection>>,
}

impl Bound<'_> {
    fn keep(self) {
        if let Some(place) = self.place {
            place.keep(self.connection);
        }
    }
}

/// Who reads on behalf of a login.
enum Eyes<'a> {
    /// Our own account, at the server of the entry.
    Service(Option<Endpoint>),
    /// The user.
    Own(Bound<'a>),
}

impl Directory {
    pub(super) fn new(settings: LdapSettings) -> Result<Self, String> {
        let protection = reach::protection(&settings.security, &settings.endpoint.host)?;
        let is_microsoft = OnceLock::new();
        match settings.server_type {
            DirectoryType::Microsoft => drop(is_microsoft.set(true)),
            DirectoryType::OpenLdap => drop(is_microsoft.set(false)),
            DirectoryType::AutoDetect => {}
        }
        let pool = || Pool::new(CONNECTIONS, IDLE);
        Ok(Self { settings, protection, searching: pool(), binding: pool(), is_microsoft })
    }

    pub(super) async fn login(&self, user: &str, password: &Secret) -> Result<Verdict, Failure> {
        let deadline = Instant::now() + self.settings.timeout;
        let result = match &self.settings.dn_template {
            Some(template) => self.by_template(template, user, password, deadline).await,
            None => self.by_search(user, password, deadline).await,
        };
        settled(result)
    }

    /// What the entry of a user says whom somebody else has authenticated.
    pub(super) async fn authorize(&self, user: &str) -> Result<Verdict, Failure> {
        let deadline = Instant::now() + self.settings.timeout;
        let look_up = async {
            let search = self.search_for(user)?;
            let Located { entry, server } = self.locate(search, &mut Eyes::Service(None), deadline).await?;
            self.accept(&entry, &mut Eyes::Service(server), deadline).await
        };
        settled(look_up.await)
    }

    async fn by_search(&self, user: &str, password: &Secret, deadline: Instant) -> Result<Verdict, End> {
        let search = self.search_for(user)?;
        let Located { entry, server } = self.locate(search, &mut Eyes::Service(None), deadline).await?;
        let bound = self.check_password(&entry.dn, password, server.clone(), deadline).await?;
        bound.keep();
        self.accept(&entry, &mut Eyes::Service(server), deadline).await
    }

    async fn by_template(
        &self,
        template: &str,
        user: &str,
        password: &Secret,
        deadline: Instant,
    ) -> Result<Verdict, End> {
        let name = filter::bind_name(template, user);
        let bound = self.check_password(&name, password, None, deadline).await?;
        if self.settings.attribute_map.is_empty() && self.settings.filter.is_none() {
            bound.keep();
            return Ok(Verdict::Accept(Box::default()));
        }
        let mut search = self.search_for(user)?;
        if filter::is_dn(template) {
            let configured = self.settings.filter.as_deref();
            search.filter = filter::for_entry(configured, user).ok_or_else(|| no_filter(user))?;
            search.base = name;
            search.depth = Depth::Base;
        }
        let mut eyes = if self.settings.login.is_some() {
            bound.keep();
            Eyes::Service(None)
        } else {
            Eyes::Own(bound)
        };
        let Located { entry, .. } = self.locate(search, &mut eyes, deadline).await?;
        let verdict = self.accept(&entry, &mut eyes, deadline).await?;
        if let Eyes::Own(bound) = eyes {
            bound.keep();
        }
        Ok(verdict)
    }

    /// The search of the configuration.
    fn search_for(&self, user: &str) -> Result<Search, End> {
        let settings = &self.settings;
        let naming = &settings.naming_attributes;
        // A template that makes a whole name needs none.
        let filter = if naming.is_empty() {
            filter::anything()
        } else {
            filter::for_user(naming, settings.filter.as_deref(), user)
        };
        let mut attributes = settings.attribute_map.attributes();
        if attributes.is_empty() {
            // RFC 4511 section 4.5.1.8: no attributes at all.
            attributes.push("1.1".to_owned());
        }
        Ok(Search {
            base: settings.base_dn.clone(),
            depth: match settings.scope {
                Scope::OneLevel => Depth::Children,
                Scope::Subtree => Depth::Subtree,
            },
            filter: filter.ok_or_else(|| no_filter(user))?,
            attributes,
            size_limit: WANTED_ENTRIES,
            time_limit: u32::try_from(settings.timeout.as_secs()).unwrap_or(u32::MAX).max(1),
        })
    }

    /// Exactly one entry.
    async fn locate(
        &self,
        mut search: Search,
        eyes: &mut Eyes<'_>,
        deadline: Instant,
    ) -> Result<Located, End> {
        for _ in 0..=MOST_HOPS {
            let found = self.look(&search, eyes, deadline).await?;
            let at = self.name_of(eyes);
            let elsewhere = match (found.outcome.code, found.entries.len()) {
                (refusal::SUCCESS | refusal::SIZE_LIMIT_EXCEEDED, 1) if found.complete => {
                    let server = match eyes {
                        Eyes::Service(server) => server.clone(),
                        Eyes::Own(_) => None,
                    };
                    let entry = found.entries.into_iter().next().unwrap_or_default();
                    if entry.dn.is_empty() {
                        // A bind without a name succeeds with every password.
                        let why = format!("{at} has found an entry without a name");
                        return Err(Failure::Malformed(why).into());
                    }
                    return Ok(Located { entry, server });
                }
                (refusal::SUCCESS | refusal::SIZE_LIMIT_EXCEEDED, 0) => {
                    // Active Directory refers every search from the root to its other partitions, which hold no users.
                    if found.references.is_empty() || self.is_microsoft(eyes, deadline).await? {
                        return Err(End::Refused(RejectReason::UnknownUser));
                    }
                    found.references
                }
                (refusal::SUCCESS | refusal::SIZE_LIMIT_EXCEEDED, several) => {
                    return Err(End::Refused(RejectReason::AmbiguousUser(several)));
                }
                (refusal::REFERRAL, _) => found.outcome.referrals,
                (refusal::NO_SUCH_OBJECT, _) if search.depth == Depth::Base => {
                    return Err(End::Refused(RejectReason::UnknownUser));
                }
                _ => return Err(self.search_refused(&found.outcome, &search, &at).into()),
            };
            let target = self.target(&elsewhere, &at, eyes)?;
            if !target.dn.is_empty() {
                search.base = target.dn;
            }
            search.depth = target.depth.unwrap_or(search.depth);
            *eyes = Eyes::Service(Some(target.endpoint));
        }
        Err(self.too_many_hops().into())
    }

    /// Binds as the user. An error says what the directory has against it.
    async fn check_password(
        &self,
        name: &str,
        password: &Secret,
        mut server: Option<Endpoint>,
        deadline: Instant,
    ) -> Result<Bound<'_>, End> {
        for _ in 0..=MOST_HOPS {
            let (bound, outcome) = self.bind(name, password, server.as_ref(), deadline).await?;
            let at = server.as_ref().unwrap_or(&self.settings.endpoint).to_string();
            match refusal::judge(&outcome, &at, name) {
                Judgement::Welcome => return Ok(bound),
                Judgement::Refused(reason) => {
                    bound.keep();
                    return Err(End::Refused(reason));
                }
                Judgement::Undecided(unavailable) => return Err(unavailable.into()),
                Judgement::Elsewhere(urls) => {
                    bound.keep();
                    server = Some(self.target(&urls, &at, &Eyes::Service(None))?.endpoint);
                }
            }
        }
        Err(self.too_many_hops().into())
    }

    async fn accept(&self, entry: &Entry, eyes: &mut Eyes<'_>, deadline: Instant) -> Result<Verdict, End> {
        let map = &self.settings.attribute_map;
        let mut groups = map.indirect_groups(entry);
        if !groups.is_empty() {
            let mut member_of = Vec::new();
            if self.is_microsoft(eyes, deadline).await? {
                for group in groups {
                    if self.is_in_group(&entry.dn, group, eyes, deadline).await? {
                        member_of.push(group);
                    }
                }
            }
            groups = member_of;
        }
        match map.apply(entry, &groups) {
            Ok(attributes) => Ok(Verdict::Accept(Box::new(attributes))),
            Err(bad) => Err(End::Refused(RejectReason::UnusableAccept(bad.to_string()))),
        }
    }

    async fn is_in_group(
        &self,
        dn: &str,
        group: &str,
        eyes: &mut Eyes<'_>,
        deadline: Instant,
    ) -> Result<bool, Failure> {
        let Some(filter) = filter::in_group(group) else { return Ok(false) };
        let found = self.look(&base_search(dn, filter, "1.1"), eyes, deadline).await?;
        if found.outcome.code != refusal::SUCCESS {
            let server = self.name_of(eyes);
            let why = format!(
                "{server} cannot tell whether {dn} is in {group}: {}",
                refusal::words(&found.outcome)
            );
            return Err(Failure::Unavailable(Unavailable::new(Layer::Protocol, why)));
        }
        Ok(!found.entries.is_empty())
    }

    async fn is_microsoft(&self, eyes: &mut Eyes<'_>, deadline: Instant) -> Result<bool, Failure> {
        if let Some(&known) = self.is_microsoft.get() {
            return Ok(known);
        }
        let Some(filter) = filter::anything() else { return Ok(false) };
        let found = self.look(&base_search("", filter, "supportedCapabilities"), eyes, deadline).await?;
        let Some(root) = found.entries.first() else {
            // It may tell the next time.
            return Ok(false);
        };
        let is = root.values("supportedCapabilities").any(|value| value == ACTIVE_DIRECTORY);
        Ok(*self.is_microsoft.get_or_init(|| is))
    }

    fn search_refused(&self, outcome: &Outcome, search: &Search, server: &str) -> Unavailable {
        let words = refusal::words(outcome);
        let base = &search.base;
        let (layer, why) = match outcome.code {
            refusal::STRONGER_AUTH_REQUIRED | refusal::CONFIDENTIALITY_REQUIRED => {
                return refusal::wants_tls(server, outcome);
            }
            refusal::NO_SUCH_OBJECT => (
                Layer::Configuration,
                format!("{server} has no ldap-base-dn {base}, or hides it from ldap-login-dn: {words}"),
            ),
            refusal::INVALID_DN_SYNTAX => {
                (Layer::Configuration, format!("{server} takes ldap-base-dn {base} for no name: {words}"))
            }
            refusal::OPERATIONS_ERROR | refusal::INSUFFICIENT_ACCESS if self.settings.login.is_none() => (
                Layer::Secret,
                format!("{server} lets nobody search without a login; set ldap-login-dn: {words}"),
            ),
            refusal::INSUFFICIENT_ACCESS => {
                (Layer::Secret, format!("{server} lets ldap-login-dn not search {base}: {words}"))
            }
            _ => (Layer::Protocol, format!("{server} did not finish the search in {base}: {words}")),
        };
        Unavailable::new(layer, why)
    }

    fn name_of(&self, eyes: &Eyes<'_>) -> String {
        match eyes {
            Eyes::Service(Some(server)) => server.to_string(),
            Eyes::Service(None) | Eyes::Own(_) => self.settings.endpoint.to_string(),
        }
    }

    fn target(&self, urls: &[String], at: &str, eyes: &Eyes<'_>) -> Result<referral::Target, Unavailable> {
        let port = match self.settings.security {
            Security::Clear | Security::StartTls(_) => 389,
            Security::Ldaps(_) => 636,
        };
        let target = urls.iter().find_map(|url| referral::parse(url, port));
        match (target, eyes) {
            (Some(target), Eyes::Service(_)) => {
                debug!(from = at, to = %target.endpoint, "following a referral");
                Ok(target)
            }
            // Where we read as the user, nobody else's account is at hand to go on with.
            _ => {
                let why =
                    format!("{at} refers to {}, which is not followed; name that server", urls.join(", "));
                Err(Unavailable::new(Layer::Protocol, why))
            }
        }
    }

    fn too_many_hops(&self) -> Unavailable {
        let why = format!(
            "{} refers elsewhere, and so on for more than {MOST_HOPS} servers",
            self.settings.endpoint
        );
        Unavailable::new(Layer::Protocol, why)
    }
}

fn settled(result: Result<Verdict, End>) -> Result<Verdict, Failure> {
    match result {
        Ok(verdict) => Ok(verdict),
        Err(End::Refused(reason)) => Ok(Verdict::Reject(Reject::new(reason))),
        Err(End::Failed(failure)) => Err(failure),
    }
}

fn base_search(dn: &str, filter: Vec<u8>, attribute: &str) -> Search {
    Search {
        base: dn.to_owned(),
        depth: Depth::Base,
        filter,
        attributes: vec![attribute.to_owned()],
        size_limit: 0,
        time_limit: 0,
    }
}

fn no_filter(user: &str) -> End {
    End::Refused(RejectReason::CannotBeSent(format!("{user:?} makes no search filter of ldap-filter")))
}

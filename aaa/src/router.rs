//! The way of one login: user name, tunnel group, type matrix, server group, LOCAL fallback, verdict.
//!
//! A reject ends it. Only silence of every server leads to LOCAL, only where the tunnel group says so, and only for a
//! method that LOCAL can check.

mod factors;
mod rounds;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use crate::backend::AuthRequest;
use crate::credentials::Credentials;
use crate::group::{GroupAnswer, GroupStatus, ServerGroup, WhenDead};
use crate::matrix::{self, AuthMethod, MatrixCell, ServerType};
use crate::request::LoginRequest;
use crate::username::{self, GroupDelimiter, NameError, NameOptions, PrintableName};
use crate::verdict::{Reject, RejectReason, Verdict};

pub use factors::SecondFactor;
pub use rounds::Continuation;

/// What the router needs to know about a tunnel group.
#[derive(Clone)]
pub struct TunnelGroupRoute {
    /// Its name.
    pub name: String,
    /// Who decides its logins.
    pub server_group: Arc<ServerGroup>,
    /// LOCAL decides when no server answers.
    pub local_fallback: bool,
    /// `ppp-authentication`.
    pub methods: Vec<AuthMethod>,
    /// The realm of a user name is not sent.
    pub strip_realm: bool,
    /// The group in a user name chooses the tunnel group and is taken off.
    pub strip_group: bool,
    /// A leading `DOMAIN\` is not sent.
    pub strip_domain: bool,
    /// `password-management`: a peer whose password has expired may send a new one, where the server group takes it.
    pub password_management: bool,
    /// What the password field holds besides the password.
    pub second_factor: Option<SecondFactor>,
    /// Who says what a session gets; `None`: whoever authenticated.
    pub authorization_group: Option<Arc<ServerGroup>>,
    /// Where its sessions are billed.
    pub accounting_group: Option<Arc<ServerGroup>>,
}

impl TunnelGroupRoute {
    fn name_options(&self) -> NameOptions {
        NameOptions {
            strip_group: self.strip_group,
            strip_realm: self.strip_realm,
            strip_domain: self.strip_domain,
        }
    }
}

/// How a login went.
#[derive(Debug, Clone)]
pub struct LoginOutcome {
    /// The decision.
    pub verdict: Verdict,
    /// The tunnel group chosen (the one of arrival when it came to no choice).
    pub tunnel_group: String,
    /// The server group asked last; `None` when none was asked.
    pub server_group: Option<String>,
    /// The server that decided.
    pub server: Option<String>,
    /// What it is.
    pub server_type: Option<ServerType>,
    /// The name that was sent; as typed when nothing was sent.
    pub name: Vec<u8>,
    /// How the peer proved itself.
    pub method: AuthMethod,
    /// From the first question to the verdict.
    pub round_trip: Duration,
    /// The servers were silent and LOCAL was turned to.
    pub fell_back: bool,
    /// Our own configuration or the type matrix refused, not a server.
    pub refused_by_configuration: bool,
    /// Of an EAP login that the server wants to go on with: who takes the peer's next response.
    pub continuation: Option<Continuation>,
}

impl LoginOutcome {
    /// The same login, refused by our own configuration after all.
    fn refused(self, reason: RejectReason) -> Self {
        let verdict = Verdict::Reject(Reject::new(reason));
        Self { verdict, refused_by_configuration: true, continuation: None, ..self }
    }
}

/// Routes logins. Immutable: a reload makes a new one.
pub struct Router {
    delimiter: Option<GroupDelimiter>,
    tunnel_groups: HashMap<String, TunnelGroupRoute>,
    server_groups: BTreeMap<String, Arc<ServerGroup>>,
    local: Option<Arc<ServerGroup>>,
}

impl Router {
    /// `local` is the group that fallback turns to; absent: there is no LOCAL.
    pub fn new(
        delimiter: Option<GroupDelimiter>,
        groups: Vec<TunnelGroupRoute>,
        local: Option<Arc<ServerGroup>>,
    ) -> Self {
        let mut router = Self {
            delimiter,
            tunnel_groups: HashMap::new(),
            server_groups: BTreeMap::new(),
            local: local.clone(),
        };
        router = router.with_server_groups(local);
        for group in groups {
            router = router
                .with_server_groups([Arc::clone(&group.server_group)])
                .with_server_groups(
                    group.second_factor.as_ref().map(|factor| Arc::clone(&factor.server_group)),
                )
                .with_server_groups(group.authorization_group.clone())
                .with_server_groups(group.accounting_group.clone());
            router.tunnel_groups.insert(group.name.clone(), group);
        }
        router
    }

    /// Makes further groups known, so that [`Self::login_through`] and [`Self::status`] reach groups that no tunnel
    /// group uses.
    pub fn with_server_groups(mut self, groups: impl IntoIterator<Item = Arc<ServerGroup>>) -> Self {
        for group in groups {
            self.server_groups.insert(group.name().to_owned(), group);
        }
        self
    }

    /// One tunnel group.
    pub fn tunnel_group(&self, name: &str) -> Option<&TunnelGroupRoute> {
        self.tunnel_groups.get(name)
    }

    /// One server group.
    pub fn server_group(&self, name: &str) -> Option<&Arc<ServerGroup>> {
        self.server_groups.get(name)
    }

    /// Every server group, by name.
    pub fn status(&self) -> Vec<GroupStatus> {
        self.server_groups.values().map(|group| group.status()).collect()
    }

    /// Decides one login.
    pub async fn login(&self, request: LoginRequest) -> LoginOutcome {
        let outcome = self.decide(&request).await;
        log_outcome(&request.name, &request.context.acct_session_id, &outcome);
        if let (Credentials::PasswordChange { .. }, Verdict::Accept(_)) =
            (&request.credentials, &outcome.verdict)
        {
            let (user, server) = (PrintableName(&request.name), outcome.server.as_deref());
            info!(%user, tunnel_group = outcome.tunnel_group, server, "the client changed its password");
        }
        outcome
    }

    /// Asks one server group as a login would, without fallback: `aaa test --server-group`. The name is split as the
    /// request's tunnel group says; with an empty tunnel group it is sent as typed.
    pub async fn login_through(&self, group: &str, request: LoginRequest) -> LoginOutcome {
        let outcome = self.decide_through(group, &request).await;
        log_outcome(&request.name, &request.context.acct_session_id, &outcome);
        outcome
    }

    /// Asks a server group, or else the one that decides for the request, by its protocol's own dialogue and not as
    /// PPP does, without fallback, second factor or authorization by another group: `aaa test --ascii`. The credentials
    /// are those of PAP.
    pub async fn converse(&self, group: Option<&str>, request: LoginRequest) -> LoginOutcome {
        let outcome = self.decide_by_dialogue(group, &request).await;
        log_outcome(&request.name, &request.context.acct_session_id, &outcome);
        outcome
    }

    async fn decide(&self, request: &LoginRequest) -> LoginOutcome {
        let (chosen, name) = match self.choose(request) {
            Ok(choice) => choice,
            Err(reason) => return refused(request, &request.tunnel_group, &request.name, reason),
        };
        let factors = match chosen.second_factor.as_ref().map(|factor| factor.split(&request.credentials)) {
            None => None,
            Some(Ok(factors)) => Some(factors),
            Some(Err(reason)) => return refused(request, &chosen.name, name.as_bytes(), reason),
        };
        let first = factors.as_ref().map_or(&request.credentials, |[password, _]| password);
        let mut outcome = self.authenticate(request, chosen, name, first).await;
        if let (Some(factor), Some([_, code]), Verdict::Accept(_)) =
            (&chosen.second_factor, &factors, &outcome.verdict)
        {
            outcome = factor.ask(request, code, outcome).await;
        }
        if let (Some(group), Verdict::Accept(_)) = (&chosen.authorization_group, &outcome.verdict) {
            let question = question(request, first, name.as_bytes(), &chosen.name);
            outcome = factors::authorize(group, &question, outcome).await;
        }
        if let Some(continuation) = &mut outcome.continuation {
            continuation.authorized_by(chosen.authorization_group.clone());
        }
        outcome
    }

    async fn authenticate(
        &self,
        request: &LoginRequest,
        chosen: &TunnelGroupRoute,
        name: &str,
        credentials: &Credentials,
    ) -> LoginOutcome {
        let group = &chosen.server_group;
        if let Err(reason) = may_serve(group.server_type(), chosen, credentials) {
            return refused(request, &chosen.name, name.as_bytes(), reason);
        }
        let question = question(request, credentials, name.as_bytes(), &chosen.name);
        let fallback = self.local.as_ref().filter(|local| {
            chosen.local_fallback && group.server_type() != ServerType::Local && !Arc::ptr_eq(local, group)
        });
        let when_dead = if fallback.is_some() { WhenDead::GiveUp } else { WhenDead::KeepTrying };
        let mut outcome = asked(group, &question, when_dead).await;
        offer_password_change(&mut outcome, chosen, credentials);
        match (&outcome.verdict, fallback) {
            (Verdict::Unavailable(silence), Some(local)) => {
                debug!(tunnel_group = chosen.name, why = silence.why, "no server answers, turning to LOCAL");
                fall_back(local, &question, outcome).await
            }
            (
                Verdict::Accept(_) | Verdict::Reject(_) | Verdict::Challenge(_) | Verdict::Unavailable(_),
                Some(_) | None,
            ) => outcome,
        }
    }

    async fn decide_through(&self, group: &str, request: &LoginRequest) -> LoginOutcome {
        let (group, tunnel_group, name) = match self.choose_through(Some(group), request) {
            Ok(choice) => choice,
            Err(refused) => return *refused,
        };
        let method = presented(group.server_type(), request.credentials.method());
        if !matrix::allows(group.server_type(), method) {
            let cell = MatrixCell { server_type: group.server_type(), method };
            return refused(request, tunnel_group, name.as_bytes(), RejectReason::NotAllowed(cell));
        }
        if let Err(reason) = may_change_password(group.server_type(), &request.credentials) {
            return refused(request, tunnel_group, name.as_bytes(), reason);
        }
        let question = question(request, &request.credentials, name.as_bytes(), tunnel_group);
        asked(group, &question, WhenDead::KeepTrying).await
    }

    async fn decide_by_dialogue(&self, group: Option<&str>, request: &LoginRequest) -> LoginOutcome {
        let (group, tunnel_group, name) = match self.choose_through(group, request) {
            Ok(choice) => choice,
            Err(refused) => return *refused,
        };
        let question = question(request, &request.credentials, name.as_bytes(), tunnel_group);
        told(group, &question, group.converse(&question).await)
    }

    /// The server group of this name, or else of the tunnel group that decides; that one's name; and the user's name.
    fn choose_through<'a>(
        &'a self,
        group: Option<&str>,
        request: &'a LoginRequest,
    ) -> Result<(&'a Arc<ServerGroup>, &'a str, &'a str), Box<LoginOutcome>> {
        let (chosen, name) = if group.is_some() && request.tunnel_group.is_empty() {
            let checked = username::check(&request.name).map_err(RejectReason::from);
            checked.map(|name| (None, name))
        } else {
            self.choose(request).map(|(chosen, name)| (Some(chosen), name))
        }
        .map_err(|reason| Box::new(refused(request, &request.tunnel_group, &request.name, reason)))?;
        let tunnel_group = chosen.map_or("", |chosen| chosen.name.as_str());
        let found = match group {
            Some(group) => self.server_groups.get(group),
            None => chosen.map(|chosen| &chosen.server_group),
        };
        let found = found.ok_or_else(|| {
            let reason = RejectReason::UnknownServerGroup(group.unwrap_or_default().to_owned());
            Box::new(refused(request, tunnel_group, name.as_bytes(), reason))
        })?;
        Ok((found, tunnel_group, name))
    }

    /// The tunnel group that decides, and the name that it sends.
    fn choose<'a>(
        &'a self,
        request: &'a LoginRequest,
    ) -> Result<(&'a TunnelGroupRoute, &'a str), RejectReason> {
        let arrival = self
            .tunnel_groups
            .get(&request.tunnel_group)
            .ok_or_else(|| RejectReason::UnknownTunnelGroup(request.tunnel_group.clone()))?;
        let lookup = |name: &str| self.tunnel_groups.get(name).map(TunnelGroupRoute::name_options);
        let resolved = username::resolve(&request.name, self.delimiter, arrival.name_options(), lookup)?;
        let chosen = match resolved.group {
            None => arrival,
            Some(name) => self
                .tunnel_groups
                .get(name)
                .ok_or_else(|| NameError::UnknownGroup { group: name.to_owned() })?,
        };
        Ok((chosen, resolved.name))
    }
}

/// The matrix first: it says more than the list that was cut down to it.
fn may_serve(
    server_type: ServerType,
    chosen: &TunnelGroupRoute,
    credentials: &Credentials,
) -> Result<(), RejectReason> {
    let method = presented(server_type, credentials.method());
    if !matrix::allows(server_type, method) {
        return Err(RejectReason::NotAllowed(MatrixCell { server_type, method }));
    }
    if !chosen.methods.contains(&method) {
        return Err(RejectReason::MethodNotOffered { method, tunnel_group: chosen.name.clone() });
    }
    may_change_password(server_type, credentials)?;
    if matches!(credentials, Credentials::PasswordChange { .. }) && !chosen.password_management {
        let why = format!("tunnel group {} has no password-management", chosen.name);
        return Err(RejectReason::CannotBeSent(why));
    }
    Ok(())
}

/// A new password goes only where it would be taken.
fn may_change_password(server_type: ServerType, credentials: &Credentials) -> Result<(), RejectReason> {
    match credentials {
        Credentials::PasswordChange { .. } if !matrix::changes_passwords(server_type) => {
            let why = format!("{} takes no new password from a client", server_type.title());
            Err(RejectReason::CannotBeSent(why))
        }
        _ => Ok(()),
    }
}

/// Marks the refusal of an expired password where the peer may answer with a new one: after MS-CHAPv2, and not when a
/// new one has just been refused.
fn offer_password_change(outcome: &mut LoginOutcome, chosen: &TunnelGroupRoute, credentials: &Credentials) {
    let may = chosen.password_management
        && outcome.server_type.is_some_and(matrix::changes_passwords)
        && matches!(credentials, Credentials::MsChapV2 { .. });
    if let Verdict::Reject(reject) = &mut outcome.verdict {
        reject.password_change =
            may && matches!(reject.reason, RejectReason::PasswordExpired | RejectReason::PasswordMustChange);
    }
}

/// A passcode comes in PAP's password field; what it is, the server's type tells.
fn presented(server_type: ServerType, method: AuthMethod) -> AuthMethod {
    match (server_type, method) {
        (ServerType::Sdi, AuthMethod::Pap) => AuthMethod::SdiPasscode,
        _ => method,
    }
}

fn question<'a>(
    request: &'a LoginRequest,
    credentials: &'a Credentials,
    name: &'a [u8],
    tunnel_group: &'a str,
) -> AuthRequest<'a> {
    AuthRequest { name, typed_name: &request.name, credentials, tunnel_group, context: &request.context }
}

async fn asked(group: &Arc<ServerGroup>, question: &AuthRequest<'_>, when_dead: WhenDead) -> LoginOutcome {
    let answer = group.ask(question, when_dead).await;
    told(group, question, answer)
}

fn told(group: &Arc<ServerGroup>, question: &AuthRequest<'_>, answer: GroupAnswer) -> LoginOutcome {
    let continuation = Continuation::of(group, question, &answer);
    let refused_by_configuration = match &answer.verdict {
        Verdict::Reject(reject) => reject.reason.is_configuration(),
        Verdict::Accept(_) | Verdict::Challenge(_) | Verdict::Unavailable(_) => false,
    };
    LoginOutcome {
        verdict: answer.verdict,
        tunnel_group: question.tunnel_group.to_owned(),
        server_group: Some(group.name().to_owned()),
        server: answer.server,
        server_type: Some(group.server_type()),
        name: question.name.to_vec(),
        method: presented(group.server_type(), question.credentials.method()),
        round_trip: answer.round_trip,
        fell_back: false,
        refused_by_configuration,
        continuation,
    }
}

async fn fall_back(
    local: &Arc<ServerGroup>,
    question: &AuthRequest<'_>,
    silence: LoginOutcome,
) -> LoginOutcome {
    let method = question.credentials.method();
    let refusal = if matrix::allows(ServerType::Local, method) {
        may_change_password(ServerType::Local, question.credentials).err()
    } else {
        Some(RejectReason::NotAllowed(MatrixCell { server_type: ServerType::Local, method }))
    };
    if let Some(reason) = refusal {
        return LoginOutcome {
            verdict: Verdict::Reject(Reject::new(reason)),
            server_group: Some(local.name().to_owned()),
            server_type: Some(ServerType::Local),
            fell_back: true,
            refused_by_configuration: true,
            ..silence
        };
    }
    let outcome = asked(local, question, WhenDead::KeepTrying).await;
    LoginOutcome { fell_back: true, round_trip: silence.round_trip + outcome.round_trip, ..outcome }
}

fn refused(request: &LoginRequest, tunnel_group: &str, name: &[u8], reason: RejectReason) -> LoginOutcome {
    LoginOutcome {
        verdict: Verdict::Reject(Reject::new(reason)),
        tunnel_group: tunnel_group.to_owned(),
        server_group: None,
        server: None,
        server_type: None,
        // A name that was refused for its length must not travel on.
        name: name.get(..username::MAX_NAME).unwrap_or(name).to_vec(),
        method: request.credentials.method(),
        round_trip: Duration::ZERO,
        fell_back: false,
        refused_by_configuration: true,
        continuation: None,
    }
}

/// One warning for each login that was not accepted; accepts are the session's line to log.
fn log_outcome(typed_name: &[u8], session: &str, outcome: &LoginOutcome) {
    let user = PrintableName(typed_name);
    let LoginOutcome { tunnel_group, method, fell_back, .. } = outcome;
    let server = outcome.server.as_deref().or(outcome.server_group.as_deref()).unwrap_or("none");
    match &outcome.verdict {
        Verdict::Accept(_) => {
            debug!(%user, tunnel_group, server, %method, fell_back, session, "login accepted");
        }
        Verdict::Reject(reject) if reject.password_change => {
            info!(%user, tunnel_group, server, %method, session, "password expired, the client may change it");
        }
        Verdict::Reject(reject) => {
            let reason = &reject.reason;
            warn!(%user, tunnel_group, server, %method, fell_back, session, %reason, "login refused");
        }
        Verdict::Challenge(_) => {
            debug!(%user, tunnel_group, server, %method, session, "login challenged");
        }
        Verdict::Unavailable(unavailable) => {
            let reason = &unavailable.why;
            warn!(%user, tunnel_group, server, %method, fell_back, session, reason, "login not decided");
        }
    }
}

#[cfg(test)]
mod tests;

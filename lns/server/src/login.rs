//! One login on its way from a shard to the AAA router and back: the verdict, the policy that follows from it, the
//! user's place in the registry and an address. It runs on tokio; the shard goes on carrying packets meanwhile.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_aaa::accounting::Authentic;
use tollgate_aaa::{
    Attributes, AuthMethod, Continuation, LoginOutcome, LoginRequest, MppeKeys, PrintableName, Reject,
    ServerGroup, ServerType, SessionContext, Verdict,
};
use tollgate_policy::group_policy::EncryptionMode;
use tollgate_policy::pool::{Lease, PoolError};
use tollgate_policy::session::{self, AddressSource, SessionPolicy};
use tollgate_ppp::{Encryption, MppeStartKeys, MppeStrengths, Network};
use tracing::warn;

use crate::registry::{Admission, Handle, Ticket};
use crate::shared::Shared;
use crate::snapshot::Snapshot;

/// MS-CHAP's error numbers (RFC 2759 section 6).
const MS_CHAP_NO_DIALIN_PERMISSION: u32 = 649;
const MS_CHAP_PASSWORD_EXPIRED: u32 = 648;
const MS_CHAP_AUTHENTICATION_FAILURE: u32 = 691;

/// MS-MPPE-Encryption-Policy and the bits of MS-MPPE-Encryption-Types (RFC 2548 sections 2.4.4 and 2.4.5).
const MPPE_REQUIRED: u32 = 2;
const MPPE_40: u32 = 2;
const MPPE_128: u32 = 4;
const MPPE_56: u32 = 8;

/// How long a login waits for the address of a session that was told to end.
const LEAVING_LIMIT: Duration = Duration::from_secs(2);

/// What the shard hears.
pub(crate) enum Decision {
    /// In.
    Accept {
        /// Text for the success packet, as PPP sends it.
        message: Vec<u8>,
        /// What IPCP gives.
        network: Network,
        /// What MPPE may do, where the policy asks for it.
        encryption: Option<Encryption>,
        /// What the session holds while it lasts.
        grant: Box<Grant>,
    },
    /// The server wants another EAP response first.
    Continue {
        /// Its EAP-Request.
        packet: Vec<u8>,
        /// How long it waits.
        timeout: Option<Duration>,
        /// Who takes the response.
        login: Box<PendingLogin>,
    },
    /// Out, but for a new password, which MS-CHAPv2 may ask for on the same link.
    PasswordExpired {
        /// Text for the failure packet.
        message: Vec<u8>,
        /// The server's own challenge for the new password.
        challenge: Option<[u8; 16]>,
    },
    /// Out.
    Reject {
        /// Text for the failure packet.
        message: Vec<u8>,
        /// MS-CHAP's error number.
        code: u32,
        /// Whether the user may try again on the same link.
        retry: bool,
    },
    /// Nobody decided, or there is nothing to give: the link ends with this text.
    Unavailable {
        /// Text for the Terminate-Request.
        message: Vec<u8>,
    },
}

/// All that an accepted session holds; dropping it gives everything back.
pub(crate) struct Grant {
    pub(crate) lease: Lease,
    pub(crate) ticket: Ticket,
    pub(crate) policy: SessionPolicy,
    /// The name that was sent to the server.
    pub(crate) user: Vec<u8>,
    pub(crate) tunnel_group: String,
    /// The server that accepted.
    pub(crate) server: String,
    pub(crate) method: AuthMethod,
    pub(crate) authentic: Authentic,
    /// What the server said of the session, without its keys and proofs, and what it has said since.
    pub(crate) attributes: Box<Attributes>,
    pub(crate) accounting: Option<Arc<ServerGroup>>,
}

/// A login in several rounds, between two of them. It ends by the configuration that it began with.
pub(crate) struct PendingLogin {
    snapshot: Arc<Snapshot>,
    continuation: Continuation,
}

impl PendingLogin {
    /// Passes the peer's response on.
    pub(crate) async fn answer(
        self: Box<Self>,
        shared: &Arc<Shared>,
        handle: Handle,
        response: Vec<u8>,
        context: &SessionContext,
    ) -> Decision {
        let outcome = self.continuation.resume(response, context).await;
        conclude(shared, self.snapshot, handle, outcome).await
    }
}

/// Decides one login.
pub(crate) async fn decide(shared: &Arc<Shared>, handle: Handle, request: LoginRequest) -> Decision {
    let snapshot = shared.snapshot.load_full();
    let outcome = snapshot.router.login(request).await;
    conclude(shared, snapshot, handle, outcome).await
}

async fn conclude(
    shared: &Arc<Shared>,
    snapshot: Arc<Snapshot>,
    handle: Handle,
    mut outcome: LoginOutcome,
) -> Decision {
    if let (Some(continuation), Verdict::Challenge(challenge)) =
        (outcome.continuation.take(), &mut outcome.verdict)
        && let Some(packet) = challenge.eap.take()
    {
        let login = Box::new(PendingLogin { snapshot, continuation });
        return Decision::Continue { packet, timeout: challenge.timeout, login };
    }
    match &outcome.verdict {
        Verdict::Accept(attributes) => {
            let attributes = attributes.clone();
            match accept(shared, &snapshot, handle, &outcome, &attributes).await {
                Ok(decision) => decision,
                Err(refusal) => refusal.into_decision(&outcome),
            }
        }
        Verdict::Reject(reject) => rejection(reject),
        // PAP and CHAP carry no second question. The user is told what is wanted; where the server keeps its question,
        // the next login answers it.
        Verdict::Challenge(challenge) => {
            warn!(
                user = %PrintableName(&outcome.name),
                tunnel_group = outcome.tunnel_group,
                server = outcome.server,
                method = %outcome.method,
                wants = challenge.message,
                "login refused: the server asks a second question, which only another login can answer",
            );
            Decision::Reject {
                message: challenge.message.clone().into_bytes(),
                code: MS_CHAP_AUTHENTICATION_FAILURE,
                retry: false,
            }
        }
        Verdict::Unavailable(silence) => {
            warn!(
                user = %PrintableName(&outcome.name),
                tunnel_group = outcome.tunnel_group,
                why = silence.why,
                "no server answered",
            );
            Decision::Unavailable { message: b"Login not possible now: no server answers".to_vec() }
        }
    }
}

fn rejection(reject: &Reject) -> Decision {
    let message = reject.eap.clone().unwrap_or_else(|| reject.message.clone().into_bytes());
    if reject.password_change {
        let error = reject.ms_chap_error.as_ref();
        let challenge = error.and_then(|error| error.challenge.as_deref()?.try_into().ok());
        return Decision::PasswordExpired { message, challenge };
    }
    let code = match reject.ms_chap_code() {
        // Clients ask the user for a new password when they hear it, and nobody would take it.
        MS_CHAP_PASSWORD_EXPIRED => MS_CHAP_AUTHENTICATION_FAILURE,
        code => code,
    };
    Decision::Reject { message, code, retry: reject.may_retry() }
}

/// Why an accepted user stays out after all.
enum Refusal {
    /// The policy says so: a failure packet tells the user.
    Policy(String),
    /// There is no address: the link ends, IPCP never begins.
    Address(PoolError),
}

impl Refusal {
    fn into_decision(self, outcome: &LoginOutcome) -> Decision {
        let user = PrintableName(&outcome.name);
        match self {
            Self::Policy(why) => {
                warn!(user = %user, tunnel_group = outcome.tunnel_group, why, "login refused by policy");
                Decision::Reject {
                    message: b"Login refused: not allowed by policy".to_vec(),
                    code: MS_CHAP_NO_DIALIN_PERMISSION,
                    retry: false,
                }
            }
            Self::Address(why) => {
                warn!(user = %user, tunnel_group = outcome.tunnel_group, %why, "no address for an accepted login");
                Decision::Unavailable { message: b"No address available".to_vec() }
            }
        }
    }
}

async fn accept(
    shared: &Arc<Shared>,
    snapshot: &crate::snapshot::Snapshot,
    handle: Handle,
    outcome: &LoginOutcome,
    attributes: &Attributes,
) -> Result<Decision, Refusal> {
    let message = success_message(outcome.method, attributes).ok_or_else(|| {
        Refusal::Policy("the server's accept carries no MS-CHAP2-Success to prove the server with".into())
    })?;
    let mut policy = session::resolve(&snapshot.config, &outcome.tunnel_group, attributes, &mut |warning| {
        warn!(user = %PrintableName(&outcome.name), warning, "policy");
    })
    .map_err(|refusal| Refusal::Policy(refusal.to_string()))?;
    policy.interim_interval =
        policy.interim_interval.or_else(|| snapshot.interim_interval(&outcome.tunnel_group));

    let encryption = encryption(&policy, attributes.mppe.as_ref()).map_err(Refusal::Policy)?;

    let admission = shared.registry.admit(
        &outcome.name,
        policy.simultaneous_logins,
        policy.at_login_limit,
        handle,
        Instant::now(),
    );
    let (ticket, evicted) = match admission {
        Admission::In(ticket, evicted) => (ticket, evicted),
        Admission::Refused => {
            return Err(Refusal::Policy(format!(
                "vpn-simultaneous-logins ({}) is reached",
                policy.simultaneous_logins
            )));
        }
    };
    for other in &evicted {
        shared.preempt(*other, "the user logged in again beyond vpn-simultaneous-logins");
    }
    let lease =
        lease(shared, &policy.address, &ticket, !evicted.is_empty()).await.map_err(Refusal::Address)?;
    ticket.hold(lease.address());
    // The device keeps the address that it was made with, whatever a reload says since.
    let network = network(shared.inner_address, lease.address(), &policy);
    let accounting =
        snapshot.router.tunnel_group(&outcome.tunnel_group).and_then(|group| group.accounting_group.clone());
    let grant = Grant {
        lease,
        ticket,
        policy,
        user: outcome.name.clone(),
        tunnel_group: outcome.tunnel_group.clone(),
        server: outcome.server.clone().unwrap_or_default(),
        method: outcome.method,
        authentic: match outcome.server_type {
            Some(ServerType::Local) | None => Authentic::Local,
            Some(ServerType::Radius) => Authentic::Radius,
            Some(_) => Authentic::Remote,
        },
        attributes: Box::new(attributes.without_proofs()),
        accounting,
    };
    Ok(Decision::Accept { message, network, encryption, grant: Box::new(grant) })
}

/// An address. A user who comes back while the server still holds the session that the network lost gets the address of
/// that session, which ends for it; `leaving` says that some session is on its way out already.
async fn lease(
    shared: &Shared,
    source: &AddressSource,
    ticket: &Ticket,
    mut leaving: bool,
) -> Result<Lease, PoolError> {
    let deadline = Instant::now() + LEAVING_LIMIT;
    loop {
        let attempt = match source {
            AddressSource::Fixed(address) => shared.pools.lease_fixed(*address),
            AddressSource::Pools(names) => shared.pools.lease(names),
        };
        let error = match attempt {
            Ok(lease) => return Ok(lease),
            Err(error) => error,
        };
        if let PoolError::InUse(address) = &error
            && let Some(holder) = ticket.earlier_holder(*address)
        {
            shared.preempt(holder, "the user logged in again with the same address");
            leaving = true;
        }
        if !leaving || Instant::now() >= deadline {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn network(local: Ipv4Addr, peer: Ipv4Addr, policy: &SessionPolicy) -> Network {
    Network { local, peer, dns: policy.dns, nbns: policy.wins }
}

/// What MPPE may do: the policy's word, cut down to what the server allows (RFC 2548 sections 2.4.4 and 2.4.5).
fn encryption(policy: &SessionPolicy, keys: Option<&MppeKeys>) -> Result<Option<Encryption>, String> {
    let asked_by_server = keys.and_then(|keys| keys.policy) == Some(MPPE_REQUIRED);
    let mode = match policy.encryption.mode {
        EncryptionMode::None if !asked_by_server => return Ok(None),
        _ if asked_by_server => EncryptionMode::Required,
        mode => mode,
    };
    let required = mode == EncryptionMode::Required;
    let start = keys.and_then(start_keys);
    let Some(start) = start else {
        let why = "ppp-encryption is required, and this login leaves no keys for it: it needs MS-CHAP or EAP";
        return if required { Err(why.to_owned()) } else { Ok(None) };
    };
    let types = keys.and_then(|keys| keys.types).filter(|types| *types != 0);
    let allowed = |bit: u32| types.is_none_or(|types| types & bit != 0);
    let strengths = MppeStrengths {
        bits40: policy.encryption.bits.contains(&40) && allowed(MPPE_40),
        bits56: policy.encryption.bits.contains(&56) && allowed(MPPE_56),
        bits128: policy.encryption.bits.contains(&128) && allowed(MPPE_128),
    };
    if strengths == (MppeStrengths { bits40: false, bits56: false, bits128: false }) {
        let why =
            "ppp-encryption is required, and the server allows no key of a length in ppp-encryption-bits";
        return if required { Err(why.to_owned()) } else { Ok(None) };
    }
    Ok(Some(Encryption { required, strengths, stateful_allowed: policy.encryption.stateful, keys: start }))
}

fn start_keys(keys: &MppeKeys) -> Option<MppeStartKeys> {
    if let (Some(send), Some(receive)) = (&keys.send, &keys.receive) {
        return MppeStartKeys::asymmetric(send, receive);
    }
    let nt = *keys.nt_key.as_ref()?.first_chunk()?;
    let lm = keys.lm_key.as_ref().and_then(|key| key.first_chunk().copied()).unwrap_or_default();
    Some(MppeStartKeys::Symmetric { lm, nt })
}

/// The text of the success packet; `None` where MS-CHAPv2's proof of the server is missing (RFC 2759 section 5).
fn success_message(method: AuthMethod, attributes: &Attributes) -> Option<Vec<u8>> {
    let text = attributes.reply_message.as_deref().unwrap_or("Welcome");
    match method {
        AuthMethod::MsChapV2 => {
            let proof = attributes.ms_chap2_success.as_ref()?;
            let mut message = proof.clone();
            if !message.windows(3).any(|window| window == b" M=") {
                message.extend(b" M=");
                message.extend(text.bytes());
            }
            Some(message)
        }
        AuthMethod::EapProxy => Some(attributes.eap.clone().unwrap_or_default()),
        AuthMethod::Pap | AuthMethod::Chap | AuthMethod::MsChapV1 | AuthMethod::SdiPasscode => {
            Some(text.as_bytes().to_vec())
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_aaa::{MsChapError, RejectReason};

    use super::*;

    fn expired(error: MsChapError, password_change: bool) -> Decision {
        let reject = Reject::new(RejectReason::PasswordExpired);
        rejection(&Reject { ms_chap_error: Some(error), password_change, ..reject })
    }

    #[test]
    fn an_expired_password_is_told_by_its_number_only_where_a_new_one_is_taken() {
        let error = MsChapError::from_code(648, false);
        let Decision::Reject { code, retry, message } = expired(error.clone(), false) else { panic!() };
        assert_eq!((code, retry), (691, false));
        assert_eq!(message, b"Login refused: the password has expired");
        let Decision::PasswordExpired { challenge, .. } = expired(error, true) else { panic!() };
        assert_eq!(challenge, None);
    }

    #[test]
    fn the_servers_own_challenge_is_the_one_that_the_client_answers() {
        for (octets, kept) in [(16, Some([9; 16])), (8, None)] {
            let error = MsChapError { challenge: Some(vec![9; octets]), ..MsChapError::from_code(648, true) };
            let Decision::PasswordExpired { challenge, .. } = expired(error, true) else { panic!() };
            assert_eq!(challenge, kept);
        }
    }
}

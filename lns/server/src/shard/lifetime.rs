//! The life of a session: its login is decided, it carries traffic and is billed, it reaches a limit, it ends.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use tollgate_aaa::accounting::{RecordKind, TerminateCause, Traffic};
use tollgate_aaa::{Credentials, LoginRequest, PrintableName, Secret, SessionContext};
use tollgate_l2tp::{CallDisconnect, CdnResult, SessionEnd, TunnelEnd};
use tollgate_ppp::{Addresses, AuthDecision, AuthRequest, CloseReason, DownReason, Phase, Proof};
use tracing::info;

use super::Shard;
use super::message::Message;
use super::session::{Ending, Live, Session, Stage};
use crate::login::{self, Decision};
use crate::registry::Handle;

impl Shard {
    /// Sends a login on its way to the AAA router.
    pub(super) fn ask(&mut self, token: u32, request: AuthRequest) {
        let session = &mut self.sessions[token as usize];
        let before = std::mem::replace(&mut session.stage, Stage::Deciding);
        let handle = session.handle;
        let round = session.link.authentication_round();
        let context = Arc::clone(&session.context);
        let tunnel_group = Arc::clone(&session.tunnel_group);
        let shared = Arc::clone(&self.shared);
        self.shared.runtime.spawn(async move {
            let decision = match (before, request.proof) {
                (Stage::Challenged(login), Proof::Eap { packet }) => {
                    login.answer(&shared, handle, packet, &context).await
                }
                (_, proof) => {
                    let request = LoginRequest {
                        name: request.name,
                        credentials: credentials_of(proof),
                        tunnel_group: tunnel_group.to_string(),
                        context: (*context).clone(),
                    };
                    login::decide(&shared, handle, request).await
                }
            };
            if let Some(post) = shared.post(handle.shard) {
                post.send(Message::Decision { handle, round, decision });
            }
        });
    }

    pub(super) fn session(&mut self, handle: Handle) -> Option<&mut Session> {
        self.sessions.get_mut(handle.token as usize).filter(|session| session.handle == handle)
    }

    pub(super) fn decided(&mut self, now: Instant, handle: Handle, round: u32, decision: Decision) {
        // A caller who hung up, began anew or is being hung up on meanwhile: the grant is dropped, and all that it
        // holds is given back.
        let Some(session) = self.session(handle) else { return };
        if !matches!(session.stage, Stage::Deciding)
            || session.link.authentication_round() != round
            || session.link.phase() != Phase::Authenticate
        {
            return;
        }
        session.stage = Stage::Negotiating;
        let decision = match decision {
            Decision::Accept { message, network, encryption, grant } => {
                session.stage = Stage::Granted(grant);
                AuthDecision::Accept { message, network, encryption }
            }
            Decision::Continue { packet, timeout, login } => {
                session.stage = Stage::Challenged(login);
                AuthDecision::Continue { packet, timeout }
            }
            Decision::PasswordExpired { message, challenge } => {
                AuthDecision::PasswordExpired { message, challenge }
            }
            Decision::Reject { message, code, retry } => AuthDecision::Reject { message, code, retry },
            Decision::Unavailable { message } => {
                let words = String::from_utf8_lossy(&message).into_owned();
                session.ending = Some(Ending::ours(TerminateCause::ServiceUnavailable, words));
                AuthDecision::Unavailable { message }
            }
        };
        session.link.authenticated(now, decision);
        self.drive(now, handle.token);
    }

    /// IPCP is open: packets may flow, and billing begins.
    pub(super) fn go_live(&mut self, now: Instant, token: u32, addresses: &Addresses) {
        let session = &mut self.sessions[token as usize];
        let grant = match std::mem::replace(&mut session.stage, Stage::Negotiating) {
            Stage::Granted(grant) => grant,
            // IPCP negotiated anew on a live session: everything is as before.
            other @ (Stage::Live(_) | Stage::Negotiating | Stage::Deciding | Stage::Challenged(_)) => {
                session.stage = other;
                return;
            }
        };
        let address = grant.lease.address();
        let mtu = session.link.mtu().min(grant.policy.mtu.unwrap_or(u16::MAX));
        let live = Box::new(Live {
            address,
            host_route: !self.shared.pools.covers(address),
            since: now,
            traffic: Traffic::default(),
            last_packet: now,
            next_interim: grant.policy.interim_interval.map(|interval| now + interval),
            mtu,
            filter: grant.policy.filter.as_ref().map(|(_, list)| Arc::clone(list)),
            grant,
        });
        let record = live.record(RecordKind::Start, &session.context, now, None);
        self.shared.accounting.submit(record, live.grant.accounting.clone());
        self.by_address.insert(address, token);
        self.shared.owners.insert(address, self.index);
        if live.host_route {
            self.shared.routes.add(address, 32);
        }
        for (network, prefix) in &live.grant.policy.routes {
            self.networks.push((u32::from(*network), crate::owners::mask(*prefix), token));
            self.shared.owners.insert_network(*network, *prefix, self.index);
            self.shared.routes.add(*network, *prefix);
        }
        info!(
            user = %PrintableName(&live.grant.user),
            tunnel_group = live.grant.tunnel_group,
            policy = live.grant.policy.group_policy,
            address = %addresses.peer,
            server = live.grant.server,
            method = %live.grant.method,
            encryption = session.encryption.as_deref().unwrap_or("none"),
            peer = session.context.calling_station_id,
            session = session.context.acct_session_id,
            "session started",
        );
        session.stage = Stage::Live(live);
    }

    /// Ends a session from our side: PPP says why, then the call goes.
    pub(super) fn close(&mut self, now: Instant, token: u32, ending: Ending) {
        let session = &mut self.sessions[token as usize];
        if session.ending.is_some() {
            return;
        }
        let text = ending.words.clone();
        session.ending = Some(ending);
        session.link.close(now, CloseReason { text });
        self.drive(now, token);
    }

    /// The session is over: everything that it holds is given back, billing is told, the call goes.
    pub(super) fn finish(&mut self, now: Instant, token: u32, ending: Ending) {
        let Some(session) = self.sessions.try_remove(token as usize) else { return };
        self.shared.session_ends();
        self.by_key.remove(&session.key);
        let result = if ending.ours { CdnResult::Administrative } else { CdnResult::CarrierLost };
        self.endpoint.close_session(now, session.key, CallDisconnect::new(result, ending.words.clone()));
        match &session.stage {
            Stage::Live(live) => self.bill_the_end(now, token, &session.context, live, &ending),
            Stage::Negotiating | Stage::Deciding | Stage::Challenged(_) | Stage::Granted(_) => {
                if let Some(more) = self.quiet.may_log("before-login", now) {
                    info!(
                        peer = session.context.calling_station_id,
                        session = session.context.acct_session_id,
                        cause = ending.words,
                        more,
                        "call ended before its session started",
                    );
                }
            }
        }
    }

    /// A peer that negotiates LCP anew on a live link has to log in anew: what was billed so far ends here, and what
    /// follows has a session id of its own.
    pub(super) fn begin_anew(&mut self, now: Instant, token: u32) {
        let session = &mut self.sessions[token as usize];
        match std::mem::replace(&mut session.stage, Stage::Negotiating) {
            Stage::Negotiating | Stage::Deciding | Stage::Challenged(_) | Stage::Granted(_) => {}
            Stage::Live(live) => {
                let before = Arc::clone(&session.context);
                let next = SessionContext { acct_session_id: self.shared.session_id(), ..(*before).clone() };
                session.context = Arc::new(next);
                let ending = Ending::theirs(TerminateCause::UserRequest, "the peer negotiated the link anew");
                self.bill_the_end(now, token, &before, &live, &ending);
            }
        }
    }

    fn bill_the_end(
        &mut self,
        now: Instant,
        token: u32,
        context: &SessionContext,
        live: &Live,
        ending: &Ending,
    ) {
        self.by_address.remove(&live.address);
        self.shared.owners.remove(live.address);
        if live.host_route {
            self.shared.routes.remove(live.address, 32);
        }
        for (network, prefix) in &live.grant.policy.routes {
            let entry = (u32::from(*network), crate::owners::mask(*prefix), token);
            self.networks.retain(|other| *other != entry);
            self.shared.owners.remove_network(*network, *prefix, self.index);
            self.shared.routes.remove(*network, *prefix);
        }
        let record = live.record(RecordKind::Stop, context, now, Some(ending.cause));
        let duration = record.session_time.as_secs();
        self.shared.accounting.submit(record, self.shared.billing_of(&live.grant));
        info!(
            user = %PrintableName(&live.grant.user),
            tunnel_group = live.grant.tunnel_group,
            policy = live.grant.policy.group_policy,
            address = %live.address,
            server = live.grant.server,
            method = %live.grant.method,
            session = context.acct_session_id,
            duration,
            octets_in = live.traffic.input_octets,
            octets_out = live.traffic.output_octets,
            cause = %ending.cause,
            detail = ending.words,
            "session ended",
        );
    }

    /// Enters a session among the timers where it wants to be looked at earlier than it is entered.
    pub(super) fn arm(&mut self, token: u32) {
        let Some(session) = self.sessions.get_mut(token as usize) else { return };
        let Some(due) = session.next_due() else { return };
        if session.armed.is_none_or(|armed| due < armed) {
            session.armed = Some(due);
            self.timers.enter(due, (token, session.handle.generation));
        }
    }

    /// A session's time among the timers has come; much may have changed since it was entered.
    pub(super) fn session_due(&mut self, now: Instant, token: u32, generation: u32) {
        let Some(session) = self.sessions.get_mut(token as usize) else { return };
        if session.handle.generation != generation {
            return;
        }
        if session.armed.is_some_and(|armed| armed <= now) {
            session.armed = None;
        }
        if session.link.next_timeout().is_some_and(|due| due <= now) {
            session.link.handle_timeout(now);
        }
        let context = Arc::clone(&session.context);
        let mut limit = None;
        if let Some(live) = session.live_mut() {
            limit = live.limit_reached(now);
            if live.next_interim.is_some_and(|due| due <= now) {
                live.next_interim = live.grant.policy.interim_interval.map(|interval| now + interval);
                let record = live.record(RecordKind::Interim, &context, now, None);
                let group = self.shared.billing_of(&live.grant);
                self.shared.accounting.submit(record, group);
            }
        }
        match limit {
            Some(ending) if self.sessions[token as usize].ending.is_none() => self.close(now, token, ending),
            _ => self.drive(now, token),
        }
    }
}

/// What a peer proved itself with, in the AAA side's terms.
pub(crate) fn credentials_of(proof: Proof) -> Credentials {
    match proof {
        Proof::Pap { password } => Credentials::Pap { password: Secret::from(password) },
        Proof::Chap { identifier, challenge, response } => {
            Credentials::Chap { identifier, challenge, response }
        }
        Proof::MsChapV1 { identifier, challenge, lm_response, nt_response, use_nt } => {
            Credentials::MsChapV1 { identifier, challenge, lm_response, nt_response, use_nt }
        }
        Proof::MsChapV2 { identifier, authenticator_challenge, peer_challenge, nt_response, flags } => {
            Credentials::MsChapV2 { identifier, authenticator_challenge, peer_challenge, nt_response, flags }
        }
        Proof::PasswordChange {
            identifier,
            authenticator_challenge,
            encrypted_password,
            encrypted_hash,
            peer_challenge,
            nt_response,
            flags,
        } => Credentials::PasswordChange {
            identifier,
            authenticator_challenge,
            encrypted_password,
            encrypted_hash,
            peer_challenge,
            nt_response,
            flags,
        },
        Proof::Eap { packet } => Credentials::Eap { message: packet, state: Vec::new() },
    }
}

/// Why a session whose link went down ended.
pub(super) fn ending_of_link(reason: &DownReason) -> Ending {
    let cause = match reason {
        DownReason::PeerTerminated { windows_error: Some(error), .. } if *error != 0 => {
            TerminateCause::UserError
        }
        DownReason::PeerTerminated { .. } => TerminateCause::UserRequest,
        DownReason::NotEncrypted(_) => TerminateCause::UserError,
        DownReason::AuthenticationFailed | DownReason::MethodRefused { .. } | DownReason::PeerRejected(_) => {
            TerminateCause::UserError
        }
        DownReason::EchoTimeout => TerminateCause::LostCarrier,
        DownReason::Unavailable { .. } => TerminateCause::ServiceUnavailable,
        DownReason::Loopback => TerminateCause::PortError,
        DownReason::NegotiationTimeout(_) | DownReason::NotConverging(_) => TerminateCause::LostService,
        DownReason::ServerUnproven | DownReason::EapFailed { .. } => TerminateCause::UserError,
        DownReason::Closed => TerminateCause::NasRequest,
    };
    Ending::theirs(cause, reason.to_string())
}

/// Why a session whose call went down ended.
pub(super) fn ending_of_call(end: &SessionEnd) -> Ending {
    let cause = match end {
        SessionEnd::ByPeer { result, .. } => match result {
            CdnResult::CarrierLost => TerminateCause::LostCarrier,
            _ => TerminateCause::UserRequest,
        },
        SessionEnd::ByUs { .. } => TerminateCause::NasRequest,
        SessionEnd::SetupTimeout => TerminateCause::LostService,
        SessionEnd::TunnelDown(TunnelEnd::ByPeer { .. }) => TerminateCause::UserRequest,
        SessionEnd::TunnelDown(TunnelEnd::ByUs { .. }) => TerminateCause::NasRequest,
        SessionEnd::TunnelDown(TunnelEnd::ControlTimeout | TunnelEnd::Replaced | TunnelEnd::SetupTimeout) => {
            TerminateCause::LostCarrier
        }
    };
    let words: Cow<'_, str> = end.to_string().into();
    Ending::theirs(cause, words)
}

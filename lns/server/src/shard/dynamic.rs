//! What dynamic authorization (RFC 5176) does to the sessions of a shard.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_aaa::{Attributes, PrintableName};
use tollgate_backends::radius::dynamic::{DynamicRequest, Kind};
use tollgate_policy::filter::AccessList;
use tollgate_policy::session::SessionPolicy;
use tracing::info;

use super::Shard;
use super::session::{Ending, Session};
use crate::registry::Handle;

/// A session that a request means.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) handle: Handle,
    /// Acct-Session-Id.
    pub(crate) session: String,
    /// The tunnel group of its login, and what the server has said of it; absent before it.
    pub(crate) login: Option<(String, Attributes)>,
}

/// What is done to a session.
#[derive(Debug)]
pub(crate) enum Act {
    /// End it as its peer would have it: PPP says why.
    Close(Ending),
    /// Change what it may do.
    Change(Box<Change>),
}

/// What a session may do from now on.
#[derive(Debug)]
pub(crate) struct Change {
    /// What is asked. What is absent stays.
    pub(crate) request: Arc<DynamicRequest>,
    /// The filter that is asked for.
    pub(crate) filter: Option<(String, Arc<AccessList>)>,
    /// Where a group policy is asked for: the session's own attributes and those of the request over it.
    pub(crate) policy: Option<SessionPolicy>,
}

impl Shard {
    /// The sessions that fit everything the request says of them. One that is ending already is gone.
    pub(super) fn meant(&self, request: &DynamicRequest) -> Vec<Found> {
        let sessions = self.sessions.iter().map(|(_, session)| session);
        sessions
            .filter(|session| session.ending.is_none() && session.is_meant(request))
            .map(|session| Found {
                handle: session.handle,
                session: session.context.acct_session_id.clone(),
                login: session.grant().map(|grant| (grant.tunnel_group.clone(), (*grant.attributes).clone())),
            })
            .collect()
    }

    /// A session that has gone meanwhile, or begun anew, is left alone: false.
    pub(super) fn apply(&mut self, now: Instant, handle: Handle, act: Act) -> bool {
        if self.session(handle).is_none_or(|session| session.ending.is_some()) {
            return false;
        }
        match act {
            Act::Close(ending) => {
                self.close(now, handle.token, ending);
                true
            }
            Act::Change(change) => self.change(now, handle, *change),
        }
    }

    fn change(&mut self, now: Instant, handle: Handle, change: Change) -> bool {
        let Some(session) = self.session(handle) else { return false };
        let context = Arc::clone(&session.context);
        let Some(live) = session.live_mut() else { return false };
        let asked = &change.request.attributes;
        let policy = &mut live.grant.policy;
        if let Some(new) = change.policy {
            policy.group_policy = new.group_policy;
            policy.session_timeout = new.session_timeout;
            policy.idle_timeout = new.idle_timeout;
            policy.filter = new.filter;
        } else {
            policy.session_timeout = asked.session_timeout.or(policy.session_timeout);
            policy.idle_timeout = asked.idle_timeout.or(policy.idle_timeout);
            policy.filter = change.filter.or(policy.filter.take());
        }
        live.filter = policy.filter.as_ref().map(|(_, list)| Arc::clone(list));
        *live.grant.attributes = live.grant.attributes.changed_by(asked);
        let seconds = |limit: Option<Duration>| limit.map(|limit| limit.as_secs());
        info!(
            user = %PrintableName(&live.grant.user),
            session = context.acct_session_id,
            policy = live.grant.policy.group_policy,
            session_timeout = seconds(live.grant.policy.session_timeout),
            idle_timeout = seconds(live.grant.policy.idle_timeout),
            filter = live.grant.policy.filter.as_ref().map(|(name, _)| name),
            "session changed",
        );
        self.arm(handle.token);
        // Its time may be up by the new limit.
        self.session_due(now, handle.token, handle.generation);
        true
    }
}

impl Session {
    fn is_meant(&self, request: &DynamicRequest) -> bool {
        fn fits<T: ?Sized>(wanted: Option<&T>, is: impl FnOnce(&T) -> bool) -> bool {
            wanted.is_none_or(is)
        }
        let (context, grant, live) = (&self.context, self.grant(), self.live());
        // Before there is an address there is nothing to change.
        (request.kind == Kind::Disconnect || live.is_some())
            && fits(request.session_id.as_deref(), |id| context.acct_session_id == *id)
            // As everywhere, names that differ only in case are one user's.
            && fits(request.user_name.as_deref(), |user| {
                grant.is_some_and(|grant| grant.user.eq_ignore_ascii_case(user))
            })
            && fits(request.framed_ip.as_ref(), |ip| live.is_some_and(|live| live.address == *ip))
            && fits(request.calling_station_id.as_deref(), |station| context.calling_station_id == *station)
            && fits(request.called_station_id.as_deref(), |station| context.called_station_id == *station)
            && fits(request.nas_port.as_ref(), |port| context.nas_port == *port)
    }
}

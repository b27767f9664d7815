//! One accounting record (RFC 2866), free of any protocol's encoding.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::matrix::AuthMethod;
use crate::request::SessionContext;

/// Acct-Status-Type (RFC 2866 section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// The session begins.
    Start = 1,
    /// The session ended.
    Stop = 2,
    /// In between.
    Interim = 3,
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Interim => "interim",
        })
    }
}

/// Acct-Authentic (RFC 2866 section 5.6): who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authentic {
    /// A RADIUS server.
    Radius = 1,
    /// LOCAL.
    Local = 2,
    /// Any other kind of server.
    Remote = 3,
}

/// Traffic of the session so far, seen from the server: input came from the peer. 64 bit, never wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Traffic {
    /// Octets from the peer.
    pub input_octets: u64,
    /// Octets to the peer.
    pub output_octets: u64,
    /// Packets from the peer.
    pub input_packets: u64,
    /// Packets to the peer.
    pub output_packets: u64,
}

/// One record.
#[derive(Debug, Clone)]
pub struct Record {
    /// Start, interim or stop.
    pub kind: RecordKind,
    /// The name that was sent when the login was decided.
    pub user_name: Vec<u8>,
    /// The tunnel group chosen.
    pub tunnel_group: String,
    /// The caller's circumstances; its `acct_session_id` ties the records of a session together.
    pub context: SessionContext,
    /// The peer's address.
    pub framed_ip: Option<Ipv4Addr>,
    /// Class attributes of the accept, echoed whole.
    pub classes: Vec<Vec<u8>>,
    /// How the peer proved itself.
    pub method: AuthMethod,
    /// Who decided.
    pub authentic: Authentic,
    /// Since the session's start.
    pub session_time: Duration,
    /// Traffic so far.
    pub counters: Traffic,
    /// Only in a stop.
    pub terminate_cause: Option<TerminateCause>,
    /// When it happened; Event-Timestamp and Acct-Delay-Time derive from it.
    pub event_time: SystemTime,
    /// Group policy of the session.
    pub policy: String,
}

macro_rules! terminate_causes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $words:literal;)*) => {
        /// Acct-Terminate-Cause (RFC 2866 section 5.10). `Display` gives the words of the log.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum TerminateCause { $($(#[$doc])* $name = $code,)* }

        impl TerminateCause {
            /// The number on the wire.
            pub fn code(self) -> u32 {
                self as u32
            }

            /// The cause with this number on the wire.
            pub fn from_code(code: u32) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// The one phrase that log, metric, record and command line share.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

terminate_causes! {
    /// The peer asked for it.
    UserRequest = 1, "user request";
    /// The line is gone.
    LostCarrier = 2, "lost carrier";
    /// The service cannot be given any more.
    LostService = 3, "lost service";
    /// Nothing passed for too long.
    IdleTimeout = 4, "idle timeout";
    /// The session's time is up.
    SessionTimeout = 5, "session timeout";
    /// An administrator ended it.
    AdminReset = 6, "administrator reset";
    /// The server is being shut down.
    AdminReboot = 7, "administrator shutdown";
    /// The port failed.
    PortError = 8, "port error";
    /// The server failed.
    NasError = 9, "server error";
    /// The server ended it for a reason of its own.
    NasRequest = 10, "server request";
    /// The server went down without warning.
    NasReboot = 11, "server crashed";
    /// Too little use of it.
    PortUnneeded = 12, "port unneeded";
    /// A more important session needed the place.
    PortPreempted = 13, "port preempted";
    /// Set aside.
    PortSuspended = 14, "port suspended";
    /// The service could not be given.
    ServiceUnavailable = 15, "service unavailable";
    /// The peer made a mistake.
    UserError = 17, "user error";
    /// The host ended it in order.
    HostRequest = 18, "host request";
}

impl fmt::Display for TerminateCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

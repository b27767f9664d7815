//! TLS in EAP, as EAP-TLS and PEAP share it: messages in fragments that are acknowledged one by one (RFC 5216 2.1.5, 3.1).
//!
//! ```text
//! Flags (1): L M S, five bits of which PEAP has its version in the last two
//! TLS Message Length (4), with L only
//! TLS data
//! ```

use std::io::Read;

use rustls::ClientConnection;
use tollgate_ppp::{DownReason, EapReply, MppeStartKeys};
use zeroize::Zeroizing;

const LENGTH_INCLUDED: u8 = 0x80;
const MORE_FRAGMENTS: u8 = 0x40;
const START: u8 = 0x20;
/// Octets of TLS in one of our own packets: with all headers less than the 1,020 that RFC 3748 3.1 promises.
const FRAGMENT: usize = 1000;
/// The longest message that is put together.
const LONGEST: usize = 64 * 1024;
/// RFC 5216 2.3.
const LABEL: &[u8] = b"client EAP encryption";

/// What a Request led to.
pub(super) enum Flow {
    /// An answer that the method has no part in.
    Reply(EapReply),
    /// A whole message came: what it held for the method, in clear. [`Tunnel::reply`] makes the answer.
    Whole(Vec<u8>),
}

/// A TLS connection inside EAP.
pub(super) struct Tunnel {
    tls: ClientConnection,
    started: bool,
    inbound: Vec<u8>,
    /// What waits to be sent.
    outbound: Vec<u8>,
    /// Some of it was sent.
    in_fragments: bool,
}

impl Tunnel {
    pub(super) fn new(tls: ClientConnection) -> Self {
        Self { tls, started: false, inbound: Vec::new(), outbound: Vec::new(), in_fragments: false }
    }

    /// The handshake is through.
    pub(super) fn is_open(&self) -> bool {
        self.started && !self.tls.is_handshaking()
    }

    /// Nothing of ours waits to be sent.
    pub(super) fn is_flushed(&self) -> bool {
        self.outbound.is_empty()
    }

    pub(super) fn receive(&mut self, data: &[u8]) -> Flow {
        let Some((&flags, data)) = data.split_first() else { return Flow::Reply(EapReply::Discard) };
        if flags & START != 0 {
            if self.started {
                return Flow::Reply(EapReply::Discard);
            }
            self.started = true;
            return Flow::Whole(Vec::new());
        }
        if !self.started {
            return Flow::Reply(EapReply::Discard);
        }
        if !self.outbound.is_empty() {
            // Only an acknowledgement may come now.
            return Flow::Reply(if data.is_empty() { self.fragment() } else { EapReply::Discard });
        }
        let data = match flags & LENGTH_INCLUDED {
            0 => data,
            _ => match data.split_at_checked(4) {
                Some((_, data)) => data,
                None => return Flow::Reply(EapReply::Discard),
            },
        };
        if self.inbound.len() + data.len() > LONGEST {
            return Flow::Reply(failed("the server's TLS message is too long"));
        }
        self.inbound.extend_from_slice(data);
        if flags & MORE_FRAGMENTS != 0 {
            return Flow::Reply(EapReply::Respond(vec![0]));
        }
        match self.take_in() {
            Ok(clear) => Flow::Whole(clear),
            Err(error) => Flow::Reply(failed(&error.to_string())),
        }
    }

    /// Gives TLS the message that is whole now, and takes what it held.
    fn take_in(&mut self) -> Result<Vec<u8>, rustls::Error> {
        let inbound = std::mem::take(&mut self.inbound);
        let mut rest = inbound.as_slice();
        let mut clear = Vec::new();
        while !rest.is_empty() {
            let taken = self.tls.read_tls(&mut rest).unwrap_or(0);
            let state = self.tls.process_new_packets()?;
            let before = clear.len();
            clear.resize(before + state.plaintext_bytes_to_read(), 0);
            if let Some(room) = clear.get_mut(before..)
                && self.tls.reader().read_exact(room).is_err()
            {
                clear.truncate(before);
            }
            if taken == 0 {
                break;
            }
        }
        Ok(clear)
    }

    /// The answer to a whole message, with `clear` for the other end in it.
    pub(super) fn reply(&mut self, clear: &[u8]) -> EapReply {
        use std::io::Write;
        if !clear.is_empty() && self.tls.writer().write_all(clear).is_err() {
            return failed("the answer does not fit");
        }
        while self.tls.wants_write() {
            if self.tls.write_tls(&mut self.outbound).is_err() {
                break;
            }
        }
        self.in_fragments = false;
        self.fragment()
    }

    /// The next piece of what waits; an acknowledgement if nothing does.
    fn fragment(&mut self) -> EapReply {
        let rest = self.outbound.split_off(self.outbound.len().min(FRAGMENT));
        let piece = std::mem::replace(&mut self.outbound, rest);
        let more = !self.outbound.is_empty();
        let mut data = Vec::with_capacity(5 + piece.len());
        if more && !self.in_fragments {
            data.push(LENGTH_INCLUDED | MORE_FRAGMENTS);
            let total = u32::try_from(piece.len() + self.outbound.len()).unwrap_or(u32::MAX);
            data.extend_from_slice(&total.to_be_bytes());
        } else {
            data.push(if more { MORE_FRAGMENTS } else { 0 });
        }
        self.in_fragments = more;
        data.extend_from_slice(&piece);
        EapReply::Respond(data)
    }

    /// The first 32 octets of the MSK are what the peer sends with, the others what it receives with (RFC 5216 2.3).
    pub(super) fn keys(&self) -> Option<MppeStartKeys> {
        let keys = self.tls.export_keying_material(Zeroizing::new([0; 64]), LABEL, None).ok()?;
        let (send, receive) = keys.split_at(32);
        MppeStartKeys::asymmetric(send, receive)
    }
}

pub(super) fn failed(message: &str) -> EapReply {
    EapReply::Fail(DownReason::EapFailed { message: message.to_owned() })
}

//! A peer made of octets: it says what a test tells it to, right or wrong, and remembers the numbers.

use std::time::{Duration, Instant};

use tollgate_l2tp::message::{Message, Reading};
use tollgate_l2tp::{Config, ControlHeader, MessageType, Path, Received};

use crate::wire::{Side, from_port};

/// An AVP of vendor 0 with the M bit.
pub(crate) fn avp(attribute: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80, 6 + u8::try_from(value.len()).unwrap(), 0, 0, 0, attribute];
    out.extend_from_slice(value);
    out
}

/// AVPs of a message, Message Type first.
pub(crate) fn body(message_type: MessageType, avps: &[Vec<u8>]) -> Vec<u8> {
    let mut out = avp(0, &message_type.number().to_be_bytes());
    out.extend(avps.iter().flatten());
    out
}

/// An SCCRQ with nothing but what is required.
pub(crate) fn sccrq(tunnel: u16) -> Vec<u8> {
    body(
        MessageType::Sccrq,
        &[avp(2, &[1, 0]), avp(3, &[0, 0, 0, 3]), avp(7, b"peer"), avp(9, &tunnel.to_be_bytes())],
    )
}

pub(crate) struct Peer {
    pub(crate) lns: Side,
    pub(crate) now: Instant,
    pub(crate) path: Path,
    /// Our tunnel id and the LNS's.
    pub(crate) tunnel: u16,
    pub(crate) theirs: u16,
    pub(crate) ns: u16,
    pub(crate) nr: u16,
}

impl Peer {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            lns: Side::new(config, 2),
            now: Instant::now(),
            path: from_port(1701),
            tunnel: 7,
            theirs: 0,
            ns: 0,
            nr: 0,
        }
    }

    /// Sends octets as they are.
    pub(crate) fn raw(&mut self, datagram: &[u8]) -> Received {
        self.lns.endpoint.handle_datagram(self.now, self.path, datagram)
    }

    /// Sends a message with the next number.
    pub(crate) fn say(&mut self, session: u16, body: &[u8]) -> Received {
        let header = ControlHeader { tunnel: self.theirs, session, ns: self.ns, nr: self.nr };
        self.ns = self.ns.wrapping_add(1);
        self.raw(&header.encode(body))
    }

    pub(crate) fn zlb(&mut self) -> Received {
        let header = ControlHeader { tunnel: self.theirs, session: 0, ns: self.ns, nr: self.nr };
        self.raw(&header.encode(&[]))
    }

    /// Everything that the LNS has sent since, as it went.
    pub(crate) fn datagrams(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.lns.endpoint.poll_transmit()).map(|transmit| transmit.datagram).collect()
    }

    /// Everything that the LNS has sent since, decoded (`None` for a ZLB), counted as received.
    pub(crate) fn hear(&mut self) -> Vec<(ControlHeader, Option<Message>)> {
        let datagrams = self.datagrams();
        let heard = datagrams.iter().map(|datagram| {
            let (header, body) = ControlHeader::decode(datagram).unwrap();
            let message =
                (!body.is_empty()).then(|| Message::decode(body, &Reading::default()).unwrap().message);
            (header, message)
        });
        let heard: Vec<_> = heard.collect();
        for (header, message) in &heard {
            if message.is_some() && header.ns == self.nr {
                self.nr = self.nr.wrapping_add(1);
            }
            if let Some(Message::Sccrp(reply)) = message {
                self.theirs = reply.assigned_tunnel.get();
            }
        }
        heard
    }

    pub(crate) fn names(&mut self) -> Vec<String> {
        let heard = self.hear().into_iter();
        heard
            .map(|(_, message)| message.map_or("ZLB".into(), |message| message.message_type().to_string()))
            .collect()
    }

    /// Up to SCCCN.
    pub(crate) fn connect(&mut self) {
        let request = sccrq(self.tunnel);
        self.say(0, &request);
        assert_eq!(self.names(), ["SCCRP"]);
        self.say(0, &body(MessageType::Scccn, &[]));
        assert_eq!(self.names(), ["ZLB"]);
        assert_eq!(self.lns.story(), ["tunnel up"]);
    }

    /// Up to ICCN; the LNS's session id.
    pub(crate) fn call(&mut self, session: u16) -> u16 {
        self.say(0, &body(MessageType::Icrq, &[avp(14, &session.to_be_bytes()), avp(15, &[0, 0, 0, 1])]));
        let heard = self.hear();
        let [(header, Some(Message::Icrp(reply)))] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!(header.session, session);
        let theirs = reply.assigned_session.get();
        self.say(theirs, &body(MessageType::Iccn, &[avp(24, &[0, 0, 1, 0]), avp(19, &[0, 0, 0, 1])]));
        assert_eq!(self.names(), ["ZLB"]);
        assert_eq!(self.lns.story(), ["session up"]);
        theirs
    }

    /// Lets time pass at the LNS; what it sends meanwhile waits to be heard.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.lns.endpoint.next_timeout().filter(|next| *next <= end) {
            self.now = next.max(self.now);
            self.lns.endpoint.handle_timeout(self.now);
        }
        self.now = end;
    }
}

//! What comes in: frames sorted by protocol, and the packets of LCP that are not negotiation (RFC 1661 5.7 to 5.9,
//! RFC 1570).

use std::time::Instant;

use tollgate_sansio::Reader;

use super::{Auth, Link};
use crate::auth::Step;
use crate::frame::{self, Packet, Protocol};
use crate::fsm::State;
use crate::lcp;
use crate::negotiate::{CODE_REJECT, TERMINATE_ACK, TERMINATE_REQUEST};
use crate::terminate::{self, Farewell};
use crate::{DownReason, Event, Phase};

/// Echo-Requests with our own magic number after which the line counts as looped back.
const MOST_ECHO_LOOPS: u8 = 3;
/// The longest Identification that is passed on, in octets.
const LONGEST_IDENTIFICATION: usize = 255;

impl Link {
    /// A control frame came from the peer: anything but IP on an open link, for which [`Link::note_traffic`] is
    /// enough. What is malformed, too early or of no concern is discarded.
    pub fn handle_frame(&mut self, now: Instant, frame: &[u8]) {
        let Some((protocol, information)) = frame::split(frame) else {
            return;
        };
        if self.phase == Phase::Dead {
            self.receive_after_end(now, protocol, information);
            return;
        }
        self.echo.note_traffic(now);
        match protocol {
            Protocol::LCP => {
                if let Some(packet) = Packet::parse(information) {
                    self.receive_lcp(now, packet);
                }
            }
            Protocol::IPCP => {
                if let Some(packet) = Packet::parse(information) {
                    self.receive_ipcp(now, packet);
                }
            }
            Protocol::PAP | Protocol::CHAP | Protocol::EAP => {
                if let Some(packet) = Packet::parse(information) {
                    self.receive_auth(now, protocol, packet);
                }
            }
            Protocol::CCP if self.secret.is_some() => {
                if let Some(packet) = Packet::parse(information) {
                    self.receive_ccp(now, packet);
                }
            }
            Protocol::IPV4 => {}
            // Too early, or the owner would have unsealed it.
            Protocol::COMPRESSED if self.secret.is_some() => {}
            other => self.receive_unserved(other, information),
        }
    }

    /// The peer may not have had our Terminate-Ack; as long as the link is kept, it can ask for it again.
    fn receive_after_end(&mut self, now: Instant, protocol: Protocol, information: &[u8]) {
        if protocol == Protocol::LCP
            && let Some(packet) = Packet::parse(information)
            && packet.code == TERMINATE_REQUEST
        {
            self.lcp.receive(now, packet, &mut self.shared);
        }
    }

    fn receive_lcp(&mut self, now: Instant, packet: Packet<'_>) {
        match packet.code {
            TERMINATE_REQUEST => self.receive_terminate(now, packet),
            CODE_REJECT => {
                // A peer that does not know echoes must not be taken for dead because it does not answer them.
                if packet.data.first() == Some(&lcp::ECHO_REQUEST) {
                    self.echo.stop();
                }
                let outcome = self.lcp.receive(now, packet, &mut self.shared);
                self.after_lcp(now, outcome);
            }
            lcp::PROTOCOL_REJECT => self.receive_protocol_reject(now, packet),
            lcp::ECHO_REQUEST | lcp::ECHO_REPLY | lcp::DISCARD_REQUEST => self.receive_echo(now, packet),
            lcp::IDENTIFICATION => self.receive_identification(packet),
            lcp::TIME_REMAINING => {}
            _ => {
                let outcome = self.lcp.receive(now, packet, &mut self.shared);
                self.after_lcp(now, outcome);
            }
        }
    }

    /// The peer ends the link, at whatever stage. It is down for us at once, because the layer below ends with it:
    /// waiting as the Stopping state does would only delay the record of why.
    fn receive_terminate(&mut self, now: Instant, packet: Packet<'_>) {
        self.lcp.receive(now, packet, &mut self.shared);
        let Farewell { text, windows_error } = terminate::decode(packet.data);
        self.ending.get_or_insert(DownReason::PeerTerminated { text, windows_error });
        self.down();
    }

    fn receive_protocol_reject(&mut self, now: Instant, packet: Packet<'_>) {
        if self.lcp.state() != State::Opened {
            return;
        }
        let Ok(number) = Reader::new(packet.data).u16() else { return };
        match Protocol(number) {
            Protocol::LCP => {
                let outcome = self.lcp.protocol_rejected(now, &mut self.shared);
                self.after_lcp(now, outcome);
            }
            Protocol::IPCP => self.end(now, DownReason::PeerRejected("IPCP")),
            Protocol::CCP | Protocol::COMPRESSED if self.secret.is_some() => self.ccp_rejected(now),
            rejected if self.phase == Phase::Authenticate && Some(rejected) == self.agreed() => {
                self.end(now, DownReason::PeerRejected("the authentication protocol it agreed on"));
            }
            rejected => self.shared.warn(format!("the peer does not serve {rejected}")),
        }
    }

    /// The protocol that carries the agreed authentication.
    fn agreed(&self) -> Option<Protocol> {
        self.lcp.options.method().map(|method| method.protocol())
    }

    fn receive_echo(&mut self, now: Instant, packet: Packet<'_>) {
        let outcome = self.lcp.echo(now, &mut self.shared);
        if !outcome.echo || packet.code != lcp::ECHO_REQUEST {
            return;
        }
        let mut reader = Reader::new(packet.data);
        let theirs = reader.u32().unwrap_or(0);
        let ours = self.lcp.options.magic();
        if theirs != 0 && theirs == ours {
            self.echo_loops += 1;
            if self.echo_loops >= MOST_ECHO_LOOPS {
                self.end(now, DownReason::Loopback);
            }
            return;
        }
        self.echo_loops = 0;
        let mut data = Vec::with_capacity(packet.data.len().max(4));
        data.extend_from_slice(&ours.to_be_bytes());
        data.extend_from_slice(reader.rest());
        self.shared.send_cut(Protocol::LCP, lcp::ECHO_REPLY, packet.identifier, &data);
    }

    /// RFC 1570 2.1: may come at any time, is never answered. Windows sends three, one of them random octets.
    fn receive_identification(&mut self, packet: Packet<'_>) {
        let text = packet.data.get(4..).unwrap_or_default();
        let text = text.get(..text.len().min(LONGEST_IDENTIFICATION)).unwrap_or_default();
        self.shared.note(Event::Identification(text.to_vec()));
    }

    fn receive_auth(&mut self, now: Instant, protocol: Protocol, packet: Packet<'_>) {
        if self.lcp.state() != State::Opened || self.phase == Phase::Terminate {
            return;
        }
        if self.agreed() != Some(protocol) {
            self.shared.warn(format!("{protocol} from the peer, which LCP did not agree on"));
            return;
        }
        if protocol == Protocol::EAP
            && self.phase == Phase::Authenticate
            && matches!(self.auth, Auth::Client(_))
        {
            // A method of many rounds is not slow; the limit of the whole negotiation goes on counting.
            self.auth_deadline = now.checked_add(self.auth_timeout());
        }
        let step = match &mut self.auth {
            Auth::Server(auth) => {
                let was_pending = auth.is_pending();
                let step = auth.receive(packet, &mut self.shared);
                if auth.is_pending() && !was_pending {
                    self.authentications = self.authentications.wrapping_add(1);
                }
                step
            }
            Auth::Client(auth) => auth.receive(now, packet, &mut self.shared),
            Auth::Settled(settled) => {
                settled.receive(protocol, packet, &mut self.shared);
                Step::Wait
            }
            Auth::None => Step::Wait,
        };
        self.after_auth(now, step);
    }

    /// RFC 1661 3.5: before the authentication is through, network protocols are discarded without a word; the peer
    /// will repeat itself.
    fn receive_ipcp(&mut self, now: Instant, packet: Packet<'_>) {
        if let (Auth::Client(auth), None, State::Opened) = (&mut self.auth, &self.ipcp, self.lcp.state()) {
            let step = auth.receive_network(&mut self.shared);
            self.after_auth(now, step);
        }
        let Some(ipcp) = &mut self.ipcp else { return };
        let outcome = ipcp.receive(now, packet, &mut self.shared);
        if packet.code == TERMINATE_REQUEST {
            let Farewell { text, windows_error } = terminate::decode(packet.data);
            let text =
                if text.is_empty() { "IPCP closed".to_owned() } else { format!("IPCP closed: {text}") };
            self.end(now, DownReason::PeerTerminated { text, windows_error });
        } else {
            self.after_ipcp(now, outcome);
        }
    }

    /// Anything else (IPV6CP, CCP, MPLSCP, Apple's ACSCP, IPv6 packets, ...): Protocol-Reject, once the peer may
    /// speak network protocols at all, and nothing else waits for it. A peer that closes such a protocol after that
    /// is answered with the Terminate-Ack it waits for, because a second Protocol-Reject would tell it nothing.
    fn receive_unserved(&mut self, protocol: Protocol, information: &[u8]) {
        if !matches!(self.phase, Phase::Network | Phase::Up) {
            return;
        }
        if protocol.is_network_control()
            && let Some(packet) = Packet::parse(information)
        {
            match packet.code {
                TERMINATE_REQUEST => {
                    self.shared.send(protocol, TERMINATE_ACK, packet.identifier, &[]);
                    return;
                }
                TERMINATE_ACK => return,
                _ => {}
            }
        }
        self.reject_identifier = self.reject_identifier.wrapping_add(1);
        let mut data = Vec::with_capacity(2 + information.len());
        data.extend_from_slice(&protocol.0.to_be_bytes());
        data.extend_from_slice(information);
        self.shared.send_cut(Protocol::LCP, lcp::PROTOCOL_REJECT, self.reject_identifier, &data);
    }
}

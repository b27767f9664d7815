//! Encryption of a link: CCP beside IPCP, and MPPE once it is open (RFC 3078). While it is required and not there, no
//! packet passes either way.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::{Auth, Link};
use crate::ccp::{self, Ccp};
use crate::frame::{Packet, Protocol};
use crate::fsm::State;
use crate::mppe::{Opened, Receiver, Sender};
use crate::negotiate::{Negotiator, Outcome, TERMINATE_REQUEST};
use crate::shared::Shared;
use crate::{Addresses, ClientEncryption, DownReason, Encryption, Event, frame};

/// Between two Reset-Requests for the same loss.
const RESET_INTERVAL: Duration = Duration::from_secs(1);
/// What MPPE adds to a packet: its header and the protocol that it hides.
const OVERHEAD: u16 = 4;
/// How often CCP may come up on a link: each time the keys begin anew, and what is sent under them with them.
const MOST_OPENINGS: u8 = 5;

/// See the module.
pub(super) struct Secret {
    encryption: Encryption,
    /// Of MS-CHAPv1.
    challenge: Option<[u8; 8]>,
    ccp: Negotiator<Ccp>,
    mppe: Option<(Sender, Receiver)>,
    openings: u8,
    reset_identifier: u8,
    /// No Reset-Request before.
    next_reset: Option<Instant>,
    /// IPCP is open and waits for CCP.
    waiting: Option<Addresses>,
}

/// What a frame of a link that [encrypts](Link::encrypts) holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsealed {
    /// An IPv4 packet, now in clear at this place in the frame.
    Ipv4(Range<usize>),
    /// No packet but control: for [`Link::handle_frame`].
    Control,
    /// Nothing that may pass. The link may want to send a Reset-Request now.
    Nothing,
}

impl Link {
    /// Packets pass through [`Link::seal`] and [`Link::unseal`] only, or not at all.
    pub fn encrypts(&self) -> bool {
        self.secret.as_ref().is_some_and(|secret| secret.encryption.required || secret.mppe.is_some())
    }

    /// The largest IP packet that we may send: [`Link::peer_mru`], less what encryption may add to it.
    pub fn mtu(&self) -> u16 {
        let overhead = if self.secret.is_some() { OVERHEAD } else { 0 };
        self.peer_mru().saturating_sub(overhead)
    }

    /// What stands before an IPv4 packet in a frame that [`Link::seal`] gets.
    pub fn sealed_header(&self) -> &'static [u8] {
        self.shared.framing.sealed_ipv4_header()
    }

    /// Encrypts a frame where it lies: [`Link::sealed_header`] and an IPv4 packet. False, and the frame must not go out,
    /// while there is no encryption to do it with.
    pub fn seal(&mut self, frame: &mut [u8]) -> bool {
        let header = self.shared.framing.compressed_header_length();
        match (&mut self.secret, frame.get_mut(header..)) {
            (Some(secret), Some(packet)) => {
                secret.mppe.as_mut().is_some_and(|(sender, _)| sender.seal(packet))
            }
            _ => false,
        }
    }

    /// Takes a frame of a link that [encrypts](Link::encrypts) apart, decrypting where it lies.
    pub fn unseal(&mut self, now: Instant, frame: &mut [u8]) -> Unsealed {
        match frame::split(frame) {
            Some((Protocol::COMPRESSED, information)) => {
                let start = frame.len() - information.len();
                self.echo.note_traffic(now);
                self.open_packet(now, frame, start)
            }
            // In clear although it must not be.
            Some((Protocol::IPV4, _)) => Unsealed::Nothing,
            Some(_) | None => Unsealed::Control,
        }
    }

    fn open_packet(&mut self, now: Instant, frame: &mut [u8], start: usize) -> Unsealed {
        let (Some(secret), Some(packet)) = (&mut self.secret, frame.get_mut(start..)) else {
            return Unsealed::Nothing;
        };
        let Some((_, receiver)) = &mut secret.mppe else { return Unsealed::Nothing };
        match receiver.open(packet) {
            Opened::Clear => match packet.get(2..).unwrap_or_default() {
                [0x00, 0x21, ..] => Unsealed::Ipv4(start + 4..frame.len()),
                [0x21, ..] => Unsealed::Ipv4(start + 3..frame.len()),
                _ => Unsealed::Nothing,
            },
            Opened::Dropped => Unsealed::Nothing,
            Opened::Lost => {
                secret.ask_for_reset(now, &mut self.shared);
                Unsealed::Nothing
            }
        }
    }

    /// The login is through, and brings this with it.
    pub(super) fn enter_encryption(
        &mut self,
        now: Instant,
        encryption: Option<Encryption>,
        challenge: Option<[u8; 8]>,
    ) {
        let Some(encryption) = encryption else { return };
        let strengths = encryption
            .strengths
            .filter(|strength| encryption.keys.start(strength, challenge.as_ref()).is_some());
        if strengths.strongest().is_none() {
            if encryption.required {
                self.end(now, DownReason::NotEncrypted("the login leaves no keys for it"));
            }
            return;
        }
        let mut ccp = Negotiator::new(Ccp::new(strengths, encryption.stateful_allowed));
        ccp.start(now, &mut self.shared);
        self.secret = Some(Box::new(Secret {
            encryption,
            challenge,
            ccp,
            mppe: None,
            openings: 0,
            reset_identifier: 0,
            next_reset: None,
            waiting: None,
        }));
    }

    /// The same at the client, whose login has left the keys.
    pub(super) fn enter_client_encryption(&mut self, now: Instant, wanted: Option<ClientEncryption>) {
        let Some(ClientEncryption { required, strengths, stateful_allowed }) = wanted else { return };
        let keys = match &self.auth {
            Auth::Client(auth) => auth.keys(),
            Auth::None | Auth::Server(_) | Auth::Settled(_) => None,
        };
        match keys {
            Some((keys, challenge)) => {
                let encryption = Encryption { required, strengths, stateful_allowed, keys };
                self.enter_encryption(now, Some(encryption), challenge);
            }
            None if required => {
                self.end(now, DownReason::NotEncrypted("the login leaves no keys for it"));
            }
            None => {}
        }
    }

    /// A packet of CCP.
    pub(super) fn receive_ccp(&mut self, now: Instant, packet: Packet<'_>) {
        let Some(secret) = &mut self.secret else { return };
        match packet.code {
            ccp::RESET_REQUEST => {
                if let Some((sender, _)) = &mut secret.mppe {
                    sender.flush();
                    self.shared.send(Protocol::CCP, ccp::RESET_ACK, packet.identifier, &[]);
                }
            }
            // The A bit says the same where it matters.
            ccp::RESET_ACK => {}
            TERMINATE_REQUEST => {
                secret.ccp.receive(now, packet, &mut self.shared);
                self.give_up_encryption(now, "the peer closed it");
            }
            _ => {
                let outcome = secret.ccp.receive(now, packet, &mut self.shared);
                self.after_ccp(now, outcome);
            }
        }
    }

    /// The peer does not know CCP.
    pub(super) fn ccp_rejected(&mut self, now: Instant) {
        if let Some(secret) = &mut self.secret {
            secret.ccp.protocol_rejected(now, &mut self.shared);
        }
        self.give_up_encryption(now, "the peer does not serve it");
    }

    pub(super) fn ccp_timer(&self) -> Option<Instant> {
        self.secret.as_ref().and_then(|secret| secret.ccp.timer())
    }

    pub(super) fn ccp_timeout(&mut self, now: Instant) {
        if let Some(secret) = &mut self.secret {
            let outcome = secret.ccp.timeout(now, &mut self.shared);
            self.after_ccp(now, outcome);
        }
    }

    fn after_ccp(&mut self, now: Instant, outcome: Outcome) {
        let Some(secret) = &mut self.secret else { return };
        if outcome.down {
            secret.mppe = None;
        }
        match outcome.stop {
            Some(DownReason::NotEncrypted(why)) => return self.give_up_encryption(now, why),
            Some(_) => return self.give_up_encryption(now, "the two ends do not agree on it"),
            None => {}
        }
        if outcome.finished {
            return self.give_up_encryption(now, "the peer does not answer");
        }
        if outcome.up {
            self.ccp_up(now);
        }
    }

    fn ccp_up(&mut self, now: Instant) {
        let Some(secret) = &mut self.secret else { return };
        secret.openings = secret.openings.saturating_add(1);
        let Some((modes, mppe)) = secret.mppe() else {
            return self.give_up_encryption(now, "the two ends do not agree on it");
        };
        if secret.openings > MOST_OPENINGS {
            return self.give_up_encryption(now, "the peer begins it again and again");
        }
        secret.mppe = Some(mppe);
        secret.next_reset = None;
        let waiting = secret.waiting.take();
        let (send, receive) = modes;
        self.shared.event(Event::Encrypted { send, receive });
        if let Some(addresses) = waiting {
            self.come_up(now, addresses);
        }
    }

    /// IPCP is open. True if that has to wait for CCP.
    pub(super) fn waits_for_encryption(&mut self, addresses: Addresses) -> bool {
        match &mut self.secret {
            Some(secret) if secret.encryption.required && secret.mppe.is_none() => {
                secret.waiting = Some(addresses);
                true
            }
            Some(_) | None => false,
        }
    }

    /// IPCP is not open any more.
    pub(super) fn stop_waiting_for_encryption(&mut self) {
        if let Some(secret) = &mut self.secret {
            secret.waiting = None;
        }
    }

    /// There will be no encryption: the end of the link where it is required, and of CCP where it is not.
    fn give_up_encryption(&mut self, now: Instant, why: &'static str) {
        let Some(mut secret) = self.secret.take() else { return };
        if secret.encryption.required {
            self.end(now, DownReason::NotEncrypted(why));
            return;
        }
        self.shared.warn(format!("no encryption: {why}"));
        if secret.ccp.state() != State::Stopped {
            // One Terminate-Request, not repeated: whoever goes on speaking CCP is told by a Protocol-Reject.
            secret.ccp.close(now, why, &mut self.shared);
        }
    }
}

impl Secret {
    fn mppe(&self) -> Option<((crate::MppeMode, crate::MppeMode), (Sender, Receiver))> {
        let (send, receive) = self.ccp.options.agreed()?;
        let keys = |strength| self.encryption.keys.start(strength, self.challenge.as_ref());
        let (sends, _) = keys(send.strength)?;
        let (_, receives) = keys(receive.strength)?;
        let mppe = (Sender::new(sends, send.stateless), Receiver::new(receives, receive.stateless));
        Some(((send, receive), mppe))
    }

    /// RFC 1962 5.8. Each loss is followed by many packets that cannot be read.
    fn ask_for_reset(&mut self, now: Instant, shared: &mut Shared) {
        if self.next_reset.is_some_and(|next| now < next) {
            return;
        }
        self.next_reset = now.checked_add(RESET_INTERVAL);
        self.reset_identifier = self.reset_identifier.wrapping_add(1);
        shared.send(Protocol::CCP, ccp::RESET_REQUEST, self.reset_identifier, &[]);
    }
}

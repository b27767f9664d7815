//! Inner packets of a call that is up, in clear or encrypted by MPPE.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tollgate_ppp::{Unsealed, ipv4_payload};

use super::Dial;
use crate::ip::{self, Echo};

impl Dial {
    /// Pings an inner address; gives the round trip, `None` when no answer came in time.
    pub fn ping(&mut self, to: Ipv4Addr, sequence: u16, limit: Duration) -> Option<Duration> {
        let from = self.addresses?.local;
        let echo = Echo { identifier: self.path.local.port(), sequence };
        let began = Instant::now();
        self.send(&ip::ping(from, to, echo, 56));
        self.receive(began + limit, |packet| ip::echo_reply(packet) == Some((to, echo)))?;
        Some(began.elapsed())
    }

    /// Sends an inner packet.
    pub fn send(&mut self, packet: &[u8]) {
        let (Some(key), Some(link)) = (self.key, &mut self.link) else { return };
        let encrypts = link.encrypts();
        let mut frame = if encrypts { link.sealed_header() } else { link.ipv4_header() }.to_vec();
        frame.extend_from_slice(packet);
        if encrypts && !link.seal(&mut frame) {
            return;
        }
        self.send_frame(key, &frame);
    }

    /// The next inner packet that `wanted` accepts; others are dropped.
    pub fn receive(&mut self, deadline: Instant, mut wanted: impl FnMut(&[u8]) -> bool) -> Option<Vec<u8>> {
        loop {
            while let Some(packet) = self.packets.pop_front() {
                if wanted(&packet) {
                    return Some(packet);
                }
            }
            if self.ended.is_some() || Instant::now() >= deadline {
                return None;
            }
            self.step(deadline, &mut |_| ());
        }
    }

    /// A PPP frame from the server.
    pub(super) fn receive_frame(&mut self, now: Instant, frame: &mut [u8]) {
        let Some(link) = &mut self.link else { return };
        if link.is_up() && link.encrypts() {
            match link.unseal(now, frame) {
                Unsealed::Ipv4(packet) => self.packets.push_back(frame[packet].to_vec()),
                Unsealed::Control => link.handle_frame(now, frame),
                Unsealed::Nothing => {}
            }
            return;
        }
        match ipv4_payload(frame) {
            Some(packet) if link.is_up() => {
                link.note_traffic(now);
                self.packets.push_back(packet.to_vec());
            }
            Some(_) | None => link.handle_frame(now, frame),
        }
    }
}

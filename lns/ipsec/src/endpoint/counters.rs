//! Counts of what was done and refused.

use crate::esp::DropReason;

/// Counts since the endpoint's birth, and how many are half open now.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    /// Peers that have sent a first message and have not returned the cookie.
    pub half_open: u64,
    /// First messages answered.
    pub first_messages: u64,
    /// Half-open peers that made place for new ones.
    pub evicted: u64,
    /// First messages refused because their source has too many half-open exchanges.
    pub source_limited: u64,
    /// Third messages refused because too many exchanges are not authenticated.
    pub unauthenticated_limited: u64,
    /// Messages refused because too much work waits.
    pub jobs_refused: u64,
    /// Messages that cannot be read.
    pub malformed: u64,
    /// Messages of exchanges that are not known here.
    pub unknown_exchange: u64,
    /// Messages for no association of ours.
    pub unknown_cookies: u64,
    /// Messages whose hash or encryption is wrong.
    pub unauthentic: u64,
    /// Messages that came again and were answered again.
    pub repeated: u64,
    /// Messages of ours that came back.
    pub reflected: u64,
    /// Messages that make no sense at their time.
    pub out_of_turn: u64,
    /// Peers authenticated.
    pub authenticated: u64,
    /// Set-ups that failed.
    pub failed: u64,
    /// Associations that came up.
    pub up: u64,
    /// Rekeyings of phase 2.
    pub rekeyed: u64,
    /// Times that a peer's address or port changed.
    pub moved: u64,
    /// Packets that could not be sent.
    pub unsent: u64,
    esp: [u64; DropReason::COUNT],
}

impl Counters {
    pub(super) fn count_drop(&mut self, reason: DropReason) {
        if let Some(count) = self.esp.get_mut(reason.index()) {
            *count += 1;
        }
    }

    /// Each count with its name.
    pub fn values(&self) -> impl Iterator<Item = (String, u64)> {
        let ike = [
            ("ike-half-open", self.half_open),
            ("ike-first-messages", self.first_messages),
            ("ike-evicted", self.evicted),
            ("ike-source-limited", self.source_limited),
            ("ike-unauthenticated-limited", self.unauthenticated_limited),
            ("ike-jobs-refused", self.jobs_refused),
            ("ike-malformed", self.malformed),
            ("ike-unknown-exchange", self.unknown_exchange),
            ("ike-unknown-cookies", self.unknown_cookies),
            ("ike-unauthentic", self.unauthentic),
            ("ike-repeated", self.repeated),
            ("ike-reflected", self.reflected),
            ("ike-out-of-turn", self.out_of_turn),
            ("ike-authenticated", self.authenticated),
            ("ike-failed", self.failed),
            ("ipsec-up", self.up),
            ("ipsec-rekeyed", self.rekeyed),
            ("ipsec-moved", self.moved),
            ("esp-unsent", self.unsent),
        ];
        let esp = DropReason::ALL
            .iter()
            .zip(self.esp)
            .map(|(reason, count)| (format!("esp-{}", reason.name()), count));
        ike.into_iter().map(|(name, count)| (name.to_owned(), count)).chain(esp)
    }
}

//! MPPE (RFC 3078): one direction each of a link whose packets are encrypted with RC4, where they lie.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------------------------------+-+-+-+-+-----------------------+
//! | Protocol 0x00FD               |A|B|C|D| Coherency Count       |
//! +-------------------------------+-+-+-+-+-----------------------+
//! | encrypted: Protocol, packet ...
//! ```
//!
//! A says that the tables were made anew before this packet, D that it is encrypted; B and C belong to compression,
//! which is never agreed on here. MPPE has no check value: whoever can change packets on the way can change them here
//! too, and a forged count makes the receiver lose its place. What was lost is found again:
//! - stateless (7.1): each packet has the key of its count, so that a receiver counts its keys forward;
//! - stateful (7.2): the key changes with each count that ends in 0xFF, and the tables run on from packet to packet. After
//!   a loss nothing can be read until a packet with A comes, which a CCP Reset-Request asks for. The tables are then made
//!   anew from the key in force, as section 3 has it, FreeBSD does it and Windows expects it. (Linux changes the key as
//!   well, and so loses its place on the first loss; it is asked for stateless mode first.)
//!
//! Packets that are late are dropped: their keys are gone.

use rc4::{KeyInit, Rc4, StreamCipher};
use tollgate_mschap::SessionKey;

/// Bits of the count.
const COUNT: u16 = 0x0FFF;
/// Counts further ahead than half of them are behind.
const HALF: u16 = 0x0800;
/// The tables were made anew.
const FLUSHED: u16 = 0x8000;
/// Compressed (RFC 2118), which is not served.
const COMPRESSED: u16 = 0x2000;
/// Encrypted.
const ENCRYPTED: u16 = 0x1000;
/// Octets of bits and count.
const HEADER: usize = 2;

/// The key of one direction and how it changes.
struct Keys {
    start: SessionKey,
    key: SessionKey,
    /// `None` is never seen outside of a change.
    rc4: Option<Rc4>,
    stateless: bool,
    /// Of the next packet.
    count: u16,
}

impl Keys {
    fn new(start: SessionKey, stateless: bool) -> Self {
        let key = start.first_session_key();
        let mut keys = Self { start, key, rc4: None, stateless, count: 0 };
        keys.make_tables();
        keys
    }

    fn make_tables(&mut self) {
        self.rc4 = Rc4::new_from_slice(self.key.as_bytes()).ok();
    }

    fn change(&mut self) {
        self.key = self.key.changed(&self.start);
    }

    /// True if the key changes before the packet with this count.
    fn changes_at(&self, count: u16) -> bool {
        self.stateless || count & 0xFF == 0xFF
    }

    fn crypt(&mut self, octets: &mut [u8]) -> bool {
        match &mut self.rc4 {
            Some(rc4) => {
                rc4.apply_keystream(octets);
                true
            }
            None => false,
        }
    }
}

/// What we send.
pub(crate) struct Sender {
    keys: Keys,
    /// The peer has lost its place.
    flush: bool,
}

impl Sender {
    pub(crate) fn new(start: SessionKey, stateless: bool) -> Self {
        Self { keys: Keys::new(start, stateless), flush: false }
    }

    /// A Reset-Request came.
    pub(crate) fn flush(&mut self) {
        self.flush = true;
    }

    /// Encrypts a packet: two octets of room for the header, then protocol and packet. False if it is too short.
    pub(crate) fn seal(&mut self, packet: &mut [u8]) -> bool {
        let Some((header, data)) = packet.split_first_chunk_mut::<HEADER>() else { return false };
        let keys = &mut self.keys;
        let mut bits = ENCRYPTED | keys.count;
        if keys.changes_at(keys.count) {
            keys.change();
            self.flush = true;
        }
        if self.flush {
            keys.make_tables();
            bits |= FLUSHED;
            self.flush = false;
        }
        keys.count = keys.count.wrapping_add(1) & COUNT;
        *header = bits.to_be_bytes();
        keys.crypt(data)
    }
}

/// What became of a packet that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opened {
    /// It is in clear now, from its protocol on.
    Clear,
    /// It is late, or not what was agreed on: dropped.
    Dropped,
    /// Others before it were lost, and it cannot be read: the peer has to be asked for a reset.
    Lost,
}

/// What we receive.
pub(crate) struct Receiver {
    keys: Keys,
    /// A packet was lost, and nothing can be read before one with A.
    lost: bool,
}

impl Receiver {
    pub(crate) fn new(start: SessionKey, stateless: bool) -> Self {
        Self { keys: Keys::new(start, stateless), lost: false }
    }

    /// Decrypts a packet, its header included, where it lies.
    pub(crate) fn open(&mut self, packet: &mut [u8]) -> Opened {
        let Some((header, data)) = packet.split_first_chunk_mut::<HEADER>() else { return Opened::Dropped };
        let header = u16::from_be_bytes(*header);
        let flushed = header & FLUSHED != 0;
        let count = header & COUNT;
        let keys = &mut self.keys;
        let ahead = count.wrapping_sub(keys.count) & COUNT;
        if header & (ENCRYPTED | COMPRESSED) != ENCRYPTED
            || ahead >= HALF
            || (keys.changes_at(count) && !flushed)
        {
            return Opened::Dropped;
        }
        if (self.lost || ahead > 0) && !flushed {
            self.lost = true;
            return Opened::Lost;
        }
        for step in 0..=ahead {
            if keys.changes_at(keys.count.wrapping_add(step) & COUNT) {
                keys.change();
            }
        }
        if flushed {
            keys.make_tables();
        }
        self.lost = false;
        keys.count = count.wrapping_add(1) & COUNT;
        if keys.crypt(data) { Opened::Clear } else { Opened::Dropped }
    }
}

#[cfg(test)]
mod tests;

//! Tunnel and session ids, and which of them one shard may give out.

use std::fmt;
use std::num::NonZeroU16;

use tollgate_sansio::Entropy;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(NonZeroU16);

        impl $name {
            /// The id with this number; `None` for zero, which RFC 2661 keeps for "not yet known".
            pub fn new(number: u16) -> Option<Self> {
                NonZeroU16::new(number).map(Self)
            }

            /// The number, 1..=65535.
            pub fn get(self) -> u16 {
                self.0.get()
            }
        }

        impl From<NonZeroU16> for $name {
            fn from(number: NonZeroU16) -> Self {
                Self(number)
            }
        }

        impl From<$name> for NonZeroU16 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// Our own (local) tunnel id: what the peer writes into the headers it sends us. Never zero.
    TunnelId
}
id! {
    /// Our own (local) session id within one tunnel. Never zero.
    SessionId
}
id! {
    /// The peer's tunnel id: what we write into the headers we send it.
    PeerTunnelId
}
id! {
    /// The peer's session id within one tunnel.
    PeerSessionId
}

/// One session of one tunnel, by our own ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    /// The tunnel.
    pub tunnel: TunnelId,
    /// The session within it.
    pub session: SessionId,
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tunnel, self.session)
    }
}

/// Which local tunnel ids an endpoint may give out: those whose low `shard_bits` bits equal `shard`. The owner of a
/// datagram can then be told from its header alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdSpace {
    /// The shard that owns the ids, 0..2^`shard_bits`.
    pub shard: u16,
    /// How many low bits of an id name its shard, 0..=12; more than 12 is taken as 12.
    pub shard_bits: u8,
}

impl IdSpace {
    /// All ids in one shard.
    pub fn whole() -> Self {
        Self { shard: 0, shard_bits: 0 }
    }

    /// The shard that owns `tunnel_id`.
    pub fn shard_of(&self, tunnel_id: u16) -> u16 {
        tunnel_id & self.mask()
    }

    fn bits(&self) -> u32 {
        u32::from(self.shard_bits.min(12))
    }

    fn mask(&self) -> u16 {
        (1_u16 << self.bits()).wrapping_sub(1)
    }

    /// How many ids there are, the unusable zero included.
    pub(crate) fn slots(&self) -> usize {
        1 << (16 - self.bits())
    }

    /// Where the tunnel of this id stands among the shard's ids; `None` when another shard owns it.
    pub(crate) fn slot_of(&self, tunnel_id: u16) -> Option<usize> {
        (self.shard_of(tunnel_id) == self.shard & self.mask()).then(|| usize::from(tunnel_id >> self.bits()))
    }

    /// The id at a place among the shard's ids; `None` for the one place whose id would be zero.
    pub(crate) fn id_at(&self, slot: u16) -> Option<TunnelId> {
        TunnelId::new((slot << self.bits()) | (self.shard & self.mask()))
    }
}

/// Goes once through all ids of a space, in an order that an outsider cannot guess, before any comes again. Ids
/// are therefore neither predictable nor soon reused, and nothing has to be remembered about the ones in the past.
#[derive(Debug)]
pub(crate) struct IdOrder {
    ids: IdSpace,
    counter: u16,
    factors: [u16; 2],
    offsets: [u16; 2],
}

impl IdOrder {
    pub(crate) fn new(ids: IdSpace, entropy: &mut Entropy) -> Self {
        Self {
            ids,
            counter: entropy.u16(),
            factors: [entropy.u16() | 1, entropy.u16() | 1],
            offsets: [entropy.u16(), entropy.u16()],
        }
    }

    /// The next id in order.
    pub(crate) fn next_id(&mut self) -> TunnelId {
        loop {
            self.counter = self.counter.wrapping_add(1);
            if let Some(id) = self.ids.id_at(self.shuffle(self.counter)) {
                return id;
            }
        }
    }

    /// A permutation of the numbers below the size of the space: odd multiplication, addition and a shifted
    /// exclusive-or are each reversible, and so is their sequence.
    fn shuffle(&self, counter: u16) -> u16 {
        let bits = 16 - self.ids.bits();
        let mask = u16::MAX >> self.ids.bits();
        let mut number = counter & mask;
        for (factor, offset) in self.factors.iter().zip(self.offsets) {
            number = number.wrapping_mul(*factor).wrapping_add(offset) & mask;
            number ^= number >> (bits / 2 + 1);
        }
        number
    }
}

#[cfg(test)]
mod tests;

//! MPPE session keys (RFC 3079): from MS-CHAP credentials, section 3 for version 2 and of section 2 (version 1) the
//! 128-bit keys alone, because its shorter ones come from the LAN Manager hash that this crate does not know; and from
//! start keys that somebody else has derived. Their change within a session is RFC 3078 7.3.

use rc4::{KeyInit, Rc4, StreamCipher};
use sha1::{Digest, Sha1};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::NtHash;

/// The length of the session keys that CCP agreed on (RFC 3078 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStrength {
    /// 40 bits: 8 octets of which the first three are constant.
    Bits40,
    /// 56 bits: 8 octets of which the first is constant.
    Bits56,
    /// 128 bits: 16 octets.
    Bits128,
}

impl KeyStrength {
    fn octets(self) -> usize {
        match self {
            Self::Bits40 | Self::Bits56 => 8,
            Self::Bits128 => 16,
        }
    }

    /// RFC 3079 3.1 and 3.2: the known octets that make a short key short.
    fn salt(self) -> &'static [u8] {
        match self {
            Self::Bits40 => &[0xD1, 0x26, 0x9E],
            Self::Bits56 => &[0xD1],
            Self::Bits128 => &[],
        }
    }
}

/// Which way the packets go that a key protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the authenticator (the server) to the peer.
    ServerToClient,
    /// From the peer to the authenticator.
    ClientToServer,
}

/// The master key of an MS-CHAPv2 login (RFC 3079 3.4). Wiped when dropped; prints nothing of itself.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 16]);

/// A start key or the session key in force. Wiped when dropped; prints nothing of itself.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SessionKey {
    key: [u8; 16],
    #[zeroize(skip)]
    strength: KeyStrength,
}

/// `GetMasterKey` of RFC 3079 3.4, from the login that was accepted.
pub fn master_key(hash: &NtHash, nt_response: &[u8; 24]) -> MasterKey {
    MasterKey(first_16(
        Sha1::new()
            .chain_update(hash.hash_again().as_bytes())
            .chain_update(nt_response)
            .chain_update(b"This is the MPPE Master Key"),
    ))
}

/// The 128-bit start key of an MS-CHAPv1 login (`Get_Start_Key`, RFC 3079 2.3); the same for both directions.
pub fn start_key_v1(hash: &NtHash, challenge: &[u8; 8]) -> SessionKey {
    start_key_v1_of(hash.hash_again().as_bytes(), challenge)
}

/// The same from the hash of the NT hash, which is what a RADIUS server gives away (RFC 2548 2.4.1).
pub fn start_key_v1_of(again: &[u8; 16], challenge: &[u8; 8]) -> SessionKey {
    let key = first_16(Sha1::new().chain_update(again).chain_update(again).chain_update(challenge));
    SessionKey { key, strength: KeyStrength::Bits128 }
}

impl MasterKey {
    /// The sixteen octets.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// `GetAsymmetricStartKey` of RFC 3079 3.4. A server sends with [`Direction::ServerToClient`] and receives with
    /// the other; a client the opposite. At 128 bits this is also the value of MS-MPPE-Send-Key and
    /// MS-MPPE-Recv-Key (RFC 2548) as seen by the server.
    pub fn start_key(&self, direction: Direction, strength: KeyStrength) -> SessionKey {
        let magic: &[u8] = match direction {
            Direction::ClientToServer => {
                b"On the client side, this is the send key; on the server side, it is the receive key."
            }
            Direction::ServerToClient => {
                b"On the client side, this is the receive key; on the server side, it is the send key."
            }
        };
        let key = first_16(
            Sha1::new()
                .chain_update(self.0)
                .chain_update([0x00; 40])
                .chain_update(magic)
                .chain_update([0xF2; 40]),
        );
        SessionKey { key, strength }
    }
}

impl SessionKey {
    /// A start key that was derived elsewhere, such as MS-MPPE-Send-Key; its first 8 or 16 octets count. `None` if
    /// there are fewer.
    pub fn start(octets: &[u8], strength: KeyStrength) -> Option<Self> {
        let mut key = [0; 16];
        for (to, from) in key.iter_mut().zip(octets.get(..strength.octets())?) {
            *to = *from;
        }
        Some(Self { key, strength })
    }

    /// The key after this one (RFC 3078 7.3): the hash of the `start` key and this one, encrypted under itself.
    pub fn changed(&self, start: &SessionKey) -> SessionKey {
        let mut next = start.hashed_with(self);
        if let Some(key) = next.key.get_mut(..self.strength.octets())
            && let Ok(mut rc4) = Rc4::new_from_slice(key)
        {
            rc4.apply_keystream(key);
        }
        next.salted()
    }

    /// The 8 or 16 octets that are in force.
    pub fn as_bytes(&self) -> &[u8] {
        self.key.get(..self.strength.octets()).unwrap_or_default()
    }

    /// How long the key is.
    pub fn strength(&self) -> KeyStrength {
        self.strength
    }

    /// The first session key, made from this start key (RFC 3079 2.1 to 2.3 and 3.1 to 3.3).
    pub fn first_session_key(&self) -> SessionKey {
        self.hashed_with(self).salted()
    }

    /// `GetNewKeyFromSHA` (RFC 3079 2.4); `self` is the start key.
    fn hashed_with(&self, current: &SessionKey) -> SessionKey {
        let key = first_16(
            Sha1::new()
                .chain_update(self.as_bytes())
                .chain_update([0x00; 40])
                .chain_update(current.as_bytes())
                .chain_update([0xF2; 40]),
        );
        SessionKey { key, strength: self.strength }
    }

    /// With the known octets that make a short key short.
    fn salted(mut self) -> SessionKey {
        for (to, from) in self.key.iter_mut().zip(self.strength.salt()) {
            *to = *from;
        }
        self
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionKey").field("strength", &self.strength).finish_non_exhaustive()
    }
}

fn first_16(hasher: Sha1) -> [u8; 16] {
    let digest: Zeroizing<[u8; 20]> = Zeroizing::new(hasher.finalize().into());
    let mut key = [0u8; 16];
    for (to, from) in key.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    key
}

#[cfg(test)]
mod tests;

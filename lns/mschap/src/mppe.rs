//! MPPE session keys from MS-CHAP credentials (RFC 3079): section 3 for version 2, and of section 2 (version 1) the
//! 128-bit keys alone, because its shorter ones come from the LAN Manager hash that this crate does not know.

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
    let again = hash.hash_again();
    let key = first_16(
        Sha1::new().chain_update(again.as_bytes()).chain_update(again.as_bytes()).chain_update(challenge),
    );
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
        self.next(self)
    }

    /// `GetNewKeyFromSHA` (RFC 3079 2.4) and the salt of the short keys; `self` is the start key. For a key change
    /// within a session (RFC 3078 7.3) the caller encrypts the result with RC4 before salting, which belongs to MPPE.
    fn next(&self, current: &SessionKey) -> SessionKey {
        let mut key = Zeroizing::new(first_16(
            Sha1::new()
                .chain_update(self.as_bytes())
                .chain_update([0x00; 40])
                .chain_update(current.as_bytes())
                .chain_update([0xF2; 40]),
        ));
        for (to, from) in key.iter_mut().zip(self.strength.salt()) {
            *to = *from;
        }
        SessionKey { key: *key, strength: self.strength }
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

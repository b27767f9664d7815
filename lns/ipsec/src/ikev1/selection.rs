//! What is agreed on: phase 1 policies and the choice among a peer's proposals; `phase2` has transform sets and theirs.

mod phase2;

use std::fmt;
use std::time::Duration;

use super::proposal::{
    self, KILOBYTES, Life, OwnTransform, Proposal, SECONDS, Transform, attributes, phase1, protocol,
};
use crate::algorithm::{Authentication, Cipher, Group, Hash};

pub use phase2::{
    Encapsulation, Pfs, Phase2, Phase2Rules, TransformSet, choose_phase2, explain_phase2, offer_phase2,
    read_phase2,
};

/// One ISAKMP policy: what phase 1 may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Policy {
    /// How the peers prove who they are.
    pub authentication: Authentication,
    /// The cipher of messages.
    pub cipher: Cipher,
    /// The hash and pseudo-random function.
    pub hash: Hash,
    /// The Diffie-Hellman group.
    pub group: Group,
    /// What we offer as initiator.
    pub lifetime: Duration,
}

impl Policy {
    fn matches(&self, other: &Self) -> bool {
        (self.authentication, self.cipher, self.hash, self.group)
            == (other.authentication, other.cipher, other.hash, other.group)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/group {}/{}", self.cipher, self.hash, self.group, self.authentication)
    }
}

/// Whose order decides in phase 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preference {
    /// The first transform of the peer that is allowed: the default list.
    Peer,
    /// The first policy that the peer offers: a list that an operator wrote.
    Ours,
}

/// A transform of phase 1 as a peer offered it, readable as far as it is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offered {
    /// Every part is known.
    Known(Policy, Life),
    /// Some part is not; in words.
    Unknown(String),
}

/// What was agreed on in phase 1.
#[derive(Debug, Clone, Copy)]
pub struct Chosen<'a> {
    /// The proposal and transform as they came.
    pub transform: Transform<'a>,
    /// What it means.
    pub policy: Policy,
    /// The life that the peer wants.
    pub life: Life,
}

/// Reads one transform of phase 1.
pub fn read_phase1(transform: &Transform<'_>) -> Offered {
    let mut fields = [None::<u64>; 5];
    let [encryption, hash, authentication, group, key_length] = &mut fields;
    let (mut life, mut life_type) = (Life::default(), None);
    for attribute in attributes(transform.attributes) {
        let Ok((kind, value)) = attribute else {
            return Offered::Unknown("a transform that cannot be read".into());
        };
        match kind {
            phase1::ENCRYPTION => *encryption = Some(value),
            phase1::HASH => *hash = Some(value),
            phase1::AUTHENTICATION => *authentication = Some(value),
            phase1::GROUP => *group = Some(value),
            phase1::KEY_LENGTH => *key_length = Some(value),
            phase1::LIFE_TYPE => life_type = Some(value),
            phase1::LIFE_DURATION => note_life(&mut life, life_type, value),
            _ => {}
        }
    }
    let cipher = match (*encryption, *key_length) {
        (Some(1), _) => Some(Cipher::Des),
        (Some(5), _) => Some(Cipher::TripleDes),
        (Some(7), Some(128) | None) => Some(Cipher::Aes128),
        (Some(7), Some(192)) => Some(Cipher::Aes192),
        (Some(7), Some(256)) => Some(Cipher::Aes256),
        _ => None,
    };
    let hash_known = match *hash {
        Some(1) => Some(Hash::Md5),
        Some(2) => Some(Hash::Sha1),
        Some(4) => Some(Hash::Sha256),
        Some(5) => Some(Hash::Sha384),
        Some(6) => Some(Hash::Sha512),
        _ => None,
    };
    let authentication_known = match *authentication {
        Some(1) => Some(Authentication::PreSharedKey),
        Some(3) => Some(Authentication::RsaSignature),
        _ => None,
    };
    let group_known = group.and_then(|group| u16::try_from(group).ok()).and_then(Group::from_number);
    match (transform.id, cipher, hash_known, authentication_known, group_known) {
        (1, Some(cipher), Some(hash), Some(authentication), Some(group)) => {
            let lifetime = Duration::from_secs(life.seconds.unwrap_or_default());
            Offered::Known(Policy { authentication, cipher, hash, group, lifetime }, life)
        }
        _ => Offered::Unknown(format!(
            "{}/{}/{}/{}",
            cipher.map_or_else(|| unknown("encryption", *encryption), |known| known.to_string()),
            hash_known.map_or_else(|| unknown("hash", *hash), |known| known.to_string()),
            group_known.map_or_else(|| unknown("group", *group), |known| format!("group {known}")),
            authentication_known
                .map_or_else(|| unknown("authentication", *authentication), |known| known.to_string()),
        )),
    }
}

fn unknown(what: &str, number: Option<u64>) -> String {
    number.map_or_else(|| format!("no {what}"), |number| format!("{what} {number}"))
}

fn note_life(life: &mut Life, life_type: Option<u64>, value: u64) {
    match life_type {
        Some(SECONDS) => life.seconds = Some(value),
        Some(KILOBYTES) => life.kilobytes = Some(value),
        _ => {}
    }
}

/// Every transform of phase 1 in the peer's order.
fn phase1_transforms<'p, 'a>(
    proposals: &'p [Proposal<'a>],
) -> impl Iterator<Item = (&'p Proposal<'a>, Transform<'a>)> {
    proposals
        .iter()
        .filter(|proposal| proposal.protocol == protocol::ISAKMP)
        .flat_map(|proposal| proposal.transforms.iter().map(move |transform| (proposal, *transform)))
}

/// The choice of phase 1; `usable` tells which policies can be served at all (a certificate may be missing).
pub fn choose_phase1<'p, 'a>(
    proposals: &'p [Proposal<'a>],
    policies: &[Policy],
    preference: Preference,
    usable: impl Fn(&Policy) -> bool,
) -> Option<(&'p Proposal<'a>, Chosen<'a>)> {
    let offers = || {
        phase1_transforms(proposals).filter_map(|(proposal, transform)| match read_phase1(&transform) {
            Offered::Known(policy, life) => Some((proposal, Chosen { transform, policy, life })),
            Offered::Unknown(_) => None,
        })
    };
    match preference {
        Preference::Peer => offers()
            .find(|(_, offer)| policies.iter().any(|policy| policy.matches(&offer.policy) && usable(policy))),
        Preference::Ours => policies
            .iter()
            .filter(|policy| usable(policy))
            .find_map(|policy| offers().find(|(_, offer)| policy.matches(&offer.policy))),
    }
}

/// What a peer offered in phase 1, in words, and what would have to be allowed at least for one of its transforms to
/// match.
pub fn explain_phase1(proposals: &[Proposal<'_>], policies: &[Policy]) -> (Vec<String>, Option<String>) {
    let mut offered = Vec::new();
    let mut best: Option<(usize, Policy, Policy)> = None;
    for (_, transform) in phase1_transforms(proposals).take(32) {
        match read_phase1(&transform) {
            Offered::Known(policy, _) => {
                for ours in policies {
                    let differing = differences(&policy, ours);
                    if best.is_none_or(|(least, theirs, _)| {
                        (differing, weakness(&policy)) < (least, weakness(&theirs))
                    }) {
                        best = Some((differing, policy, *ours));
                    }
                }
                offered.push(policy.to_string());
            }
            Offered::Unknown(words) => offered.push(words),
        }
    }
    let change = best.map(|(_, theirs, ours)| {
        let mut parts = Vec::new();
        if theirs.cipher != ours.cipher {
            parts.push(format!("encryption = \"{}\"", theirs.cipher));
        }
        if theirs.hash != ours.hash {
            parts.push(format!("hash = \"{}\"", theirs.hash));
        }
        if theirs.group != ours.group {
            parts.push(format!("group = {}", theirs.group));
        }
        if theirs.authentication != ours.authentication {
            parts.push(format!("authentication = \"{}\"", theirs.authentication));
        }
        if weakness(&theirs) > 0 {
            parts.push("legacy = true".into());
        }
        parts.join(", ")
    });
    (offered, change)
}

/// Policies in words: each, or where there are many the words that they are made of.
pub fn summary(policies: &[Policy]) -> Vec<String> {
    const FEW: usize = 6;
    if policies.len() <= FEW {
        return policies.iter().map(ToString::to_string).collect();
    }
    let words = |word: &dyn Fn(&Policy) -> String| {
        let mut words: Vec<String> = Vec::new();
        for word in policies.iter().map(word) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.join("|")
    };
    vec![format!(
        "{} policies of {} with {}, group {}, {}",
        policies.len(),
        words(&|policy| policy.cipher.to_string()),
        words(&|policy| policy.hash.to_string()),
        words(&|policy| policy.group.to_string()),
        words(&|policy| policy.authentication.to_string()),
    )]
}

fn differences(a: &Policy, b: &Policy) -> usize {
    [a.cipher != b.cipher, a.hash != b.hash, a.group != b.group, a.authentication != b.authentication]
        .into_iter()
        .filter(|differs| *differs)
        .count()
}

fn weakness(policy: &Policy) -> usize {
    [policy.cipher.is_legacy(), policy.hash.is_legacy(), policy.group.is_legacy()]
        .into_iter()
        .filter(|weak| *weak)
        .count()
}

/// The transforms that an initiator offers.
pub fn offer_phase1(policies: &[Policy]) -> Vec<u8> {
    let transforms: Vec<_> = policies.iter().map(phase1_transform).collect();
    proposal::encode(protocol::ISAKMP, &[], &transforms)
}

fn phase1_transform(policy: &Policy) -> OwnTransform {
    let mut out = Vec::new();
    let encryption = match policy.cipher {
        Cipher::Des => 1,
        Cipher::TripleDes => 5,
        Cipher::Aes128 | Cipher::Aes192 | Cipher::Aes256 => 7,
    };
    proposal::put_attribute(&mut out, phase1::ENCRYPTION, encryption);
    if encryption == 7 {
        proposal::put_attribute(&mut out, phase1::KEY_LENGTH, policy.cipher.key_length() as u64 * 8);
    }
    let hash = match policy.hash {
        Hash::Md5 => 1,
        Hash::Sha1 => 2,
        Hash::Sha256 => 4,
        Hash::Sha384 => 5,
        Hash::Sha512 => 6,
    };
    proposal::put_attribute(&mut out, phase1::HASH, hash);
    proposal::put_attribute(&mut out, phase1::GROUP, policy.group.number().into());
    let authentication = match policy.authentication {
        Authentication::PreSharedKey => 1,
        Authentication::RsaSignature => 3,
    };
    proposal::put_attribute(&mut out, phase1::AUTHENTICATION, authentication);
    proposal::put_attribute(&mut out, phase1::LIFE_TYPE, SECONDS);
    proposal::put_attribute(&mut out, phase1::LIFE_DURATION, policy.lifetime.as_secs());
    OwnTransform { id: 1, attributes: out }
}

#[cfg(test)]
mod tests;

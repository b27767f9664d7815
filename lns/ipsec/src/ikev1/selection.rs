//! What is agreed on: phase 1 policies, phase 2 transform sets, and the choice among a peer's proposals.

use std::fmt;
use std::time::Duration;

use super::proposal::{
    self, KILOBYTES, Life, OwnTransform, Proposal, SECONDS, Transform, attributes, phase1, phase2, protocol,
};
use crate::algorithm::{Authentication, Cipher, EspCipher, EspSuite, Group, Hash, Integrity, Mode};

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

/// What phase 2 may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransformSet {
    /// Cipher and integrity.
    pub suite: EspSuite,
    /// What is encapsulated.
    pub mode: Mode,
}

impl fmt::Display for TransformSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.suite, self.mode)
    }
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

/// How ESP packets of an association travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encapsulation {
    /// As IP protocol 50.
    Raw,
    /// In UDP, negotiated with RFC 3947's numbers.
    Udp,
    /// In UDP, negotiated with the drafts' numbers.
    UdpDraft,
}

/// What one transform of phase 2 offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase2 {
    /// Cipher and integrity.
    pub suite: EspSuite,
    /// What is encapsulated.
    pub mode: Mode,
    /// How it travels.
    pub encapsulation: Encapsulation,
    /// The group of PFS.
    pub group: Option<u16>,
    /// The life that the peer wants.
    pub life: Life,
}

impl Phase2 {
    /// The transform set that it is.
    pub fn set(&self) -> TransformSet {
        TransformSet { suite: self.suite, mode: self.mode }
    }
}

/// Reads one transform of phase 2; the error is what was offered, in words.
pub fn read_phase2(transform: &Transform<'_>) -> Result<Phase2, String> {
    let (mut key_length, mut authentication, mut group, mut encapsulation) = (None, None, None, None);
    let (mut life, mut life_type) = (Life::default(), None);
    for attribute in attributes(transform.attributes) {
        let (kind, value) = attribute.map_err(|_| String::from("a transform that cannot be read"))?;
        match kind {
            phase2::KEY_LENGTH => key_length = Some(value),
            phase2::AUTHENTICATION => authentication = Some(value),
            phase2::GROUP => group = Some(u16::try_from(value).unwrap_or(u16::MAX)),
            phase2::ENCAPSULATION => encapsulation = Some(value),
            phase2::LIFE_TYPE => life_type = Some(value),
            phase2::LIFE_DURATION => note_life(&mut life, life_type, value),
            _ => {}
        }
    }
    let cipher = match (transform.id, key_length) {
        (2, _) => Some(EspCipher::Des),
        (3, _) => Some(EspCipher::TripleDes),
        (12, Some(128) | None) => Some(EspCipher::Aes128),
        (12, Some(192)) => Some(EspCipher::Aes192),
        (12, Some(256)) => Some(EspCipher::Aes256),
        (20, Some(128) | None) => Some(EspCipher::Aes128Gcm),
        (20, Some(256)) => Some(EspCipher::Aes256Gcm),
        _ => None,
    };
    let integrity = match authentication {
        // RFC 2407 section 4.5: 3 is DES-MAC, 4 is KPDK, which nobody uses.
        Some(1) => Some(Integrity::HmacMd5),
        Some(2) => Some(Integrity::HmacSha1),
        Some(5) => Some(Integrity::HmacSha256),
        Some(6) => Some(Integrity::HmacSha384),
        Some(7) => Some(Integrity::HmacSha512),
        _ => None,
    };
    let (mode, encapsulation) = match encapsulation {
        // Absent: the RFC leaves it to the system; this one serves L2TP.
        None | Some(2) => (Mode::Transport, Encapsulation::Raw),
        Some(1) => (Mode::Tunnel, Encapsulation::Raw),
        Some(3) => (Mode::Tunnel, Encapsulation::Udp),
        Some(4) => (Mode::Transport, Encapsulation::Udp),
        Some(61443) => (Mode::Tunnel, Encapsulation::UdpDraft),
        Some(61444) => (Mode::Transport, Encapsulation::UdpDraft),
        Some(other) => return Err(format!("encapsulation mode {other}")),
    };
    let cipher = cipher.ok_or_else(|| match key_length {
        Some(bits) => format!("ESP transform {} with {bits}-bit key", transform.id),
        None => format!("ESP transform {}", transform.id),
    })?;
    // A combined cipher may come with an integrity algorithm that has no meaning.
    let integrity = integrity.filter(|_| !cipher.is_combined());
    let suite = EspSuite::new(cipher, integrity).ok_or_else(|| match authentication {
        Some(number) => format!("{cipher} with integrity algorithm {number}"),
        None => format!("{cipher} without integrity"),
    })?;
    Ok(Phase2 { suite, mode, encapsulation, group, life })
}

/// PFS in phase 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pfs {
    /// When the peer asks for it.
    WhenAsked,
    /// Always, and in this group.
    Required(Group),
}

/// Conditions of the choice in phase 2.
#[derive(Debug, Clone, Copy)]
pub struct Phase2Rules<'a> {
    /// What is allowed.
    pub sets: &'a [TransformSet],
    /// PFS.
    pub pfs: Pfs,
    /// Groups that PFS may use when asked for.
    pub groups: &'a [Group],
    /// Whether ESP must travel in UDP or must not; `None` where both are fine.
    pub in_udp: Option<bool>,
}

/// The choice of phase 2: the first transform in the peer's order that is allowed.
pub fn choose_phase2<'p, 'a>(
    proposals: &'p [Proposal<'a>],
    rules: &Phase2Rules<'_>,
) -> Option<(&'p Proposal<'a>, Transform<'a>, Phase2)> {
    let is_alone = |proposal: &Proposal<'_>| {
        // Proposals of one number are to be taken together (RFC 2408 section 4.2): ESP with AH, which is not served.
        proposals
            .iter()
            .filter(|other| other.number == proposal.number)
            .all(|other| other.protocol == protocol::ESP)
    };
    proposals
        .iter()
        .filter(|proposal| {
            proposal.protocol == protocol::ESP && proposal.spi.len() == 4 && is_alone(proposal)
        })
        .flat_map(|proposal| proposal.transforms.iter().map(move |transform| (proposal, *transform)))
        .filter_map(|(proposal, transform)| Some((proposal, transform, read_phase2(&transform).ok()?)))
        .find(|(_, _, offer)| refusal(offer, rules).is_none())
}

/// Why an offer of phase 2 is not taken.
fn refusal(offer: &Phase2, rules: &Phase2Rules<'_>) -> Option<&'static str> {
    if !rules.sets.contains(&offer.set()) {
        return Some("is in no transform set");
    }
    match (rules.in_udp, offer.encapsulation) {
        (Some(true), Encapsulation::Raw) => return Some("is not for UDP, and there is a NAT"),
        (Some(false), Encapsulation::Udp | Encapsulation::UdpDraft) => {
            return Some("is for UDP, and there is no NAT");
        }
        _ => {}
    }
    match (rules.pfs, offer.group.map(Group::from_number)) {
        (Pfs::WhenAsked, None) => None,
        (Pfs::WhenAsked, Some(Some(group))) if rules.groups.contains(&group) => None,
        (Pfs::WhenAsked, Some(_)) => Some("asks for PFS in a group that is not allowed"),
        (Pfs::Required(wanted), Some(Some(group))) if group == wanted => None,
        (Pfs::Required(_), Some(_)) => Some("asks for PFS in another group than the required one"),
        (Pfs::Required(_), None) => Some("is without PFS, which is required"),
    }
}

/// What a peer offered in phase 2, in words, each with the reason against it.
pub fn explain_phase2(proposals: &[Proposal<'_>], rules: &Phase2Rules<'_>) -> Vec<String> {
    proposals
        .iter()
        .flat_map(|proposal| proposal.transforms.iter().map(move |transform| (proposal, transform)))
        .take(32)
        .map(|(proposal, transform)| match proposal.protocol {
            protocol::ESP => match read_phase2(transform) {
                Ok(offer) => match refusal(&offer, rules) {
                    Some(why) => format!("{} {why}", offer.set()),
                    None => format!("{} together with another protocol", offer.set()),
                },
                Err(words) => words,
            },
            other => format!("protocol {other}"),
        })
        .collect()
}

/// The transform that an initiator offers for a set.
pub fn offer_phase2(
    sets: &[TransformSet],
    encapsulation: Encapsulation,
    group: Option<Group>,
    seconds: u64,
    kilobytes: Option<u64>,
) -> Vec<(u8, OwnTransform)> {
    sets.iter().map(|set| phase2_transform(set, encapsulation, group, seconds, kilobytes)).collect()
}

fn phase2_transform(
    set: &TransformSet,
    encapsulation: Encapsulation,
    group: Option<Group>,
    seconds: u64,
    kilobytes: Option<u64>,
) -> (u8, OwnTransform) {
    let mut out = Vec::new();
    let number = match (set.mode, encapsulation) {
        (Mode::Tunnel, Encapsulation::Raw) => 1,
        (Mode::Transport, Encapsulation::Raw) => 2,
        (Mode::Tunnel, Encapsulation::Udp) => 3,
        (Mode::Transport, Encapsulation::Udp) => 4,
        (Mode::Tunnel, Encapsulation::UdpDraft) => 61443,
        (Mode::Transport, Encapsulation::UdpDraft) => 61444,
    };
    proposal::put_attribute(&mut out, phase2::ENCAPSULATION, number);
    proposal::put_attribute(&mut out, phase2::LIFE_TYPE, SECONDS);
    proposal::put_attribute(&mut out, phase2::LIFE_DURATION, seconds);
    if let Some(kilobytes) = kilobytes {
        proposal::put_attribute(&mut out, phase2::LIFE_TYPE, KILOBYTES);
        proposal::put_attribute(&mut out, phase2::LIFE_DURATION, kilobytes);
    }
    if let Some(group) = group {
        proposal::put_attribute(&mut out, phase2::GROUP, group.number().into());
    }
    let (id, key_bits) = match set.suite.cipher() {
        EspCipher::Des => (2, None),
        EspCipher::TripleDes => (3, None),
        EspCipher::Aes128 => (12, Some(128)),
        EspCipher::Aes192 => (12, Some(192)),
        EspCipher::Aes256 => (12, Some(256)),
        EspCipher::Aes128Gcm => (20, Some(128)),
        EspCipher::Aes256Gcm => (20, Some(256)),
    };
    if let Some(bits) = key_bits {
        proposal::put_attribute(&mut out, phase2::KEY_LENGTH, bits);
    }
    let authentication = set.suite.integrity().map(|integrity| match integrity {
        Integrity::HmacMd5 => 1,
        Integrity::HmacSha1 => 2,
        Integrity::HmacSha256 => 5,
        Integrity::HmacSha384 => 6,
        Integrity::HmacSha512 => 7,
    });
    if let Some(number) = authentication {
        proposal::put_attribute(&mut out, phase2::AUTHENTICATION, number);
    }
    (id, OwnTransform { id, attributes: out })
}

#[cfg(test)]
mod tests;

//! Phase 2: transform sets, and the choice among a peer's proposals (RFC 2407 section 4.5).

use std::fmt;

use super::note_life;
use crate::algorithm::{EspCipher, EspSuite, Group, Integrity, Mode};
use crate::ikev1::proposal::{
    self, KILOBYTES, Life, OwnTransform, Proposal, SECONDS, Transform, attributes, phase2, protocol,
};

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
) -> Vec<OwnTransform> {
    sets.iter().map(|set| phase2_transform(set, encapsulation, group, seconds, kilobytes)).collect()
}

fn phase2_transform(
    set: &TransformSet,
    encapsulation: Encapsulation,
    group: Option<Group>,
    seconds: u64,
    kilobytes: Option<u64>,
) -> OwnTransform {
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
    OwnTransform { id, attributes: out }
}

//! `[[ipsec.policy]]`: what phase 1 may agree on.

use std::time::Duration;

use tollgate_ipsec::algorithm::{Authentication, Cipher, Group, Hash};

use super::super::section::Section;
use super::legacy::{self, LegacyClient};

/// `crypto ikev1 policy` of the old system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IkePolicy {
    /// `priority`, 1 to 65,535; those of legacy clients stand behind all others.
    pub priority: u16,
    /// `authentication`; default pre-share.
    pub authentication: Authentication,
    /// `encryption`
    pub encryption: Cipher,
    /// `hash`
    pub hash: Hash,
    /// `group`
    pub group: Group,
    /// `lifetime` in seconds, 120 to 2,147,483,647; default 86,400.
    pub lifetime: Duration,
}

const LIFETIME: Duration = Duration::from_secs(86_400);

/// What the default list combines, best first: Windows 7 and later, macOS, iOS, ChromeOS and NetworkManager find
/// themselves in it.
const CIPHERS: [Cipher; 2] = [Cipher::Aes256, Cipher::Aes128];
const HASHES: [Hash; 4] = [Hash::Sha512, Hash::Sha384, Hash::Sha256, Hash::Sha1];
const GROUPS: [Group; 6] =
    [Group::Ecp521, Group::Ecp384, Group::Ecp256, Group::Modp4096, Group::Modp3072, Group::Modp2048];

pub(super) fn read(
    table: &mut Section<'_>,
    has_certificate: bool,
    legacy_clients: &[LegacyClient],
) -> Vec<IkePolicy> {
    let mut policies: Vec<IkePolicy> = if table.has("policy") {
        let mut policies = Vec::new();
        for policy in table.tables("policy") {
            if let Some(policy) = read_policy(policy, has_certificate, &policies) {
                policies.push(policy);
            }
        }
        policies.sort_by_key(|policy| policy.priority);
        policies
    } else {
        let mut policies = Vec::new();
        add(&mut policies, &CIPHERS, &HASHES, &GROUPS, has_certificate);
        policies
    };
    for client in legacy_clients {
        let (ciphers, hashes, groups) = client.phase_1();
        add(&mut policies, ciphers, hashes, groups, has_certificate);
    }
    policies
}

/// Adds all combinations behind what is there; certificates only where there is one.
fn add(
    policies: &mut Vec<IkePolicy>,
    ciphers: &[Cipher],
    hashes: &[Hash],
    groups: &[Group],
    has_certificate: bool,
) {
    let mut methods = vec![Authentication::PreSharedKey];
    if has_certificate {
        methods.push(Authentication::RsaSignature);
    }
    for &authentication in &methods {
        for &encryption in ciphers {
            for &hash in hashes {
                for &group in groups {
                    let priority = policies.last().map_or(1, |last| last.priority.saturating_add(1));
                    let policy =
                        IkePolicy { priority, authentication, encryption, hash, group, lifetime: LIFETIME };
                    let is_there = |other: &IkePolicy| IkePolicy { priority, ..other.clone() } == policy;
                    if !policies.iter().any(is_there) {
                        policies.push(policy);
                    }
                }
            }
        }
    }
}

fn read_policy(mut table: Section<'_>, has_certificate: bool, others: &[IkePolicy]) -> Option<IkePolicy> {
    let priority = if table.has("priority") {
        table.optional_number("priority", 1..=65_535u16)
    } else {
        table.error("priority", "is missing", "write priority = 10; the lowest number is looked at first");
        None
    };
    if let Some(priority) = priority.filter(|number| others.iter().any(|other| other.priority == *number)) {
        table.error(
            "priority",
            format!("{priority} is the priority of another policy"),
            "give each policy a number of its own",
        );
    }
    let authentication = table
        .parsed("authentication", "\"pre-share\" or \"rsa-sig\" in quotes")
        .unwrap_or(Authentication::PreSharedKey);
    if authentication == Authentication::RsaSignature && !has_certificate {
        table.error(
            "authentication",
            "rsa-sig needs a certificate of the server, and there is none",
            "add [ipsec.certificate], or write \"pre-share\"",
        );
    }
    let encryption: Option<Cipher> = required(
        &mut table,
        "encryption",
        "\"aes-256\", \"aes-192\", \"aes-128\", \"3des\" or \"des\" in quotes",
        "encryption = \"aes-256\"",
    );
    let hash: Option<Hash> = required(
        &mut table,
        "hash",
        "\"sha1\", \"sha256\", \"sha384\", \"sha512\" or \"md5\" in quotes",
        "hash = \"sha256\"",
    );
    let group = if table.has("group") {
        group(&mut table, "group")
    } else {
        table.error("group", "is missing", "write group = 14");
        None
    };
    let lifetime = table.number("lifetime", 120..=2_147_483_647u32, 86_400);
    let legacy = table.flag("legacy", false);
    if let Some(cipher) = encryption.filter(|cipher| cipher.is_legacy()) {
        let price = legacy::price_of_cipher(cipher);
        legacy::weigh(&table, "encryption", cipher.name(), price, legacy, "\"aes-256\"");
    }
    if hash == Some(Hash::Md5) {
        legacy::weigh(&table, "hash", "md5", legacy::MD5, legacy, "\"sha256\"");
    }
    if let Some(group) = group.filter(|group| group.is_legacy()) {
        let name = format!("group {group}");
        legacy::weigh(&table, "group", &name, legacy::price_of_group(group), legacy, "14");
    }
    let is_old = encryption.is_some_and(Cipher::is_legacy)
        || hash.is_some_and(Hash::is_legacy)
        || group.is_some_and(Group::is_legacy);
    if legacy && !is_old {
        table.warn("legacy", "has no effect: nothing here is old", "remove the line");
    }
    table.finish();
    Some(IkePolicy {
        priority: priority?,
        authentication,
        encryption: encryption?,
        hash: hash?,
        group: group?,
        lifetime: Duration::from_secs(lifetime.into()),
    })
}

/// A word that must be there.
pub(super) fn required<T: std::str::FromStr>(
    table: &mut Section<'_>,
    key: &'static str,
    expected: &str,
    example: &str,
) -> Option<T> {
    if table.has(key) {
        return table.parsed(key, expected);
    }
    table.error(key, "is missing", format!("write {example}"));
    None
}

/// A group by its number, with or without quotes.
pub(super) fn group(table: &mut Section<'_>, key: &'static str) -> Option<Group> {
    /// Either way of writing it.
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(i64),
        Word(String),
    }
    const EXPECTED: &str = "a group's number: 14, 15, 16, 19, 20 or 21";
    let word = match table.get(key, EXPECTED)? {
        Written::Number(number) => number.to_string(),
        Written::Word(word) => word,
    };
    let group = word.parse().ok();
    if group.is_none() {
        table.error(key, format!("{word:?} is not a group that is served"), format!("write {EXPECTED}"));
    }
    group
}

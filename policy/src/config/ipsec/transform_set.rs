//! `[ipsec.transform-set.NAME]`: what phase 2 may agree on.

use tollgate_ipsec::algorithm::{EspCipher, EspSuite, Integrity, Mode};

use super::super::section::Section;
use super::legacy::{self, LegacyClient};
use super::policy::required;

/// `crypto ipsec ikev1 transform-set` of the old system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransformSet {
    /// NAME; made of the algorithms for a default set.
    pub name: String,
    /// `encryption` and `integrity`
    pub suite: EspSuite,
    /// `mode`; default transport. Default sets come in both.
    pub mode: Mode,
}

/// What the default sets combine, best first.
const COMBINED: [EspCipher; 2] = [EspCipher::Aes256Gcm, EspCipher::Aes128Gcm];
const CIPHERS: [EspCipher; 3] = [EspCipher::Aes256, EspCipher::Aes192, EspCipher::Aes128];
const INTEGRITIES: [Integrity; 4] =
    [Integrity::HmacSha512, Integrity::HmacSha384, Integrity::HmacSha256, Integrity::HmacSha1];

pub(super) fn read(table: &mut Section<'_>, legacy_clients: &[LegacyClient]) -> Vec<TransformSet> {
    let mut sets: Vec<TransformSet> = if table.has("transform-set") {
        let tables = table.named("transform-set");
        tables.into_iter().filter_map(|(name, table)| read_set(name, table)).collect()
    } else {
        let mut sets = Vec::new();
        for cipher in COMBINED {
            add(&mut sets, cipher, None);
        }
        for cipher in CIPHERS {
            for integrity in INTEGRITIES {
                add(&mut sets, cipher, Some(integrity));
            }
        }
        sets
    };
    for client in legacy_clients {
        for &(cipher, integrity) in client.phase_2() {
            add(&mut sets, cipher, Some(integrity));
        }
    }
    sets
}

/// Adds a suite in both modes, unless it is there.
fn add(sets: &mut Vec<TransformSet>, cipher: EspCipher, integrity: Option<Integrity>) {
    let Some(suite) = EspSuite::new(cipher, integrity) else { return };
    for &mode in Mode::ALL {
        if !sets.iter().any(|set| set.suite == suite && set.mode == mode) {
            let algorithms = suite.to_string().replace('/', "-");
            sets.push(TransformSet { name: format!("{algorithms}-{mode}"), suite, mode });
        }
    }
}

fn read_set(name: String, mut table: Section<'_>) -> Option<TransformSet> {
    const INTEGRITY: &str = "\"sha1\", \"sha256\", \"sha384\", \"sha512\" or \"md5\" in quotes";
    let cipher: Option<EspCipher> = required(
        &mut table,
        "encryption",
        "\"aes-256-gcm\", \"aes-128-gcm\", \"aes-256\", \"aes-192\", \"aes-128\", \"3des\" or \"des\" in quotes",
        "encryption = \"aes-256\"",
    );
    let has_integrity = table.has("integrity");
    let integrity: Option<Integrity> = table.parsed("integrity", INTEGRITY);
    let mode = table.parsed("mode", "\"transport\" or \"tunnel\" in quotes").unwrap_or(Mode::Transport);
    let legacy = table.flag("legacy", false);
    if let Some(cipher) = cipher {
        if cipher.is_combined() && has_integrity {
            table.error(
                "integrity",
                format!("does not go with {cipher}, which authenticates by itself"),
                "remove the line",
            );
        }
        if !cipher.is_combined() && !has_integrity {
            table.error(
                "integrity",
                format!("is missing: {cipher} alone lets packets be changed on the way"),
                "write integrity = \"sha1\", or \"sha256\" where all clients can",
            );
        }
        if cipher.is_legacy() {
            let price = legacy::price_of_esp_cipher(cipher);
            legacy::weigh(&table, "encryption", cipher.name(), price, legacy, "\"aes-256\"");
        }
    }
    if integrity == Some(Integrity::HmacMd5) {
        legacy::weigh(&table, "integrity", "md5", legacy::MD5, legacy, "\"sha1\"");
    }
    if legacy
        && cipher.is_some_and(|cipher| !cipher.is_legacy())
        && integrity.is_none_or(|integrity| !integrity.is_legacy())
    {
        table.warn("legacy", "has no effect: nothing here is old", "remove the line");
    }
    table.finish();
    Some(TransformSet { name, suite: EspSuite::new(cipher?, integrity)?, mode })
}

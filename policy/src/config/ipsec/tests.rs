use std::path::Path;

use tollgate_ipsec::algorithm::{Cipher, EspCipher, Hash, Integrity};

use super::super::{Config, Problems, parse};
use super::*;

/// The rest of a configuration; `ipsec` stands before it.
const REST: &str = r#"
[local]
[pool.a]
range = "10.4.5.10-10.4.5.250"
[tunnel-group.DefaultRAGroup]
address-pool = ["a"]
pre-shared-key = "a key"
[tunnel-group.sales]
address-pool = ["a"]
"#;

fn read(ipsec: &str) -> Result<Config, Problems> {
    parse(Path::new("t.toml"), &format!("{ipsec}\n{REST}"))
}

fn taken(ipsec: &str) -> (IpsecConfig, Vec<String>) {
    let config = read(ipsec).unwrap_or_else(|problems| panic!("{problems}"));
    (config.ipsec, config.warnings.0.iter().map(ToString::to_string).collect())
}

#[test]
fn without_a_table_everything_has_the_documented_default() {
    let (config, warnings) = taken("");
    assert_eq!((config.ike_listen.port(), config.nat_t_listen.port(), config.esp), (500, 4500, true));
    assert_eq!(config.nat_traversal_keepalive, Duration::from_secs(20));
    let dpd = DeadPeerDetection { threshold: Duration::from_secs(300), retry: Duration::from_secs(2) };
    assert_eq!(config.dpd, Some(dpd));
    assert_eq!((config.max_half_open, config.max_half_open_per_source), (10_000, 100));
    assert_eq!(config.replay_window, 1024);
    assert_eq!((config.sa_lifetime.as_secs(), config.sa_lifetime_kilobytes), (28_800, Some(4_608_000)));
    assert_eq!(config.pfs, None);
    assert!(!config.aggressive_mode && !config.truncate_sha256 && !config.force_udp_encapsulation);
    assert_eq!(config.tunnel_group_map, [TunnelGroupSource::Rules, TunnelGroupSource::OrganizationalUnit]);
    assert!(config.legacy_clients.is_empty() && config.certificate.is_none());
    assert!(warnings.is_empty(), "{warnings:?}");
}

/// Whether a list of policies has one for a transform that a client offers.
fn has(config: &IpsecConfig, encryption: Cipher, hash: Hash, group: Group) -> bool {
    let offered = (Authentication::PreSharedKey, encryption, hash, group);
    config
        .policies
        .iter()
        .any(|policy| (policy.authentication, policy.encryption, policy.hash, policy.group) == offered)
}

#[test]
fn the_default_policies_serve_each_client_of_today_and_nothing_old() {
    let (config, _) = taken("");
    for (client, cipher, hash, group) in [
        ("Windows, first choice", Cipher::Aes256, Hash::Sha1, Group::Ecp384),
        ("Windows, second choice", Cipher::Aes128, Hash::Sha1, Group::Ecp256),
        ("Windows, third choice", Cipher::Aes256, Hash::Sha1, Group::Modp2048),
        ("macOS and iOS", Cipher::Aes256, Hash::Sha256, Group::Modp2048),
        ("ChromeOS", Cipher::Aes128, Hash::Sha256, Group::Modp3072),
        ("NetworkManager", Cipher::Aes256, Hash::Sha256, Group::Modp2048),
    ] {
        assert!(has(&config, cipher, hash, group), "{client}");
    }
    let is_old = |policy: &IkePolicy| {
        policy.encryption.is_legacy() || policy.hash.is_legacy() || policy.group.is_legacy()
    };
    assert!(!config.policies.iter().any(is_old));
    assert!(config.policies.iter().all(|policy| policy.authentication == Authentication::PreSharedKey));
    assert!(config.policies.is_sorted_by(|one, next| one.priority < next.priority));
    assert!(!config.transform_sets.iter().any(|set| set.suite.is_legacy()));
    for mode in [Mode::Transport, Mode::Tunnel] {
        for (cipher, integrity) in [
            (EspCipher::Aes256, Some(Integrity::HmacSha1)),
            (EspCipher::Aes128, Some(Integrity::HmacSha256)),
            (EspCipher::Aes128Gcm, None),
        ] {
            let found = |set: &&TransformSet| {
                set.suite.cipher() == cipher && set.suite.integrity() == integrity && set.mode == mode
            };
            assert!(config.transform_sets.iter().any(|set| found(&set)), "{cipher} {mode}");
        }
    }
}

#[test]
fn a_legacy_client_adds_what_it_needs_behind_the_rest_and_is_priced() {
    let android = (Cipher::Aes256, Hash::Sha384, Group::Modp1024);
    let xp = (Cipher::TripleDes, Hash::Sha1, Group::Modp1024);
    let router = (Cipher::TripleDes, Hash::Md5, Group::Modp1536);
    for (names, served, refused, prices) in [
        (r#"["android"]"#, vec![android], vec![xp, router], vec!["android: phase 1 is served with group 2"]),
        (
            r#"["windows-xp"]"#,
            vec![xp],
            vec![android, router],
            vec!["windows-xp: phase 1 is served with 3des"],
        ),
        (
            r#"["old-routers", "android"]"#,
            vec![android, xp, router],
            vec![],
            vec!["android: phase 1", "old-routers: phase 1"],
        ),
    ] {
        let (config, warnings) = taken(&format!("[ipsec]\nlegacy-clients = {names}"));
        for (cipher, hash, group) in served {
            assert!(has(&config, cipher, hash, group), "{names}: {cipher} {hash} {group}");
        }
        for (cipher, hash, group) in refused {
            assert!(!has(&config, cipher, hash, group), "{names}: {cipher} {hash} {group}");
        }
        assert_eq!(warnings.len(), prices.len(), "{warnings:?}");
        for price in prices {
            assert!(warnings.iter().any(|warning| warning.contains(price)), "{price} in {warnings:?}");
        }
        assert!(config.policies.is_sorted_by(|one, next| one.priority < next.priority));
        assert!(!config.policies.first().is_some_and(|policy| policy.group.is_legacy()));
    }
    let (config, _) = taken("[ipsec]\nlegacy-clients = [\"windows-xp\"]");
    let old: Vec<_> = config.transform_sets.iter().filter(|set| set.suite.is_legacy()).collect();
    assert_eq!(old.len(), 4, "3des with sha1 and md5, in both modes: {old:?}");
}

#[test]
fn policies_are_sorted_by_priority_and_stand_in_place_of_the_default_list() {
    let (config, warnings) = taken(
        r#"
[[ipsec.policy]]
priority = 20
encryption = "aes-128"
hash = "sha256"
group = "19"
lifetime = 28800
[[ipsec.policy]]
priority = 10
authentication = "pre-share"
encryption = "aes-256"
hash = "sha1"
group = 14
[[ipsec.policy]]
priority = 65535
encryption = "3des"
hash = "md5"
group = 2
legacy = true
"#,
    );
    let priorities: Vec<_> = config.policies.iter().map(|policy| policy.priority).collect();
    assert_eq!(priorities, [10, 20, 65_535]);
    assert_eq!(config.policies[0].group, Group::Modp2048);
    assert_eq!(config.policies[0].lifetime.as_secs(), 86_400);
    assert_eq!((config.policies[1].group, config.policies[1].lifetime.as_secs()), (Group::Ecp256, 28_800));
    for price in ["3des has blocks of 64 bits", "md5 is a broken hash", "group 2 has 1024 bits"] {
        assert!(warnings.iter().any(|warning| warning.contains(price)), "{price} in {warnings:?}");
    }
}

#[test]
fn transform_sets_stand_in_place_of_the_default_ones() {
    let (config, warnings) = taken(
        r#"
[ipsec.transform-set.trans]
encryption = "aes-128"
integrity = "sha1"
[ipsec.transform-set.gcm]
encryption = "aes-256-gcm"
mode = "tunnel"
[ipsec.transform-set.old]
encryption = "3des"
integrity = "md5"
legacy = true
"#,
    );
    let sets: Vec<_> =
        config.transform_sets.iter().map(|set| format!("{} {} {}", set.name, set.suite, set.mode)).collect();
    assert_eq!(sets, ["gcm aes-256-gcm tunnel", "old 3des/md5 transport", "trans aes-128/sha1 transport"]);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let (_, warnings) =
        taken("[ipsec.transform-set.a]\nencryption = \"aes-256-gcm\"\nmode = \"tunnel\"\nlegacy = true");
    assert!(warnings[0].contains("ipsec.transform-set: no set has mode"), "{warnings:?}");
    assert!(warnings[1].contains("legacy: has no effect"), "{warnings:?}");
}

#[test]
fn dead_peer_detection_is_a_switch_seconds_or_a_table() {
    let dpd = |written: &str| {
        let (config, _) = taken(&format!("[ipsec]\ndpd = {written}"));
        config.dpd.map(|dpd| (dpd.threshold.as_secs(), dpd.retry.as_secs()))
    };
    assert_eq!(dpd("false"), None);
    assert_eq!(dpd("true"), Some((300, 2)));
    assert_eq!(dpd("30"), Some((30, 2)));
    assert_eq!(dpd("{ threshold = 10 }"), Some((10, 2)));
    assert_eq!(dpd("{ threshold = 10, retry = 5 }"), Some((10, 5)));
}

#[test]
fn what_weakens_phase_1_or_shuts_clients_out_is_warned_of() {
    let (config, warnings) = taken(
        "[ipsec]\naggressive-mode = true\ntruncate-sha256 = true\npfs = 14\nmax-half-open = 50\nsa-lifetime-kilobytes = 0",
    );
    assert_eq!(config.pfs, Some(Group::Modp2048));
    assert_eq!(config.sa_lifetime_kilobytes, None);
    for words in [
        "aggressive-mode: a pre-shared key can be guessed offline from one captured exchange",
        "truncate-sha256: clients that keep to RFC 4868",
        "pfs: clients that do not offer a group in phase 2 are refused",
        "max-half-open-per-source: is more than max-half-open (50)",
    ] {
        assert!(warnings.iter().any(|warning| warning.contains(words)), "{words} in {warnings:?}");
    }
}

#[test]
fn certificates_bring_policies_maps_and_an_end_of_the_need_for_a_key() {
    let folder = std::env::temp_dir().join(format!("tollgate-certificate-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["vpn.pem", "vpn.key", "ca.pem", "ca.crl", "vpn.p12"] {
        std::fs::write(folder.join(name), "seen to exist, not read here").unwrap();
    }
    let text = |certificate: &str| {
        format!(
            r#"
[ipsec.certificate]
{certificate}
[[ipsec.certificate-map]]
sequence = 20
rules = ["subject-name attr OU eq Field Sales", "issuer-name nc Old CA"]
tunnel-group = "sales"
[[ipsec.certificate-map]]
sequence = 10
rules = ["alt-subject-name co @example.net"]
tunnel-group = "DefaultRAGroup"
{}"#,
            REST.replace("pre-shared-key = \"a key\"\n", "")
        )
    };
    let pem = "certificate = \"vpn.pem\"\nprivate-key = \"vpn.key\"\nca = \"ca.pem\"\ncrl = [\"ca.crl\"]\n\
               crl-max-age = 48\nallow-sha1 = true\nsend-chain = false";
    let config = parse(&folder.join("t.toml"), &text(pem)).unwrap_or_else(|problems| panic!("{problems}"));
    let certificate = config.ipsec.certificate.as_ref().unwrap();
    assert!(matches!(&certificate.identity, Identity::Pem { private_key, .. }
        if *private_key == folder.join("vpn.key")));
    assert_eq!(certificate.ca.as_deref(), Some(folder.join("ca.pem").as_path()));
    assert_eq!(certificate.crls, [folder.join("ca.crl")]);
    assert_eq!(certificate.crl_max_age, Some(Duration::from_secs(48 * 3600)));
    assert!(certificate.allow_sha1 && !certificate.send_chain);
    assert!(config.ipsec.policies.iter().any(|p| p.authentication == Authentication::RsaSignature));
    let maps = &config.ipsec.certificate_maps;
    assert_eq!([maps[0].sequence, maps[1].sequence], [10, 20]);
    assert_eq!(
        maps[1].rules[0],
        CertificateRule {
            field: CertificateField::Subject,
            attribute: Some(NameAttribute::OrganizationalUnit),
            comparison: Comparison::Equal,
            value: "Field Sales".into(),
        }
    );
    let pkcs12 = "pkcs12 = \"vpn.p12\"\npassword = \"x\"";
    let config = parse(&folder.join("t.toml"), &text(pkcs12)).unwrap_or_else(|problems| panic!("{problems}"));
    let certificate = config.ipsec.certificate.unwrap();
    assert!(matches!(certificate.identity, Identity::Pkcs12 { password: Some(_), .. }));
    assert_eq!(certificate.ca, None);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn keys_of_a_tunnel_group_may_be_several() {
    let text = REST.replace("\"a key\"", "[\"new\", \"old\"]");
    let config = parse(Path::new("t.toml"), &text).unwrap_or_else(|problems| panic!("{problems}"));
    let keys: Vec<_> =
        config.tunnel_groups["DefaultRAGroup"].pre_shared_keys.iter().map(|key| key.to_vec()).collect();
    assert_eq!(keys, [b"new".to_vec(), b"old".to_vec()]);
}

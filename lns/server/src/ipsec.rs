//! The operator's IPsec settings in the terms of the IPsec machines, with the files that they name.

use std::path::PathBuf;
use std::sync::Arc;

use tollgate_ipsec::ikev1::selection::{Pfs, Policy, Preference, TransformSet};
use tollgate_ipsec::{Certificates, Dpd, GroupKeys, GroupRule};
use tollgate_pki::{CertificateMap, Criterion, Rule, TrustPolicy};
use tollgate_policy::Config;
use tollgate_policy::config::{
    CertificateConfig, CertificateField, CertificateMap as MapConfig, Comparison, Identity, TunnelGroupSource,
};
use tollgate_policy::tunnel_group::DEFAULT_TUNNEL_GROUP;
use zeroize::Zeroizing;

/// Questions of dead peer detection before a peer is given up.
const DPD_TRIES: u32 = 3;

/// Whether there is anything that could authenticate an IPsec peer.
pub(crate) fn is_configured(config: &Config) -> bool {
    config.ipsec.certificate.is_some()
        || config.tunnel_groups.values().any(|group| !group.pre_shared_keys.is_empty())
}

/// What the machines are told; the error names the file and the fix.
pub(crate) fn settings(config: &Config) -> Result<tollgate_ipsec::Config, String> {
    let ipsec = &config.ipsec;
    let policies = ipsec
        .policies
        .iter()
        .map(|policy| Policy {
            authentication: policy.authentication,
            cipher: policy.encryption,
            hash: policy.hash,
            group: policy.group,
            lifetime: policy.lifetime,
        })
        .collect();
    let sets =
        ipsec.transform_sets.iter().map(|set| TransformSet { suite: set.suite, mode: set.mode }).collect();
    let mut settings = tollgate_ipsec::Config::new(policies, sets);
    settings.preference = if ipsec.policies_are_default { Preference::Peer } else { Preference::Ours };
    settings.pfs = ipsec.pfs.map_or(Pfs::WhenAsked, Pfs::Required);
    settings.default_group = DEFAULT_TUNNEL_GROUP.into();
    settings.groups = config.tunnel_groups.keys().map(|name| name.as_str().into()).collect();
    settings.keys = keys(config);
    settings.aggressive = ipsec.aggressive_mode;
    settings.certificates = ipsec.certificate.as_ref().map(certificates).transpose()?;
    settings.certificate_map = Arc::new(map(&ipsec.certificate_maps)?);
    settings.group_rules = ipsec
        .tunnel_group_map
        .iter()
        .map(|source| match source {
            TunnelGroupSource::Rules => GroupRule::Rules,
            TunnelGroupSource::OrganizationalUnit => GroupRule::Ou,
            TunnelGroupSource::IkeId => GroupRule::IkeId,
        })
        .collect();
    settings.sa_lifetime = ipsec.sa_lifetime;
    settings.sa_kilobytes = ipsec.sa_lifetime_kilobytes.map(Into::into);
    settings.keepalive = ipsec.nat_traversal_keepalive;
    settings.dpd = ipsec.dpd.map(|dpd| Dpd { threshold: dpd.threshold, retry: dpd.retry, tries: DPD_TRIES });
    settings.raw_esp = ipsec.esp;
    settings.force_udp = ipsec.force_udp_encapsulation;
    settings.replay_window = ipsec.replay_window;
    settings.max_half_open = ipsec.max_half_open;
    settings.max_half_open_per_source = ipsec.max_half_open_per_source;
    settings.truncate_sha256 = ipsec.truncate_sha256;
    settings.minimal_vendor_ids = ipsec.send_only_needed_vendor_ids;
    Ok(settings)
}

/// Every tunnel group's keys, the default group's first: in main mode they are tried in this order.
fn keys(config: &Config) -> Vec<GroupKeys> {
    let mut groups: Vec<_> =
        config.tunnel_groups.iter().filter(|(_, group)| !group.pre_shared_keys.is_empty()).collect();
    groups.sort_by_key(|(name, _)| (*name != DEFAULT_TUNNEL_GROUP, *name));
    groups
        .into_iter()
        .map(|(name, group)| GroupKeys {
            tunnel_group: name.as_str().into(),
            keys: group
                .pre_shared_keys
                .iter()
                .map(|key| Arc::new(Zeroizing::new(key.expose().to_vec())))
                .collect(),
        })
        .collect()
}

fn certificates(config: &CertificateConfig) -> Result<Certificates, String> {
    use tollgate_pki::load;
    let identity = match &config.identity {
        Identity::Pem { certificate, private_key } => load::identity_from_pem(certificate, private_key, None),
        Identity::Pkcs12 { file, password } => {
            let password =
                password.as_ref().map(|password| String::from_utf8_lossy(password.expose()).into_owned());
            let password = Zeroizing::new(password.unwrap_or_default());
            load::identity_from_pkcs12(file, &password)
        }
    };
    let identity = identity.map_err(|error| error.to_string())?;
    let policy = TrustPolicy {
        allow_sha1: config.allow_sha1,
        crl_max_age: config.crl_max_age,
        ..TrustPolicy::default()
    };
    let authorities: Vec<PathBuf> = config.ca.iter().cloned().collect();
    let mut trust = load::trust_store(&authorities, &config.crls, policy)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    if config.ca.is_none() {
        for authority in identity.authorities_der() {
            trust.add_authorities(authority).map_err(|error| error.to_string())?;
        }
    }
    Ok(Certificates { identity: Arc::new(identity), trust: Arc::new(trust), send_chain: config.send_chain })
}

fn map(maps: &[MapConfig]) -> Result<CertificateMap, String> {
    let rules = maps
        .iter()
        .map(|map| {
            let criteria = map
                .rules
                .iter()
                .map(|rule| {
                    let field = match rule.field {
                        CertificateField::Subject => "subject-name",
                        CertificateField::Issuer => "issuer-name",
                        CertificateField::AlternativeSubject => "alt-subject-name",
                    };
                    let operator = match rule.comparison {
                        Comparison::Equal => "eq",
                        Comparison::NotEqual => "ne",
                        Comparison::Contains => "co",
                        Comparison::ContainsNot => "nc",
                    };
                    let attribute = rule.attribute.map(|attribute| attribute.name());
                    Criterion::new(field, attribute, operator, &rule.value)
                        .map_err(|error| format!("ipsec.certificate-map {}: {error}", map.sequence))
                })
                .collect::<Result<Vec<_>, String>>()?;
            Ok(Rule { sequence: map.sequence.into(), criteria, tunnel_group: map.tunnel_group.clone() })
        })
        .collect::<Result<Vec<_>, String>>()?;
    Ok(CertificateMap::new(rules))
}

use super::*;
use crate::config;
use std::path::Path;

const TEXT: &str = r#"
[local]
users = "users.toml"

[pool.sales_addresses]
range = "10.4.5.10-10.4.5.250"
mask = "255.255.255.0"
[pool.guests]
range = "10.4.6.10-10.4.6.20"

[access-list.web]
rules = ["permit tcp any any eq 443"]

[group-policy.DfltGrpPolicy]
wins-server = ["10.0.0.137"]
vpn-idle-timeout = 5

[group-policy.sales]
dns-server = ["10.0.0.53", "10.0.0.54"]
vpn-session-timeout = 480
vpn-filter = "web"

[group-policy.guests]
address-pool = ["guests"]
vpn-filter = "none"
vpn-idle-timeout = "none"

[group-policy.ssl]
vpn-tunnel-protocol = ["ssl-client"]

[group-policy.nobody]
vpn-simultaneous-logins = 0

[tunnel-group.DefaultRAGroup]
address-pool = ["sales_addresses"]
default-group-policy = "sales"
pre-shared-key = "a key"
"#;

fn resolved(attributes: &Attributes) -> (Result<SessionPolicy, PolicyRefusal>, Vec<String>) {
    let config = config::parse(Path::new("tollgate.toml"), TEXT).unwrap();
    let mut warnings = Vec::new();
    let policy = resolve(&config, "DefaultRAGroup", attributes, &mut |warning| warnings.push(warning));
    (policy, warnings)
}

fn policy(attributes: &Attributes) -> SessionPolicy {
    resolved(attributes).0.unwrap()
}

fn named(policy: &str) -> Attributes {
    Attributes { group_policy: Some(policy.into()), ..Attributes::default() }
}

#[test]
fn without_attributes_the_tunnel_groups_policy_and_its_bases_apply() {
    let policy = policy(&Attributes::default());
    assert_eq!(policy.group_policy, "sales");
    assert_eq!(policy.address, AddressSource::Pools(vec!["sales_addresses".into()]));
    assert_eq!(policy.dns, [Some([10, 0, 0, 53].into()), Some([10, 0, 0, 54].into())]);
    assert_eq!(policy.wins, [Some([10, 0, 0, 137].into()), None]);
    assert_eq!(policy.idle_timeout, Some(Duration::from_secs(300)));
    assert_eq!(policy.session_timeout, Some(Duration::from_secs(480 * 60)));
    assert_eq!(policy.simultaneous_logins, 3);
    assert_eq!(policy.filter.unwrap().0, "web");
}

#[test]
fn the_answers_group_policy_stands_above_the_tunnel_groups() {
    let policy = policy(&named("guests"));
    assert_eq!(policy.address, AddressSource::Pools(vec!["guests".into()]));
    assert_eq!(policy.idle_timeout, None, "none ends the inheritance");
    assert!(policy.filter.is_none(), "and that of the filter");
    assert_eq!(policy.dns[0], Some([10, 0, 0, 53].into()), "gaps come from the default group policy");
}

#[test]
fn attributes_stand_above_everything() {
    let policy = policy(&Attributes {
        framed_address: Some(FramedAddress::Address([192, 0, 2, 9].into())),
        dns: [None, Some([9, 9, 9, 9].into())],
        idle_timeout: Some(Duration::from_secs(60)),
        session_timeout: Some(Duration::from_secs(90)),
        simultaneous_logins: Some(1),
        framed_routes: vec!["192.168.7.0/24 0.0.0.0 1".into(), "172.16.0.0".into()],
        ..named("guests")
    });
    assert_eq!(policy.address, AddressSource::Fixed([192, 0, 2, 9].into()));
    assert_eq!(policy.dns, [Some([10, 0, 0, 53].into()), Some([9, 9, 9, 9].into())]);
    assert_eq!(policy.idle_timeout, Some(Duration::from_secs(60)));
    assert_eq!(policy.session_timeout, Some(Duration::from_secs(90)));
    assert_eq!(policy.simultaneous_logins, 1);
    assert_eq!(policy.routes, [([192, 168, 7, 0].into(), 24), ([172, 16, 0, 0].into(), 16)]);
}

#[test]
fn the_two_magic_addresses_mean_a_pool() {
    for magic in [FramedAddress::PeerChooses, FramedAddress::Pool] {
        let attributes = Attributes { framed_address: Some(magic), ..Attributes::default() };
        assert_eq!(policy(&attributes).address, AddressSource::Pools(vec!["sales_addresses".into()]));
    }
    let attributes = Attributes { address_pools: vec!["guests".into()], ..Attributes::default() };
    assert_eq!(policy(&attributes).address, AddressSource::Pools(vec!["guests".into()]));
}

#[test]
fn refusals_are_told_in_words() {
    let words = |attributes: &Attributes| resolved(attributes).0.unwrap_err().to_string();
    assert_eq!(words(&named("ssl")), "group policy ssl does not allow l2tp-ipsec (vpn-tunnel-protocol)");
    assert_eq!(words(&named("nobody")), "vpn-simultaneous-logins is 0 for this user (group policy nobody)");
    let server = Attributes { tunneling_protocols: Some(4), ..Attributes::default() };
    assert_eq!(words(&server), "the AAA server does not allow this user l2tp-ipsec (Tunneling-Protocols 4)");
    let allowed = Attributes { tunneling_protocols: Some(12), ..named("ssl") };
    assert!(resolved(&allowed).0.is_ok(), "the server's word stands above the policy's");
    let filter = Attributes { filter_id: Some("nosuch".into()), ..Attributes::default() };
    assert_eq!(words(&filter), "access list nosuch is not configured", "never unfiltered by mistake");
}

#[test]
fn an_unknown_group_policy_falls_back_with_a_warning() {
    let (policy, warnings) = resolved(&named("marketing"));
    assert_eq!(policy.unwrap().group_policy, "sales");
    assert_eq!(warnings, ["group policy marketing is not configured; sales applies"]);
    let routes = Attributes { framed_routes: vec!["10.0.0.1/24".into()], ..Attributes::default() };
    let (policy, warnings) = resolved(&routes);
    assert!(policy.unwrap().routes.is_empty());
    assert_eq!(warnings.len(), 1);
}

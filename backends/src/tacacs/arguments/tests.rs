use tollgate_aaa::FramedAddress;

use super::*;

fn read(arguments: &[&str]) -> Result<Attributes, String> {
    attributes(&arguments.iter().map(|argument| argument.as_bytes()).collect::<Vec<_>>())
}

#[test]
fn every_argument_that_is_known_lands_in_its_place() {
    let attributes = read(&[
        "service=ppp",
        "protocol=ip",
        "addr=10.1.2.3",
        "addr-pool=inside",
        "dns-servers=10.0.0.1 10.0.0.2",
        "wins-servers*10.0.0.3",
        "timeout=90",
        "idletime=5",
        "inacl=engineers",
        "route#1=10.9.0.0 255.255.0.0 10.1.2.1",
        "route#2=10.8.7.1 255.255.255.0",
        "group-policy=sales",
    ])
    .unwrap();
    assert_eq!(attributes.framed_address, Some(FramedAddress::Address(Ipv4Addr::new(10, 1, 2, 3))));
    assert_eq!(attributes.address_pools, ["inside"]);
    assert_eq!(attributes.dns, [Some(Ipv4Addr::new(10, 0, 0, 1)), Some(Ipv4Addr::new(10, 0, 0, 2))]);
    assert_eq!(attributes.nbns, [Some(Ipv4Addr::new(10, 0, 0, 3)), None]);
    assert_eq!(attributes.session_timeout, Some(Duration::from_secs(5400)));
    assert_eq!(attributes.idle_timeout, Some(Duration::from_secs(300)));
    assert_eq!(attributes.filter_id.as_deref(), Some("engineers"));
    assert_eq!(attributes.framed_routes, ["10.9.0.0/16 10.1.2.1 1", "10.8.7.0/24 0.0.0.0 1"]);
    assert_eq!(attributes.group_policy.as_deref(), Some("sales"));
}

#[test]
fn the_two_magic_addresses_and_no_limit_are_told_apart() {
    let address = |value| read(&[value]).unwrap().framed_address;
    assert_eq!(address("addr=255.255.255.254"), Some(FramedAddress::Pool));
    assert_eq!(address("addr=255.255.255.255"), Some(FramedAddress::PeerChooses));
    assert_eq!(read(&["timeout=0"]).unwrap().session_timeout, None);
}

#[test]
fn what_must_be_obeyed_and_cannot_be_is_an_error_that_names_it() {
    for (argument, sign) in [
        ("callback-dialstring=555", "callback-dialstring=555"),
        ("addr=10.1.2", "addr=10.1.2 is not an IPv4 address"),
        ("dns-servers=1.1.1.1 2.2.2.2 3.3.3.3", "one or two"),
        ("timeout=soon", "minutes"),
        ("route=10.0.0.0 255.0.255.0", "route"),
        ("service=shell", "is not ppp"),
        ("inacl=", "a word"),
        ("no separator", "name=value"),
        ("=value", "name=value"),
    ] {
        let error = read(&[argument]).unwrap_err();
        assert!(error.contains(sign), "{error}");
    }
}

#[test]
fn what_may_be_left_aside_is() {
    let attributes =
        read(&["callback-dialstring*555", "addr*nowhere", "timeout*soon", "idletime*1"]).unwrap();
    assert_eq!(attributes.framed_address, None);
    assert_eq!(attributes.idle_timeout, Some(Duration::from_secs(60)));
}

use super::*;

fn pools(ranges: &[(&str, &str)]) -> Arc<Pools> {
    let settings = ranges.iter().map(|(name, range)| {
        let mask = Ipv4Addr::new(255, 255, 255, 0);
        ((*name).to_owned(), PoolSettings { range: range.parse().unwrap(), mask })
    });
    Pools::new(settings, Some(Ipv4Addr::new(10, 0, 0, 1)))
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn pools_are_used_in_order_and_exhaustion_is_one_line() {
    let pools = pools(&[("a", "10.0.0.1-10.0.0.2"), ("b", "10.0.1.5-10.0.1.5")]);
    let both = names(&["a", "b"]);
    let first = pools.lease(&both).unwrap();
    assert_eq!(first.address(), Ipv4Addr::new(10, 0, 0, 2), "the server's own address is skipped");
    let second = pools.lease(&both).unwrap();
    assert_eq!(second.address(), Ipv4Addr::new(10, 0, 1, 5));
    let error = pools.lease(&both).unwrap_err();
    assert_eq!(error.to_string(), "address pool a, b exhausted (2 of 3 addresses in use)");
}

#[test]
fn a_returned_address_waits_behind_the_others() {
    let pools = pools(&[("a", "10.0.0.10-10.0.0.12")]);
    let a = names(&["a"]);
    let ten = pools.lease(&a).unwrap();
    drop(ten);
    let eleven = pools.lease(&a).unwrap();
    let twelve = pools.lease(&a).unwrap();
    let ten = pools.lease(&a).unwrap();
    let got: Vec<_> = [&eleven, &twelve, &ten].map(|lease| lease.address().octets()[3]).into();
    assert_eq!(got, [11, 12, 10]);
    drop(twelve);
    drop(eleven);
    assert_eq!(pools.lease(&a).unwrap().address().octets()[3], 12, "oldest first");
}

#[test]
fn fixed_addresses_are_checked_for_collisions_and_skipped_by_the_pool() {
    let pools = pools(&[("a", "10.0.0.10-10.0.0.11")]);
    let fixed = pools.lease_fixed(Ipv4Addr::new(10, 0, 0, 10)).unwrap();
    assert_eq!(pools.lease_fixed(fixed.address()).unwrap_err(), PoolError::InUse(fixed.address()));
    assert_eq!(pools.lease(&names(&["a"])).unwrap().address(), Ipv4Addr::new(10, 0, 0, 11));
    for unusable in [[0, 0, 0, 0], [10, 0, 0, 1], [224, 0, 0, 5], [127, 0, 0, 1], [255; 4]] {
        let unusable = Ipv4Addr::from(unusable);
        assert_eq!(pools.lease_fixed(unusable).unwrap_err(), PoolError::Unusable(unusable));
    }
}

#[test]
fn a_fixed_lease_of_a_waiting_address_does_not_lose_it() {
    let pools = pools(&[("a", "10.0.0.10-10.0.0.10")]);
    let a = names(&["a"]);
    drop(pools.lease(&a).unwrap());
    let fixed = pools.lease_fixed(Ipv4Addr::new(10, 0, 0, 10)).unwrap();
    assert!(matches!(pools.lease(&a), Err(PoolError::Exhausted { .. })));
    drop(fixed);
    let lease = pools.lease(&a).unwrap();
    drop(lease);
    assert_eq!(pools.status()[0].used, 0);
    assert!(pools.lease(&a).is_ok());
}

#[test]
fn a_reload_keeps_addresses_in_use() {
    let pools = pools(&[("a", "10.0.0.10-10.0.0.20")]);
    let held = pools.lease(&names(&["a"])).unwrap();
    let settings = PoolSettings { range: "10.0.0.10-10.0.0.11".parse().unwrap(), mask: Ipv4Addr::BROADCAST };
    pools.reconfigure([("b".to_owned(), settings)], None);
    let next = pools.lease(&names(&["b"])).unwrap();
    assert_ne!(next.address(), held.address());
    assert_eq!(pools.status()[0].used, 2);
    assert_eq!(pools.lease(&names(&["a"])).unwrap_err(), PoolError::Unknown("a".into()));
}

#[test]
fn prefixes_cover_exactly_the_range() {
    let range: AddressRange = "10.4.5.10-10.4.5.20".parse().unwrap();
    let covered: Vec<u32> = range
        .prefixes()
        .into_iter()
        .flat_map(|(base, length)| (0..1u32 << (32 - length)).map(move |offset| u32::from(base) + offset))
        .collect();
    assert_eq!(covered, (u32::from(range.first)..=u32::from(range.last)).collect::<Vec<_>>());
    let all: AddressRange = "0.0.0.0-255.255.255.255".parse().unwrap();
    assert_eq!(all.prefixes(), [(Ipv4Addr::UNSPECIFIED, 0)]);
    assert!("10.0.0.9-10.0.0.1".parse::<AddressRange>().is_err());
}

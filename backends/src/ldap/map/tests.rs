use super::*;

fn rule(attribute: &str, value: Option<&str>, target: &str, result: Option<&str>) -> AttributeRule {
    AttributeRule {
        attribute: attribute.to_owned(),
        value: value.map(str::to_owned),
        target: target.parse().unwrap(),
        result: result.map(str::to_owned),
    }
}

fn entry(attributes: &[(&str, &[&str])]) -> Entry {
    let attributes = attributes
        .iter()
        .map(|(name, values)| {
            ((*name).to_owned(), values.iter().map(|value| value.as_bytes().to_vec()).collect())
        })
        .collect();
    Entry { dn: "cn=a".to_owned(), attributes }
}

#[test]
fn every_name_has_its_target_and_an_unknown_one_lists_them() {
    for (name, target) in NAMES {
        assert_eq!(name.parse(), Ok(target));
    }
    assert_eq!("cVPN3000-Primary-DNS".parse(), Ok(Target::PrimaryDns));
    let error = "Nonsense".parse::<Target>().unwrap_err().to_string();
    assert!(error.contains("Nonsense") && error.contains("Banner1"), "{error}");
}

#[test]
fn of_several_groups_the_alphabetically_first_match_wins() {
    let map = AttributeMap::new(vec![
        rule("memberOf", Some("CN=Zebra,DC=x"), "Group-Policy", Some("zebra")),
        rule("memberOf", Some("CN=Ape,DC=x"), "Group-Policy", Some("ape")),
    ]);
    let both = entry(&[("memberof", &["CN=Zebra,DC=x", "cn=ape,dc=x", "CN=Aardvark,DC=x"])]);
    assert_eq!(map.apply(&both, &[]).unwrap().group_policy.as_deref(), Some("zebra"));
    let both = entry(&[("memberOf", &["CN=Zebra,DC=x", "CN=Ape,DC=x", "CN=Aardvark,DC=x"])]);
    assert_eq!(map.apply(&both, &[]).unwrap().group_policy.as_deref(), Some("ape"));
    assert_eq!(map.indirect_groups(&entry(&[])), ["CN=Ape,DC=x", "CN=Zebra,DC=x"]);
    let nested = map.apply(&entry(&[]), &["CN=Zebra,DC=x"]).unwrap();
    assert_eq!(nested.group_policy.as_deref(), Some("zebra"));
    assert_eq!(map.apply(&entry(&[]), &[]).unwrap().group_policy, None);
}

#[test]
fn an_attribute_without_a_rule_says_nothing() {
    let map =
        AttributeMap::new(vec![rule("msNPAllowDialin", Some("TRUE"), "Tunneling-Protocols", Some("8"))]);
    let protocols =
        |value: &str| map.apply(&entry(&[("msNPAllowDialin", &[value])]), &[]).unwrap().tunneling_protocols;
    assert_eq!(protocols("TRUE"), Some(8));
    assert_eq!(protocols("FALSE"), None);
    let nothing = AttributeMap::default().apply(&entry(&[("msNPAllowDialin", &["FALSE"])]), &[]).unwrap();
    assert_eq!(nothing.tunneling_protocols, None);
}

#[test]
fn values_are_read_as_their_target_wants_them() {
    let map = AttributeMap::new(vec![
        rule("a", None, "IETF-Radius-Framed-IP-Address", None),
        rule("b", None, "IETF-Radius-Session-Timeout", None),
        rule("c", None, "Address-Pools", None),
        rule("d", None, "Primary-DNS", None),
        rule("e", None, "IETF-Radius-Class", None),
        rule("f", None, "Banner1", None),
    ]);
    let attributes = map
        .apply(
            &entry(&[
                ("a", &["-1062731510"]),
                ("b", &["90"]),
                ("c", &["east, west"]),
                ("d", &["10.0.0.53"]),
                ("e", &["OU=sales;"]),
                ("f", &["Welcome"]),
            ]),
            &[],
        )
        .unwrap();
    let address = FramedAddress::Address(Ipv4Addr::new(192, 168, 1, 10));
    assert_eq!(attributes.framed_address, Some(address));
    assert_eq!(attributes.session_timeout, Some(Duration::from_secs(90)));
    assert_eq!(attributes.address_pools, ["east", "west"]);
    assert_eq!(attributes.dns, [Some(Ipv4Addr::new(10, 0, 0, 53)), None]);
    assert_eq!(attributes.group_policy.as_deref(), Some("sales"));
    assert_eq!(attributes.reply_message.as_deref(), Some("Welcome"));
    for address in ["167837959", "10.1.1.7"] {
        let attributes = map.apply(&entry(&[("a", &[address])]), &[]).unwrap();
        assert_eq!(attributes.framed_address, Some(FramedAddress::Address(Ipv4Addr::new(10, 1, 1, 7))));
    }
}

#[test]
fn a_value_that_fits_not_is_named_with_its_attribute() {
    let map = AttributeMap::new(vec![rule("pager", None, "Simultaneous-Logins", None)]);
    let error = map.apply(&entry(&[("pager", &["many"])]), &[]).unwrap_err().to_string();
    assert_eq!(error, "pager has the value \"many\", which is no number for Simultaneous-Logins");
}

#[test]
fn the_first_rule_whose_attribute_says_anything_decides() {
    let map = AttributeMap::new(vec![
        rule("department", Some("x"), "Group-Policy", Some("from-department")),
        rule("title", None, "Group-Policy", None),
        rule("title", Some("chief"), "Group-Policy", Some("chiefs")),
    ]);
    let policy = |attributes: &[(&str, &[&str])]| map.apply(&entry(attributes), &[]).unwrap().group_policy;
    assert_eq!(policy(&[("department", &["x"]), ("title", &["t"])]).as_deref(), Some("from-department"));
    assert_eq!(policy(&[("department", &["X"]), ("title", &["t"])]).as_deref(), Some("t"));
    assert_eq!(policy(&[("title", &["a", "chief"])]).as_deref(), Some("chiefs"));
}

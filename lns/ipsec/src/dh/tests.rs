use super::*;

#[test]
fn both_sides_find_the_same_secret_in_every_group() {
    for &group in Group::ALL {
        for seed in 0..4 {
            let mut entropy = Entropy::from_seed([seed; 32]);
            let ours = KeyPair::generate(group, &mut entropy);
            let theirs = KeyPair::generate(group, &mut entropy);
            assert_eq!((ours.group(), ours.public_value().len()), (group, group.public_length()));
            assert_ne!(ours.public_value(), theirs.public_value(), "group {group}");
            let secret = ours.shared_secret(theirs.public_value()).unwrap();
            assert_eq!(secret, theirs.shared_secret(ours.public_value()).unwrap(), "group {group}");
            let length = match group {
                Group::Ecp256 | Group::Ecp384 | Group::Ecp521 => group.public_length() / 2,
                _ => group.public_length(),
            };
            assert_eq!(secret.len(), length, "group {group}");
            assert!(secret.iter().any(|octet| *octet != 0));
        }
    }
}

#[test]
fn values_of_another_length_are_refused() {
    for &group in Group::ALL {
        let pair = KeyPair::generate(group, &mut Entropy::from_seed([5; 32]));
        let public = pair.public_value().to_vec();
        for length in 0..=public.len() + 3 {
            let mut value = public.clone();
            value.resize(length, 0);
            if length != public.len() {
                assert_eq!(pair.shared_secret(&value).unwrap_err(), DhError::Length(length), "group {group}");
            }
        }
    }
}

#[test]
fn points_beside_the_curve_are_refused() {
    for group in [Group::Ecp256, Group::Ecp384, Group::Ecp521] {
        let pair = KeyPair::generate(group, &mut Entropy::from_seed([6; 32]));
        let public = pair.public_value().to_vec();
        for index in 0..public.len() {
            let mut value = public.clone();
            value[index] ^= 0x04;
            assert_eq!(
                pair.shared_secret(&value).unwrap_err(),
                DhError::PublicValue,
                "group {group}, {index}"
            );
        }
        // Zeros stand for infinity in some libraries, and all ones exceed the field.
        for octet in [0, 0xff] {
            let value = vec![octet; public.len()];
            assert_eq!(pair.shared_secret(&value).unwrap_err(), DhError::PublicValue, "group {group}");
        }
        // The coordinates in the wrong order.
        let (x, y) = public.split_at(public.len() / 2);
        let swapped = [y, x].concat();
        assert_eq!(pair.shared_secret(&swapped).unwrap_err(), DhError::PublicValue, "group {group}");
    }
}

#[test]
fn the_private_value_does_not_print() {
    let pair = KeyPair::generate(Group::Modp2048, &mut Entropy::from_seed([7; 32]));
    assert_eq!(format!("{pair:?}"), "KeyPair { group: Modp2048, .. }");
}

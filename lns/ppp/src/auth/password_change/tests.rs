use tollgate_mschap::{verify_new_password, verify_nt_response_v2};

use super::*;

const CHALLENGE: [u8; 16] = [9; 16];

fn packet() -> Vec<u8> {
    let exchange = Exchange::new(b"alice", b"new one", CHALLENGE, [3; 16]);
    data(&exchange, b"old one", b"new one", &mut Entropy::from_seed([5; 32])).unwrap()
}

#[test]
fn rfc_2759_7_a_packet_has_586_octets_and_says_what_the_server_checks() {
    let data = packet();
    assert_eq!(4 + data.len(), 586);
    let Some(Proof::PasswordChange {
        identifier,
        authenticator_challenge,
        encrypted_password,
        encrypted_hash,
        peer_challenge,
        nt_response,
        flags,
    }) = proof(8, CHALLENGE, &data)
    else {
        panic!()
    };
    assert_eq!((identifier, authenticator_challenge, flags), (8, CHALLENGE, [0, 0]));
    let old = nt_password_hash(b"old one");
    let new = verify_new_password(&encrypted_password, &encrypted_hash, &old).unwrap();
    assert_eq!(new, nt_password_hash(b"new one"));
    assert!(verify_nt_response_v2(&CHALLENGE, &peer_challenge, b"alice", &new, &nt_response));
}

#[test]
fn a_packet_of_another_size_is_none() {
    let data = packet();
    for length in [0, 1, 515, 516, 532, 581] {
        assert!(proof(8, CHALLENGE, &data[..length]).is_none(), "{length}");
    }
    assert!(proof(8, CHALLENGE, &[&data[..], &[0]].concat()).is_none());
}

#[test]
fn two_packets_do_not_tell_that_the_password_is_the_same() {
    let exchange = Exchange::new(b"alice", b"new", CHALLENGE, [3; 16]);
    let mut entropy = Entropy::from_seed([5; 32]);
    let [first, second] = [(); 2].map(|()| data(&exchange, b"old", b"new", &mut entropy).unwrap());
    assert_ne!(first[..500], second[..500]);
}

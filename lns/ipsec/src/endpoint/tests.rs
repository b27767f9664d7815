//! Both ends of the same machines against each other, over a network that a test controls.

mod lab;

use std::time::Duration;

use lab::{Lab, Side};

use super::*;

#[test]
fn main_mode_and_quick_mode_with_a_preshared_key_carry_packets_both_ways() {
    let mut lab = Lab::new(lab::server_config(&[b"secret"]));
    let connection = lab.dial(lab::dial(b"secret"));
    lab.settle();
    let up = lab.client_association(connection);
    let server = lab.server_association();
    assert_eq!(lab.carry(Side::Client, up, b"hello"), Some(b"hello".to_vec()));
    assert_eq!(lab.carry(Side::Server, server, b"hello back"), Some(b"hello back".to_vec()));
    assert!(lab.failures().is_empty(), "{:?}", lab.failures());
}

#[test]
fn every_message_may_be_lost_once() {
    for lost in 0..9 {
        let mut lab = Lab::new(lab::server_config(&[b"secret"]));
        lab.lose(lost);
        let connection = lab.dial(lab::dial(b"secret"));
        lab.run_for(Duration::from_secs(20));
        let up = lab.client_association(connection);
        assert_eq!(lab.carry(Side::Client, up, b"x"), Some(b"x".to_vec()), "message {lost} lost");
        let server = lab.server_association();
        assert_eq!(lab.carry(Side::Server, server, b"y"), Some(b"y".to_vec()), "message {lost} lost");
    }
}

use super::*;

#[test]
fn the_options_of_the_methods_are_those_of_the_rfcs() {
    assert_eq!(AuthProtocol::Pap.option(), [0xC0, 0x23]);
    assert_eq!(AuthProtocol::ChapMd5.option(), [0xC2, 0x23, 5]);
    assert_eq!(AuthProtocol::MsChapV1.option(), [0xC2, 0x23, 0x80]);
    assert_eq!(AuthProtocol::MsChapV2.option(), [0xC2, 0x23, 0x81]);
    for method in [AuthProtocol::Pap, AuthProtocol::ChapMd5, AuthProtocol::Eap] {
        assert_eq!(AuthProtocol::from_option(method.option()), Some(method));
    }
    assert_eq!(AuthProtocol::from_option(&[0xC2, 0x23]), None);
    assert_eq!(AuthProtocol::from_option(&[0xC0, 0x23, 0]), None);
}

#[test]
fn what_a_peer_wants_has_a_name_even_if_we_do_not_know_it() {
    assert_eq!(option_name(&[0xC2, 0x23, 0x81]), "MS-CHAPv2");
    assert_eq!(option_name(&[0xC2, 0x23, 0x06]), "CHAP algorithm 0x06");
    assert_eq!(option_name(&[0xC0, 0x27]), "SPAP");
    assert_eq!(option_name(&[0xC1, 0x23]), "protocol 0xC123");
    assert_eq!(option_name(&[0xC2]), "a malformed method");
}

#[test]
fn a_list_of_methods_keeps_its_order_without_repetitions() {
    use AuthProtocol::{ChapMd5, Eap, MsChapV1, MsChapV2, Pap};
    assert_eq!(
        negotiable(&[Pap, Eap, MsChapV2, Pap, ChapMd5, MsChapV1, MsChapV2]),
        [Some(Pap), Some(Eap), Some(MsChapV2), Some(ChapMd5), Some(MsChapV1)]
    );
    assert_eq!(negotiable(&[]), Methods::default());
}

#[test]
fn names_are_fit_up_to_255_octets_without_nul() {
    assert!(is_fit_name(b"") && is_fit_name(&[b'x'; 255]));
    assert!(!is_fit_name(&[b'x'; 256]) && !is_fit_name(b"a\0") && !is_fit_name(b"\0"));
}

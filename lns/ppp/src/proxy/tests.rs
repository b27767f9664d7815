use super::*;

#[test]
fn a_begun_exchange_suits_its_own_method_alone_and_none_suits_all() {
    use AuthProtocol::{ChapMd5, Eap, MsChapV1, MsChapV2, Pap};
    let suiting = |auth_type| -> Vec<AuthProtocol> {
        let auth = ProxyAuth { auth_type, name: b"", challenge: b"", identifier: 0, response: b"" };
        [Pap, ChapMd5, MsChapV1, MsChapV2, Eap].into_iter().filter(|&method| auth.suits(method)).collect()
    };
    assert_eq!(suiting(0), []);
    assert_eq!(suiting(1), []);
    assert_eq!(suiting(2), [ChapMd5]);
    assert_eq!(suiting(3), [Pap]);
    assert_eq!(suiting(4), [Pap, ChapMd5, MsChapV1, MsChapV2, Eap]);
    assert_eq!(suiting(5), [MsChapV1]);
    assert_eq!(suiting(6), []);
}

#[test]
fn debug_prints_neither_password_nor_response() {
    let auth =
        ProxyAuth { auth_type: 3, name: b"alice", challenge: b"", identifier: 0, response: b"open sesame" };
    let printed = format!("{auth:?}");
    assert!(printed.contains("alice") && !printed.contains("sesame") && !printed.contains("111"));
}

//! Both methods against a server made of the same TLS, whose certificates are under `testing/`.

use std::io::{Read, Write};
use std::path::PathBuf;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConnection};
use tollgate_mschap::{NtHash, generate_authenticator_response, verify_nt_response_v2};
use tollgate_ppp::{DownReason, EapReply, MppeStartKeys};
use zeroize::Zeroizing;

use super::*;

const USER: &[u8] = b"alice";
const PASSWORD: &str = "open sesame";
const CHALLENGE: [u8; 16] = *b"sixteen octets!!";

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/eap/testing").join(name)
}

/// The server's end of TLS, its messages cut to `fragment` octets.
struct Server {
    tls: ServerConnection,
    fragment: usize,
    identifier: u8,
}

impl Server {
    fn new(fragment: usize, wants_client: bool) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap();
        let builder = match wants_client {
            true => {
                let mut roots = RootCertStore::empty();
                roots.add(certificates(&file("ca.pem")).unwrap().remove(0)).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
            false => builder.with_no_client_auth(),
        };
        let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
        let config = builder.with_single_cert(certificates(&file("server.pem")).unwrap(), key).unwrap();
        Self { tls: ServerConnection::new(Arc::new(config)).unwrap(), fragment, identifier: 0 }
    }

    fn ask(&mut self, method: &mut dyn EapMethod, data: &[u8]) -> Result<Vec<u8>, DownReason> {
        self.identifier = self.identifier.wrapping_add(1);
        match method.receive(self.identifier, data) {
            EapReply::Respond(data) => Ok(data),
            EapReply::Fail(reason) => Err(reason),
            EapReply::Discard => panic!("the client discards {data:02x?}"),
        }
    }

    /// Takes a Response in, and the fragments that follow it; gives what was inside.
    fn take(&mut self, method: &mut dyn EapMethod, mut data: Vec<u8>) -> Result<Vec<u8>, DownReason> {
        loop {
            let (flags, mut rest) = (data[0], &data[1..]);
            assert_eq!(flags & 0x3F, 0, "version 0");
            if flags & 0x80 != 0 {
                rest = &rest[4..];
            }
            while !rest.is_empty() {
                self.tls.read_tls(&mut rest).unwrap();
                self.tls.process_new_packets().unwrap();
            }
            if flags & 0x40 == 0 {
                break;
            }
            data = self.ask(method, &[0])?;
        }
        let mut clear = Vec::new();
        let _ = self.tls.reader().read_to_end(&mut clear);
        Ok(clear)
    }

    /// Sends what TLS has to say and gives the last Response.
    fn give(&mut self, method: &mut dyn EapMethod) -> Result<Vec<u8>, DownReason> {
        let mut outbound = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut outbound).unwrap();
        }
        let mut answer = Vec::new();
        let pieces: Vec<_> = outbound.chunks(self.fragment).collect();
        for (at, piece) in pieces.iter().enumerate() {
            let more = at + 1 < pieces.len();
            let mut data = vec![if more { 0x40 } else { 0 }];
            if at == 0 {
                data[0] |= 0x80;
                data.extend_from_slice(&(outbound.len() as u32).to_be_bytes());
            }
            data.extend_from_slice(piece);
            answer = self.ask(method, &data)?;
            assert!(!more || answer == [0], "each fragment is acknowledged");
        }
        Ok(answer)
    }

    fn handshake(&mut self, method: &mut dyn EapMethod) -> Result<(), DownReason> {
        assert!(!method.is_satisfied());
        let mut answer = self.ask(method, &[0x20])?;
        while self.tls.is_handshaking() || self.tls.wants_write() {
            assert!(answer.len() <= 1005);
            self.take(method, answer)?;
            answer = self.give(method)?;
        }
        assert_eq!(answer, [0]);
        Ok(())
    }

    /// One round inside.
    fn inner(&mut self, method: &mut dyn EapMethod, packet: &[u8]) -> Result<Vec<u8>, DownReason> {
        self.tls.writer().write_all(packet).unwrap();
        let answer = self.give(method)?;
        self.take(method, answer)
    }

    fn keys(&self) -> MppeStartKeys {
        let msk = self.tls.export_keying_material([0; 64], b"client EAP encryption", None).unwrap();
        MppeStartKeys::asymmetric(&msk[..32], &msk[32..]).unwrap()
    }
}

fn method_with(kind: u8, authorities: &str, name: Option<&str>) -> Box<dyn EapMethod> {
    let (certificate, key) = (file("client.pem"), file("client.key"));
    let methods = TlsMethods::new(TlsFiles {
        authorities: &file(authorities),
        server_name: name,
        identity: (kind == eap_type::TLS).then_some((&certificate, &key)),
    })
    .unwrap();
    let config = ClientConfig {
        user: USER.to_vec(),
        password: Zeroizing::new(PASSWORD.into()),
        ..ClientConfig::default()
    };
    methods.create(kind, &config, Entropy::from_seed([5; 32])).unwrap()
}

fn method(kind: u8) -> Box<dyn EapMethod> {
    method_with(kind, "ca.pem", Some("server.example"))
}

#[test]
fn eap_tls_in_fragments_of_any_size_leaves_the_same_keys_at_both_ends() {
    for fragment in [50, 300, 1300, 5000] {
        let mut method = method(eap_type::TLS);
        let mut server = Server::new(fragment, true);
        server.handshake(&mut *method).unwrap();
        assert!(method.is_satisfied());
        assert!(method.keys().unwrap() == server.keys());
    }
}

fn ms(code: u8, value: &[u8]) -> Vec<u8> {
    let mut packet = vec![26, code, 9];
    packet.extend_from_slice(&(4 + value.len() as u16).to_be_bytes());
    packet.extend_from_slice(value);
    packet
}

/// A login inside, up to the peer's acknowledgement of the server's proof.
fn log_in(server: &mut Server, method: &mut dyn EapMethod, password: &str) -> Result<(), DownReason> {
    assert_eq!(server.inner(method, &[1, 7, 0, 5, 1])?, [&[1], USER].concat(), "with a whole header");
    assert_eq!(server.inner(method, &[4, 1, 0])?, [3, 26], "another method");
    let response = server.inner(method, &ms(1, &[&[16], &CHALLENGE[..], b"radius"].concat()))?;
    let value = &response[6..];
    let (peer, nt_response) = (value[..16].try_into().unwrap(), value[24..48].try_into().unwrap());
    let hash = NtHash::from_password(password);
    let right = verify_nt_response_v2(&CHALLENGE, &peer, USER, &hash, &nt_response);
    assert_eq!(right, password == PASSWORD);
    let proof = generate_authenticator_response(&hash, &nt_response, &peer, &CHALLENGE, USER);
    assert_eq!(server.inner(method, &ms(3, format!("{proof} M=Welcome").as_bytes()))?, [26, 3]);
    Ok(())
}

const RESULT_SUCCESS: [u8; 11] = [1, 80, 0, 11, 33, 0x80, 3, 0, 2, 0, 1];

#[test]
fn peap_with_mschap_v2_inside_lets_in() {
    for name in [None, Some("server.example")] {
        let mut method = method_with(eap_type::PEAP, "ca.pem", name);
        let mut server = Server::new(700, false);
        server.handshake(&mut *method).unwrap();
        log_in(&mut server, &mut *method, PASSWORD).unwrap();
        assert!(!method.is_satisfied() && method.keys().is_none());
        let answer = server.inner(&mut *method, &RESULT_SUCCESS).unwrap();
        assert_eq!(answer, [2, 80, 0, 11, 33, 0x80, 3, 0, 2, 0, 1]);
        assert!(method.is_satisfied());
        assert_eq!(method.message(), b"Welcome");
        assert!(method.keys().unwrap() == server.keys());
    }
}

#[test]
fn a_server_that_does_not_prove_the_password_inside_is_left() {
    let mut method = method(eap_type::PEAP);
    let mut server = Server::new(700, false);
    server.handshake(&mut *method).unwrap();
    assert_eq!(log_in(&mut server, &mut *method, "guess"), Err(DownReason::ServerUnproven));
    let mut method = super::tests::method(eap_type::PEAP);
    let mut server = Server::new(700, false);
    server.handshake(&mut *method).unwrap();
    assert_eq!(server.inner(&mut *method, &RESULT_SUCCESS), Err(DownReason::ServerUnproven));
}

#[test]
fn a_failure_inside_is_acknowledged_and_told() {
    let mut method = method(eap_type::PEAP);
    let mut server = Server::new(700, false);
    server.handshake(&mut *method).unwrap();
    server.inner(&mut *method, &ms(1, &[&[16], &CHALLENGE[..], b"radius"].concat())).unwrap();
    let refusal = ms(4, b"E=691 R=0 C=00 V=3 M=Access denied");
    assert_eq!(server.inner(&mut *method, &refusal).unwrap(), [26, 4]);
    let failure = [1, 80, 0, 11, 33, 0x80, 3, 0, 2, 0, 2];
    assert_eq!(server.inner(&mut *method, &failure).unwrap()[10], 2);
    assert!(!method.is_satisfied());
    assert_eq!(method.refusal().unwrap().code, Some(691));
}

#[test]
fn a_strangers_certificate_or_another_name_ends_it() {
    for (authorities, name) in [("stranger.pem", None), ("ca.pem", Some("other.example"))] {
        for kind in [eap_type::PEAP, eap_type::TLS] {
            let mut method = method_with(kind, authorities, name);
            let failed = Server::new(700, false).handshake(&mut *method);
            assert!(matches!(failed, Err(DownReason::EapFailed { .. })), "{failed:?}");
            assert!(!method.is_satisfied());
        }
    }
}

#[test]
fn what_is_no_message_is_discarded_or_ends_it() {
    for kind in [eap_type::PEAP, eap_type::TLS] {
        let mut fresh = method(kind);
        for data in [&[][..], &[0], &[0, 1, 2], &[0x80, 0, 0], &[0xC0, 0, 0, 0, 9, 1]] {
            assert!(matches!(fresh.receive(1, data), EapReply::Discard), "before the start: {data:02x?}");
        }
        assert!(matches!(fresh.receive(1, &[0x20]), EapReply::Respond(_)));
        assert!(matches!(fresh.receive(2, &[0x20]), EapReply::Discard), "there is one start");
        assert!(matches!(fresh.receive(2, &[0x80, 0, 0]), EapReply::Discard));
        assert!(matches!(fresh.receive(2, &[0, 0x16, 3, 3, 0xFF, 0xFF]), EapReply::Fail(_)));
        let mut endless = method(kind);
        endless.receive(1, &[0x20]);
        let mut fragment = vec![0x40];
        fragment.resize(1400, 0x16);
        let ended = (0..100).position(|_| matches!(endless.receive(2, &fragment), EapReply::Fail(_)));
        assert!(ended.is_some_and(|rounds| rounds < 50));
    }
}

#[test]
fn files_that_hold_nothing_are_named() {
    let missing = file("missing.pem");
    let files = TlsFiles { authorities: &missing, server_name: None, identity: None };
    assert!(TlsMethods::new(files).err().unwrap().contains("missing.pem"));
    let key = file("client.key");
    let files = TlsFiles { authorities: &key, server_name: None, identity: None };
    assert!(TlsMethods::new(files).err().unwrap().contains("client.key: holds no certificate"));
}

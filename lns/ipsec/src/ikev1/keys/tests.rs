mod vectors;

use super::*;
use crate::algorithm::{EspCipher, Integrity};
use crate::ikev1::header::{Cookie, ExchangeType};
use crate::ikev1::payload::{Kind, Payloads};
use vectors::VECTORS;

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn count(length: u8, from: u8) -> Vec<u8> {
    (0..length).map(|index| from.wrapping_add(index)).collect()
}

#[test]
fn all_keys_hashes_and_vectors_are_those_of_an_independent_computation() {
    let cookies = Cookies {
        initiator: Cookie([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]),
        responder: Cookie([0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x01]),
    };
    let (nonce_i, nonce_r) = (count(48, 1), count(32, 100));
    let (public_i, public_r, shared) = (count(128, 7), count(128, 55), count(128, 201));
    let exchange = Exchange {
        cookies,
        nonce_i: &nonce_i,
        nonce_r: &nonce_r,
        public_i: &public_i,
        public_r: &public_r,
        shared: &shared,
    };
    let (sa, id_i, id_r) = (count(40, 9), [1, 0, 0, 0, 192, 168, 1, 5], [1, 0, 0, 0, 192, 0, 2, 1]);
    let suite = EspSuite::new(EspCipher::Aes256, Some(Integrity::HmacSha1)).unwrap();
    for vector in VECTORS {
        let skeyid = match vector.signed {
            true => Keys::skeyid_from_signature(vector.hash, &exchange),
            false => Keys::skeyid_from_key(vector.hash, b"secret", &nonce_i, &nonce_r),
        };
        let mut keys = Keys::derive(vector.hash, vector.cipher, skeyid, &exchange).unwrap();
        assert_eq!(hex(&keys.take_raw_key().unwrap()), vector.key);
        assert!(keys.take_raw_key().is_none(), "once");
        assert_eq!(hex(&keys.phase1_vector()), vector.iv);
        assert_eq!(hex(&keys.phase2_vector(0x1234_5678)), vector.next_iv);
        assert_eq!(hex(&keys.proof(&exchange, true, &sa, &id_i)), vector.hash_i);
        assert_eq!(hex(&keys.proof(&exchange, false, &sa, &id_r)), vector.hash_r);
        assert_eq!(hex(&keys.authenticate(&[&0x1234_5678u32.to_be_bytes(), &sa])), vector.authenticated);
        let keymat = |shared| keys.keymat(suite, 3, 0xc0de_0001, &nonce_i, &nonce_r, shared);
        assert_eq!(hex(&keymat(None)), vector.keymat);
        assert_eq!(hex(&keymat(Some(shared.as_slice()))), vector.keymat_pfs);

        let header =
            Header { cookies, next_payload: 0, exchange: ExchangeType::Main, flags: COMMIT, message_id: 0 };
        let mut builder = Builder::new();
        builder.add(Kind::Nonce, &[&count(16, 3)]);
        let mut moved = keys.phase1_vector();
        let message = keys.seal(header, &builder, &mut moved);
        assert_eq!(hex(&message[HEADER..]), vector.sealed);
        assert_eq!(message[19], ENCRYPTED, "encrypted, and no commit bit");
        let (clear, next) = keys.open(&keys.phase1_vector(), &message[HEADER..]).unwrap();
        assert_eq!(next, moved);
        let payloads = Payloads::decode(message[16], &clear).unwrap();
        assert_eq!(payloads.one(Kind::Nonce, "").unwrap(), count(16, 3));
        assert!(keys.open(&keys.phase1_vector(), &message[HEADER..message.len() - 1]).is_none());
        assert!(keys.open(&keys.phase1_vector(), &[]).is_none());
    }
}

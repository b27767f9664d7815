use super::*;
use crate::testing::*;

fn x509(data: &[u8]) -> CertPayload<'_> {
    CertPayload { encoding: X509_SIGNATURE, data }
}

/// A SignedData with these elements where certificates stand.
fn pkcs7(elements: &[u8]) -> Vec<u8> {
    let data = sequence(&[&tlv(der::OID, [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1])]);
    let signed = sequence(&[
        &tlv(der::INTEGER, [1]),
        &tlv(der::SET, []),
        &data,
        &tlv(der::context_constructed(0), elements),
        &tlv(der::SET, []),
    ]);
    sequence(&[&tlv(der::OID, SIGNED_DATA), &tlv(der::context_constructed(0), signed)])
}

#[test]
fn other_encodings_are_passed_over() {
    let one = sequence(&[&[5, 0]]);
    let lists = [7, 0, 2, 3, 5, 8, 255].map(|encoding| CertPayload { encoding, data: &[1, 2, 3] });
    assert_eq!(collect(&lists), Err(VerifyError::NoCertificate));
    let all: Vec<CertPayload<'_>> = lists.into_iter().chain([x509(&one)]).collect();
    assert_eq!(collect(&all), Ok(vec![one.clone()]));
}

#[test]
fn pkcs7_is_unwrapped_also_from_ber() {
    let (one, two) = (sequence(&[&[5, 0]]), sequence(&[&[2, 1, 1]]));
    let attribute = tlv(der::context_constructed(1), [5, 0]);
    let wrapped = pkcs7(&[one.as_slice(), &attribute, &two].concat());
    let chain = CertPayload { encoding: PKCS7, data: &wrapped };
    assert_eq!(collect(&[chain, x509(&two)]), Ok(vec![one.clone(), two.clone()]), "each once");

    let mut ber = vec![0x30, 0x80];
    ber.extend(&wrapped[2..]);
    ber.extend([0, 0]);
    assert_eq!(collect(&[CertPayload { encoding: PKCS7, data: &ber }]), Ok(vec![one, two]));
}

#[test]
fn damaged_pkcs7_is_told_apart_from_none() {
    for data in [&[][..], b"x", &[0x30, 0], &pkcs7(&[0x30, 9])] {
        assert_eq!(collect(&[CertPayload { encoding: PKCS7, data }]), Err(VerifyError::MalformedPkcs7));
    }
    let empty = pkcs7(&[]);
    assert_eq!(collect(&[CertPayload { encoding: PKCS7, data: &empty }]), Err(VerifyError::NoCertificate));
}

#[test]
fn certificates_in_one_pkcs7_are_counted_too() {
    let many: Vec<u8> = (0..=u8::try_from(MAX_CERTIFICATES).unwrap())
        .flat_map(|number| sequence(&[&[2, 1, number]]))
        .collect();
    let wrapped = pkcs7(&many);
    assert_eq!(collect(&[CertPayload { encoding: PKCS7, data: &wrapped }]), Err(VerifyError::TooMany));
}

#[test]
fn the_octets_of_all_payloads_together_are_bounded() {
    let half = vec![0; MAX_PAYLOAD_OCTETS / 2];
    let other = CertPayload { encoding: 7, data: &half };
    assert_eq!(collect(&[other, other]), Err(VerifyError::NoCertificate));
    let octets = MAX_PAYLOAD_OCTETS + 1;
    assert_eq!(collect(&[other, other, x509(&[0])]), Err(VerifyError::TooLarge { octets }));
}

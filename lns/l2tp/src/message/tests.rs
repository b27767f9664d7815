use proptest::prelude::*;
use tollgate_sansio::Entropy;

use super::*;
use crate::codes::{CdnResult, PppDisconnectCode, StopResult};

fn id(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

fn octets(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

/// One of each message, every field filled.
fn every_message() -> Vec<Message> {
    vec![
        Message::Sccrq(Box::new(Sccrq {
            protocol_version: ProtocolVersion::RFC_2661,
            host_name: b"lac".to_vec(),
            framing_capabilities: 3,
            bearer_capabilities: Some(1),
            tie_breaker: Some(0x0102_0304_0506_0708),
            firmware_revision: Some(0x0a00),
            vendor_name: octets("maker"),
            assigned_tunnel: id(7),
            receive_window: Some(8),
            challenge: Some(vec![1; 16]),
        })),
        Message::Sccrp(Box::new(Sccrp {
            protocol_version: ProtocolVersion::RFC_2661,
            framing_capabilities: 1,
            host_name: b"lns".to_vec(),
            assigned_tunnel: id(9),
            bearer_capabilities: Some(0),
            firmware_revision: Some(1),
            vendor_name: octets("other maker"),
            receive_window: Some(16),
            challenge: Some(vec![2; 16]),
            challenge_response: Some([3; 16]),
        })),
        Message::Scccn(Scccn { challenge_response: Some([4; 16]) }),
        Message::StopCcn(StopCcn {
            assigned_tunnel: Some(id(9)),
            result: StopResult::GeneralError,
            error: Some(ErrorCode::UnknownMandatoryAvp),
            message: "no".into(),
        }),
        Message::Hello,
        Message::Ocrq(Box::new(Ocrq {
            assigned_session: id(5),
            serial: 77,
            minimum_bps: 9600,
            maximum_bps: 64_000,
            bearer_type: 1,
            framing_type: 1,
            called_number: b"5551".to_vec(),
            sub_address: octets("sub"),
        })),
        Message::Ocrp(Ocrp { assigned_session: id(6), physical_channel: Some(3) }),
        Message::Occn(Occn {
            tx_speed: 64_000,
            framing_type: 1,
            rx_speed: Some(32_000),
            sequencing_required: true,
        }),
        Message::Icrq(Box::new(Icrq {
            assigned_session: id(11),
            serial: 0x1234_5678,
            bearer_type: Some(2),
            physical_channel: Some(4),
            calling_number: octets("5552"),
            called_number: octets("5553"),
            sub_address: octets("6"),
        })),
        Message::Icrp(Icrp { assigned_session: id(12) }),
        Message::Iccn(Box::new(Iccn {
            tx_speed: Some(100_000_000),
            framing_type: Some(3),
            initial_received_lcp: Some(vec![1, 4, 5, 0xdc]),
            last_sent_lcp: Some(vec![3, 4, 0xc0, 0x23]),
            last_received_lcp: Some(vec![5, 6, 1, 2, 3, 4]),
            proxy_type: Some(2),
            proxy_name: octets("user"),
            proxy_challenge: Some(vec![7; 16]),
            proxy_id: Some(9),
            proxy_response: Some(vec![8; 16]),
            private_group: octets("blue"),
            rx_speed: Some(1_000_000),
            sequencing_required: true,
        })),
        Message::Cdn(Box::new(Cdn {
            assigned_session: Some(id(12)),
            result: CdnResult::Administrative,
            error: Some(ErrorCode::NoError),
            message: "bye".into(),
            q931_cause: Some(Q931Cause { cause: 16, message_type: 69, advisory: "normal".into() }),
            ppp_cause: Some(PppDisconnectCause {
                code: PppDisconnectCode::AuthenticationFailed,
                protocol: 0xc223,
                direction: 1,
                message: "wrong".into(),
            }),
        })),
        Message::Wen(CallErrors {
            crc: 1,
            framing: 2,
            hardware_overruns: 3,
            buffer_overruns: 4,
            timeouts: 5,
            alignment: 6,
        }),
        Message::Sli(Accm { send: 0xffff_ffff, receive: 0x000a_0000 }),
    ]
}

fn decode(body: &[u8]) -> Message {
    Message::decode(body, &Reading::default()).unwrap().message
}

/// An AVP of vendor 0 with the M bit.
fn avp(attribute: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80, 6 + u8::try_from(value.len()).unwrap(), 0, 0, 0, attribute];
    out.extend_from_slice(value);
    out
}

fn body(message_type: u8, avps: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = avp(0, &[0, message_type]);
    for (attribute, value) in avps {
        out.extend(avp(*attribute, value));
    }
    out
}

#[test]
fn every_message_comes_back_as_it_went() {
    for message in every_message() {
        let body = message.encode(None);
        assert_eq!(body[..6], [0x80, 8, 0, 0, 0, 0], "Message Type first, exactly 8008");
        assert_eq!(decode(&body), message);
        assert_eq!(Message::peek_type(&body), Some(message.message_type()));
    }
    assert_eq!(every_message().len(), 14, "RFC 2661 has fourteen");
}

#[test]
fn every_message_comes_back_hidden_as_it_went() {
    let mut entropy = Entropy::from_seed([5; 32]);
    let reading = Reading { secret: Some(b"secret"), ..Reading::default() };
    for message in every_message() {
        let body = message.encode(Some(Hiding { secret: b"secret", entropy: &mut entropy }));
        assert_eq!(Message::decode(&body, &reading).unwrap().message, message);
        let clear = message.encode(None);
        let hides = clear.len() != body.len();
        match message.message_type() {
            MessageType::Hello => assert!(!hides),
            _ => assert!(hides, "{} has AVPs to hide", message.message_type()),
        }
    }
}

#[test]
fn sccrq_is_read_from_octets() {
    let octets = body(
        1,
        &[
            (2, &[1, 0]),
            (3, &[0, 0, 0, 3]),
            (4, &[0, 0, 0, 1]),
            (5, &[0, 0, 0, 0, 0, 0, 0, 9]),
            (6, &[5, 0]),
            (7, b"host"),
            (8, b"v"),
            (9, &[0x12, 0x34]),
            (10, &[0, 4]),
            (11, &[0xaa]),
        ],
    );
    let expected = Sccrq {
        protocol_version: ProtocolVersion { version: 1, revision: 0 },
        host_name: b"host".to_vec(),
        framing_capabilities: 3,
        bearer_capabilities: Some(1),
        tie_breaker: Some(9),
        firmware_revision: Some(0x0500),
        vendor_name: Some(b"v".to_vec()),
        assigned_tunnel: id(0x1234),
        receive_window: Some(4),
        challenge: Some(vec![0xaa]),
    };
    assert_eq!(decode(&octets), Message::Sccrq(Box::new(expected)));
}

#[test]
fn sccrp_is_read_from_octets() {
    let octets = body(2, &[(2, &[1, 0]), (3, &[0, 0, 0, 3]), (7, b"x"), (9, &[0, 1]), (13, &[6; 16])]);
    let Message::Sccrp(reply) = decode(&octets) else { panic!() };
    assert_eq!(reply.assigned_tunnel, id(1));
    assert_eq!(reply.challenge_response, Some([6; 16]));
    assert_eq!((reply.receive_window, reply.challenge), (None, None));
}

#[test]
fn scccn_is_read_from_octets() {
    assert_eq!(decode(&[0x80, 8, 0, 0, 0, 0, 0, 3]), Message::Scccn(Scccn { challenge_response: None }));
}

#[test]
fn stop_ccn_is_read_from_octets() {
    let octets = body(4, &[(9, &[0, 2]), (1, &[0, 2, 0, 8, b'w', b'h', b'y'])]);
    let expected = StopCcn {
        assigned_tunnel: Some(id(2)),
        result: StopResult::GeneralError,
        error: Some(ErrorCode::UnknownMandatoryAvp),
        message: "why".into(),
    };
    assert_eq!(decode(&octets), Message::StopCcn(expected));
}

#[test]
fn hello_is_read_from_octets() {
    assert_eq!(decode(&[0x80, 8, 0, 0, 0, 0, 0, 6]), Message::Hello);
}

#[test]
fn the_messages_of_an_outgoing_call_are_read_from_octets() {
    let request = body(
        7,
        &[
            (14, &[0, 1]),
            (15, &[0, 0, 0, 2]),
            (16, &[0, 0, 0x25, 0x80]),
            (17, &[0, 0, 0xfa, 0]),
            (18, &[0, 0, 0, 1]),
            (19, &[0, 0, 0, 1]),
            (21, b"12"),
        ],
    );
    let Message::Ocrq(request) = decode(&request) else { panic!() };
    assert_eq!((request.minimum_bps, request.maximum_bps), (9600, 64_000));
    assert_eq!((request.called_number, request.sub_address), (b"12".to_vec(), None));
    let reply = body(8, &[(14, &[0, 3]), (25, &[0, 0, 0, 1])]);
    assert_eq!(decode(&reply), Message::Ocrp(Ocrp { assigned_session: id(3), physical_channel: Some(1) }));
    let connected = body(9, &[(24, &[0, 0, 0xfa, 0]), (19, &[0, 0, 0, 1]), (39, &[])]);
    let expected = Occn { tx_speed: 64_000, framing_type: 1, rx_speed: None, sequencing_required: true };
    assert_eq!(decode(&connected), Message::Occn(expected));
}

#[test]
fn the_messages_of_an_incoming_call_are_read_from_octets() {
    let request = body(10, &[(14, &[0, 1]), (15, &[1, 2, 3, 4]), (22, &[0xff, 0x80])]);
    let Message::Icrq(request) = decode(&request) else { panic!() };
    assert_eq!((request.assigned_session, request.serial), (id(1), 0x0102_0304));
    assert_eq!(request.calling_number, Some(vec![0xff, 0x80]), "numbers can be binary");
    let reply = body(11, &[(14, &[0, 4])]);
    assert_eq!(decode(&reply), Message::Icrp(Icrp { assigned_session: id(4) }));
    let connected = body(12, &[(24, &[0x05, 0xf5, 0xe1, 0]), (19, &[0, 0, 0, 3])]);
    let expected = Iccn { tx_speed: Some(100_000_000), framing_type: Some(3), ..Iccn::default() };
    assert_eq!(decode(&connected), Message::Iccn(Box::new(expected)));
}

#[test]
fn proxy_avps_are_read_from_octets() {
    let connected = body(
        12,
        &[
            (26, &[1, 4, 5, 0xdc]),
            (27, &[3, 5, 0xc2, 0x23, 5]),
            (28, &[1, 4, 5, 0x78]),
            (29, &[0, 2]),
            (30, b"user@isp"),
            (31, &[1, 2, 3]),
            (32, &[0xee, 7]),
            (33, &[9; 16]),
            (37, b"grp"),
            (38, &[0, 0, 1, 0]),
        ],
    );
    let Message::Iccn(connected) = decode(&connected) else { panic!() };
    assert_eq!(connected.initial_received_lcp, Some(vec![1, 4, 5, 0xdc]));
    assert_eq!(connected.last_sent_lcp, Some(vec![3, 5, 0xc2, 0x23, 5]));
    assert_eq!(connected.last_received_lcp, Some(vec![1, 4, 5, 0x78]));
    assert_eq!((connected.proxy_type, connected.proxy_id), (Some(2), Some(7)), "the upper octet is reserved");
    assert_eq!(connected.proxy_response, Some(vec![9; 16]));
    assert_eq!((connected.private_group, connected.rx_speed), (Some(b"grp".to_vec()), Some(256)));
}

#[test]
fn cdn_is_read_from_octets_with_the_causes_of_rfc_3145_and_q931() {
    let octets = body(
        14,
        &[
            (1, &[0, 1, 0, 0]),
            (14, &[0, 9]),
            (12, &[0, 16, 0x45, b'o', b'k']),
            (46, &[0, 8, 0xc0, 0x21, 2, b'n', b'o']),
        ],
    );
    let Message::Cdn(notice) = decode(&octets) else { panic!() };
    assert_eq!((notice.result, notice.error), (CdnResult::CarrierLost, Some(ErrorCode::NoError)));
    assert_eq!(notice.q931_cause, Some(Q931Cause { cause: 16, message_type: 0x45, advisory: "ok".into() }));
    let cause = notice.ppp_cause.unwrap();
    assert_eq!(cause.code, PppDisconnectCode::EchoTimeout);
    assert_eq!(cause.to_string(), "PPP: LCP echo requests stayed unanswered in protocol 0xc021, no");
}

#[test]
fn wen_and_sli_are_read_from_octets() {
    let mut value = vec![0; 26];
    value[5] = 7;
    value[25] = 9;
    let Message::Wen(errors) = decode(&body(15, &[(34, &value)])) else { panic!() };
    assert_eq!((errors.crc, errors.alignment, errors.framing), (7, 9, 0));
    let sli = body(16, &[(35, &[0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0])]);
    assert_eq!(decode(&sli), Message::Sli(Accm { send: 1, receive: 0xff00_0000 }));
}

fn fault(body: &[u8]) -> Fault {
    Message::decode(body, &Reading::default()).unwrap_err().fault
}

#[test]
fn the_first_avp_must_be_a_clear_message_type() {
    assert_eq!(fault(&avp(7, b"x")), Fault::NoMessageType);
    assert_eq!(fault(&[0x80, 9, 0, 0, 0, 0, 0, 6, 0]), Fault::NoMessageType, "three octets");
    assert_eq!(fault(&[0xc0, 8, 0, 0, 0, 0, 0, 6]), Fault::NoMessageType, "hidden");
    assert_eq!(fault(&[0x80, 8, 0, 9, 0, 0, 0, 6]), Fault::NoMessageType, "of a vendor");
    assert_eq!(fault(&[0x80]), Fault::BadAvp);
}

#[test]
fn unknown_messages_are_known_as_such() {
    for number in [0, 5, 13, 17, 200] {
        let mandatory = Fault::UnknownMessage { number: u16::from(number), mandatory: true };
        assert_eq!(fault(&body(number, &[])), mandatory);
    }
    let optional = Fault::UnknownMessage { number: 13, mandatory: false };
    assert_eq!(fault(&[0, 8, 0, 0, 0, 0, 0, 13]), optional);
}

#[test]
fn unknown_mandatory_avps_are_faults_and_unknown_optional_ones_are_not() {
    let mut octets = body(11, &[(14, &[0, 4]), (99, &[1])]);
    let bad = Message::decode(&octets, &Reading::default()).unwrap_err();
    assert_eq!(bad.fault, Fault::UnknownMandatory { vendor: 0, attribute: 99 });
    assert_eq!(bad.fault.error_code(), ErrorCode::UnknownMandatoryAvp);
    assert_eq!(bad.assigned_session, Some(id(4)), "known for the answer");
    octets[16] = 0;
    assert_eq!(decode(&octets), Message::Icrp(Icrp { assigned_session: id(4) }));
}

#[test]
fn vendor_avps_are_ignored_unless_mandatory_and_then_by_the_setting() {
    let mut octets = body(11, &[(14, &[0, 4])]);
    octets.extend_from_slice(&[0x80, 7, 0x0d, 0xe9, 0, 1, 5]);
    assert_eq!(fault(&octets), Fault::UnknownMandatory { vendor: 3561, attribute: 1 });
    let lenient = Reading { ignore_unknown_mandatory_vendor_avps: true, ..Reading::default() };
    let decoded = Message::decode(&octets, &lenient).unwrap();
    assert_eq!(decoded.passed_over, [PassedOver { vendor: 3561, attribute: 1 }]);
    octets[16] = 0;
    let decoded = Message::decode(&octets, &Reading::default()).unwrap();
    assert!(decoded.passed_over.is_empty());
}

#[test]
fn an_avp_with_a_reserved_bit_counts_as_unknown() {
    let mut octets = body(11, &[(14, &[0, 4])]);
    octets[8] |= 0x04;
    assert_eq!(fault(&octets), Fault::UnknownMandatory { vendor: 0, attribute: 14 });
    octets[8] &= 0x7f;
    assert_eq!(fault(&octets), Fault::Missing(Attribute::AssignedSessionId));
}

#[test]
fn wrong_lengths_are_faults_where_the_avp_is_mandatory() {
    let mut octets = body(10, &[(14, &[0, 4]), (25, &[1])]);
    assert_eq!(fault(&octets), Fault::BadLength(Attribute::PhysicalChannelId));
    assert_eq!(fault(&octets).error_code(), ErrorCode::BadLength);
    octets[16] = 0;
    assert!(
        matches!(decode(&octets), Message::Icrq(_)),
        "an optional one that makes no sense is as good as none"
    );
}

#[test]
fn a_zero_id_is_out_of_range_and_a_missing_one_is_missing() {
    assert_eq!(fault(&body(10, &[(14, &[0, 0])])), Fault::BadValue(Attribute::AssignedSessionId));
    assert_eq!(fault(&body(10, &[])), Fault::Missing(Attribute::AssignedSessionId));
    assert_eq!(fault(&body(1, &[(2, &[1, 0])])), Fault::Missing(Attribute::HostName));
    assert_eq!(fault(&body(1, &[(2, &[1, 0]), (7, b"x")])), Fault::Missing(Attribute::AssignedTunnelId));
    assert_eq!(fault(&body(1, &[])), Fault::Missing(Attribute::ProtocolVersion));
}

#[test]
fn hidden_avps_that_cannot_be_revealed_are_faults_where_mandatory() {
    let message = Message::Icrp(Icrp { assigned_session: id(4) });
    let mut entropy = Entropy::from_seed([5; 32]);
    let octets = message.encode(Some(Hiding { secret: b"secret", entropy: &mut entropy }));
    assert_eq!(fault(&octets), Fault::CannotReveal(Attribute::AssignedSessionId), "no secret here");
    let wrong = Reading { secret: Some(b"other"), ..Reading::default() };
    assert!(Message::decode(&octets, &wrong).is_err());
    // Without the vector in front (Message Type has 8 octets, Random Vector 22).
    let without: Vec<_> = octets[..8].iter().chain(&octets[30..]).copied().collect();
    let right = Reading { secret: Some(b"secret"), ..Reading::default() };
    let bad = Message::decode(&without, &right).unwrap_err();
    assert_eq!(bad.fault, Fault::CannotReveal(Attribute::AssignedSessionId));
}

#[test]
fn an_end_is_an_end_whatever_else_is_wrong_with_it() {
    let octets = body(4, &[(9, &[0, 0]), (99, &[1])]);
    let expected = StopCcn {
        assigned_tunnel: None,
        result: StopResult::GeneralRequest,
        error: None,
        message: String::new(),
    };
    assert_eq!(decode(&octets), Message::StopCcn(expected));
    let mut octets = body(14, &[(14, &[0, 3])]);
    octets.extend_from_slice(&[0x80, 99]);
    let Message::Cdn(notice) = decode(&octets) else { panic!() };
    assert_eq!(notice.assigned_session, Some(id(3)));
}

#[test]
fn texts_for_logs_have_neither_nul_at_the_end_nor_control_characters() {
    assert_eq!(printable(b"mac.local\0\0"), "mac.local");
    assert_eq!(printable(b"a\nb\x1b[31m"), "a\u{fffd}b\u{fffd}[31m");
    assert_eq!(printable(&[0xff, b'a']), "\u{fffd}a");
    assert_eq!(printable(b"\0"), "");
}

proptest! {
    #[test]
    fn arbitrary_octets_never_panic(octets in prop::collection::vec(any::<u8>(), 0..200), lenient: bool) {
        let reading = Reading {
            secret: lenient.then_some(b"s".as_slice()),
            ignore_unknown_mandatory_vendor_avps: lenient,
        };
        let _ = Message::decode(&octets, &reading);
    }

    /// A real message with a few octets changed: decoding does not panic, and what it still understands it can
    /// also say.
    #[test]
    fn mutated_messages_never_panic(
        which in 0..14_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        hide: bool,
    ) {
        let mut entropy = Entropy::from_seed([6; 32]);
        let hiding = hide.then_some(Hiding { secret: b"s", entropy: &mut entropy });
        let mut octets = every_message()[which].encode(hiding);
        for (at, octet) in changes {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        let reading = Reading { secret: Some(b"s"), ignore_unknown_mandatory_vendor_avps: true };
        if let Ok(decoded) = Message::decode(&octets, &reading) {
            let again = decoded.message.encode(None);
            prop_assert!(Message::decode(&again, &reading).is_ok());
        }
    }
}

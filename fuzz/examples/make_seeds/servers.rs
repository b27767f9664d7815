//! What servers answer: RADIUS, TACACS+, Kerberos.

use super::write;

/// An answer with these attributes; its authenticator is for the target to set.
fn answer(code: u8, attributes: &[Vec<u8>]) -> Vec<u8> {
    let attributes = attributes.concat();
    let length = 20 + attributes.len() as u16;
    [&[code, 7], &length.to_be_bytes()[..], &[0; 16], &attributes].concat()
}

fn attribute(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, 2 + value.len() as u8], value].concat()
}

fn vendor(vendor: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
    attribute(26, &[&vendor.to_be_bytes()[..], &attributes.concat()].concat())
}

pub(super) fn radius() {
    let general = [
        attribute(8, &[10, 4, 5, 17]),
        attribute(9, &[255, 255, 255, 0]),
        attribute(12, &[0, 0, 5, 0x78]),
        attribute(25, b"OU=sales;"),
        attribute(11, b"inside"),
        attribute(27, &[0, 0, 14, 16]),
        attribute(28, &[0, 0, 1, 44]),
        attribute(85, &[0, 0, 2, 88]),
        attribute(22, b"10.9.0.0/16 10.4.5.17 1"),
        attribute(18, b"Welcome"),
        attribute(80, &[0; 16]),
    ];
    write("radius_answers", "accept", &answer(2, &general));
    let success = [&[1], &b"S=0123456789ABCDEF0123456789ABCDEF01234567"[..]].concat();
    let keys = [&[0x80, 1][..], &[5; 32]].concat();
    let microsoft = [
        vendor(
            311,
            &[attribute(26, &success), attribute(28, &[10, 0, 0, 53]), attribute(30, &[10, 0, 0, 137])],
        ),
        vendor(311, &[attribute(16, &keys), attribute(17, &keys), attribute(7, &[0, 0, 0, 1])]),
        vendor(311, &[attribute(12, &[6; 32]), attribute(8, &[0, 0, 0, 6])]),
    ];
    write("radius_answers", "accept-microsoft", &answer(2, &microsoft));
    let cisco = [vendor(
        3076,
        &[
            attribute(5, &[10, 0, 0, 53]),
            attribute(25, b"sales"),
            attribute(217, b"one two"),
            attribute(2, &[0, 0, 0, 3]),
            attribute(11, &[0, 0, 0, 8]),
        ],
    )];
    write("radius_answers", "accept-cisco", &answer(2, &cisco));
    let error =
        vendor(311, &[attribute(2, b"\x01E=648 R=0 C=00112233445566778899AABBCCDDEEFF V=3 M=expired")]);
    write("radius_answers", "reject", &answer(3, &[error, attribute(18, b"no")]));
    write("radius_answers", "challenge", &answer(11, &[attribute(24, b"state"), attribute(18, b"token?")]));
    write("radius_answers", "proxy-state", &answer(2, &[attribute(33, b"a")]));
    let accept = answer(2, &general);
    let two = [&[20], &accept[..], &accept[..]].concat();
    write("radius_stream", "two", &two);
    write("radius_stream", "half", &two[..two.len() - 7]);
    write("radius_stream", "too-long", &[&[255], &accept[..], &[2, 8, 0x10, 1]].concat());
    let session = [
        attribute(80, &[0; 16]),
        attribute(55, &1_800_000_000u32.to_be_bytes()),
        attribute(44, b"64f00000-0001"),
        attribute(1, b"joe"),
        attribute(4, &[192, 0, 2, 1]),
        attribute(32, b"gate"),
        attribute(33, b"a"),
    ];
    write("radius_dynamic", "disconnect", &answer(40, &session[1..]));
    write("radius_dynamic", "signed", &answer(40, &session));
    let changes = [
        attribute(27, &[0, 0, 14, 16]),
        attribute(28, &[0, 0, 1, 44]),
        attribute(11, b"inside"),
        attribute(25, b"OU=sales;"),
        attribute(24, b"state"),
        vendor(3076, &[attribute(25, b"sales")]),
    ];
    write("radius_dynamic", "change", &answer(43, &[&session[1..], &changes].concat()));
}

/// Answers of each kind, with their bodies as they stand.
pub(super) fn tacacs() {
    let packet = |kind: u8, body: &[u8]| {
        let header = [&[0xc1, kind, 2, 0, 1, 2, 3, 4], &(body.len() as u32).to_be_bytes()[..]].concat();
        [&header, body].concat()
    };
    let authentication = |status: u8, message: &[u8], data: &[u8]| {
        let lengths = [[0, message.len() as u8], [0, data.len() as u8]].concat();
        packet(1, &[&[status, 0], &lengths[..], message, data].concat())
    };
    write("tacacs_packets", "pass", &authentication(1, b"welcome", b""));
    write("tacacs_packets", "fail", &authentication(2, b"no", b""));
    write("tacacs_packets", "error", &authentication(7, b"", b"\x1b[2Jlog\nwords"));
    write("tacacs_packets", "follow", &authentication(0x21, b"", b"192.0.2.1"));
    write("tacacs_packets", "kept", &packet(3, &[0, 0, 0, 0, 1]));
    let arguments = [
        "service=ppp",
        "protocol=ip",
        "addr=10.4.5.17",
        "addr-pool*inside",
        "dns-servers=10.0.0.53 10.0.0.54",
        "wins-servers*10.0.0.137",
        "timeout=60",
        "idletime=5",
        "inacl=inside",
        "route#1=10.9.0.0 255.255.0.0 10.4.5.1",
        "group-policy=sales",
        "callback-line*3",
    ];
    let lengths: Vec<u8> = arguments.iter().map(|argument| argument.len() as u8).collect();
    let fixed = [1, arguments.len() as u8, 0, 0, 0, 0];
    write(
        "tacacs_packets",
        "grant",
        &packet(2, &[&fixed, &lengths[..], arguments.concat().as_bytes()].concat()),
    );
    write("tacacs_packets", "demand", &packet(2, b"\x02\x01\0\0\0\0\x08cmd=show"));
}

/// One element of BER.
pub(super) fn element(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let length = match u8::try_from(content.len()) {
        Ok(short @ ..0x80) => vec![short],
        _ => [&[0x82], &u16::try_from(content.len()).expect("a short element").to_be_bytes()[..]].concat(),
    };
    [&[tag], &length[..], &content].concat()
}

/// Answers of a KDC, what their encrypted parts hold, and a keytab.
pub(super) fn kerberos() {
    let field = |number: u8, content: &[u8]| element(0xa0 | number, &[content]);
    let integer = |value: u8| element(2, &[&[value]]);
    let string = |text: &str| element(0x1b, &[text.as_bytes()]);
    let time = element(0x18, &[b"20260102030405Z"]);
    let name = |kind: u8, parts: &[&str]| {
        let parts: Vec<_> = parts.iter().map(|part| string(part)).collect();
        element(0x30, &[&field(0, &integer(kind)), &field(1, &element(0x30, &[&parts.concat()]))])
    };
    let encrypted = |etype: u8| {
        let cipher = field(2, &element(4, &[&[7; 40]]));
        element(0x30, &[&field(0, &integer(etype)), &field(1, &integer(2)), &cipher])
    };
    let parameters = field(2, &element(4, &[&[0, 0, 16, 0]]));
    let entry = element(0x30, &[&field(0, &integer(18)), &field(1, &string("A.TESTjoe")), &parameters]);
    let info = element(4, &[&element(0x30, &[&entry])]);
    let padata = element(0x30, &[&element(0x30, &[&field(1, &integer(19)), &field(2, &info)])]);
    let (user, service) = (name(1, &["joe"]), name(2, &["krbtgt", "A.TEST"]));
    let realm = string("A.TEST");
    let error = [
        field(0, &integer(5)),
        field(1, &integer(30)),
        field(4, &time),
        field(5, &integer(1)),
        field(6, &integer(25)),
        field(9, &realm),
        field(10, &service),
        field(11, &string("NEEDED_PREAUTH")),
        field(12, &element(4, &[&padata])),
    ];
    write("kerberos_messages", "error", &element(0x7e, &[&element(0x30, &[&error.concat()])]));
    let ticket = [field(0, &integer(5)), field(1, &realm), field(2, &service), field(3, &encrypted(18))];
    let ticket = element(0x61, &[&element(0x30, &[&ticket.concat()])]);
    for (label, kind) in [("as_reply", 11), ("tgs_reply", 13)] {
        let reply = [
            field(0, &integer(5)),
            field(1, &integer(kind)),
            field(2, &padata),
            field(3, &realm),
            field(4, &user),
            field(5, &ticket),
            field(6, &encrypted(20)),
        ];
        write("kerberos_messages", label, &element(0x60 | kind, &[&element(0x30, &[&reply.concat()])]));
    }
    let key = element(0x30, &[&field(0, &integer(18)), &field(1, &element(4, &[&[9; 32]]))]);
    let flags = element(3, &[&[0; 5]]);
    let part = [
        field(0, &key),
        field(1, &element(0x30, &[])),
        field(2, &integer(7)),
        field(4, &flags),
        field(5, &time),
        field(7, &time),
        field(9, &realm),
        field(10, &service),
    ];
    write("kerberos_messages", "reply_part", &element(0x79, &[&element(0x30, &[&part.concat()])]));
    let part = [
        field(0, &flags),
        field(1, &key),
        field(2, &realm),
        field(3, &user),
        field(5, &time),
        field(7, &time),
    ];
    write("kerberos_messages", "ticket_part", &element(0x63, &[&element(0x30, &[&part.concat()])]));
    let entry = [
        &b"\0\x02\0\x06A.TEST\0\x03vpn\0\x04gate\0\0\0\x01\0\0\0\0\x02\0\x12\0\x20"[..],
        &[1; 32],
        &[0, 0, 0, 2],
    ]
    .concat();
    let length = u32::try_from(entry.len()).expect("a short entry").to_be_bytes();
    write("kerberos_messages", "keytab", &[&[5, 2], &length[..], &entry].concat());
}

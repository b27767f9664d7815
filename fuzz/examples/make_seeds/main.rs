//! Writes the seeds whose octets are easier made than typed: `cargo run --example make_seeds` in this folder. The texts
//! among the seeds are written by hand.

mod directories;
mod servers;

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tollgate_l2tp::{
    CallDisconnect, CdnResult, Config, Endpoint, Event, IdSpace, IncomingCall, MAX_DATA_HEADER, Path,
    ProxyAuth, ProxyAuthenType, ProxyLcp, Role, SessionKey, StopResult, TunnelStop,
};
use tollgate_pki::{TrustPolicy, TrustStore};
use tollgate_sansio::Entropy;
use zeroize::Zeroizing;

fn write(target: &str, name: &str, octets: &[u8]) {
    let folder = format!("{}/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
    fs::create_dir_all(&folder).expect("a folder for the seeds");
    fs::write(format!("{folder}/{name}"), octets).expect("a seed can be written");
}

fn main() {
    conversation("clear", false);
    conversation("hidden", true);
    endpoint();
    links();
    packets();
    servers::radius();
    servers::tacacs();
    servers::kerberos();
    directories::ldap();
    directories::smb();
    directories::sdi();
    certificates();
    isakmp();
}

/// One tunnel and one call between two endpoints; every datagram becomes a seed of the codec's targets.
fn conversation(name: &str, hidden: bool) {
    let make = |role, seed| {
        let config = Config {
            shared_secret: hidden.then(|| Zeroizing::new(b"lac secret".to_vec())),
            hide_avps: hidden,
            require_sequencing: hidden,
            ..Config::new(role, "a.example")
        };
        Endpoint::new(config, IdSpace::whole(), Entropy::from_seed([seed; 32]))
    };
    let (mut lac, mut lns) = (make(Role::Lac, 1), make(Role::Lns, 2));
    let now = Instant::now();
    let to_lns = Path {
        local: SocketAddr::from(([198, 51, 100, 7], 1701)),
        remote: SocketAddr::from(([192, 0, 2, 1], 1701)),
        association: None,
    };
    let to_lac = Path { local: to_lns.remote, remote: to_lns.local, association: None };
    let mut number = 0;
    let mut run = |lac: &mut Endpoint, lns: &mut Endpoint| {
        let mut up = None;
        loop {
            let (from_lac, from_lns) = (lac.poll_transmit(), lns.poll_transmit());
            if from_lac.is_none() && from_lns.is_none() {
                break;
            }
            for datagram in [&from_lac, &from_lns].into_iter().flatten().map(|transmit| &transmit.datagram) {
                if datagram.len() > 12 {
                    let choice = if hidden { 5 } else { 0 };
                    write(
                        "l2tp_control_messages",
                        &format!("{name}-{number}"),
                        &[&[choice], &datagram[..]].concat(),
                    );
                    if !hidden {
                        write("l2tp_avps", &format!("{name}-{number}"), &datagram[12..]);
                    }
                    number += 1;
                }
            }
            if let Some(transmit) = from_lac {
                lns.handle_datagram(now, to_lac, &transmit.datagram);
            }
            if let Some(transmit) = from_lns {
                lac.handle_datagram(now, to_lns, &transmit.datagram);
            }
            while let Some(event) = lac.poll_event() {
                if let Event::SessionUp { key, .. } = event {
                    up = Some(key);
                }
            }
        }
        up
    };
    let tunnel = lac.open_tunnel(now, to_lns).expect("a tunnel");
    run(&mut lac, &mut lns);
    let call = IncomingCall {
        serial_number: 7,
        framing_type: 1,
        tx_speed: 64_000,
        calling_number: Some("0301234".to_owned()),
        proxy_lcp: Some(ProxyLcp { last_sent: Some(vec![3, 4, 0xC0, 0x23]), ..ProxyLcp::default() }),
        proxy_auth: Some(ProxyAuth {
            kind: ProxyAuthenType::Pap,
            name: Some(b"joe".to_vec()),
            challenge: None,
            id: Some(1),
            response: Some(b"pwd".to_vec()),
        }),
        ..IncomingCall::default()
    };
    lac.open_session(now, tunnel, call).expect("a call");
    let key: SessionKey = run(&mut lac, &mut lns).expect("the call is up");
    let mut header = [0; MAX_DATA_HEADER];
    let (length, _) = lac.data_header(key, 6, &mut header).expect("a header");
    write("l2tp_data_headers", name, &[&header[..length], b"\xff\x03\x00\x21\x45\x00"].concat());
    lac.close_session(now, key, CallDisconnect::new(CdnResult::Administrative, "done"));
    run(&mut lac, &mut lns);
    lac.handle_timeout(now + Duration::from_secs(61));
    run(&mut lac, &mut lns);
    lac.close_tunnel(now, tunnel, TunnelStop::new(StopResult::GeneralRequest, "done"));
    run(&mut lac, &mut lns);
}

fn avp(attribute: u8, value: &[u8]) -> Vec<u8> {
    [&[0x80, 6 + value.len() as u8, 0, 0, 0, attribute], value].concat()
}

/// A control message as a step of an endpoint's script.
fn message(kind: u8, tunnel: u8, session: u8, avps: &[Vec<u8>]) -> Vec<u8> {
    let avps = avps.concat();
    [&[1, 0, kind, tunnel, session, avps.len() as u8], &avps[..]].concat()
}

fn endpoint() {
    let tunnel_avps = [avp(2, &[1, 0]), avp(3, &[0, 0, 0, 3]), avp(7, b"peer"), avp(9, &[0, 7])];
    let session = avp(14, &[0, 9]);
    let iccn = [avp(24, &[0, 0, 1, 0]), avp(19, &[0, 0, 0, 1])];
    let challenged: Vec<Vec<u8>> = tunnel_avps.iter().cloned().chain([avp(11, &[6; 16])]).collect();
    let call =
        [message(10, 1, 0, &[session.clone(), avp(15, &[0, 0, 0, 1])]), message(12, 1, 1, &iccn)].concat();
    let end = [message(14, 1, 1, &[avp(1, &[0, 3, 0, 0]), session.clone()]), vec![8, 200, 9, 9]].concat();
    let stop = message(4, 1, 0, &[avp(9, &[0, 7]), avp(1, &[0, 6, 0, 0])]);
    let data = [&[7, 0, 2, 0, 0, 0, 4, 0, 0, 0, 0x21][..], &[7, 0, 8, 0, 1, 0, 3, 0xFF, 3, 0xC0]].concat();
    let lns = [message(1, 0, 0, &tunnel_avps), message(3, 1, 0, &[]), call.clone(), data.clone()].concat();
    write("l2tp_endpoint", "lns", &[&[0], &lns[..], &end, &stop].concat());
    write("l2tp_endpoint", "lns-numbered", &[&[8], &lns[..], &[14, 0, 0, 60], &end].concat());
    let proven = [message(1, 0, 0, &challenged), message(0x83, 1, 0, &[]), call].concat();
    write("l2tp_endpoint", "lns-secret", &[&[2], &proven[..], &data, &stop].concat());
    write("l2tp_endpoint", "lns-hidden", &[&[6], &proven[..], &data, &end].concat());
    let lac = [
        vec![10, 0],
        message(2, 1, 0, &tunnel_avps),
        vec![11, 0],
        message(11, 1, 1, std::slice::from_ref(&session)),
        data,
        vec![12, 0, 9, 13, 0, 9],
    ];
    write("l2tp_endpoint", "lac", &[&[1], &lac.concat()[..]].concat());
    write("l2tp_endpoint", "moving", &[&[0], &lns[..], &[15, 0x80, 2, 1, 2, 6, 1, 0, 0, 9, 9, 9]].concat());
    let flood: Vec<u8> = (0..6)
        .flat_map(|number| {
            let mut request = message(1, 0, 0, &tunnel_avps);
            request[1] = number;
            // The last octet is that of the peer's tunnel id: six tunnels, not one asked for six times.
            if let Some(last) = request.last_mut() {
                *last = number + 1;
            }
            request
        })
        .collect();
    write("l2tp_endpoint", "flood", &[&[0], &flood[..], &[9, 9, 8, 255]].concat());
}

/// Steps of a link's script: see `link::Peer::play`.
fn packet(code: u8, identifier: u8, data: &[u8]) -> Vec<u8> {
    [&[0, code, identifier, data.len() as u8], data].concat()
}

fn links() {
    const OWN: u8 = 0xFF;
    const GRANT: u8 = 6;
    const WAIT: u8 = 11;
    let magic = [5, 6, 1, 2, 3, 4];
    for (name, choice) in [("server", 0), ("client", 2)] {
        let up = [packet(1, 1, &[&[1, 4, 5, 0x78, 7, 2, 8, 2], &magic[..]].concat()), vec![GRANT]].concat();
        let talk =
            [packet(9, 3, &[1, 2, 3, 4]), packet(12, 4, b"\x01\x02\x03\x04MSRASV5.20"), vec![WAIT, WAIT]];
        let end = packet(5, 9, &[1, 2, 3, 4, 0, 0x3C, 0xCD, 0x74, 0, 0, 2, 0xB3]);
        write("ppp_lcp", name, &[&[choice], &up[..], &talk.concat(), &end].concat());
        let nak =
            [vec![8, 0, 0, 0], vec![8, 1, 4, 0], packet(7, OWN, &[]), packet(8, 5, &[0x80, 0xFD, 1, 1])];
        write("ppp_lcp", &format!("{name}-refusals"), &[&[choice], &nak.concat()[..], &up].concat());
    }
    let login = packet(1, 7, b"\x05alice\x03pwd");
    write("ppp_pap", "server", &[&[0], &login[..], &[9, 0], &login].concat());
    write("ppp_pap", "server-refused", &[&[0], &login[..], &[9, 1, WAIT], &login].concat());
    write("ppp_pap", "client", &[&[1], &packet(2, OWN, b"\x02hi")[..]].concat());
    write("ppp_pap", "client-refused", &[&[1], &packet(3, OWN, b"\x02no")[..]].concat());
    let md5 = packet(2, OWN, &[&[16], &[7; 16][..], b"joe"].concat());
    let microsoft = packet(2, OWN, &[&[49], &[7; 48][..], &[1], b"ACME\\joe"].concat());
    for (name, choice, response) in [("md5", 0, &md5), ("ms-v1", 1, &microsoft), ("ms-v2", 2, &microsoft)] {
        write("ppp_chap", &format!("server-{name}"), &[&[choice], &response[..], &[9, 0], response].concat());
        write(
            "ppp_chap",
            &format!("server-{name}-again"),
            &[&[choice], &response[..], &[9, 1], response].concat(),
        );
    }
    let change: Vec<u8> = [5, 7, OWN]
        .into_iter()
        .chain([194; 3].into_iter().flat_map(|length| [&[length][..], &[7; 194]].concat()))
        .collect();
    let short = packet(7, OWN, &[7; 200]);
    for (name, decision) in [("changed", 0), ("not-changed", 2), ("expired-again", 4)] {
        let steps = [&microsoft[..], &[9, 4], &short, &change, &change, &[9, decision], &change];
        write("ppp_chap", &format!("server-{name}"), &[&[2], &steps.concat()[..]].concat());
    }
    let challenge = packet(1, 3, &[&[16], &[4; 16][..], b"lns"].concat());
    let expired = packet(4, 3, b"E=648 R=0 C=00112233445566778899AABBCCDDEEFF V=3 M=old");
    let unproven = packet(3, 4, b"S=0123456789ABCDEF0123456789ABCDEF01234567 M=hello");
    let heard = [&challenge[..], &expired, &expired, &[WAIT], &unproven].concat();
    write("ppp_chap", "client-expired", &[&[0x80], &heard[..]].concat());
    let failure = packet(4, 3, b"E=691 R=1 C=00112233445566778899AABBCCDDEEFF V=3 M=no");
    let success = packet(3, 3, b"S=0123456789ABCDEF0123456789ABCDEF01234567 M=hello");
    for (name, choice) in [("md5", 0x80 + 1), ("ms-v1", 0x80 + 2), ("ms-v2", 0x80)] {
        let heard = [&challenge[..], &failure, &challenge, &success].concat();
        write("ppp_chap", &format!("client-{name}"), &[&[choice], &heard[..]].concat());
    }
    let identity = packet(2, OWN, b"\x01alice");
    let response = packet(2, OWN, &[26, 2, 9, 0, 5, 49]);
    let nak = packet(2, OWN, &[3, 26, 4]);
    let rounds =
        [&identity[..], &[9, 0x3A], &nak, &[9, 0x41, WAIT], &response, &[9, 0xE5], &response].concat();
    write("eap_packets", "server", &[&[0], &rounds[..], &[9, 0], &response].concat());
    write("eap_packets", "server-refused", &[&[0], &rounds[..], &[9, 1]].concat());
    write("eap_packets", "server-malformed", &[&[0], &identity[..], &[9, 0x3F]].concat());
    let asked = packet(1, 3, b"\x01who");
    let challenge = packet(1, 4, &[&[26, 1, 9, 0, 24, 16], &[7; 16][..], b"lns"].concat());
    let proof = packet(1, 5, b"\x1a\x03\x09\x00\x2eS=0123456789ABCDEF0123456789ABCDEF01234567");
    let refusal = packet(1, 5, b"\x1a\x04\x09\x00\x0eE=691 R=1");
    let md5 = packet(1, 4, &[&[4, 16], &[7; 16][..]].concat());
    let notice = packet(1, 6, b"\x02hello");
    let expanded = packet(1, 7, &[254, 0, 0, 1, 0, 0, 0, 1]);
    write("eap_packets", "client-ms-v2", &[&[1], &asked[..], &challenge, &challenge, &proof].concat());
    write(
        "eap_packets",
        "client-refused",
        &[&[1], &asked[..], &challenge, &refusal, &packet(4, 5, &[])].concat(),
    );
    write("eap_packets", "client-md5", &[&[1], &notice[..], &expanded, &md5, &packet(3, 4, &[])].concat());
    let sealed = |bits: u8, count: u8| {
        let frame = [&[0xFF, 0x03, 0x00, 0xFD, bits, count][..], &[0x5A; 24]].concat();
        [&[12, frame.len() as u8][..], &frame].concat()
    };
    let reset = packet(14, 3, &[]);
    let flow = [sealed(0x90, 0), sealed(0x90, 1), sealed(0x90, 5), sealed(0x90, 2), reset].concat();
    let again = packet(1, 9, &[18, 6, 1, 0, 0, 0xE0]);
    let loss =
        [sealed(0x10, 0), sealed(0x10, 2), sealed(0x90, 3), sealed(0x90, 255), again, vec![GRANT, WAIT]]
            .concat();
    let refusals = [packet(4, OWN, &[18, 6, 1, 0, 0, 0x40]), packet(5, 4, &[])].concat();
    for (name, choice) in [("required", 0), ("allowed", 1), ("stateful", 2)] {
        write("mppe_packets", name, &[&[choice], &flow[..], &loss].concat());
        write("mppe_packets", &format!("{name}-refused"), &[&[choice], &refusals[..]].concat());
    }
    let address = [3, 6, 0, 0, 0, 0, 129, 6, 0, 0, 0, 0, 130, 6, 0, 0, 0, 0];
    let wanted = [3, 6, 10, 4, 5, 17, 129, 6, 10, 0, 0, 53];
    let ask = [packet(1, 1, &address), packet(1, 2, &wanted), vec![GRANT, WAIT], packet(5, 3, &[])].concat();
    write("ppp_ipcp", "server", &[&[0], &ask[..]].concat());
    write(
        "ppp_ipcp",
        "server-vj",
        &[&[0], &packet(1, 1, &[2, 6, 0, 0x2D, 15, 1, 1, 10, 1, 2, 3, 4, 5, 6, 7, 8])[..]].concat(),
    );
    let give = [vec![8, 0, 0, 6, 0, 0, 10, 4, 5, 17], packet(1, 1, &[3, 6, 10, 4, 0, 1]), vec![GRANT]];
    write("ppp_ipcp", "client", &[&[1], &give.concat()[..]].concat());
    write("ppp_ipcp", "client-rejected", &[&[1, 8, 1, 6, 0], &give.concat()[..]].concat());
    // Every step names its protocol in the upper half: LCP 0, PAP 0x50, CHAP 0x70, IPCP 0x90, any 0xD0.
    let with = |upper: u8, mut step: Vec<u8>| {
        step[0] |= upper;
        step
    };
    let whole = [
        packet(1, 1, &magic),
        vec![GRANT],
        with(0x50, login.clone()),
        vec![0x59, 0],
        with(0x90, packet(1, 1, &wanted)),
        vec![0x96, WAIT, WAIT],
        vec![0xD0, 0x80, 0x57, 1, 1, 0],
        vec![0x0E],
    ]
    .concat();
    write("ppp_link", "server-pap", &[&[12], &whole[..]].concat());
    let chap = [
        packet(1, 1, &magic),
        vec![GRANT],
        with(0x70, microsoft.clone()),
        vec![0x79, 1],
        with(0x70, microsoft),
        vec![0x79, 0, 0x96],
    ]
    .concat();
    write("ppp_link", "server-ms-v2", &[&[0], &chap[..]].concat());
    let proxy =
        [&[2, 3, 1, 3], &b"joe"[..], &[0, 3], b"pwd", &[4, 3, 4, 0xC0, 0x23, 6], &magic, &[0x59, 0, 0x96]];
    write("ppp_link", "server-proxy", &proxy.concat());
    let give = give.map(|step| with(0x90, step)).concat();
    let client = [packet(1, 1, &[3, 4, 0xC0, 0x23]), vec![GRANT], with(0x50, packet(2, OWN, &[0])), give];
    write("ppp_link", "client", &[&[1], &client.concat()[..]].concat());
}

fn packets() {
    let mut syn = vec![0x45, 0, 0, 48, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 4, 5, 17, 10, 0, 0, 9];
    syn.extend([0x9C, 0x40, 1, 0xBB, 0, 0, 0, 1, 0, 0, 0, 0, 0x70, 2, 0xFA, 0xF0, 0x12, 0x34, 0, 0]);
    let even = [&[5, 0x78], &syn[..], &[2, 4, 5, 0xB4, 1, 1, 4, 2]].concat();
    let odd = [&[5, 0x78], &syn[..], &[1, 2, 4, 5, 0xB4, 1, 4, 2]].concat();
    write("tcp_mss", "even", &even);
    write("tcp_mss", "odd", &odd);
    let rules = b"deny tcp any host 10.0.0.9 eq 22\npermit tcp any 10.0.0.0/8 range 443 8443\npermit udp 10.4.0.0 255.255.0.0 any eq 53\npermit icmp any any\n";
    write("access_lists", "tcp", &[&[syn.len() as u8], &syn[..], rules].concat());
    write("access_lists", "long", b"\x01\x45extended permit 47 any4 host 10.0.0.1\ndeny ip any any\n");
}

/// A file of the fixtures of `lns/pki`.
fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/../lns/pki/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read(path).expect("a fixture")
}

/// The DER of a certificate of the fixtures.
fn certificate(name: &str) -> Vec<u8> {
    let mut store = TrustStore::new(TrustPolicy::default());
    store.add_authorities(&fixture(name)).expect("a certificate");
    store.authorities().next().expect("one was added").as_der().to_vec()
}

/// The script of `certificate_payloads`.
fn sent(flags: u8, id: (u8, &[u8]), payloads: &[(u8, &[u8])]) -> Vec<u8> {
    let mut script = vec![flags, id.0, u8::try_from(id.1.len()).expect("a short id")];
    script.extend(id.1);
    for (encoding, data) in payloads {
        script.push(*encoding);
        script.extend(u16::try_from(data.len()).expect("a short payload").to_be_bytes());
        script.extend(*data);
    }
    script
}

fn certificates() {
    let [client, intermediate, server, sha1, below_v1] =
        ["client.pem", "intermediate.pem", "server.pem", "client-sha1.pem", "client-below-v1.pem"]
            .map(certificate);
    let wrapped = fixture("client.p7b");
    let target = "certificate_payloads";
    let email = (3, &b"alice@example.com"[..]);
    write(target, "client", &sent(0, email, &[(4, &client), (4, &intermediate)]));
    write(target, "client-pkcs7", &sent(0, email, &[(1, &wrapped)]));
    write(target, "client-required-list", &sent(4, email, &[(4, &intermediate), (4, &client)]));
    write(target, "client-trusted", &sent(8, (10, b"\x81\x11alice@example.com"), &[(4, &client)]));
    let host = (2, &b"vpn.example.com"[..]);
    write(target, "server", &sent(1, host, &[(7, b"list"), (4, &intermediate), (4, &server)]));
    write(target, "server-trusted", &sent(9, (1, &[192, 0, 2, 1]), &[(4, &server)]));
    let name = b"\x30\x15\x31\x13\x30\x11\x06\x03\x55\x04\x03\x0c\x0aold client";
    write(target, "sha1", &sent(2, (9, name), &[(4, &sha1)]));
    write(target, "version-1", &sent(0, (9, name), &[(4, &below_v1)]));

    let target = "certificate_files";
    let kinds = [
        (0, ["client.pem", "key-client-pkcs1.pem"].map(fixture).concat(), "pem"),
        (0, ["client.pem", "key-client-aes.pem"].map(fixture).concat(), "pem-encrypted"),
        (1, fixture("modern.p12"), "pkcs12-new"),
        (1, fixture("legacy.p12"), "pkcs12-old"),
        (1, fixture("plain.p12"), "pkcs12-open"),
        (2, ["root.pem", "root-v1.pem"].map(fixture).concat(), "authorities"),
        (3, fixture("revoked.crl"), "list"),
    ];
    for (kind, file, name) in kinds {
        write(target, name, &[&[kind], file.as_slice()].concat());
    }
}

/// The scripts of the targets of ISAKMP.
fn isakmp() {
    use tollgate_fuzz::ike::{self, Client};
    use tollgate_ipsec::ikev1::identification::Identification;
    use tollgate_ipsec::ikev1::notify::{Delete, Notification, kind};
    use tollgate_ipsec::ikev1::payload::{Builder, Kind};
    use tollgate_ipsec::ikev1::proposal;
    use tollgate_ipsec::ikev1::selection::{Encapsulation, offer_phase2};

    let sized = |octets: &[u8]| {
        let length = u16::try_from(octets.len()).expect("a short chain");
        [&length.to_be_bytes(), octets].concat()
    };
    let first = Client::first_message();
    let target = "isakmp_messages";
    write(target, "first", &[&[1], sized(&first).as_slice()].concat());
    let mut third = Builder::new();
    third.add(Kind::KeyExchange, &[&[4; 64]]).add(Kind::Nonce, &[&[5; 32]]);
    third.add(Kind::NatDetection, &[&[6; 20]]).add(Kind::NatDetection, &[&[7; 20]]);
    let (kind, chain) = third.chain();
    write(target, "third", &[&[2, 3, 2, kind], sized(chain).as_slice(), &[0, 40]].concat());
    let mut aggressive = Builder::new();
    aggressive.add(Kind::Sa, &[&first[32..32 + usize::from(first[31]) - 4]]);
    aggressive.add(Kind::KeyExchange, &[&[4; 64]]).add(Kind::Nonce, &[&[5; 32]]);
    aggressive.add(Kind::Identification, &[&Identification::key_id(b"DefaultRAGroup").encode()]);
    let (kind, chain) = aggressive.chain();
    write(target, "aggressive", &[&[3, 4, kind], sized(chain).as_slice(), &[2, 0, 200]].concat());

    let target = "isakmp_encrypted";
    let address =
        |text: &str, port| Identification::address(text.parse().expect("an address"), 17, port).encode();
    let mut proof = Builder::new();
    proof.add(Kind::Identification, &[&address("198.51.100.7", 0)]).add(Kind::Hash, &[&[9; 20]]);
    let (kind, chain) = proof.chain();
    write(target, "proof", &[&[0, kind], chain].concat());
    let transforms = offer_phase2(&[ike::set()], Encapsulation::Raw, None, 3600, Some(250_000));
    let mut quick = Builder::new();
    quick
        .add(Kind::Sa, &[&proposal::encode_each(3, &[1, 2, 3, 4], &transforms)])
        .add(Kind::Nonce, &[&[5; 32]]);
    quick.add(Kind::Identification, &[&address("198.51.100.7", 1701)]);
    quick.add(Kind::Identification, &[&address("192.0.2.1", 1701)]);
    let (kind, chain) = quick.chain();
    let begun = [&[1, 0, kind], sized(chain).as_slice()].concat();
    write(target, "quick", &[begun.as_slice(), &[7, 60]].concat());
    for (name, kind, body) in [
        ("delete-esp", Kind::Delete, Delete::Esp(vec![0x0102_0304]).encode()),
        ("alive", Kind::Notification, notification(kind::R_U_THERE)),
        ("initial-contact", Kind::Notification, notification(kind::INITIAL_CONTACT)),
        ("refused", Kind::Notification, notification(kind::NO_PROPOSAL_CHOSEN)),
    ] {
        let mut builder = Builder::new();
        builder.add(kind, &[&body]);
        let (first, chain) = builder.chain();
        write(target, name, &[begun.as_slice(), &[1, first], &sized(chain)].concat());
    }
    fn notification(kind: u16) -> Vec<u8> {
        Notification { kind, protocol: 1, spi: &[7; 16], data: &[0, 0, 0, 1] }.encode()
    }

    write("isakmp_fragments", "in-order", &[7, 0x08, 0, 50, 2, 0, 2, 1, 2, 2, 2, 3, 2, 4]);
    write(
        "isakmp_fragments",
        "reversed-with-strangers",
        &[7, 0x08, 0, 50, 2, 4, 1, 6, 0, 9, 3, 0, 1, 2, 2, 3, 0, 100, 2, 0],
    );
}

use super::*;

#[test]
fn a_batch_arrives_whole_and_answers_leave_from_the_address_that_was_asked() {
    let server = UdpSocket::bind("0.0.0.0:0".parse().unwrap()).unwrap();
    let port = server.local_addr().port();
    let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    for number in 0..3u8 {
        client.send_to(&[number; 3], ("127.0.0.7", port)).unwrap();
    }
    let (mut inbound, mut outbound) = (Inbound::new(), Outbound::new());
    let mut seen = Vec::new();
    while seen.len() < 3 {
        for index in 0..inbound.receive(&server).unwrap() {
            let datagram = inbound.datagram(index).unwrap();
            assert_eq!(datagram.local, SocketAddr::from(([127, 0, 0, 7], port)));
            seen.push(datagram.bytes[0]);
            let (local, remote) = (datagram.local, datagram.remote);
            outbound.push(&server, local, remote, |buffer| {
                buffer[..2].copy_from_slice(b"ok");
                2
            });
        }
    }
    assert_eq!(seen, [0, 1, 2]);
    outbound.flush(&server);
    let mut answer = [0; 80];
    let (length, from) = client.recv_from(&mut answer).unwrap();
    assert_eq!((&answer[..length], from), (&b"ok"[..], SocketAddr::from(([127, 0, 0, 7], port))));
}

#[test]
fn a_run_of_equal_datagrams_arrives_as_so_many_datagrams() {
    for address in ["127.0.0.1:0", "0.0.0.0:0"] {
        let sender = UdpSocket::bind(address.parse().unwrap()).unwrap();
        let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        other.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let local = SocketAddr::from(([127, 0, 0, 1], sender.local_addr().port()));
        let mut outbound = Outbound::new();
        let lengths = [100, 100, 100, 60, 100, 200, 200];
        for length in lengths {
            outbound.push(&sender, local, receiver.local_addr().unwrap(), |buffer| {
                buffer[..length].fill(length as u8);
                length
            });
        }
        outbound.push(&sender, local, other.local_addr().unwrap(), |_| 7);
        outbound.flush(&sender);
        let mut buffer = [0; 2048];
        for length in lengths {
            let (got, from) = receiver.recv_from(&mut buffer).unwrap();
            assert_eq!((got, from), (length, local), "in order, whole, from the right address");
            assert!(buffer[..got].iter().all(|octet| *octet == length as u8));
        }
        assert_eq!(other.recv_from(&mut buffer).unwrap().0, 7);
        assert_eq!(outbound.dropped, 0);
        assert_eq!(outbound.refused, 0, "loopback can segment");
    }
}

#[test]
fn a_peer_that_cannot_be_reached_costs_the_others_nothing() {
    // From the loopback address nothing goes out to the world.
    let sender = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    let local = sender.local_addr();
    let nowhere = SocketAddr::from(([192, 0, 2, 1], 1701));
    let mut outbound = Outbound::new();
    for remote in [nowhere, receiver.local_addr().unwrap()] {
        for _ in 0..3 {
            outbound.push(&sender, local, remote, |buffer| {
                buffer[..9].fill(7);
                9
            });
        }
    }
    outbound.flush(&sender);
    assert_eq!(outbound.dropped, 3);
    let mut buffer = [0; 64];
    for _ in 0..3 {
        assert_eq!(receiver.recv_from(&mut buffer).unwrap().0, 9);
    }
    assert_eq!(outbound.refused, 0, "the next that was cut up went well");
}

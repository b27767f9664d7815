//! Against a server that does what no honest one does.

use md5::{Digest, Md5};
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tollgate_aaa::Secret;

use super::*;
use crate::radius::packet::{Disbelief, HEADER, Key, Required};
use crate::radius::transport::Service;

const SECRET: &[u8] = b"xyzzy5461";

/// An answer without attributes to `request`.
fn answer(code: u8, request: &[u8]) -> Vec<u8> {
    answer_with(code, request[1], &request[4..HEADER], SECRET)
}

fn answer_with(code: u8, identifier: u8, authenticator: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut packet = vec![code, identifier, 0, 20];
    packet.extend_from_slice(authenticator);
    let digest = Md5::new().chain_update(&packet).chain_update(secret).finalize();
    packet[4..HEADER].copy_from_slice(&digest);
    packet
}

fn request() -> Vec<u8> {
    let mut packet = vec![1, 0, 0, 38];
    packet.extend_from_slice(&[7; 16]);
    packet.extend_from_slice(&[80, 18]);
    packet.extend_from_slice(&[0; 16]);
    packet
}

struct Lab {
    server: UdpSocket,
    transport: Arc<Datagrams>,
    counters: Arc<Counters>,
}

impl Lab {
    async fn new(service: Service, timeout: Duration, retry_interval: Duration) -> Self {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let settings = Settings {
            host: "127.0.0.1".to_owned(),
            port: server.local_addr().unwrap().port(),
            timeout,
            retry_interval,
        };
        let counters = Arc::new(Counters::default());
        let key = Arc::new(Key::new(Secret::from(SECRET)));
        let peer = Peer::new(service, key, Required::Nothing, Arc::clone(&counters), Handle::current());
        let transport = Datagrams::new(settings, Arc::new(peer));
        Self { server, transport, counters }
    }

    async fn quick(service: Service) -> Self {
        Self::new(service, Duration::from_secs(5), Duration::from_millis(200)).await
    }

    fn ask(&self) -> tokio::task::JoinHandle<Result<Vec<u8>, Silence>> {
        let transport = Arc::clone(&self.transport);
        let mut authenticator = [7; 16];
        authenticator[0] = rand();
        authenticator[1] = rand();
        let mut request = request();
        request[4..HEADER].copy_from_slice(&authenticator);
        tokio::spawn(async move { transport.ask(request, authenticator).await })
    }

    async fn receive(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = vec![0; 4096];
        let (length, from) = tokio::time::timeout(Duration::from_secs(5), self.server.recv_from(&mut buffer))
            .await
            .expect("a datagram")
            .unwrap();
        buffer.truncate(length);
        (buffer, from)
    }

    async fn send(&self, packet: &[u8], to: SocketAddr) {
        self.server.send_to(packet, to).await.unwrap();
    }
}

/// Different each time; nothing here needs to be unguessable.
fn rand() -> u8 {
    static NEXT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test]
async fn a_retransmission_has_the_same_identifier_and_octets() {
    let lab = Lab::quick(Service::Authentication).await;
    let asked = lab.ask();
    let (first, _) = lab.receive().await;
    let (second, from) = lab.receive().await;
    assert_eq!(first, second);
    lab.send(&answer(2, &second), from).await;
    assert_eq!(asked.await.unwrap().unwrap(), answer(2, &second));
    assert_eq!(lab.counters.values().retransmissions, 1);
}

#[tokio::test]
async fn forged_malformed_and_foreign_answers_are_ignored_and_counted() {
    let lab = Lab::new(Service::Authentication, Duration::from_secs(5), Duration::from_secs(5)).await;
    let asked = lab.ask();
    let (request, from) = lab.receive().await;
    // Another key; another request's authenticator; a bit changed on the way.
    lab.send(&answer_with(2, request[1], &request[4..HEADER], b"guess"), from).await;
    lab.send(&answer_with(2, request[1], &[9; 16], SECRET), from).await;
    let mut changed = answer(3, &request);
    changed[0] = 2;
    lab.send(&changed, from).await;
    // Identifier that nobody uses.
    lab.send(&answer_with(2, request[1].wrapping_add(1), &request[4..HEADER], SECRET), from).await;
    // No RADIUS at all, truncated, our own request sent back, an accounting answer.
    lab.send(b"", from).await;
    lab.send(b"GET / HTTP/1.0\r\n\r\n", from).await;
    lab.send(&answer(2, &request)[..19], from).await;
    lab.send(&request, from).await;
    lab.send(&answer(5, &request), from).await;
    // Right in every octet, but from another address.
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    stranger.send_to(&answer(2, &request), from).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!asked.is_finished(), "something was believed");

    lab.send(&answer(3, &request), from).await;
    assert_eq!(asked.await.unwrap().unwrap(), answer(3, &request));
    // Twice is once too many.
    lab.send(&answer(3, &request), from).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let counters = lab.counters.values();
    assert_eq!((counters.bad_authenticators, counters.unexpected, counters.malformed), (3, 2, 5));
}

#[tokio::test]
async fn silence_says_what_was_not_believed() {
    let lab = Lab::new(Service::Authentication, Duration::from_millis(300), Duration::from_secs(5)).await;
    let asked = lab.ask();
    let (request, from) = lab.receive().await;
    lab.send(&answer_with(2, request[1], &request[4..HEADER], b"guess"), from).await;
    let silence = asked.await.unwrap().unwrap_err();
    assert!(matches!(silence, Silence::Disbelieved { disbelief: Disbelief::Authenticator, .. }), "{silence}");
    assert!(silence.to_string().contains("another key, or forged"), "{silence}");
}

#[tokio::test]
async fn a_late_answer_finds_nobody_and_its_identifier_rests() {
    let lab = Lab::new(Service::Authentication, Duration::from_millis(200), Duration::from_secs(5)).await;
    let asked = lab.ask();
    let (late, from) = lab.receive().await;
    assert!(matches!(asked.await.unwrap(), Err(Silence::NoAnswer { datagrams: 1, .. })));
    // More questions than a socket has identifiers: the resting one is not among them on that socket.
    let others: Vec<_> = (0..256).map(|_| lab.ask()).collect();
    for _ in 0..256 {
        let (request, to) = lab.receive().await;
        assert!(to != from || request[1] != late[1], "the identifier was used again");
        lab.send(&answer(3, &request), to).await;
    }
    for other in others {
        assert!(other.await.unwrap().is_ok());
    }
    lab.send(&answer(2, &late), from).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(lab.counters.values().unexpected, 1);
}

#[tokio::test]
async fn sockets_are_added_as_questions_pile_up_and_each_answer_finds_its_own() {
    let lab = Lab::quick(Service::Authentication).await;
    let asked: Vec<_> = (0..1000).map(|_| lab.ask()).collect();
    let mut waiting = std::collections::HashMap::new();
    while waiting.len() < 1000 {
        let (request, from) = lab.receive().await;
        waiting.insert((from, request[1]), request);
    }
    let sockets: std::collections::HashSet<_> = waiting.keys().map(|(from, _)| *from).collect();
    assert_eq!(sockets.len(), 4);
    assert_eq!(lab.transport.current_pool().unwrap().sockets(), 4);
    for ((from, _), request) in &waiting {
        lab.send(&answer(2, request), *from).await;
    }
    for asked in asked {
        assert!(asked.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_gives_its_identifier_back() {
    let lab = Lab::quick(Service::Authentication).await;
    let asked = lab.ask();
    let (request, from) = lab.receive().await;
    asked.abort();
    let _ = asked.await;
    lab.send(&answer(2, &request), from).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(lab.counters.values().unexpected, 1);
}

/// RFC 2866 section 4.1: a changed Acct-Delay-Time is another packet, hence another identifier; the server's
/// acknowledgement of the earlier form counts as well.
#[tokio::test]
async fn a_record_sent_again_has_a_new_identifier_and_either_acknowledgement_counts() {
    let lab = Lab::new(Service::Accounting, Duration::from_secs(10), Duration::from_millis(1100)).await;
    let transport = Arc::clone(&lab.transport);
    let told = tokio::spawn(async move {
        let begun = SystemTime::now();
        let delay = move |now: SystemTime| now.duration_since(begun).unwrap().as_secs() as u32;
        let build = move |now: SystemTime| {
            let mut packet = vec![1, 0, 0, 26];
            packet.extend_from_slice(&[0; 16]);
            packet.extend_from_slice(&[41, 6]);
            packet.extend_from_slice(&delay(now).to_be_bytes());
            Ok::<_, Silence>(packet)
        };
        transport.tell(delay, build).await
    });
    let (first, from) = lab.receive().await;
    let (second, _) = lab.receive().await;
    assert_eq!((first[0], second[0]), (4, 4));
    assert_ne!(first[1], second[1]);
    assert_eq!((first[25], second[25]), (0, 1));
    lab.send(&answer(5, &first), from).await;
    assert_eq!(told.await.unwrap(), Ok(()));
    assert_eq!(lab.counters.values().retransmissions, 1);
}

/// With the same delay it is the same packet, and with a forged acknowledgement it is not acknowledged.
#[tokio::test]
async fn a_record_unchanged_keeps_its_identifier_and_only_a_signed_acknowledgement_counts() {
    let lab = Lab::new(Service::Accounting, Duration::from_secs(5), Duration::from_millis(200)).await;
    let transport = Arc::clone(&lab.transport);
    let told = tokio::spawn(async move {
        let build = |_| {
            let mut packet = vec![1, 0, 0, 20];
            packet.extend_from_slice(&[0; 16]);
            Ok::<_, Silence>(packet)
        };
        transport.tell(|_| 0, build).await
    });
    let (first, from) = lab.receive().await;
    lab.send(&answer_with(5, first[1], &first[4..HEADER], b"guess"), from).await;
    let (second, _) = lab.receive().await;
    assert_eq!(first, second);
    assert!(!told.is_finished());
    lab.send(&answer(5, &second), from).await;
    assert_eq!(told.await.unwrap(), Ok(()));
    assert_eq!(lab.counters.values().bad_authenticators, 1);
}

/// The whole path, both ends on one machine: socket, two wake-ups and all. Printed for `--nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_questions_take_a_few_seconds_at_most() {
    let lab = Lab::quick(Service::Authentication).await;
    let begun = std::time::Instant::now();
    let server = async {
        let mut buffer = [0; 4096];
        for _ in 0..10_000 {
            let (length, from) = lab.server.recv_from(&mut buffer).await.unwrap();
            lab.send(&answer(2, &buffer[..length]), from).await;
        }
    };
    let askers: Vec<_> = (0..64)
        .map(|_| {
            let transport = Arc::clone(&lab.transport);
            tokio::spawn(async move {
                for _ in 0..157 {
                    transport.ask(request(), [7; 16]).await.unwrap();
                }
            })
        })
        .collect();
    let asked = async {
        for asker in askers {
            asker.await.unwrap();
        }
    };
    tokio::select! { () = server => {}, () = asked => {} }
    let took = begun.elapsed();
    println!("{:?} for each question", took / 10_000);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

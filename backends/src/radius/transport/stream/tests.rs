//! Against servers that do what no honest one does.

use md5::{Digest, Md5};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tollgate_aaa::Secret;

use super::*;
use crate::radius::packet::{HEADER, Key, Required};
use crate::radius::transport::Service;

const SECRET: &[u8] = b"xyzzy5461";

/// An answer without attributes to `request`.
fn answer(code: u8, request: &[u8]) -> Vec<u8> {
    answer_with(code, request, SECRET)
}

fn answer_with(code: u8, request: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut packet = vec![code, request[1], 0, 20];
    packet.extend_from_slice(&request[4..HEADER]);
    let digest = Md5::new().chain_update(&packet).chain_update(secret).finalize();
    packet[4..HEADER].copy_from_slice(&digest);
    packet
}

struct Lab {
    server: TcpListener,
    streams: Arc<Streams>,
    counters: Arc<Counters>,
}

impl Lab {
    async fn new(service: Service, timeout: Duration) -> Self {
        Self::that_requires(Required::Nothing, service, timeout).await
    }

    async fn that_requires(required: Required, service: Service, timeout: Duration) -> Self {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = Settings {
            host: "127.0.0.1".to_owned(),
            port: server.local_addr().unwrap().port(),
            timeout,
            retry_interval: Duration::from_millis(10),
        };
        let counters = Arc::new(Counters::default());
        let key = Arc::new(Key::new(Secret::from(SECRET)));
        let peer = Peer::new(service, key, required, Arc::clone(&counters), Handle::current());
        Self { server, streams: Streams::new(settings, None, Arc::new(peer)), counters }
    }

    async fn usual() -> Self {
        Self::new(Service::Authentication, Duration::from_secs(5)).await
    }

    fn ask(&self) -> JoinHandle<Result<Vec<u8>, Silence>> {
        static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut authenticator = [7; 16];
        authenticator[..2].copy_from_slice(&number.to_be_bytes());
        let mut request = vec![1, 0, 0, 38];
        request.extend_from_slice(&authenticator);
        request.extend_from_slice(&[80, 18]);
        request.extend_from_slice(&[0; 16]);
        let streams = Arc::clone(&self.streams);
        tokio::spawn(async move { streams.ask(request, authenticator).await })
    }

    async fn accept(&self) -> TcpStream {
        let accepted = tokio::time::timeout(Duration::from_secs(5), self.server.accept()).await;
        accepted.expect("a connection").unwrap().0
    }

    async fn nobody_connects(&self) {
        let accepted = tokio::time::timeout(Duration::from_millis(300), self.server.accept()).await;
        assert!(accepted.is_err(), "a connection too many");
    }
}

async fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut packet = vec![0; HEADER];
    let reading = async {
        stream.read_exact(&mut packet).await.unwrap();
        let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        packet.resize(length, 0);
        stream.read_exact(&mut packet[HEADER..]).await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(5), reading).await.expect("a packet");
    packet
}

/// The other side has closed it.
async fn closed(stream: &mut TcpStream) {
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0; 100])).await;
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "still open: {read:?}");
}

fn unavailable(result: Result<Vec<u8>, Silence>) -> Unavailable {
    match result {
        Err(Silence::Stream(unavailable)) => unavailable,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn answers_find_their_questions_in_any_order_and_in_any_pieces() {
    let lab = Lab::usual().await;
    let asked: Vec<_> = (0..3).map(|_| lab.ask()).collect();
    let mut stream = lab.accept().await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(answer(2, &receive(&mut stream).await));
    }
    answers.reverse();
    for octet in answers.concat() {
        stream.write_all(&[octet]).await.unwrap();
        tokio::task::yield_now().await;
    }
    for asked in asked {
        let got = asked.await.unwrap().unwrap();
        assert!(answers.contains(&got));
    }
    // All together, on the same connection.
    let asked: Vec<_> = (0..3).map(|_| lab.ask()).collect();
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.extend(answer(3, &receive(&mut stream).await));
    }
    stream.write_all(&answers).await.unwrap();
    for asked in asked {
        assert!(asked.await.unwrap().is_ok());
    }
    assert_eq!(lab.counters.values().retransmissions, 0);
}

#[tokio::test]
async fn nothing_is_sent_twice_on_a_stream_and_silence_gives_the_stream_up() {
    let lab = Lab::new(Service::Authentication, Duration::from_millis(600)).await;
    let asked = lab.ask();
    let mut stream = lab.accept().await;
    receive(&mut stream).await;
    let why = unavailable(asked.await.unwrap());
    assert_eq!(why.layer, Layer::Connection);
    assert!(why.why.contains("did not answer within"), "{why}");
    closed(&mut stream).await;
    let asked = lab.ask();
    let mut stream = lab.accept().await;
    let request = receive(&mut stream).await;
    stream.write_all(&answer(2, &request)).await.unwrap();
    assert!(asked.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_stream_that_dies_under_questions_moves_them_to_a_new_one() {
    let lab = Lab::usual().await;
    let asked: Vec<_> = (0..50).map(|_| lab.ask()).collect();
    let mut first = lab.accept().await;
    let request = receive(&mut first).await;
    first.write_all(&answer(2, &request)).await.unwrap();
    for _ in 1..50 {
        receive(&mut first).await;
    }
    drop(first);
    let mut second = lab.accept().await;
    for _ in 0..49 {
        let request = receive(&mut second).await;
        second.write_all(&answer(2, &request)).await.unwrap();
    }
    for asked in asked {
        assert!(asked.await.unwrap().is_ok());
    }
    lab.nobody_connects().await;
    assert_eq!(lab.counters.values().retransmissions, 49);
}

#[tokio::test]
async fn a_question_that_ends_every_stream_is_given_up() {
    let lab = Lab::usual().await;
    let asked = lab.ask();
    for _ in 0..MOST_TIMES {
        let mut stream = lab.accept().await;
        receive(&mut stream).await;
    }
    let why = unavailable(asked.await.unwrap());
    assert_eq!(why.layer, Layer::Connection);
    assert!(why.why.contains("does it know this client?"), "{why}");
    lab.nobody_connects().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_at_once_and_not_stormed() {
    let lab = Lab::usual().await;
    let streams = Arc::clone(&lab.streams);
    drop(lab);
    let begun = Instant::now();
    let mut askers = Vec::new();
    for _ in 0..200 {
        let streams = Arc::clone(&streams);
        askers.push(tokio::spawn(async move { streams.ask(vec![1, 0, 0, 20], [0; 16]).await }));
    }
    for asker in askers {
        let why = unavailable(asker.await.unwrap());
        assert_eq!(why.layer, Layer::Connection);
        assert!(why.why.contains("cannot connect"), "{why}");
    }
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(streams.ways().pause(Instant::now()).is_some());
}

/// RFC 6613 section 2.6.4.
#[tokio::test]
async fn whatever_is_no_packet_ends_the_stream_and_other_questions_go_on() {
    type Spoil = fn(&[u8]) -> Vec<u8>;
    let ways: [(&str, Spoil); 7] = [
        ("length 19", |_| vec![2, 0, 0, 19]),
        ("length 4097", |_| vec![2, 0, 0x10, 1]),
        ("length 0", |_| vec![2, 0, 0, 0]),
        ("another protocol", |_| b"HTTP/1.0 400 Bad Request\r\n\r\n".to_vec()),
        ("attribute of length 1", |request| {
            let mut packet = answer(2, request);
            packet[3] = 22;
            packet.extend([18, 1]);
            packet
        }),
        ("attribute beyond the end", |request| {
            let mut packet = answer(2, request);
            packet[3] = 22;
            packet.extend([18, 3]);
            packet
        }),
        ("octets between packets", |request| [&[0; 5][..], &answer(2, request)].concat()),
    ];
    for (what, spoil) in ways {
        let lab = Lab::usual().await;
        let first = lab.ask();
        let mut stream = lab.accept().await;
        let request = receive(&mut stream).await;
        stream.write_all(&answer(2, &request)).await.unwrap();
        assert!(first.await.unwrap().is_ok());
        let asked = [lab.ask(), lab.ask()];
        let request = receive(&mut stream).await;
        receive(&mut stream).await;
        stream.write_all(&spoil(&request)).await.unwrap();
        closed(&mut stream).await;
        let mut stream = lab.accept().await;
        for _ in 0..2 {
            let request = receive(&mut stream).await;
            stream.write_all(&answer(2, &request)).await.unwrap();
        }
        for asked in asked {
            assert!(asked.await.unwrap().is_ok(), "{what}");
        }
        assert_eq!(lab.counters.values().malformed, 1, "{what}");
    }
}

#[tokio::test]
async fn a_server_of_another_protocol_is_told_from_one_that_is_down() {
    let lab = Lab::usual().await;
    let asked = lab.ask();
    let mut stream = lab.accept().await;
    stream.write_all(b"220 mail.example.net ESMTP\r\n").await.unwrap();
    let why = unavailable(asked.await.unwrap());
    assert_eq!(why.layer, Layer::Protocol);
    assert!(why.why.contains("no RADIUS packet"), "{why}");
    let why = unavailable(lab.ask().await.unwrap());
    assert_eq!(why.layer, Layer::Protocol, "not tried again so soon");
}

#[tokio::test]
async fn a_server_that_ends_half_way_through_an_answer_is_a_matter_of_the_protocol() {
    let lab = Lab::usual().await;
    let asked = lab.ask();
    for _ in 0..MOST_TIMES {
        let mut stream = lab.accept().await;
        let request = receive(&mut stream).await;
        stream.write_all(&answer(2, &request)[..19]).await.unwrap();
    }
    assert_eq!(unavailable(asked.await.unwrap()).layer, Layer::Protocol);
}

#[tokio::test]
async fn an_answer_by_another_key_is_a_matter_of_the_secret_and_ends_the_stream() {
    let lab = Lab::usual().await;
    let asked = [lab.ask(), lab.ask()];
    let mut stream = lab.accept().await;
    let request = receive(&mut stream).await;
    receive(&mut stream).await;
    stream.write_all(&answer_with(2, &request, b"guess")).await.unwrap();
    closed(&mut stream).await;
    // The other question is asked again.
    let mut stream = lab.accept().await;
    let request = receive(&mut stream).await;
    stream.write_all(&answer(2, &request)).await.unwrap();
    let mut failures = 0;
    for asked in asked {
        if let Err(Silence::Stream(why)) = asked.await.unwrap() {
            assert_eq!(why.layer, Layer::Secret);
            assert!(why.why.contains("another key, or forged"), "{why}");
            failures += 1;
        }
    }
    assert_eq!((failures, lab.counters.values().bad_authenticators), (1, 1));
}

#[tokio::test]
async fn an_answer_without_the_message_authenticator_that_is_required_is_not_believed() {
    let lab =
        Lab::that_requires(Required::MessageAuthenticator, Service::Authentication, Duration::from_secs(5));
    let lab = lab.await;
    let asked = lab.ask();
    let mut stream = lab.accept().await;
    let request = receive(&mut stream).await;
    stream.write_all(&answer(2, &request)).await.unwrap();
    let why = unavailable(asked.await.unwrap());
    assert_eq!(why.layer, Layer::Secret);
    assert!(why.why.contains("no Message-Authenticator"), "{why}");
}

#[tokio::test]
async fn late_answers_and_those_that_nobody_asked_for_are_counted_and_no_more() {
    let lab = Lab::usual().await;
    let first = lab.ask();
    let mut stream = lab.accept().await;
    let left = receive(&mut stream).await;
    first.abort();
    let _ = first.await;
    let asked = lab.ask();
    let request = receive(&mut stream).await;
    assert_ne!(left[1], request[1], "an identifier is not used again before its answer");
    let mut foreign = answer(2, &request);
    foreign[1] = 200;
    // Late; twice; for nobody; of a kind that is no answer.
    stream.write_all(&answer(2, &left)).await.unwrap();
    stream.write_all(&answer(2, &left)).await.unwrap();
    stream.write_all(&foreign).await.unwrap();
    stream.write_all(&answer(5, &request)).await.unwrap();
    stream.write_all(&answer(2, &request)).await.unwrap();
    assert_eq!(asked.await.unwrap().unwrap(), answer(2, &request));
    let counters = lab.counters.values();
    assert_eq!((counters.unexpected, counters.malformed, counters.bad_authenticators), (3, 1, 0));
}

#[tokio::test]
async fn a_server_that_talks_without_being_asked_is_left() {
    let lab = Lab::usual().await;
    let asked = lab.ask();
    let mut stream = lab.accept().await;
    let mut request = receive(&mut stream).await;
    request[1] = 99;
    let chatter = answer(2, &request).repeat(2000);
    let _ = stream.write_all(&chatter).await;
    assert_eq!(unavailable(asked.await.unwrap()).layer, Layer::Protocol);
    closed(&mut stream).await;
}

#[tokio::test]
async fn more_questions_than_one_stream_has_identifiers_take_a_few_streams() {
    let lab = Lab::usual().await;
    let asked: Vec<_> = (0..2000).map(|_| lab.ask()).collect();
    let serving = async {
        let mut streams = Vec::new();
        let all_full = Arc::new(tokio::sync::Barrier::new(MOST));
        for _ in 0..MOST {
            let mut stream = lab.accept().await;
            let all_full = Arc::clone(&all_full);
            streams.push(tokio::spawn(async move {
                // Nothing is answered before every stream is full.
                let mut waiting = Vec::new();
                for _ in 0..IDENTIFIERS {
                    waiting.push(receive(&mut stream).await);
                }
                all_full.wait().await;
                loop {
                    for request in waiting.drain(..) {
                        stream.write_all(&answer(2, &request)).await.unwrap();
                    }
                    let mut header = [0; 38];
                    if stream.read_exact(&mut header).await.is_err() {
                        return;
                    }
                    waiting.push(header.to_vec());
                }
            }));
        }
        for asked in asked {
            assert!(asked.await.unwrap().is_ok());
        }
    };
    tokio::time::timeout(Duration::from_secs(10), serving).await.unwrap();
    assert_eq!(lab.streams.ways().count(), MOST);
    lab.nobody_connects().await;
}

#[tokio::test]
async fn a_server_that_grants_one_connection_gets_one() {
    let lab = Lab::usual().await;
    let asked: Vec<_> = (0..600).map(|_| lab.ask()).collect();
    let mut stream = lab.accept().await;
    let request = receive(&mut stream).await;
    stream.write_all(&answer(2, &request)).await.unwrap();
    let one = async {
        loop {
            let mut request = [0; 38];
            stream.read_exact(&mut request).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
            stream.write_all(&answer(2, &request)).await.unwrap();
        }
    };
    let refused = std::sync::atomic::AtomicUsize::new(0);
    let others = async {
        loop {
            drop(lab.server.accept().await.unwrap());
            refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    };
    let all = async {
        for asked in asked {
            let result = asked.await.unwrap();
            assert!(result.is_ok(), "{result:?}");
        }
    };
    tokio::select! { () = one => {}, () = others => {}, () = all => {} }
    let refused = refused.into_inner();
    assert!((1..=2).contains(&refused), "{refused} more were tried");
}

#[tokio::test]
async fn a_second_stream_that_is_refused_turns_nobody_away_while_the_first_is_busy() {
    let lab = Lab::usual().await;
    let mut asked: Vec<_> = (0..IDENTIFIERS).map(|_| lab.ask()).collect();
    let mut first = lab.accept().await;
    let mut waiting = Vec::new();
    for _ in 0..IDENTIFIERS {
        waiting.push(receive(&mut first).await);
    }
    // No answer has come yet: nothing says that the first stream is any better than the one refused here.
    asked.push(lab.ask());
    drop(lab.accept().await);
    tokio::time::sleep(Duration::from_millis(20)).await;
    asked.extend((0..9).map(|_| lab.ask()));
    tokio::time::sleep(Duration::from_millis(20)).await;
    for request in waiting {
        first.write_all(&answer(2, &request)).await.unwrap();
    }
    for _ in 0..10 {
        let request = receive(&mut first).await;
        first.write_all(&answer(2, &request)).await.unwrap();
    }
    for asked in asked {
        let result = asked.await.unwrap();
        assert!(result.is_ok(), "{result:?}");
    }
}

#[tokio::test]
async fn a_record_is_told_again_under_a_new_delay_where_the_stream_died() {
    let lab = Lab::new(Service::Accounting, Duration::from_secs(5)).await;
    let streams = Arc::clone(&lab.streams);
    let told = tokio::spawn(async move {
        let times = std::sync::atomic::AtomicU8::new(0);
        let build = move |_| {
            let mut packet = vec![1, 0, 0, 26];
            packet.extend_from_slice(&[0; 16]);
            packet.extend([41, 6, 0, 0, 0, times.fetch_add(1, std::sync::atomic::Ordering::Relaxed)]);
            Ok::<_, Silence>(packet)
        };
        streams.tell(build).await
    });
    let mut stream = lab.accept().await;
    assert_eq!(receive(&mut stream).await[25], 0);
    drop(stream);
    let mut stream = lab.accept().await;
    let second = receive(&mut stream).await;
    assert_eq!((second[0], second[25]), (4, 1));
    stream.write_all(&answer(5, &second)).await.unwrap();
    assert_eq!(told.await.unwrap(), Ok(()));
}

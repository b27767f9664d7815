//! The way to the KDC (RFC 4120 section 7.2): UDP while question and answer are short, else TCP.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};
use tollgate_aaa::{Counters, Layer, Unavailable};

use super::der::Malformed;
use super::messages::Answer;
use super::refusal::RESPONSE_TOO_BIG;
use crate::net::Endpoint;

/// A datagram that is fragmented may well be lost.
const LONGEST_DATAGRAM: usize = 1400;
/// Octets of an answer over TCP at most; tickets of Active Directory name every group of a user.
const LONGEST_ANSWER: usize = 256 * 1024;
/// Until the first datagram is sent again; each wait after it is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// How a KDC is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// By UDP, and by TCP what does not fit or is not answered.
    #[default]
    Auto,
    /// By TCP alone.
    Tcp,
}

/// One KDC.
pub(super) struct Kdc {
    pub(super) endpoint: Endpoint,
    pub(super) address: String,
    pub(super) transport: Transport,
}

type Decode = fn(&[u8]) -> Result<Answer, Malformed>;

impl Kdc {
    /// Sends a question and gives its answer.
    pub(super) async fn ask(
        &self,
        question: &[u8],
        decode: Decode,
        deadline: Instant,
        counters: &Counters,
    ) -> Result<Answer, Unavailable> {
        let mut silence = None;
        if self.transport == Transport::Auto && question.len() <= LONGEST_DATAGRAM {
            match self.by_datagram(question, decode, deadline, counters).await? {
                Ok(Answer::Error(error)) if error.code == RESPONSE_TOO_BIG => {}
                Ok(answer) => return Ok(answer),
                Err(why) => silence = Some(why),
            }
        }
        self.by_stream(question, decode, deadline, counters).await.map_err(|unavailable| match silence {
            // A firewall may let only one of them through: then both have something to say.
            Some(silence) => {
                let why = format!("{silence}; {}", unavailable.why);
                Unavailable::new(unavailable.layer, why)
            }
            None => unavailable,
        })
    }

    /// The inner error says why UDP has no answer, in half the time that is left.
    async fn by_datagram(
        &self,
        question: &[u8],
        decode: Decode,
        deadline: Instant,
        counters: &Counters,
    ) -> Result<Result<Answer, String>, Unavailable> {
        let addresses = self.endpoint.addresses(deadline).await?;
        let now = Instant::now();
        let until = now + deadline.saturating_duration_since(now) / 2;
        let mut why = format!("{} did not answer over UDP", self.address);
        let mut wait = FIRST_WAIT;
        // An answer that comes late comes to the socket that asked, so each address has one as long as we ask.
        let mut sockets: Vec<Option<UdpSocket>> = addresses.iter().map(|_| None).collect();
        let mut refused = 0;
        let mut answer = vec![0; 65_536];
        for (turn, (address, number)) in addresses.iter().zip(0usize..).cycle().enumerate() {
            if Instant::now() >= until {
                break;
            }
            let Some(slot) = sockets.get_mut(number) else { break };
            if slot.is_none() {
                *slot = connected(*address).await.ok();
            }
            let Some(socket) = slot else {
                refused += 1;
                if refused >= addresses.len() {
                    break;
                }
                continue;
            };
            if turn >= addresses.len() {
                Counters::count(&counters.retransmissions);
            }
            let again = until.min(Instant::now() + wait);
            wait *= 2;
            let received = async {
                socket.send(question).await?;
                loop {
                    let length = socket.recv(&mut answer).await?;
                    match decode(answer.get(..length).unwrap_or_default()) {
                        Ok(answer) => return Ok::<_, std::io::Error>(answer),
                        // Anybody can send a datagram; the right one may still come.
                        Err(error) => {
                            Counters::count(&counters.malformed);
                            why = format!("{} answered over UDP with {error}", self.address);
                        }
                    }
                }
            };
            match timeout_at(again, received).await {
                Ok(Ok(answer)) => return Ok(Ok(answer)),
                Ok(Err(error)) => {
                    why = format!("{} over UDP: {error}", self.address);
                    *slot = None;
                    refused += 1;
                    if refused >= addresses.len() {
                        break;
                    }
                }
                Err(_) => {}
            }
        }
        Ok(Err(why))
    }

    async fn by_stream(
        &self,
        question: &[u8],
        decode: Decode,
        deadline: Instant,
        counters: &Counters,
    ) -> Result<Answer, Unavailable> {
        let mut stream = self.endpoint.connect(deadline).await?;
        let exchange = async {
            // Section 7.2.2: four octets of length, the first bit zero.
            let length = u32::try_from(question.len()).unwrap_or(u32::MAX);
            stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
            let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
            if length > LONGEST_ANSWER {
                return Ok(Err("it announces an answer that is too long".to_owned()));
            }
            let mut answer = vec![0; length];
            stream.read_exact(&mut answer).await?;
            Ok::<_, std::io::Error>(decode(&answer).map_err(|error| format!("it answers with {error}")))
        };
        let server = &self.address;
        match timeout_at(deadline, exchange).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(what))) => {
                Counters::count(&counters.malformed);
                Err(Unavailable::new(Layer::Protocol, format!("{server}: {what}")))
            }
            Ok(Err(error)) => {
                Err(Unavailable::new(Layer::Protocol, format!("{server} ended the connection: {error}")))
            }
            Err(_) => Err(Unavailable::new(
                Layer::Connection,
                format!("{server} took the connection and did not answer within the timeout"),
            )),
        }
    }
}

async fn connected(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let local: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(address).await?;
    Ok(socket)
}

//! A stream with packets on it.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadHalf, WriteHalf};

use super::packet::{HEADER, Header, Malformed};
use crate::tls;

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Why no packet comes any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// Ended between two packets.
    Closed,
    /// Ended within a packet.
    Halfway,
    /// The system's words.
    Error(String),
    /// What came is no packet.
    Malformed(Malformed),
}

/// Packets from one stream.
pub(super) struct Wire<S> {
    pub(super) stream: S,
    buffer: Vec<u8>,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// A packet has begun and not ended.
    pub(super) fn is_halfway(&self) -> bool {
        !self.buffer.is_empty()
    }
}

impl<S: AsyncRead + AsyncWrite> Wire<S> {
    /// For reading here and writing there.
    pub(super) fn split(self) -> (Wire<ReadHalf<S>>, WriteHalf<S>) {
        let (read, write) = tokio::io::split(self.stream);
        (Wire { stream: read, buffer: self.buffer }, write)
    }
}

impl<S: AsyncRead + Unpin> Wire<S> {
    /// The next packet. May be given up at any moment and begun again.
    pub(super) async fn packet(&mut self) -> Result<(Header, Vec<u8>), Broken> {
        loop {
            if let Some(header) = self.buffer.first_chunk::<HEADER>() {
                let header = Header::parse(*header).map_err(Broken::Malformed)?;
                let end = usize::try_from(header.length).map_or(usize::MAX, |length| HEADER + length);
                if self.buffer.len() >= end {
                    let rest = self.buffer.split_off(end);
                    let packet = std::mem::replace(&mut self.buffer, rest);
                    return Ok((header, packet.get(HEADER..).unwrap_or_default().to_vec()));
                }
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) if self.buffer.is_empty() => return Err(Broken::Closed),
                Ok(0) => return Err(Broken::Halfway),
                Ok(_) => {}
                Err(error) => return Err(Broken::Error(tls::words(&error))),
            }
        }
    }
}

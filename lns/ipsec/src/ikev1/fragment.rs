//! Fragments of ISAKMP messages as Microsoft and Cisco send them: one payload of type 132 in a message of its own,
//! numbered from one, the last one marked ([MS-IKEE] section 2.2.3). There is no RFC.

use std::time::{Duration, Instant};

use tollgate_sansio::Reader;

use super::header::{ENCRYPTED, HEADER, Header};
use super::payload::{Builder, Kind, PayloadError};

/// Pieces of one message at most.
const MOST_PIECES: u8 = 64;
/// Longest message that is put together.
const LONGEST: usize = 32 * 1024;
/// How long the pieces of a message are waited for ([MS-IKEE]: 90 s).
const PATIENCE: Duration = Duration::from_secs(90);

/// A piece as it came.
#[derive(Debug, Clone, Copy)]
struct Piece<'a> {
    id: u16,
    number: u8,
    is_last: bool,
    data: &'a [u8],
}

impl<'a> Piece<'a> {
    fn decode(body: &'a [u8]) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(body);
        let (id, number, last) = (reader.u16()?, reader.u8()?, reader.u8()?);
        if number == 0 || number > MOST_PIECES {
            return Err(PayloadError::Malformed("fragment"));
        }
        Ok(Self { id, number, is_last: last & 1 != 0, data: reader.rest() })
    }
}

/// Puts one message of one peer together.
#[derive(Debug, Default)]
pub struct Reassembly {
    id: u16,
    begun: Option<Instant>,
    pieces: Vec<Option<Vec<u8>>>,
    last: Option<u8>,
    held: usize,
}

impl Reassembly {
    /// When its pieces are waited for no longer.
    pub fn expires(&self) -> Option<Instant> {
        self.begun.map(|begun| begun + PATIENCE)
    }

    /// Takes a piece; gives the message when it is whole. A piece of another message takes the place of an unfinished
    /// one.
    pub fn add(&mut self, now: Instant, body: &[u8]) -> Result<Option<Vec<u8>>, PayloadError> {
        let piece = Piece::decode(body)?;
        if piece.id != self.id || self.begun.is_none_or(|begun| now.duration_since(begun) > PATIENCE) {
            *self = Self { id: piece.id, begun: Some(now), ..Self::default() };
        }
        let index = usize::from(piece.number) - 1;
        if self.pieces.len() <= index {
            self.pieces.resize(index + 1, None);
        }
        if piece.is_last {
            self.last = Some(piece.number);
        }
        if let Some(place @ None) = self.pieces.get_mut(index) {
            self.held += piece.data.len();
            *place = Some(piece.data.to_vec());
        }
        if self.held > LONGEST {
            *self = Self::default();
            return Err(PayloadError::Malformed("fragment"));
        }
        let Some(last) = self.last.map(usize::from) else { return Ok(None) };
        let whole: Option<Vec<&[u8]>> =
            (0..last).map(|index| self.pieces.get(index).and_then(Option::as_deref)).collect();
        let message = whole.map(|pieces| pieces.concat());
        if message.is_some() {
            *self = Self::default();
        }
        Ok(message)
    }
}

/// Cuts a message into messages of at most `largest` octets each; one alone when it fits, or when it would be more pieces
/// than anybody puts together.
pub fn split(message: Vec<u8>, largest: usize, id: u16) -> Vec<Vec<u8>> {
    const OVERHEAD: usize = HEADER + 4 + 4;
    let Ok((header, _)) = Header::decode(&message) else { return vec![message] };
    if message.len() <= largest || largest <= OVERHEAD {
        return vec![message];
    }
    let pieces: Vec<_> = message.chunks(largest - OVERHEAD).collect();
    let count = pieces.len();
    if count > usize::from(MOST_PIECES) {
        return vec![message];
    }
    pieces
        .into_iter()
        .enumerate()
        .map(|(index, piece)| {
            let is_last = u8::from(index + 1 == count);
            let mut builder = Builder::new();
            builder.add(Kind::Fragment, &[&id.to_be_bytes(), &[index as u8 + 1, is_last], piece]);
            builder.finish(Header { flags: header.flags & !ENCRYPTED, ..header })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::header::{Cookie, Cookies, ExchangeType};
    use super::super::payload::Payloads;
    use super::*;

    fn message(length: usize) -> Vec<u8> {
        let header = Header {
            cookies: Cookies { initiator: Cookie([1; 8]), responder: Cookie([2; 8]) },
            next_payload: 0,
            exchange: ExchangeType::Main,
            flags: ENCRYPTED,
            message_id: 0,
        };
        let mut builder = Builder::new();
        builder.add(Kind::Nonce, &[&vec![7; length]]);
        builder.finish(header)
    }

    fn bodies(pieces: &[Vec<u8>]) -> Vec<Vec<u8>> {
        pieces
            .iter()
            .map(|piece| {
                let (header, body) = Header::decode(piece).unwrap();
                assert!(!header.is_encrypted(), "the pieces of a message are in clear");
                Payloads::decode(header.next_payload, body).unwrap().one(Kind::Fragment, "").unwrap().to_vec()
            })
            .collect()
    }

    #[test]
    fn pieces_in_any_order_and_twice_make_the_message() {
        let whole = message(2000);
        let pieces = split(whole.clone(), 548, 9);
        assert!(pieces.len() > 3 && pieces.iter().all(|piece| piece.len() <= 548));
        let mut reassembly = Reassembly::default();
        let now = Instant::now();
        let mut bodies = bodies(&pieces);
        bodies.reverse();
        let last = bodies.pop().unwrap();
        for body in bodies.iter().chain(&bodies) {
            assert_eq!(reassembly.add(now, body), Ok(None));
        }
        assert_eq!(reassembly.add(now, &last), Ok(Some(whole)));
    }

    #[test]
    fn pieces_that_come_too_late_or_are_too_many_are_forgotten() {
        let pieces = bodies(&split(message(1200), 548, 9));
        let mut reassembly = Reassembly::default();
        let now = Instant::now();
        assert_eq!(reassembly.add(now, &pieces[0]), Ok(None));
        for piece in &pieces[1..] {
            assert_eq!(reassembly.add(now + PATIENCE * 2, piece), Ok(None), "the first is gone");
        }
        assert!(reassembly.add(now, &[0, 1, 65, 0]).is_err());
        assert!(reassembly.add(now, &[0, 1, 0, 0]).is_err());
    }

    #[test]
    fn a_message_that_fits_is_left_alone() {
        assert_eq!(split(message(100), 548, 1), vec![message(100)]);
    }
}

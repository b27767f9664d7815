//! Turns BER with indefinite lengths and strings in parts (X.690 8.1.3.6, 8.7.3) into DER. Keychains and older
//! software write PKCS#12 and PKCS#7 so; certificates inside are DER already and come through unchanged.

use tollgate_sansio::Reader;
use zeroize::{Zeroize, Zeroizing};

use crate::der::{self, CONSTRUCTED, Malformed, OCTET_STRING};

/// Elements within elements: files of this kind have about a dozen.
const MAX_DEPTH: usize = 24;

/// The DER of the one element in `octets`. The result may hold a private key.
pub(crate) fn to_der(octets: &[u8]) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    let mut reader = Reader::new(octets);
    let mut out = Zeroizing::new(Vec::with_capacity(octets.len()));
    element(&mut reader, &mut out, 0)?;
    if reader.is_empty() { Ok(out) } else { Err(Malformed) }
}

fn element(reader: &mut Reader<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed);
    }
    let tag = octet(reader)?;
    if tag & 0x1f == 0x1f {
        return Err(Malformed);
    }
    let length = length(reader)?;
    if tag & CONSTRUCTED == 0 {
        let value = reader.take(length.ok_or(Malformed)?).map_err(|_| Malformed)?;
        der::write(out, tag, value);
        return Ok(());
    }
    let mut inside = Zeroizing::new(Vec::new());
    match length {
        Some(length) => {
            let mut part = reader.split(length).map_err(|_| Malformed)?;
            while !part.is_empty() {
                element(&mut part, &mut inside, depth + 1)?;
            }
        }
        None => {
            while !reader.peek().starts_with(&[0, 0]) {
                element(reader, &mut inside, depth + 1)?;
            }
            reader.take(2).map_err(|_| Malformed)?;
        }
    }
    if tag == OCTET_STRING | CONSTRUCTED {
        let mut joined = join(&inside)?;
        der::write(out, OCTET_STRING, &joined);
        joined.zeroize();
    } else {
        der::write(out, tag, &inside);
    }
    Ok(())
}

/// The contents of octet strings that follow each other, as one.
pub(crate) fn join(parts: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut cursor = der::Der::new(parts);
    let mut joined = Vec::with_capacity(parts.len());
    while !cursor.is_empty() {
        joined.extend_from_slice(cursor.expect(OCTET_STRING)?.value);
    }
    Ok(joined)
}

/// None is an indefinite length. Zeros in front are allowed here.
fn length(reader: &mut Reader<'_>) -> Result<Option<usize>, Malformed> {
    let first = octet(reader)?;
    if first < 0x80 {
        return Ok(Some(usize::from(first)));
    }
    let mut length: u32 = 0;
    if first == 0x80 {
        return Ok(None);
    }
    for _ in 0..first & 0x7f {
        length = length.checked_mul(0x100).ok_or(Malformed)? | u32::from(octet(reader)?);
    }
    usize::try_from(length).map(Some).map_err(|_| Malformed)
}

fn octet(reader: &mut Reader<'_>) -> Result<u8, Malformed> {
    reader.u8().map_err(|_| Malformed)
}

#[cfg(test)]
mod tests;

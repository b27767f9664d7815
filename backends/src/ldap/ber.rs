//! Octets of LDAP: BER as RFC 4511 section 5.1 restricts it (definite lengths only), tags of one octet.

/// BOOLEAN.
pub(super) const BOOLEAN: u8 = 0x01;
/// INTEGER.
pub(super) const INTEGER: u8 = 0x02;
/// OCTET STRING.
pub(super) const OCTET_STRING: u8 = 0x04;
/// ENUMERATED.
pub(super) const ENUMERATED: u8 = 0x0a;
/// SEQUENCE.
pub(super) const SEQUENCE: u8 = 0x30;

/// The octets are no message, and what was expected in their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(pub(super) &'static str);

/// Length octets of a header: how many there are beside the tag, and what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Octets of the header, with the tag.
    pub(super) header: usize,
    /// Octets of the content.
    pub(super) content: usize,
}

/// Reads a header from the front of `octets`; `None`: more are needed.
pub(super) fn header(octets: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some((&tag, rest)) = octets.split_first() else { return Ok(None) };
    if tag & 0x1f == 0x1f {
        return Err(Malformed("a tag of several octets"));
    }
    let Some((&first, rest)) = rest.split_first() else { return Ok(None) };
    if first < 0x80 {
        return Ok(Some(Header { header: 2, content: usize::from(first) }));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return Err(Malformed("a length without a definite value"));
    }
    let Some(length) = rest.get(..count) else { return Ok(None) };
    let content = length.iter().fold(0usize, |sum, &octet| (sum << 8) | usize::from(octet));
    Ok(Some(Header { header: 2 + count, content }))
}

/// A cursor that cannot leave the octets that it was given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Over these.
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// True at the end.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag that comes next.
    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element, whatever it is.
    pub(super) fn any(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        let short = Malformed("an element that ends too early");
        let Header { header, content } = header(self.0)?.ok_or(short)?;
        let tag = self.peek().ok_or(short)?;
        let (element, rest) = header
            .checked_add(content)
            .and_then(|length| self.0.split_at_checked(length))
            .ok_or(Malformed("an element that is longer than what holds it"))?;
        self.0 = rest;
        Ok((tag, element.get(header..).unwrap_or_default()))
    }

    /// The next element, which must have this tag.
    pub(super) fn expect(&mut self, wanted: u8, what: &'static str) -> Result<&'a [u8], Malformed> {
        match self.any()? {
            (tag, content) if tag == wanted => Ok(content),
            _ => Err(Malformed(what)),
        }
    }

    /// The next element where it has this tag.
    pub(super) fn optional(&mut self, wanted: u8) -> Result<Option<&'a [u8]>, Malformed> {
        if self.peek() == Some(wanted) { self.any().map(|(_, content)| Some(content)) } else { Ok(None) }
    }
}

/// Value of an INTEGER or ENUMERATED that is not negative and fits into 31 bits, as all of LDAP's do.
pub(super) fn unsigned(content: &[u8]) -> Result<u32, Malformed> {
    let wrong = Malformed("a number out of range");
    match content {
        [] => Err(wrong),
        [first, ..] if *first >= 0x80 || content.len() > 4 => Err(wrong),
        _ => Ok(content.iter().fold(0, |sum, &octet| (sum << 8) | u32::from(octet))),
    }
}

/// Appends an element.
pub(super) fn put(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    put_header(out, tag, content.len());
    out.extend_from_slice(content);
}

/// Appends the header of an element whose content follows.
pub(super) fn put_header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let octets = length.to_be_bytes();
            let skip = octets.iter().take_while(|&&octet| octet == 0).count();
            let significant = octets.get(skip..).unwrap_or_default();
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or(0));
            out.extend_from_slice(significant);
        }
    }
}

/// Appends a number that is not negative.
pub(super) fn put_unsigned(out: &mut Vec<u8>, tag: u8, value: u32) {
    let octets = u64::from(value).to_be_bytes();
    // One octet at least, and none whose first bit would say that it is negative.
    let skip = octets.iter().take(7).take_while(|&&octet| octet == 0).count();
    let significant = octets.get(skip..).unwrap_or_default();
    let sign = usize::from(significant.first().is_some_and(|&octet| octet >= 0x80));
    put(out, tag, octets.get(skip - sign.min(skip)..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 127, 128, 255, 256, 32767, 32768, 0x7fff_ffff] {
            let mut out = Vec::new();
            put_unsigned(&mut out, INTEGER, value);
            let content = Reader::new(&out).expect(INTEGER, "number").unwrap();
            assert_eq!(unsigned(content), Ok(value));
        }
    }

    #[test]
    fn lengths_come_back() {
        for length in [0, 127, 128, 255, 256, 70_000] {
            let mut out = Vec::new();
            put(&mut out, OCTET_STRING, &vec![7; length]);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.any().unwrap().1.len(), length);
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn an_element_never_leaves_what_holds_it() {
        for octets in [&[0x04][..], &[0x04, 0x02, 0x01], &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00]] {
            assert!(Reader::new(octets).any().is_err(), "{octets:?}");
        }
        assert!(Reader::new(&[0x30, 0x80, 0x00, 0x00]).any().is_err(), "indefinite length");
        assert!(Reader::new(&[0x1f, 0x01, 0x00]).any().is_err(), "long tag");
    }
}

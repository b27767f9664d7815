//! Octets of Kerberos: DER (X.690), tags of one octet, as RFC 4120 appendix A uses it.

/// INTEGER.
pub(super) const INTEGER: u8 = 0x02;
/// BIT STRING.
pub(super) const BIT_STRING: u8 = 0x03;
/// OCTET STRING.
pub(super) const OCTET_STRING: u8 = 0x04;
/// GeneralizedTime.
pub(super) const TIME: u8 = 0x18;
/// GeneralString.
pub(super) const STRING: u8 = 0x1b;
/// SEQUENCE and SEQUENCE OF.
pub(super) const SEQUENCE: u8 = 0x30;

/// The octets are no message, and what was wrong with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub(super) &'static str);

/// `[APPLICATION n]`.
pub(super) const fn application(number: u8) -> u8 {
    0x60 | number
}

/// `[n]`, explicit.
const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// A cursor that cannot leave the octets that it was given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

/// One element: its content, and all of it with tag and length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    tag: u8,
    pub(super) content: &'a [u8],
    pub(super) whole: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// Inside the one element that `octets` must be, up to padding behind it.
    pub(super) fn within(octets: &'a [u8], tag: u8, what: &'static str) -> Result<Self, Malformed> {
        Self::new(octets).expect(tag, what).map(|element| Self(element.content))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn any(&mut self) -> Result<Element<'a>, Malformed> {
        let short = Malformed("an element that ends too early");
        let (&tag, rest) = self.0.split_first().ok_or(short)?;
        if tag & 0x1f == 0x1f {
            return Err(Malformed("a tag of several octets"));
        }
        let (&first, rest) = rest.split_first().ok_or(short)?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let count = usize::from(first & 0x7f);
            if !(1..=4).contains(&count) {
                return Err(Malformed("a length without a definite value"));
            }
            let (length, rest) = rest.split_at_checked(count).ok_or(short)?;
            (length.iter().fold(0usize, |sum, &octet| (sum << 8) | usize::from(octet)), rest)
        };
        let (content, rest) =
            rest.split_at_checked(length).ok_or(Malformed("an element that is longer than what holds it"))?;
        let whole = self.0.get(..self.0.len() - rest.len()).ok_or(short)?;
        self.0 = rest;
        Ok(Element { tag, content, whole })
    }

    /// The next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8, what: &'static str) -> Result<Element<'a>, Malformed> {
        match self.any()? {
            element if element.tag == tag => Ok(element),
            _ => Err(Malformed(what)),
        }
    }

    /// The field `[number]` of a SEQUENCE; fields in front of it that nobody asked for are passed over.
    pub(super) fn field(&mut self, number: u8, what: &'static str) -> Result<Reader<'a>, Malformed> {
        self.optional(number)?.ok_or(Malformed(what))
    }

    /// The field `[number]` where it is there.
    pub(super) fn optional(&mut self, number: u8) -> Result<Option<Reader<'a>>, Malformed> {
        while let Some(&tag) = self.0.first() {
            if tag > context(number) {
                return Ok(None);
            }
            let element = self.any()?;
            if tag == context(number) {
                return Ok(Some(Reader(element.content)));
            }
        }
        Ok(None)
    }

    /// What stands here as an INTEGER of 64 bits at most.
    pub(super) fn integer(&mut self) -> Result<i64, Malformed> {
        let content = self.expect(INTEGER, "no INTEGER where one belongs")?.content;
        let (Some(&first), ..=8) = (content.first(), content.len()) else {
            return Err(Malformed("a number out of range"));
        };
        let sign = if first >= 0x80 { -1 } else { 0 };
        Ok(content.iter().fold(sign, |sum, &octet| (sum << 8) | i64::from(octet)))
    }

    /// A number of 32 bits, with or without a sign.
    pub(super) fn number(&mut self) -> Result<i32, Malformed> {
        i32::try_from(self.integer()?).map_err(|_| Malformed("a number out of range"))
    }

    pub(super) fn octets(&mut self) -> Result<&'a [u8], Malformed> {
        Ok(self.expect(OCTET_STRING, "no OCTET STRING where one belongs")?.content)
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], Malformed> {
        Ok(self.expect(STRING, "no GeneralString where one belongs")?.content)
    }

    /// Inside the SEQUENCE that stands here.
    pub(super) fn sequence(&mut self) -> Result<Reader<'a>, Malformed> {
        Ok(Reader(self.expect(SEQUENCE, "no SEQUENCE where one belongs")?.content))
    }
}

/// One element.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    match u8::try_from(content.len()) {
        Ok(short @ ..0x80) => out.push(short),
        _ => {
            let length = content.len().to_be_bytes();
            let skip = length.iter().take_while(|&&octet| octet == 0).count();
            let significant = length.get(skip..).unwrap_or_default();
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or(0));
            out.extend_from_slice(significant);
        }
    }
    out.extend_from_slice(content);
    out
}

/// `[number] content`.
pub(super) fn field(number: u8, content: &[u8]) -> Vec<u8> {
    element(context(number), content)
}

/// SEQUENCE of elements.
pub(super) fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    element(SEQUENCE, &elements.concat())
}

/// INTEGER.
pub(super) fn integer(value: i64) -> Vec<u8> {
    let octets = value.to_be_bytes();
    // The fewest octets that still have the sign in their first bit.
    let is_spare = |pair: &&[u8]| match **pair {
        [0, next] => next < 0x80,
        [0xff, next] => next >= 0x80,
        _ => false,
    };
    let skip = octets.windows(2).take_while(is_spare).count();
    element(INTEGER, octets.get(skip..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_in_the_fewest_octets() {
        for (value, octets) in [(0, 1), (127, 1), (128, 2), (255, 2), (256, 2), (-1, 1), (-128, 1), (-129, 2)]
        {
            let out = integer(value);
            assert_eq!(out.len(), octets + 2, "{value}");
            assert_eq!(Reader::new(&out).integer(), Ok(value));
        }
        for value in [i64::from(u32::MAX), i64::MAX, i64::MIN] {
            assert_eq!(Reader::new(&integer(value)).integer(), Ok(value));
        }
        assert!(Reader::new(&integer(i64::from(u32::MAX))).number().is_err());
    }

    #[test]
    fn lengths_come_back() {
        for length in [0, 127, 128, 255, 256, 70_000] {
            let out = element(OCTET_STRING, &vec![7; length]);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.octets().unwrap().len(), length);
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn fields_that_nobody_asked_for_are_passed_over() {
        let fields = [field(0, &integer(5)), field(1, &integer(6)), field(3, &integer(7))].concat();
        let mut reader = Reader::new(&fields);
        assert_eq!(reader.field(1, "one").unwrap().integer(), Ok(6));
        assert!(reader.optional(2).unwrap().is_none());
        assert_eq!(reader.field(3, "three").unwrap().integer(), Ok(7));
        assert!(reader.field(4, "four").is_err());
    }

    #[test]
    fn an_element_never_leaves_what_holds_it() {
        for octets in [
            &[0x04][..],
            &[0x04, 0x02, 0x01],
            &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00],
            &[0x1f, 0x01, 0x00],
        ] {
            assert!(Reader::new(octets).any().is_err(), "{octets:?}");
        }
        assert!(Reader::new(&[0x30, 0x80, 0x00, 0x00]).any().is_err(), "indefinite length");
    }
}

//! KRB-ERROR (RFC 4120 section 5.9.1).

use super::super::der::{Malformed, Reader, TIME};
use super::{EtypeInfo, KRB_ERROR, KerberosTime, etype_info, version_and_kind};

/// `KERB_ERR_TYPE_EXTENDED` (\[MS-KILE\] section 2.2.2). Samba writes the same as PA-PW-SALT, which has the same number.
const EXTENDED: i32 = 3;

/// An error, as far as it says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KdcError {
    /// See section 7.5.9.
    pub code: i32,
    /// The KDC's clock.
    pub time: Option<KerberosTime>,
    /// The KDC's words.
    pub text: String,
    /// How a password becomes a key (METHOD-DATA, section 5.2.7).
    pub methods: Vec<EtypeInfo>,
    /// What a domain controller says more exactly: an NTSTATUS (\[MS-KILE\] section 2.2.1).
    pub status: Option<u32>,
}

impl KdcError {
    pub(super) fn read(mut message: Reader<'_>) -> Result<Self, Malformed> {
        let mut fields = message.sequence()?;
        version_and_kind(&mut fields, KRB_ERROR)?;
        let time = match fields.optional(4)? {
            Some(mut time) => KerberosTime::parse(time.expect(TIME, "no time where one belongs")?.content),
            None => None,
        };
        let code = fields.field(6, "an error without a code")?.number()?;
        let text = match fields.optional(11)? {
            Some(mut text) => printable(text.string()?),
            None => String::new(),
        };
        // What is in the data depends on the code and on the KDC. What we do not know says nothing to us.
        let (methods, status) = match fields.optional(12)? {
            Some(mut data) => {
                let data = data.octets()?;
                (etype_info(Reader::new(data)).unwrap_or_default(), status(data))
            }
            None => (Vec::new(), None),
        };
        Ok(Self { code, time, text, methods, status })
    }
}

/// The KDC's words for the log.
fn printable(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The status in a KERB-ERROR-DATA: Windows sends one alone, Samba one among METHOD-DATA.
fn status(data: &[u8]) -> Option<u32> {
    let mut inside = Reader::new(data).sequence().ok()?;
    extended(inside).or_else(|| std::iter::from_fn(|| inside.sequence().ok()).find_map(extended))
}

fn extended(mut fields: Reader<'_>) -> Option<u32> {
    let kind = fields.field(1, "error data without a type").ok()?.number().ok()?;
    let value = fields.field(2, "error data without a value").ok()?.octets().ok()?;
    // KERB-EXT-ERROR: status, reserved and flags of four octets each, the last of them 1.
    match (kind, value.split_first_chunk()) {
        (EXTENDED, Some((status, [_, _, _, _, 1, 0, 0, 0]))) => Some(u32::from_le_bytes(*status)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::der::{OCTET_STRING, element, field, integer, sequence};
    use super::*;

    fn data(kind: i64, value: &[u8]) -> Vec<u8> {
        sequence(&[field(1, &integer(kind)), field(2, &element(OCTET_STRING, value))])
    }

    const LOCKED_OUT: [u8; 12] = [0x34, 0x02, 0x00, 0xc0, 0, 0, 0, 0, 1, 0, 0, 0];

    #[test]
    fn a_domain_controller_says_more_in_error_data() {
        let alone = data(3, &LOCKED_OUT);
        assert_eq!(status(&alone), Some(0xc000_0234));
        assert_eq!(status(&sequence(std::slice::from_ref(&alone))), Some(0xc000_0234));
        assert_eq!(status(&sequence(&[data(19, b"more"), alone.clone()])), Some(0xc000_0234));
        for length in 0..alone.len() {
            assert_eq!(status(&alone[..length]), None, "{length}");
        }
    }

    #[test]
    fn other_data_says_no_status() {
        assert_eq!(status(&data(2, &LOCKED_OUT)), None, "another type");
        assert_eq!(status(&data(3, &LOCKED_OUT[..11])), None, "too short");
        assert_eq!(status(&data(3, &[&LOCKED_OUT[..], &[0]].concat())), None, "too long");
        assert_eq!(status(&data(3, b"A.TESTsalted")), None, "a salt");
        assert_eq!(status(&data(3, b"")), None);
        assert_eq!(status(b""), None);
    }
}

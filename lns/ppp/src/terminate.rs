//! What stands in a Terminate-Request: a text, or the diagnosis that Windows appends.

use tollgate_sansio::Reader;

/// The longest text that is sent or kept, in octets.
const LONGEST: usize = 255;
/// Marks the trailer of a Windows Terminate-Request, between its magic number and the error.
const WINDOWS_MARK: [u8; 4] = [0x00, 0x3C, 0xCD, 0x74];

/// The data of a Terminate-Request, made readable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Farewell {
    pub(crate) text: String,
    pub(crate) windows_error: Option<u32>,
}

/// Reads the data of a received Terminate-Request.
///
/// ```text
/// Windows:  Magic-Number (4)  00 3C CD 74  RAS error (4, network byte order)
/// ```
pub(crate) fn decode(data: &[u8]) -> Farewell {
    match windows_error(data) {
        Some(0) => Farewell { text: "hung up by the user (Windows)".to_owned(), windows_error: Some(0) },
        Some(error) => {
            let text = match ras_error(error) {
                Some(name) => format!("Windows error {error}: {name}"),
                None => format!("Windows error {error}"),
            };
            Farewell { text, windows_error: Some(error) }
        }
        None => Farewell { text: readable(data), windows_error: None },
    }
}

fn windows_error(data: &[u8]) -> Option<u32> {
    let mut reader = Reader::new(data);
    let _magic = reader.u32().ok()?;
    if reader.array::<4>().ok()? != WINDOWS_MARK {
        return None;
    }
    reader.u32().ok()
}

/// Text of the peer for logs: bounded, and without anything that a terminal would act on.
pub(crate) fn readable(data: &[u8]) -> String {
    let data = data.get(..data.len().min(LONGEST)).unwrap_or_default();
    let text = String::from_utf8_lossy(data);
    text.trim_end_matches('\0').chars().map(|c| if c.is_control() { '.' } else { c }).collect()
}

/// The octets of our own text, cut at a character border.
pub(crate) fn encode(text: &str) -> &[u8] {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().as_bytes()
}

/// What the RAS errors mean that a PPP peer can report, in our words.
fn ras_error(error: u32) -> Option<&'static str> {
    Some(match error {
        619 => "the connection could not be established",
        628 => "the connection was closed before it was complete",
        629 => "the connection was closed by the remote side",
        631 => "the user disconnected",
        646 => "not allowed to log in at this hour",
        647 => "the account is disabled",
        648 => "the password has expired",
        649 => "the account has no permission to dial in",
        651 => "the device reported an error",
        678 => "no answer",
        691 => "user name or password refused, or the authentication method is not allowed",
        709 => "the password could not be changed",
        718 => "the server stopped answering PPP",
        719 => "PPP was ended by the remote side",
        720 => "no network protocol came up",
        721 => "the remote side does not answer",
        722 => "a PPP packet was malformed",
        726 => "IPX is not available",
        732 => "the PPP negotiation does not converge",
        733 => "the server refused the network protocol",
        734 => "LCP was terminated",
        735 => "the server refused the static address",
        736 => "the network protocol was terminated",
        737 => "the line is looped back",
        738 => "the server assigned no address",
        741 => "encryption is demanded and the server does not offer it",
        742 => "the server demands encryption that is not available",
        778 => "the server's proof of the password was wrong",
        812 => "the policy of the server forbids it",
        829 => "the modem or its line was lost",
        868 => "the server's name could not be resolved",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;

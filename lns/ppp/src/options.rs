//! Configuration options: type, length, value (RFC 1661 section 6). What the types mean is LCP's and IPCP's matter.

use tollgate_sansio::Reader;

/// One option as it stands in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConfigOption<'a> {
    pub(crate) kind: u8,
    pub(crate) value: &'a [u8],
}

impl<'a> ConfigOption<'a> {
    /// The value, if it has exactly `N` octets.
    pub(crate) fn array<const N: usize>(&self) -> Option<[u8; N]> {
        self.value.try_into().ok()
    }
}

/// Reads an option list. `None` if a length is below 2 or runs past the end: then no option border after it can be
/// trusted and the packet is discarded (RFC 1661 5).
pub(crate) fn parse(list: &[u8]) -> Option<Vec<ConfigOption<'_>>> {
    let mut reader = Reader::new(list);
    let mut options = Vec::new();
    while !reader.is_empty() {
        let kind = reader.u8().ok()?;
        let length = usize::from(reader.u8().ok()?);
        options.push(ConfigOption { kind, value: reader.take(length.checked_sub(2)?).ok()? });
    }
    Some(options)
}

/// Appends an option; a value that does not fit the length octet is left out.
pub(crate) fn push(list: &mut Vec<u8>, kind: u8, value: &[u8]) {
    if let Ok(length) = u8::try_from(value.len() + 2) {
        list.push(kind);
        list.push(length);
        list.extend_from_slice(value);
    }
}

/// What is wrong with a Configure-Request, gathered option by option. An answer is either a Reject or a Nak, never
/// both; rejections come first because the peer cannot bargain about them (RFC 1661 5.4).
#[derive(Debug, Default)]
pub(crate) struct Objections {
    naks: Vec<u8>,
    naked: [u64; 4],
    rejects: Vec<u8>,
}

impl Objections {
    /// The option is not known or not wanted here.
    pub(crate) fn reject(&mut self, option: &ConfigOption<'_>) {
        push(&mut self.rejects, option.kind, option.value);
    }

    /// The option would be welcome with `value`. Only the first one of each type is answered, so that a request
    /// full of repetitions cannot make the answer longer than itself.
    pub(crate) fn nak(&mut self, kind: u8, value: &[u8]) {
        if let Some(word) = self.naked.get_mut(usize::from(kind >> 6)) {
            let bit = 1u64 << (kind & 63);
            if *word & bit == 0 {
                *word |= bit;
                push(&mut self.naks, kind, value);
            }
        }
    }

    /// True when nothing was objected to.
    pub(crate) fn is_empty(&self) -> bool {
        self.naks.is_empty() && self.rejects.is_empty()
    }

    /// The answer.
    pub(crate) fn into_answer(self) -> Answer {
        if !self.rejects.is_empty() {
            Answer::Reject(self.rejects)
        } else if !self.naks.is_empty() {
            Answer::Nak(self.naks)
        } else {
            Answer::Ack
        }
    }
}

/// The answer to a Configure-Request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// All of it is acceptable as it is.
    Ack,
    /// These options would be acceptable with these values.
    Nak(Vec<u8>),
    /// These options are not negotiable.
    Reject(Vec<u8>),
}

#[cfg(test)]
mod tests;

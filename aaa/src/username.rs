//! `user[@realm][#group]`: which tunnel group a name asks for, and what is left of it for the server.
//!
//! Choosing follows the tunnel group where the login arrived: only its `strip-group` makes a group in the name count.
//! What is sent follows the tunnel group chosen: its `strip-realm` and `strip-domain`. A group that was used for
//! choosing is always taken off. The last delimiter and the last `@` count.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest user name served, in octets: what one RADIUS attribute carries (RFC 2865 section 5).
pub const MAX_NAME: usize = 253;

/// The character between user name and tunnel group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GroupDelimiter {
    /// `#`
    #[serde(rename = "#")]
    Hash,
    /// `!`
    #[serde(rename = "!")]
    Bang,
    /// `@`; then the realm and the group look alike and the last one is the group.
    #[serde(rename = "@")]
    At,
}

impl GroupDelimiter {
    /// As it stands in a name.
    pub fn octet(self) -> u8 {
        match self {
            Self::Hash => b'#',
            Self::Bang => b'!',
            Self::At => b'@',
        }
    }
}

impl fmt::Display for GroupDelimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", char::from(self.octet()))
    }
}

impl FromStr for GroupDelimiter {
    type Err = BadDelimiter;

    fn from_str(word: &str) -> Result<Self, BadDelimiter> {
        match word {
            "#" => Ok(Self::Hash),
            "!" => Ok(Self::Bang),
            "@" => Ok(Self::At),
            _ => Err(BadDelimiter),
        }
    }
}

/// Not a delimiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the group delimiter must be \"#\", \"!\" or \"@\"")]
pub struct BadDelimiter;

/// A name that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing typed.
    #[error("the user name is empty")]
    Empty,
    /// Longer than any server takes.
    #[error("the user name has {octets} octets, at most {MAX_NAME} are served")]
    TooLong {
        /// How many came.
        octets: usize,
    },
    /// Would break a log line or a C string on the server.
    #[error("the user name holds the control character 0x{octet:02x} at position {position}")]
    ControlCharacter {
        /// The first one; those of ASCII are found first.
        octet: u8,
        /// Where, counted from 0.
        position: usize,
    },
    /// RFC 2865 section 5.1 wants UTF-8.
    #[error("the user name is not UTF-8 from position {position} on")]
    NotUtf8 {
        /// First octet that does not fit, counted from 0.
        position: usize,
    },
    /// The part after the delimiter names nothing.
    #[error("the user name asks for tunnel group `{group}`, which does not exist")]
    UnknownGroup {
        /// As typed.
        group: String,
    },
    /// Nothing is left for the server.
    #[error("nothing is left of the user name once {taken} is taken off")]
    NothingLeft {
        /// What was taken off last.
        taken: &'static str,
    },
}

/// How one tunnel group treats names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NameOptions {
    /// A group in the name chooses the tunnel group.
    pub strip_group: bool,
    /// The realm is not sent.
    pub strip_realm: bool,
    /// A leading `DOMAIN\` is not sent.
    pub strip_domain: bool,
}

/// What a name came down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// The tunnel group that the name asks for; `None`: it stays with the one of arrival.
    pub group: Option<&'a str>,
    /// What the server gets.
    pub name: &'a str,
}

/// Applies the rules to `name`. `lookup` gives the options of a tunnel group, or `None` when there is none.
pub fn resolve<'a>(
    name: &'a [u8],
    delimiter: Option<GroupDelimiter>,
    arrival: NameOptions,
    lookup: impl FnOnce(&str) -> Option<NameOptions>,
) -> Result<Resolved<'a>, NameError> {
    let mut name = check(name)?;
    let mut group = None;
    let mut options = arrival;
    if let (Some(delimiter), true) = (delimiter, arrival.strip_group)
        && let Some((rest, wanted)) = name.rsplit_once(char::from(delimiter.octet()))
    {
        options = lookup(wanted).ok_or_else(|| NameError::UnknownGroup { group: wanted.to_owned() })?;
        name = left(rest, "the tunnel group")?;
        group = Some(wanted);
    }
    if options.strip_realm
        && let Some((user, _realm)) = name.rsplit_once('@')
    {
        name = left(user, "the realm")?;
    }
    if options.strip_domain
        && let Some((_domain, user)) = name.split_once('\\')
    {
        name = left(user, "the domain")?;
    }
    Ok(Resolved { group, name })
}

/// The name as text, or why not.
pub fn check(name: &[u8]) -> Result<&str, NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > MAX_NAME {
        return Err(NameError::TooLong { octets: name.len() });
    }
    if let Some(position) = name.iter().position(u8::is_ascii_control) {
        return Err(NameError::ControlCharacter {
            octet: name.get(position).copied().unwrap_or(0),
            position,
        });
    }
    let text =
        std::str::from_utf8(name).map_err(|error| NameError::NotUtf8 { position: error.valid_up_to() })?;
    // Those beyond ASCII (U+0080 to U+009F) steer a terminal too.
    match text.char_indices().find(|(_, character)| character.is_control()) {
        Some((position, character)) => {
            Err(NameError::ControlCharacter { octet: u8::try_from(character).unwrap_or(0), position })
        }
        None => Ok(text),
    }
}

fn left<'a>(name: &'a str, taken: &'static str) -> Result<&'a str, NameError> {
    if name.is_empty() { Err(NameError::NothingLeft { taken }) } else { Ok(name) }
}

/// A name for a log line: at most 64 characters, control characters and bad UTF-8 made visible, nothing allocated.
#[derive(Clone, Copy)]
pub struct PrintableName<'a>(pub &'a [u8]);

impl fmt::Display for PrintableName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a log line's reader would take for the next field must not come from the name.
        if self.0.iter().any(|octet| matches!(octet, b' ' | b'=' | b'"')) {
            f.write_str("\"")?;
            self.write_escaped(f)?;
            return f.write_str("\"");
        }
        self.write_escaped(f)
    }
}

impl PrintableName<'_> {
    fn write_escaped(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        let mut shown = 0;
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if shown == SHOWN {
                    return f.write_str("...");
                }
                shown += 1;
                if character.is_control() || character == '"' {
                    write!(f, "{}", character.escape_default())?;
                } else {
                    write!(f, "{character}")?;
                }
            }
            for octet in chunk.invalid() {
                if shown == SHOWN {
                    return f.write_str("...");
                }
                shown += 1;
                write!(f, "\\x{octet:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for PrintableName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        self.write_escaped(f)?;
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests;

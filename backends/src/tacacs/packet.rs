//! Octets of TACACS+ (RFC 8907): the header, the body's obfuscation, the questions we ask and the answers we get.
//!
//! Answers come from a network: every length is checked against what is there, nothing is read twice, and a body
//! longer than [`MAX_BODY`] is refused before it is read.

use md5::{Digest, Md5};
use zeroize::Zeroizing;

/// Octets of a header (RFC 8907 section 4.1).
pub const HEADER: usize = 12;
/// Octets of a body at most. The protocol's own longest answer has twice as many, and no server sends one.
pub const MAX_BODY: usize = 1 << 16;

/// `TAC_PLUS_UNENCRYPTED_FLAG`: the body is as it stands.
pub const UNENCRYPTED: u8 = 1;
/// `TAC_PLUS_SINGLE_CONNECT_FLAG`: more sessions may follow on this connection.
pub const SINGLE_CONNECT: u8 = 4;

const MAJOR_VERSION: u8 = 0xc0;

/// The `type` of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `TAC_PLUS_AUTHEN`.
    Authentication = 1,
    /// `TAC_PLUS_AUTHOR`.
    Authorization = 2,
    /// `TAC_PLUS_ACCT`.
    Accounting = 3,
}

/// What is wrong with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not this protocol.
    #[error("its first octet is {0:#04x}, which no version of TACACS+ begins with")]
    Version(u8),
    /// More than anybody would send.
    #[error("a body of {0} octets, more than the 65536 that are taken")]
    Long(u32),
    /// RFC 8907 section 4.5: the sign of another key.
    #[error("the lengths in the body do not add up")]
    Lengths,
    /// A status that no RFC has.
    #[error("the status {0}, which does not exist")]
    Status(u8),
}

/// The header of every packet (RFC 8907 section 4.1).
///
/// ```text
///  1 2 3 4 5 6 7 8  1 2 3 4 5 6 7 8  1 2 3 4 5 6 7 8  1 2 3 4 5 6 7 8
/// +----------------+----------------+----------------+----------------+
/// |major  | minor  |                |                |                |
/// |version| version|      type      |     seq_no     |   flags        |
/// +----------------+----------------+----------------+----------------+
/// |                            session_id                             |
/// +----------------+----------------+----------------+----------------+
/// |                              length                               |
/// +----------------+----------------+----------------+----------------+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// 0xc0, or 0xc1 for the logins of RFC 8907 section 5.4.2.
    pub version: u8,
    /// See [`Kind`].
    pub kind: u8,
    /// 1 for a session's first packet; ours are odd.
    pub sequence: u8,
    /// [`UNENCRYPTED`], [`SINGLE_CONNECT`].
    pub flags: u8,
    /// The session's random number.
    pub session: u32,
    /// Octets of the body.
    pub length: u32,
}

impl Header {
    /// The first packet of a session of ours.
    pub fn first(kind: Kind, minor_version: u8, session: u32) -> Self {
        let version = MAJOR_VERSION | (minor_version & 0x0f);
        Self { version, kind: kind as u8, sequence: 1, flags: 0, session, length: 0 }
    }

    /// Reads one. The type, the numbers and the flags are for the caller to compare.
    pub fn parse(octets: [u8; HEADER]) -> Result<Self, Malformed> {
        let [version, kind, sequence, flags, s0, s1, s2, s3, l0, l1, l2, l3] = octets;
        if version & 0xf0 != MAJOR_VERSION {
            return Err(Malformed::Version(version));
        }
        let session = u32::from_be_bytes([s0, s1, s2, s3]);
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        if usize::try_from(length).is_ok_and(|length| length <= MAX_BODY) {
            Ok(Self { version, kind, sequence, flags, session, length })
        } else {
            Err(Malformed::Long(length))
        }
    }

    /// As it goes over the wire.
    pub fn octets(&self) -> [u8; HEADER] {
        let [s0, s1, s2, s3] = self.session.to_be_bytes();
        let [l0, l1, l2, l3] = self.length.to_be_bytes();
        [self.version, self.kind, self.sequence, self.flags, s0, s1, s2, s3, l0, l1, l2, l3]
    }

    /// Hides a body, or shows it again (RFC 8907 section 4.5): each sixteen octets of the pad are the MD5 of session,
    /// key, version, number and the sixteen before.
    pub fn obfuscate(&self, body: &mut [u8], key: &[u8]) {
        let base = Md5::new()
            .chain_update(self.session.to_be_bytes())
            .chain_update(key)
            .chain_update([self.version, self.sequence]);
        let mut pad = Zeroizing::new([0; 16]);
        let mut first = true;
        for piece in body.chunks_mut(16) {
            let mut hash = base.clone();
            if !first {
                hash.update(pad.as_slice());
            }
            first = false;
            *pad = hash.finalize().into();
            for (octet, pad) in piece.iter_mut().zip(pad.iter()) {
                *octet ^= pad;
            }
        }
    }

    /// The packet with this header and `body`, hidden where there is a key.
    pub fn packet(mut self, body: &[u8], key: Option<&[u8]>) -> Zeroizing<Vec<u8>> {
        self.length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        if key.is_none() {
            self.flags |= UNENCRYPTED;
        }
        // Once and for all, so that no growth leaves a copy of a password behind.
        let mut packet = Zeroizing::new(Vec::with_capacity(HEADER + body.len()));
        packet.extend_from_slice(&self.octets());
        packet.extend_from_slice(body);
        if let (Some(key), Some(body)) = (key, packet.get_mut(HEADER..)) {
            self.obfuscate(body, key);
        }
        packet
    }
}

/// A field longer than the 255 octets, or 65,535 where there are two, that its length can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is longer than TACACS+ can carry")]
pub struct LongField(pub &'static str);

fn length(what: &'static str, field: &[u8]) -> Result<u8, LongField> {
    u8::try_from(field.len()).map_err(|_| LongField(what))
}

/// Who asks for what from where: the fields that all three kinds of question share.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// `authen_type`: 0 not set, 2 PAP, 3 CHAP, 5 MS-CHAP, 6 MS-CHAPv2.
    pub authen_type: u8,
    /// The user's name.
    pub user: &'a [u8],
    /// Where the user came in.
    pub port: &'a [u8],
    /// Where the user came from.
    pub remote: &'a [u8],
}

/// `TAC_PLUS_PRIV_LVL_USER`.
const PRIVILEGE_USER: u8 = 1;
/// `TAC_PLUS_AUTHEN_SVC_PPP`.
const SERVICE_PPP: u8 = 3;
/// `TAC_PLUS_AUTHEN_LOGIN`.
const ACTION_LOGIN: u8 = 1;

impl Who<'_> {
    fn lengths(&self) -> Result<[u8; 3], LongField> {
        Ok([
            length("the user name", self.user)?,
            length("the port's name", self.port)?,
            length("the caller's address", self.remote)?,
        ])
    }

    /// Authentication START (RFC 8907 section 5.1) for a login on PPP.
    pub fn start(&self, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, LongField> {
        let [user, port, remote] = self.lengths()?;
        let data_length = length("the password or response", data)?;
        let size = 8 + self.user.len() + self.port.len() + self.remote.len() + data.len();
        let mut body = Zeroizing::new(Vec::with_capacity(size));
        body.extend_from_slice(&[ACTION_LOGIN, PRIVILEGE_USER, self.authen_type, SERVICE_PPP]);
        body.extend_from_slice(&[user, port, remote, data_length]);
        for field in [self.user, self.port, self.remote, data] {
            body.extend_from_slice(field);
        }
        Ok(body)
    }

    /// Authorization REQUEST (RFC 8907 section 6.1).
    pub fn authorization(&self, authen_method: u8, arguments: &[String]) -> Result<Vec<u8>, LongField> {
        self.with_arguments(Vec::new(), authen_method, arguments)
    }

    /// Accounting REQUEST (RFC 8907 section 7.1): the same behind one octet of flags.
    pub fn accounting(
        &self,
        flags: u8,
        authen_method: u8,
        arguments: &[String],
    ) -> Result<Vec<u8>, LongField> {
        self.with_arguments(vec![flags], authen_method, arguments)
    }

    fn with_arguments(
        &self,
        mut body: Vec<u8>,
        authen_method: u8,
        arguments: &[String],
    ) -> Result<Vec<u8>, LongField> {
        let [user, port, remote] = self.lengths()?;
        let count = u8::try_from(arguments.len()).map_err(|_| LongField("the list of arguments"))?;
        body.extend_from_slice(&[authen_method, PRIVILEGE_USER, self.authen_type, SERVICE_PPP]);
        body.extend_from_slice(&[user, port, remote, count]);
        for argument in arguments {
            body.push(length("an argument", argument.as_bytes())?);
        }
        for field in [self.user, self.port, self.remote] {
            body.extend_from_slice(field);
        }
        for argument in arguments {
            body.extend_from_slice(argument.as_bytes());
        }
        Ok(body)
    }
}

/// Authentication CONTINUE (RFC 8907 section 5.3) with what the user typed.
pub fn go_on(typed: &[u8]) -> Result<Zeroizing<Vec<u8>>, LongField> {
    let length = u16::try_from(typed.len()).map_err(|_| LongField("what the user typed"))?;
    let [high, low] = length.to_be_bytes();
    let mut body = Zeroizing::new(Vec::with_capacity(5 + typed.len()));
    body.extend_from_slice(&[high, low, 0, 0, 0]);
    body.extend_from_slice(typed);
    Ok(body)
}

/// Authentication CONTINUE (RFC 8907 section 5.3) that ends the session: the flag ABORT, and the reason as data.
pub fn abort(reason: &str) -> Vec<u8> {
    const ABORT: u8 = 1;
    let reason = reason.as_bytes();
    let Ok(length) = u16::try_from(reason.len()) else { return abort("") };
    let [high, low] = length.to_be_bytes();
    [&[0, 0, high, low, ABORT], reason].concat()
}

/// Status of an authentication REPLY (RFC 8907 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthenticationStatus {
    /// The login is right.
    Pass,
    /// It is not.
    Fail,
    /// Something else is wanted from the user.
    GetData,
    /// The name is wanted.
    GetUser,
    /// The password is wanted.
    GetPass,
    /// From the beginning, please.
    Restart,
    /// The server has trouble of its own.
    Error,
    /// Ask another server.
    Follow,
}

/// Status of an authorization REPLY (RFC 8907 section 6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationStatus {
    /// Yes, with these arguments added to ours.
    PassAdd,
    /// Yes, with these arguments in the place of ours.
    PassReplace,
    /// No.
    Fail,
    /// The server has trouble of its own.
    Error,
    /// Ask another server.
    Follow,
}

/// Status of an accounting REPLY (RFC 8907 section 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountingStatus {
    /// The record is kept.
    Success,
    /// It is not.
    Error,
    /// Ask another server.
    Follow,
}

/// Authentication REPLY, authorization RESPONSE or accounting REPLY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a, S> {
    /// What the server decided.
    pub status: S,
    /// For the user.
    pub message: &'a [u8],
    /// For the administrator (the protocol's `data`).
    pub data: &'a [u8],
    /// Of an authorization.
    pub arguments: Vec<&'a [u8]>,
}

/// Authentication REPLY (RFC 8907 section 5.2).
pub fn authentication_reply(body: &[u8]) -> Result<Answer<'_, AuthenticationStatus>, Malformed> {
    use AuthenticationStatus as Status;
    let mut rest = body;
    let [status, _flags] = array(&mut rest)?;
    let (message, data) = (u16(&mut rest)?, u16(&mut rest)?);
    let (message, data) = (take(&mut rest, message)?, take(&mut rest, data)?);
    at_end(rest)?;
    let status = match status {
        1 => Status::Pass,
        2 => Status::Fail,
        3 => Status::GetData,
        4 => Status::GetUser,
        5 => Status::GetPass,
        6 => Status::Restart,
        7 => Status::Error,
        0x21 => Status::Follow,
        other => return Err(Malformed::Status(other)),
    };
    Ok(Answer { status, message, data, arguments: Vec::new() })
}

/// Authorization RESPONSE (RFC 8907 section 6.2).
pub fn authorization_response(body: &[u8]) -> Result<Answer<'_, AuthorizationStatus>, Malformed> {
    use AuthorizationStatus as Status;
    let mut rest = body;
    let [status, count] = array(&mut rest)?;
    let (message, data) = (u16(&mut rest)?, u16(&mut rest)?);
    let lengths = take(&mut rest, count.into())?;
    let (message, data) = (take(&mut rest, message)?, take(&mut rest, data)?);
    let arguments =
        lengths.iter().map(|length| take(&mut rest, (*length).into())).collect::<Result<Vec<_>, _>>()?;
    at_end(rest)?;
    let status = match status {
        1 => Status::PassAdd,
        2 => Status::PassReplace,
        0x10 => Status::Fail,
        0x11 => Status::Error,
        0x21 => Status::Follow,
        other => return Err(Malformed::Status(other)),
    };
    Ok(Answer { status, message, data, arguments })
}

/// Accounting REPLY (RFC 8907 section 7.2).
pub fn accounting_reply(body: &[u8]) -> Result<Answer<'_, AccountingStatus>, Malformed> {
    use AccountingStatus as Status;
    let mut rest = body;
    let (message, data) = (u16(&mut rest)?, u16(&mut rest)?);
    let [status] = array(&mut rest)?;
    let (message, data) = (take(&mut rest, message)?, take(&mut rest, data)?);
    at_end(rest)?;
    let status = match status {
        1 => Status::Success,
        2 => Status::Error,
        0x21 => Status::Follow,
        other => return Err(Malformed::Status(other)),
    };
    Ok(Answer { status, message, data, arguments: Vec::new() })
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], Malformed> {
    let (taken, left) = rest.split_at_checked(count).ok_or(Malformed::Lengths)?;
    *rest = left;
    Ok(taken)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    take(rest, N)?.try_into().map_err(|_| Malformed::Lengths)
}

fn u16(rest: &mut &[u8]) -> Result<usize, Malformed> {
    array(rest).map(|octets| u16::from_be_bytes(octets).into())
}

fn at_end(rest: &[u8]) -> Result<(), Malformed> {
    if rest.is_empty() { Ok(()) } else { Err(Malformed::Lengths) }
}

/// What a server says, on one line and no longer than anybody reads.
pub fn words(octets: &[u8]) -> String {
    const LONGEST: usize = 250;
    let text = String::from_utf8_lossy(octets);
    let text = text.trim_matches(|c: char| c.is_control() || c.is_whitespace());
    text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;

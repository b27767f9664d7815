//! Messages of RFC 4120: what is asked (section 5.4.1), what is answered (sections 5.4.2, 5.9.1), and what their
//! encrypted parts hold. Octets in, structs out; nothing is decided here.

mod error;
mod time;

use zeroize::Zeroizing;

use super::der::{
    BIT_STRING, Malformed, OCTET_STRING, Reader, SEQUENCE, STRING, TIME, application, element, field,
    integer, sequence,
};
pub use error::KdcError;
pub use time::KerberosTime;

/// Padata types (section 7.5.2).
const PA_TGS_REQ: i64 = 1;
const PA_ENC_TIMESTAMP: i64 = 2;
const PA_ETYPE_INFO2: i32 = 19;
/// Message types (section 7.5.7), which are their application tags too.
const AS_REQ: u8 = 10;
const AS_REP: u8 = 11;
const TGS_REQ: u8 = 12;
const TGS_REP: u8 = 13;
const AP_REQ: u8 = 14;
const KRB_ERROR: u8 = 30;
/// NT-PRINCIPAL (section 6.2).
const NT_PRINCIPAL: i32 = 1;
/// NT-SRV-INST
const NT_SRV_INST: i32 = 2;

/// PrincipalName (section 5.2.2): `joe`, `krbtgt/REALM`, `vpn/host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    kind: i32,
    parts: Vec<Vec<u8>>,
}

impl Name {
    /// A user or a service, its parts with slashes between.
    pub fn principal(text: &str) -> Self {
        Self::of_parts(NT_PRINCIPAL, text.split('/').map(|part| part.as_bytes().to_vec()).collect())
    }

    /// The service that grants tickets for a realm.
    pub fn granting(realm: &str) -> Self {
        Self::of_parts(NT_SRV_INST, vec![b"krbtgt".to_vec(), realm.as_bytes().to_vec()])
    }

    pub(super) fn of_parts(kind: i32, parts: Vec<Vec<u8>>) -> Self {
        Self { kind, parts }
    }

    /// The same principal; the kind is a hint (section 6.2), and Active Directory does not tell cases apart.
    pub fn is(&self, other: &Self) -> bool {
        self.parts.len() == other.parts.len()
            && self.parts.iter().zip(&other.parts).all(|(one, other)| one.eq_ignore_ascii_case(other))
    }

    /// What a password is salted with where the KDC says nothing else (section 4).
    pub(super) fn salt(&self, realm: &str) -> Vec<u8> {
        [realm.as_bytes(), &self.parts.concat()].concat()
    }

    fn encode(&self) -> Vec<u8> {
        let parts: Vec<_> = self.parts.iter().map(|part| element(STRING, part)).collect();
        sequence(&[field(0, &integer(self.kind.into())), field(1, &sequence(&parts))])
    }

    fn read(mut reader: Reader<'_>) -> Result<Self, Malformed> {
        let mut fields = reader.sequence()?;
        let kind = fields.field(0, "a principal without a kind")?.number()?;
        let mut strings = fields.field(1, "a principal without a name")?.sequence()?;
        let mut parts = Vec::new();
        while !strings.is_empty() {
            parts.push(strings.string()?.to_vec());
        }
        Ok(Self { kind, parts })
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<_> = self.parts.iter().map(|part| String::from_utf8_lossy(part)).collect();
        f.write_str(&parts.join("/"))
    }
}

/// EncryptedData (section 5.2.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted {
    /// Encryption type.
    pub etype: i32,
    /// Version of the key.
    pub version: Option<u32>,
    /// The octets.
    pub cipher: Vec<u8>,
}

impl Encrypted {
    fn encode(&self) -> Vec<u8> {
        sequence(&[field(0, &integer(self.etype.into())), field(2, &element(OCTET_STRING, &self.cipher))])
    }

    fn read(mut reader: Reader<'_>) -> Result<Self, Malformed> {
        let mut fields = reader.sequence()?;
        Ok(Self {
            etype: fields.field(0, "encrypted data without a type")?.number()?,
            version: match fields.optional(1)? {
                Some(mut version) => u32::try_from(version.integer()?).ok(),
                None => None,
            },
            cipher: fields.field(2, "encrypted data without octets")?.octets()?.to_vec(),
        })
    }
}

/// Ticket (section 5.3): what we hand back unread, and what its service can decrypt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    whole: Vec<u8>,
    /// Whom it is for.
    pub service: Name,
    /// For that service's key.
    pub encrypted: Encrypted,
}

/// AS-REP or TGS-REP (section 5.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KdcReply {
    /// How a password becomes the key, where the KDC says it with the answer.
    pub methods: Vec<EtypeInfo>,
    /// Realm of the user.
    pub realm: Vec<u8>,
    /// The user.
    pub name: Name,
    /// What was asked for.
    pub ticket: Ticket,
    /// For the user's key, or the session's.
    pub encrypted: Encrypted,
}

/// What a KDC answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A ticket.
    Reply(Box<KdcReply>),
    /// None.
    Error(KdcError),
}

/// One entry of ETYPE-INFO2 (section 5.2.7.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtypeInfo {
    /// Encryption type.
    pub etype: i32,
    /// Salt; `None`: the usual one.
    pub salt: Option<Vec<u8>>,
    /// Parameters of the string-to-key function.
    pub parameters: Option<Vec<u8>>,
}

impl Answer {
    /// Reads an answer to an AS-REQ.
    pub fn to_as_request(octets: &[u8]) -> Result<Self, Malformed> {
        Self::read(octets, AS_REP)
    }

    /// Reads an answer to a TGS-REQ.
    pub fn to_tgs_request(octets: &[u8]) -> Result<Self, Malformed> {
        Self::read(octets, TGS_REP)
    }

    fn read(octets: &[u8], reply: u8) -> Result<Self, Malformed> {
        let what = "neither the answer to our question nor an error";
        match Reader::within(octets, application(KRB_ERROR), what) {
            Ok(error) => KdcError::read(error).map(Self::Error),
            Err(_) => {
                let message = Reader::within(octets, application(reply), what)?;
                Ok(Self::Reply(Box::new(KdcReply::read(message, reply)?)))
            }
        }
    }
}

impl KdcReply {
    fn read(mut message: Reader<'_>, kind: u8) -> Result<Self, Malformed> {
        let mut fields = message.sequence()?;
        version_and_kind(&mut fields, kind)?;
        let methods = match fields.optional(2)? {
            Some(padata) => etype_info(padata)?,
            None => Vec::new(),
        };
        Ok(Self {
            methods,
            realm: fields.field(3, "an answer without a realm")?.string()?.to_vec(),
            name: Name::read(fields.field(4, "an answer without a name")?)?,
            ticket: Ticket::read(fields.field(5, "an answer without a ticket")?)?,
            encrypted: Encrypted::read(fields.field(6, "an answer without an encrypted part")?)?,
        })
    }
}

fn version_and_kind(fields: &mut Reader<'_>, kind: u8) -> Result<(), Malformed> {
    if fields.field(0, "a message without a version")?.integer()? != 5 {
        return Err(Malformed("a version other than 5"));
    }
    if fields.field(1, "a message without a type")?.integer()? != i64::from(kind) {
        return Err(Malformed("a message whose two types differ"));
    }
    Ok(())
}

impl Ticket {
    fn read(mut reader: Reader<'_>) -> Result<Self, Malformed> {
        let ticket = reader.expect(application(1), "no ticket where one belongs")?;
        let mut fields = Reader::new(ticket.content).sequence()?;
        Ok(Self {
            whole: ticket.whole.to_vec(),
            service: Name::read(fields.field(2, "a ticket without a service")?)?,
            encrypted: Encrypted::read(fields.field(3, "a ticket without an encrypted part")?)?,
        })
    }
}

/// The entries of PA-ETYPE-INFO2 in a SEQUENCE OF PA-DATA.
fn etype_info(mut padata: Reader<'_>) -> Result<Vec<EtypeInfo>, Malformed> {
    let mut list = padata.sequence()?;
    let mut found = Vec::new();
    while !list.is_empty() {
        let mut fields = list.sequence()?;
        let kind = fields.field(1, "padata without a type")?.number()?;
        let mut value = fields.field(2, "padata without a value")?;
        if kind == PA_ETYPE_INFO2 {
            let mut entries = Reader::new(value.octets()?).sequence()?;
            while !entries.is_empty() {
                let mut fields = entries.sequence()?;
                found.push(EtypeInfo {
                    etype: fields.field(0, "an encryption type without a number")?.number()?,
                    salt: match fields.optional(1)? {
                        Some(mut salt) => Some(salt.string()?.to_vec()),
                        None => None,
                    },
                    parameters: match fields.optional(2)? {
                        Some(mut parameters) => Some(parameters.octets()?.to_vec()),
                        None => None,
                    },
                });
            }
        }
    }
    Ok(found)
}

/// EncryptionKey (section 5.2.9); wiped when dropped.
#[derive(Clone)]
pub struct SessionKey {
    /// Encryption type.
    pub etype: i32,
    /// The key.
    pub value: Zeroizing<Vec<u8>>,
}

impl SessionKey {
    fn read(mut reader: Reader<'_>) -> Result<Self, Malformed> {
        let mut fields = reader.sequence()?;
        let etype = fields.field(0, "a key without a type")?.number()?;
        let value = fields.field(1, "a key without a value")?.octets()?;
        Ok(Self { etype, value: Zeroizing::new(value.to_vec()) })
    }
}

/// EncKDCRepPart (section 5.4.2).
pub struct ReplyPart {
    /// Of the session with the ticket's service.
    pub key: SessionKey,
    /// That of the question.
    pub nonce: i64,
    /// Realm of the ticket's service.
    pub realm: Vec<u8>,
    /// The ticket's service.
    pub service: Name,
}

impl ReplyPart {
    /// Reads what an answer's encrypted part decrypted to.
    pub fn parse(plain: &[u8]) -> Result<Self, Malformed> {
        // Section 5.4.2: some KDCs mark the part of an AS-REP as that of a TGS-REP.
        let what = "no part of an answer";
        let mut message = Reader::within(plain, application(25), what)
            .or_else(|_| Reader::within(plain, application(26), what))?;
        let mut fields = message.sequence()?;
        Ok(Self {
            key: SessionKey::read(fields.field(0, "an answer without a key")?)?,
            nonce: fields.field(2, "an answer without a nonce")?.integer()?,
            realm: fields.field(9, "an answer without the service's realm")?.string()?.to_vec(),
            service: Name::read(fields.field(10, "an answer without the service's name")?)?,
        })
    }
}

/// EncTicketPart (section 5.3).
pub struct TicketPart {
    /// Of the session between user and service.
    pub key: SessionKey,
    /// Realm of the user.
    pub realm: Vec<u8>,
    /// The user.
    pub name: Name,
    /// Until when it is good.
    pub end: KerberosTime,
}

impl TicketPart {
    /// Reads what a ticket's encrypted part decrypted to.
    pub fn parse(plain: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Reader::within(plain, application(3), "no part of a ticket")?.sequence()?;
        Ok(Self {
            key: SessionKey::read(fields.field(1, "a ticket without a key")?)?,
            realm: fields.field(2, "a ticket without a realm")?.string()?.to_vec(),
            name: Name::read(fields.field(3, "a ticket without a name")?)?,
            end: {
                let mut end = fields.field(7, "a ticket without an end")?;
                KerberosTime::parse(end.expect(TIME, "no time where one belongs")?.content)
                    .ok_or(Malformed("a time that is none"))?
            },
        })
    }
}

/// What is asked for (KDC-REQ-BODY, section 5.4.1).
#[derive(Debug, Clone)]
pub struct Body<'a> {
    /// The user; not in a TGS-REQ, whose ticket says it.
    pub name: Option<&'a Name>,
    /// Of the service, and of the user.
    pub realm: &'a str,
    /// The service.
    pub service: &'a Name,
    /// Comes back in the answer.
    pub nonce: u32,
    /// Encryption types, the best first.
    pub etypes: &'a [i32],
}

impl Body<'_> {
    /// The octets that a TGS-REQ's checksum is over.
    pub fn encode(&self) -> Vec<u8> {
        let etypes: Vec<_> = self.etypes.iter().map(|etype| integer(i64::from(*etype))).collect();
        let mut fields = vec![field(0, &element(BIT_STRING, &[0; 5]))];
        fields.extend(self.name.map(|name| field(1, &name.encode())));
        fields.extend([
            field(2, &element(STRING, self.realm.as_bytes())),
            field(3, &self.service.encode()),
            // As long as the KDC gives; with an hour of ours a clock that is wrong would look like something else.
            field(5, &element(TIME, b"19700101000000Z")),
            field(7, &integer(self.nonce.into())),
            field(8, &sequence(&etypes)),
        ]);
        sequence(&fields)
    }
}

/// AS-REQ, with the encrypted time where it is known how to encrypt it.
pub fn as_request(body: &[u8], timestamp: Option<&Encrypted>) -> Vec<u8> {
    request(AS_REQ, body, timestamp.map(|encrypted| (PA_ENC_TIMESTAMP, encrypted.encode())))
}

/// TGS-REQ with the AP-REQ that proves who asks.
pub fn tgs_request(body: &[u8], ticket: &Ticket, authenticator: &Encrypted) -> Vec<u8> {
    let fields = [
        field(0, &integer(5)),
        field(1, &integer(AP_REQ.into())),
        field(2, &element(BIT_STRING, &[0; 5])),
        field(3, &ticket.whole),
        field(4, &authenticator.encode()),
    ];
    let proof = element(application(AP_REQ), &sequence(&fields));
    request(TGS_REQ, body, Some((PA_TGS_REQ, proof)))
}

fn request(kind: u8, body: &[u8], padata: Option<(i64, Vec<u8>)>) -> Vec<u8> {
    let mut fields = vec![field(1, &integer(5)), field(2, &integer(kind.into()))];
    fields.extend(padata.map(|(kind, value)| {
        let padata = sequence(&[field(1, &integer(kind)), field(2, &element(OCTET_STRING, &value))]);
        field(3, &sequence(&[padata]))
    }));
    fields.push(field(4, body));
    element(application(kind), &sequence(&fields))
}

/// PA-ENC-TS-ENC (section 5.2.7.2), to be encrypted.
pub fn timestamp(now: KerberosTime, micros: u32) -> Vec<u8> {
    sequence(&[field(0, &element(TIME, now.to_string().as_bytes())), field(1, &integer(micros.into()))])
}

/// Authenticator (section 5.5.1) with a checksum, to be encrypted.
pub fn authenticator(
    realm: &[u8],
    name: &Name,
    checksum: (i32, &[u8]),
    now: KerberosTime,
    micros: u32,
) -> Vec<u8> {
    let (kind, value) = checksum;
    let checksum = sequence(&[field(0, &integer(kind.into())), field(1, &element(OCTET_STRING, value))]);
    let fields = [
        field(0, &integer(5)),
        field(1, &element(STRING, realm)),
        field(2, &name.encode()),
        field(3, &checksum),
        field(4, &integer(micros.into())),
        field(5, &element(TIME, now.to_string().as_bytes())),
    ];
    element(application(2), &element(SEQUENCE, &fields.concat()))
}

#[cfg(test)]
mod tests;

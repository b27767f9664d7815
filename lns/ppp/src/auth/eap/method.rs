//! What a method of EAP is to the client's side: anything that turns the data of Requests into those of Responses.

use tollgate_sansio::Entropy;

use crate::{ClientConfig, DownReason, MppeStartKeys};

/// What a method makes of a Request.
#[derive(Debug)]
pub enum EapReply {
    /// Answer with this Type-Data.
    Respond(Vec<u8>),
    /// The Request is malformed or out of place: no answer, the server will ask again.
    Discard,
    /// The link has to end.
    Fail(DownReason),
}

/// What a method was told when it was turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EapRefusal {
    /// MS-CHAP's error number.
    pub code: Option<u32>,
    /// The server would take another attempt.
    pub retry: bool,
    /// The server's text.
    pub message: Vec<u8>,
}

/// One method of EAP under way, on the client's side. Requests come in their order, each once.
pub trait EapMethod: Send {
    /// Its type number.
    fn kind(&self) -> u8;

    /// A Request of this type: its identifier and its Type-Data.
    fn receive(&mut self, identifier: u8, data: &[u8]) -> EapReply;

    /// True once nothing is missing but the server's Success: before that, a Success is somebody else's.
    fn is_satisfied(&self) -> bool;

    /// What the server said to the user with its consent.
    fn message(&self) -> Vec<u8> {
        Vec::new()
    }

    /// What the server said when it refused.
    fn refusal(&self) -> Option<EapRefusal> {
        None
    }

    /// The keys that the method leaves for MPPE, as this end sends and receives.
    fn keys(&self) -> Option<MppeStartKeys> {
        None
    }
}

/// Makes methods that this crate has not: those that need TLS.
pub trait EapMethods: Send + Sync {
    /// The method of this type; `None` for one that cannot be served.
    fn create(&self, kind: u8, config: &ClientConfig, entropy: Entropy) -> Option<Box<dyn EapMethod>>;
}

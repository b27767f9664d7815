//! The options of LCP (RFC 1661 section 6) and its own packets (5.6 to 5.9, RFC 1570): what we ask for, what we grant
//! and how the authentication method is found. The exchange itself is `negotiate`'s.

use crate::auth::{self, AuthProtocol};
use crate::frame::Protocol;
use crate::negotiate::Negotiable;
use crate::options::{self, Answer, ConfigOption, Objections};
use crate::shared::{DEFAULT_MRU, Shared};
use crate::{ClientConfig, DownReason, ServerConfig};

pub(crate) const MRU: u8 = 1;
pub(crate) const ACCM: u8 = 2;
pub(crate) const AUTHENTICATION: u8 = 3;
pub(crate) const MAGIC: u8 = 5;
pub(crate) const PFC: u8 = 7;
pub(crate) const ACFC: u8 = 8;

pub(crate) const PROTOCOL_REJECT: u8 = 8;
pub(crate) const ECHO_REQUEST: u8 = 9;
pub(crate) const ECHO_REPLY: u8 = 10;
pub(crate) const DISCARD_REQUEST: u8 = 11;
/// RFC 1570 2.1.
pub(crate) const IDENTIFICATION: u8 = 12;
/// RFC 1570 2.2.
pub(crate) const TIME_REMAINING: u8 = 13;

/// Smaller MRUs than this are not granted: not even the control packets would fit.
const SMALLEST_MRU: u16 = 128;
/// Our own magic number in the peer's requests this often means that we talk to ourselves (RFC 1661 6.4).
const MOST_LOOPS: u8 = 3;
/// Different methods that are remembered of a peer that wants none of ours.
const MOST_WANTED: usize = 8;

/// What the peer asked for and was granted. Kept for as long as the link lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeerOptions {
    pub(crate) mru: u16,
    pub(crate) magic: u32,
    pub(crate) pfc: bool,
    pub(crate) acfc: bool,
    /// Client: the server wants us to authenticate in this way.
    pub(crate) method: Option<AuthProtocol>,
}

impl Default for PeerOptions {
    fn default() -> Self {
        Self { mru: DEFAULT_MRU, magic: 0, pfc: false, acfc: false, method: None }
    }
}

/// The methods of a configuration, copied into the link: there are five.
pub(crate) type Methods = [Option<AuthProtocol>; 5];

/// LCP's options of one end.
pub(crate) struct Lcp {
    /// True at the end that wants the other authenticated.
    server: bool,
    /// All methods of the configuration, in its order.
    methods: Methods,
    /// Server: those that the peer has not refused in this negotiation.
    left: Methods,
    configured_mru: u16,
    /// Our own requests; an option that the peer rejected is not asked for again.
    mru: Option<u16>,
    magic: u32,
    ask_magic: bool,
    compress: bool,
    /// What the peer got.
    pub(crate) peer: PeerOptions,
    loops: u8,
    refusals: u8,
    wanted: Vec<String>,
}

impl Lcp {
    pub(crate) fn server(config: &ServerConfig) -> Self {
        Self::new(true, &config.methods, config.mru)
    }

    pub(crate) fn client(config: &ClientConfig) -> Self {
        Self::new(false, &config.methods, config.mru)
    }

    fn new(server: bool, methods: &[AuthProtocol], mru: u16) -> Self {
        let methods = auth::negotiable(methods);
        Self {
            server,
            methods,
            left: methods,
            configured_mru: mru.clamp(SMALLEST_MRU, DEFAULT_MRU),
            mru: None,
            magic: 0,
            ask_magic: false,
            compress: false,
            peer: PeerOptions::default(),
            loops: 0,
            refusals: 0,
            wanted: Vec::new(),
        }
    }

    /// True if there is any method that could be negotiated.
    pub(crate) fn has_methods(&self) -> bool {
        self.methods.iter().any(Option::is_some)
    }

    /// Our magic number; 0 if the peer would not have one.
    pub(crate) fn magic(&self) -> u32 {
        if self.ask_magic { self.magic } else { 0 }
    }

    /// The method in force: what the peer acknowledged to a server, what a client acknowledged to its server.
    pub(crate) fn method(&self) -> Option<AuthProtocol> {
        if self.server { self.offered() } else { self.peer.method }
    }

    fn offered(&self) -> Option<AuthProtocol> {
        self.left.iter().flatten().next().copied()
    }

    fn allows(&self, method: AuthProtocol) -> bool {
        self.methods.contains(&Some(method))
    }

    /// Drops what only the negotiation needed.
    pub(crate) fn settle(&mut self) {
        self.wanted = Vec::new();
    }

    /// Takes over what a LAC negotiated for us: its last request as ours, the peer's last request as the peer's.
    /// False if either is missing, broken or contains what we would not have agreed to.
    pub(crate) fn adopt(&mut self, sent: &[u8], received: &[u8], shared: &mut Shared) -> bool {
        let (Some(sent), Some(received)) = (options::parse(sent), options::parse(received)) else {
            return false;
        };
        let mut method = None;
        self.ask_magic = false;
        self.mru = None;
        for option in &sent {
            match (option.kind, option.value) {
                (MRU, &[high, low]) if u16::from_be_bytes([high, low]) >= SMALLEST_MRU => {
                    self.mru = Some(u16::from_be_bytes([high, low]));
                }
                (ACCM, [_, _, _, _]) | (PFC | ACFC, []) => {}
                (MAGIC, &[a, b, c, d]) => {
                    self.magic = u32::from_be_bytes([a, b, c, d]);
                    self.ask_magic = self.magic != 0;
                }
                (AUTHENTICATION, value) => method = AuthProtocol::from_option(value),
                _ => return false,
            }
        }
        let Some(method) = method.filter(|&method| self.allows(method)) else {
            return false;
        };
        self.left = [Some(method), None, None, None, None];
        matches!(self.judge(&received, true, shared), Ok(Answer::Ack))
    }

    /// The peer wants one of `hints` instead of the method that we offered, or none at all (`hints` empty).
    ///
    /// Each refusal takes one method off the list, so that this ends after as many rounds as there are methods, in
    /// whatever circle the peer goes.
    fn switch_method(&mut self, hints: &[ConfigOption<'_>]) -> Result<(), DownReason> {
        for hint in hints {
            let name = auth::option_name(hint.value);
            if !self.wanted.contains(&name) && self.wanted.len() < MOST_WANTED {
                self.wanted.push(name);
            }
        }
        if let Some(refused) = self.left.iter_mut().find(|method| method.is_some()) {
            *refused = None;
        }
        let liked = hints
            .iter()
            .filter_map(|hint| AuthProtocol::from_option(hint.value))
            .find_map(|wanted| self.left.iter().position(|&left| left == Some(wanted)));
        if let Some(at) = liked {
            // To the front: the methods before it were preferred by us, but the peer has said what it will take.
            if let Some(liked) = self.left.get_mut(..=at) {
                liked.rotate_right(1);
            }
        }
        if self.offered().is_none() { Err(self.refused()) } else { Ok(()) }
    }

    fn refused(&mut self) -> DownReason {
        DownReason::MethodRefused { wanted: std::mem::take(&mut self.wanted) }
    }

    fn judge_mru(&self, option: &ConfigOption<'_>, peer: &mut PeerOptions, objections: &mut Objections) {
        match option.array().map(u16::from_be_bytes) {
            Some(mru) if mru >= SMALLEST_MRU => peer.mru = mru,
            Some(_) => objections.nak(MRU, &SMALLEST_MRU.to_be_bytes()),
            None => objections.nak(MRU, &DEFAULT_MRU.to_be_bytes()),
        }
    }

    fn judge_magic(
        &self,
        option: &ConfigOption<'_>,
        peer: &mut PeerOptions,
        objections: &mut Objections,
        shared: &mut Shared,
    ) {
        match option.array().map(u32::from_be_bytes) {
            Some(magic) if magic != 0 => peer.magic = magic,
            Some(_) | None => objections.nak(MAGIC, &shared.magic().to_be_bytes()),
        }
    }

    /// A request with our own magic number is either chance or our own request come back (RFC 1661 6.4). Nothing
    /// else in it is looked at: on a looped line we would read our own objections and believe them.
    fn suspects_loop(&mut self, asked: &[ConfigOption<'_>]) -> Result<bool, DownReason> {
        let ours = self.magic();
        let same = ours != 0
            && asked.iter().any(|option| option.kind == MAGIC && option.array() == Some(ours.to_be_bytes()));
        if same {
            self.loops += 1;
            if self.loops >= MOST_LOOPS {
                return Err(DownReason::Loopback);
            }
        }
        Ok(same)
    }

    /// A server never authenticates itself; a client does if the method is one of its own, and names the others one
    /// after the other, beginning with the first.
    fn judge_method(
        &mut self,
        option: &ConfigOption<'_>,
        peer: &mut PeerOptions,
        objections: &mut Objections,
        shared: &mut Shared,
    ) {
        if self.server {
            shared.warn(format!(
                "LCP: the peer wants us to authenticate by {}",
                auth::option_name(option.value)
            ));
            objections.reject(option);
            return;
        }
        match AuthProtocol::from_option(option.value).filter(|&method| self.allows(method)) {
            Some(method) => peer.method = Some(method),
            None => {
                let mine = self.methods.iter().flatten().count().max(1);
                let next = self.methods.iter().flatten().nth(usize::from(self.refusals) % mine);
                match next {
                    Some(method) => objections.nak(AUTHENTICATION, method.option()),
                    None => objections.reject(option),
                }
                self.refusals = self.refusals.wrapping_add(1);
            }
        }
    }
}

impl Negotiable for Lcp {
    const PROTOCOL: Protocol = Protocol::LCP;
    const NAME: &'static str = "LCP";

    fn begin(&mut self, shared: &mut Shared) {
        self.left = self.methods;
        self.mru = Some(self.configured_mru);
        self.magic = shared.magic();
        self.ask_magic = true;
        // A client asks for the short headers as every other client does; a server gains nothing by them.
        self.compress = !self.server;
        self.loops = 0;
        self.refusals = 0;
        self.wanted = Vec::new();
    }

    fn request(&self) -> Vec<u8> {
        let mut list = Vec::with_capacity(24);
        if let Some(mru) = self.mru {
            options::push(&mut list, MRU, &mru.to_be_bytes());
        }
        if let (true, Some(method)) = (self.server, self.offered()) {
            options::push(&mut list, AUTHENTICATION, method.option());
        }
        if self.ask_magic {
            options::push(&mut list, MAGIC, &self.magic.to_be_bytes());
        }
        if self.compress {
            options::push(&mut list, PFC, &[]);
            options::push(&mut list, ACFC, &[]);
        }
        list
    }

    fn is_marked_by_magic(&self) -> bool {
        self.peer.magic != 0
    }

    fn judge(
        &mut self,
        asked: &[ConfigOption<'_>],
        naks_left: bool,
        shared: &mut Shared,
    ) -> Result<Answer, DownReason> {
        let mut peer = PeerOptions::default();
        let mut objections = Objections::default();
        if self.suspects_loop(asked)? {
            objections.nak(MAGIC, &shared.magic().to_be_bytes());
            return Ok(objections.into_answer());
        }
        for option in asked {
            match option.kind {
                MRU => self.judge_mru(option, &mut peer, &mut objections),
                // Octets are never escaped here, so that any map will do.
                ACCM if option.value.len() == 4 => {}
                ACCM => objections.nak(ACCM, &[0; 4]),
                AUTHENTICATION => self.judge_method(option, &mut peer, &mut objections, shared),
                MAGIC => self.judge_magic(option, &mut peer, &mut objections, shared),
                PFC if option.value.is_empty() => peer.pfc = true,
                ACFC if option.value.is_empty() => peer.acfc = true,
                PFC | ACFC => objections.nak(option.kind, &[]),
                // Callback, MRRU, endpoint discriminator, link quality and whatever else there is.
                _ => objections.reject(option),
            }
        }
        if objections.is_empty() {
            self.peer = peer;
        }
        Ok(match objections.into_answer() {
            Answer::Nak(list) if !naks_left => Answer::Reject(original_of(asked, &list)),
            answer => answer,
        })
    }

    fn naked(&mut self, hints: &[ConfigOption<'_>], shared: &mut Shared) -> Result<(), DownReason> {
        for hint in hints {
            match hint.kind {
                MRU => {
                    if let Some(mru) = hint.array().map(u16::from_be_bytes) {
                        self.mru = self.mru.map(|_| mru.clamp(SMALLEST_MRU, DEFAULT_MRU));
                    }
                }
                // Whatever number the peer proposes, one of our own choice is as unlikely to be anybody else's.
                MAGIC => self.magic = shared.magic(),
                _ => {}
            }
        }
        let methods: Vec<_> = hints.iter().filter(|hint| hint.kind == AUTHENTICATION).copied().collect();
        if self.server && !methods.is_empty() { self.switch_method(&methods) } else { Ok(()) }
    }

    fn rejected(&mut self, options: &[ConfigOption<'_>], _shared: &mut Shared) -> Result<(), DownReason> {
        for option in options {
            match option.kind {
                MRU => self.mru = None,
                MAGIC => self.ask_magic = false,
                PFC | ACFC => self.compress = false,
                AUTHENTICATION if self.server => {
                    self.wanted.push("no authentication".to_owned());
                    return Err(self.refused());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The options of `asked` whose types stand in `naks`, as the peer wrote them: a Reject repeats, a Nak corrects.
pub(crate) fn original_of(asked: &[ConfigOption<'_>], naks: &[u8]) -> Vec<u8> {
    let naked = options::parse(naks).unwrap_or_default();
    let mut list = Vec::with_capacity(naks.len());
    for option in asked.iter().filter(|option| naked.iter().any(|nak| nak.kind == option.kind)) {
        options::push(&mut list, option.kind, option.value);
    }
    list
}

#[cfg(test)]
mod tests;

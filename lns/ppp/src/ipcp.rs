//! The options of IPCP (RFC 1332) with the name server options of RFC 1877. The server assigns; the client takes.

use std::net::Ipv4Addr;

use crate::frame::Protocol;
use crate::negotiate::Negotiable;
use crate::options::{self, Answer, ConfigOption, Objections};
use crate::shared::Shared;
use crate::{Addresses, DownReason, Network};

/// RFC 1332 3.3. (Option 1, IP-Addresses, is the deprecated form; option 2 is Van Jacobson compression.)
pub(crate) const IP_ADDRESS: u8 = 3;
/// RFC 1877: primary DNS, primary NBNS, secondary DNS, secondary NBNS.
pub(crate) const NAME_SERVERS: [u8; 4] = [129, 130, 131, 132];

/// How often a peer that names no address is told to do so before it is let be. It then has the address that we
/// route to it whether it knows or not.
const MOST_HINTS: u8 = 2;
/// How often a peer may object to our own address before we stop naming it.
const MOST_OBJECTIONS: u8 = 3;

/// IPCP's options of one end.
pub(crate) struct Ipcp {
    /// What a server gives; a client has `None`.
    gives: Option<Network>,
    /// Our address as we ask for it, while we ask for one.
    address: Option<Ipv4Addr>,
    /// The name servers as a client asks for them, in the order of [`NAME_SERVERS`].
    servers: [Option<Ipv4Addr>; 4],
    wants: [bool; 4],
    /// The address that the peer named and got.
    peer: Option<Ipv4Addr>,
    hints: u8,
    objections: u8,
}

impl Ipcp {
    pub(crate) fn server(network: Network) -> Self {
        Self::new(Some(network), [false; 4])
    }

    pub(crate) fn client(dns: bool, nbns: bool) -> Self {
        Self::new(None, [dns, nbns, dns, nbns])
    }

    fn new(gives: Option<Network>, wants: [bool; 4]) -> Self {
        Self { gives, address: None, servers: [None; 4], wants, peer: None, hints: 0, objections: 0 }
    }

    /// What was agreed on. `None` on a client that got no address.
    pub(crate) fn addresses(&self) -> Option<Addresses> {
        match self.gives {
            Some(Network { local, peer, dns, nbns }) => Some(Addresses { local, peer, dns, nbns }),
            None => {
                let local = self.address.filter(|address| !address.is_unspecified())?;
                let [dns1, nbns1, dns2, nbns2] =
                    self.servers.map(|server| server.filter(|address| !address.is_unspecified()));
                Some(Addresses {
                    local,
                    peer: self.peer.unwrap_or(Ipv4Addr::UNSPECIFIED),
                    dns: [dns1, dns2],
                    nbns: [nbns1, nbns2],
                })
            }
        }
    }

    fn judge_as_server(
        &mut self,
        network: &Network,
        asked: &[ConfigOption<'_>],
        naks_left: bool,
        shared: &mut Shared,
    ) -> Objections {
        let mut objections = Objections::default();
        let mut named = false;
        for option in asked {
            if option.kind == IP_ADDRESS {
                named = true;
                // Never a Reject, whatever stands there: Windows gives up at once without an address (error 738).
                if option.array() != Some(network.peer.octets()) {
                    objections.nak(IP_ADDRESS, &network.peer.octets());
                }
            } else if let Some(server) = name_server(network, option.kind) {
                if option.array() != Some(server.octets()) {
                    objections.nak(option.kind, &server.octets());
                }
            } else {
                objections.reject(option);
            }
        }
        if !named {
            if naks_left && self.hints < MOST_HINTS {
                self.hints += 1;
                objections.nak(IP_ADDRESS, &network.peer.octets());
            } else if objections.is_empty() {
                shared.warn("IPCP: the peer does not ask for its address");
            }
        }
        objections
    }

    fn judge_as_client(&mut self, asked: &[ConfigOption<'_>]) -> Objections {
        let mut objections = Objections::default();
        let mut peer = None;
        for option in asked {
            match (option.kind, option.array().map(Ipv4Addr::from)) {
                (IP_ADDRESS, Some(address)) if !address.is_unspecified() => peer = Some(address),
                _ => objections.reject(option),
            }
        }
        if objections.is_empty() {
            self.peer = peer;
        }
        objections
    }
}

/// The name server of `kind` that a peer gets, if there is one.
fn name_server(network: &Network, kind: u8) -> Option<Ipv4Addr> {
    let Network { local: _, peer: _, dns: [dns1, dns2], nbns: [nbns1, nbns2] } = *network;
    let at = NAME_SERVERS.iter().position(|&known| known == kind)?;
    [dns1, nbns1, dns2, nbns2].get(at).copied().flatten()
}

impl Negotiable for Ipcp {
    const PROTOCOL: Protocol = Protocol::IPCP;
    const NAME: &'static str = "IPCP";

    fn begin(&mut self, _shared: &mut Shared) {
        self.objections = 0;
        self.hints = 0;
        match self.gives {
            Some(network) => self.address = Some(network.local).filter(|address| !address.is_unspecified()),
            None => {
                self.address = Some(self.address.unwrap_or(Ipv4Addr::UNSPECIFIED));
                self.servers = self.wants.map(|wanted| wanted.then_some(Ipv4Addr::UNSPECIFIED));
            }
        }
    }

    fn request(&self) -> Vec<u8> {
        let mut list = Vec::with_capacity(30);
        if let Some(address) = self.address {
            options::push(&mut list, IP_ADDRESS, &address.octets());
        }
        for (kind, server) in NAME_SERVERS.into_iter().zip(self.servers) {
            if let Some(server) = server {
                options::push(&mut list, kind, &server.octets());
            }
        }
        list
    }

    fn judge(
        &mut self,
        asked: &[ConfigOption<'_>],
        naks_left: bool,
        shared: &mut Shared,
    ) -> Result<Answer, DownReason> {
        let objections = match self.gives {
            Some(network) => self.judge_as_server(&network, asked, naks_left, shared),
            None => self.judge_as_client(asked),
        };
        match objections.into_answer() {
            Answer::Nak(list) if !naks_left => {
                let insists = asked.iter().any(|option| option.kind == IP_ADDRESS)
                    && options::parse(&list).unwrap_or_default().iter().any(|nak| nak.kind == IP_ADDRESS);
                if insists {
                    Err(DownReason::NotConverging("the peer's IP address"))
                } else {
                    Ok(Answer::Reject(crate::lcp::original_of(asked, &list)))
                }
            }
            answer => Ok(answer),
        }
    }

    fn naked(&mut self, hints: &[ConfigOption<'_>], _shared: &mut Shared) -> Result<(), DownReason> {
        for hint in hints {
            let Some(address) = hint.array().map(Ipv4Addr::from) else { continue };
            if self.gives.is_some() {
                // Our address is ours. Whoever cannot live with it may live without knowing it.
                if hint.kind == IP_ADDRESS {
                    self.objections = self.objections.saturating_add(1);
                    if self.objections >= MOST_OBJECTIONS {
                        self.address = None;
                    }
                }
            } else if hint.kind == IP_ADDRESS {
                self.address = self.address.map(|_| address);
            } else if let Some(slot) = slot_of(&mut self.servers, hint.kind) {
                *slot = slot.map(|_| address);
            }
        }
        Ok(())
    }

    fn rejected(&mut self, options: &[ConfigOption<'_>], shared: &mut Shared) -> Result<(), DownReason> {
        for option in options {
            if option.kind == IP_ADDRESS {
                if self.gives.is_none() {
                    return Err(DownReason::PeerRejected("our request for an IP address"));
                }
                shared.warn("IPCP: the peer does not want to know our address");
                self.address = None;
            } else if let Some(slot) = slot_of(&mut self.servers, option.kind) {
                *slot = None;
            }
        }
        Ok(())
    }
}

fn slot_of(servers: &mut [Option<Ipv4Addr>; 4], kind: u8) -> Option<&mut Option<Ipv4Addr>> {
    let at = NAME_SERVERS.iter().position(|&known| known == kind)?;
    servers.get_mut(at)
}

#[cfg(test)]
mod tests;

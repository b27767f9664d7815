//! Cisco's attributes for its VPN concentrators and firewalls, vendor 3076, with the meanings of the later line.

use std::net::Ipv4Addr;

use radius::core::packet::Packet;

use super::answer::{Unusable, address, integer, text};
use super::request::cut;

/// Private enterprise number (Altiga, whose attributes these are).
pub const VENDOR: u32 = 3076;

/// Longest value beside vendor number, type and length.
const MAX_VENDOR_VALUE: usize = 247;

const SIMULTANEOUS_LOGINS: u8 = 2;
const PRIMARY_DNS: u8 = 5;
const SECONDARY_DNS: u8 = 6;
const PRIMARY_WINS: u8 = 7;
const SECONDARY_WINS: u8 = 8;
const TUNNELING_PROTOCOLS: u8 = 11;
pub(super) const GROUP_POLICY: u8 = 25;
const TUNNEL_GROUP_NAME: u8 = 146;
const CLIENT_TYPE: u8 = 150;
const SESSION_TYPE: u8 = 151;
const ADDRESS_POOLS: u8 = 217;

/// Client-Type: L2TP over IPsec.
const CLIENT_TYPE_L2TP: u32 = 5;
/// Session-Type has no value for L2TP; the one of an IPsec client fits best.
const SESSION_TYPE_CLIENT: u32 = 5;

/// Tunnel-Group-Name and Client-Type, in every request.
pub(super) fn add_session(packet: &mut Packet, tunnel_group: &str) {
    if !tunnel_group.is_empty() {
        let name = cut(tunnel_group, MAX_VENDOR_VALUE);
        packet.add(super::vendor_attribute(VENDOR, TUNNEL_GROUP_NAME, &[name.as_bytes()]));
    }
    packet.add(super::vendor_attribute(VENDOR, CLIENT_TYPE, &[&CLIENT_TYPE_L2TP.to_be_bytes()]));
}

/// Session-Type, in accounting requests only.
pub(super) fn add_session_type(packet: &mut Packet) {
    packet.add(super::vendor_attribute(VENDOR, SESSION_TYPE, &[&SESSION_TYPE_CLIENT.to_be_bytes()]));
}

/// What an answer's Cisco attributes said.
#[derive(Default)]
pub(super) struct Cisco {
    pub(super) group_policy: Option<String>,
    pub(super) dns: [Option<Ipv4Addr>; 2],
    pub(super) wins: [Option<Ipv4Addr>; 2],
    pub(super) address_pools: Vec<String>,
    pub(super) simultaneous_logins: Option<u32>,
    pub(super) tunneling_protocols: Option<u32>,
}

impl Cisco {
    /// Takes one attribute in. Unknown ones say nothing.
    pub(super) fn take(&mut self, kind: u8, value: &[u8]) -> Result<(), Unusable> {
        let [primary_dns, secondary_dns] = &mut self.dns;
        let [primary_wins, secondary_wins] = &mut self.wins;
        match kind {
            SIMULTANEOUS_LOGINS => self.simultaneous_logins = Some(integer("Simultaneous-Logins", value)?),
            PRIMARY_DNS => *primary_dns = Some(address("Primary-DNS", value)?),
            SECONDARY_DNS => *secondary_dns = Some(address("Secondary-DNS", value)?),
            PRIMARY_WINS => *primary_wins = Some(address("Primary-WINS", value)?),
            SECONDARY_WINS => *secondary_wins = Some(address("Secondary-WINS", value)?),
            TUNNELING_PROTOCOLS => self.tunneling_protocols = Some(integer("Tunneling-Protocols", value)?),
            GROUP_POLICY => {
                let name = text("Group-Policy", value)?;
                self.group_policy = Some(policy_of_class(value).unwrap_or(name));
            }
            ADDRESS_POOLS => {
                let names = text("Address-Pools", value)?;
                let names = names.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned);
                self.address_pools.extend(names);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The group policy in a Class of the form `OU=name;` (the semicolon may be missing, `OU` in any case).
pub fn policy_of_class(class: &[u8]) -> Option<String> {
    let (head, rest) = class.split_at_checked(3)?;
    if !head.eq_ignore_ascii_case(b"OU=") {
        return None;
    }
    let name = rest.split(|&octet| octet == b';').next()?;
    std::str::from_utf8(name).ok().filter(|name| !name.is_empty()).map(str::to_owned)
}

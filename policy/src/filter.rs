//! Access lists that every packet of a session must pass: what a group policy's `vpn-filter` or RADIUS's Filter-Id
//! names. A rule is written as on the old system, with the client as the source and the inside as the destination;
//! packets towards the client are matched with the two exchanged. What no rule permits is denied.

use std::net::Ipv4Addr;
use std::str::FromStr;

/// An access list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessList {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    permit: bool,
    /// IP protocol number; `None` for every one.
    protocol: Option<u8>,
    client: Side,
    inside: Side,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Side {
    network: u32,
    mask: u32,
    /// First and last port; `None` for every one.
    ports: Option<(u16, u16)>,
}

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the inside.
    FromClient,
    /// From the inside to the client.
    ToClient,
}

impl AccessList {
    /// Reads the rules; an error names the rule, counted from 1, and what is wrong with it.
    pub fn parse(rules: &[String]) -> Result<Self, (usize, String)> {
        let rules = rules
            .iter()
            .enumerate()
            .map(|(index, text)| text.parse().map_err(|error| (index + 1, error)))
            .collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    /// Whether an IPv4 packet may pass.
    pub fn permits(&self, packet: &[u8], direction: Direction) -> bool {
        let Some(flow) = Flow::of(packet) else { return false };
        let (client, inside) = match direction {
            Direction::FromClient => (flow.source, flow.destination),
            Direction::ToClient => (flow.destination, flow.source),
        };
        self.rules
            .iter()
            .find(|rule| {
                rule.protocol.is_none_or(|protocol| protocol == flow.protocol)
                    && rule.client.matches(client)
                    && rule.inside.matches(inside)
            })
            .is_some_and(|rule| rule.permit)
    }
}

impl Side {
    fn matches(&self, (address, port): (u32, Option<u16>)) -> bool {
        address & self.mask == self.network
            && self.ports.is_none_or(|(first, last)| port.is_some_and(|port| (first..=last).contains(&port)))
    }
}

/// Addresses, ports and protocol of a packet. A fragment that is not the first has no ports.
struct Flow {
    protocol: u8,
    source: (u32, Option<u16>),
    destination: (u32, Option<u16>),
}

impl Flow {
    fn of(packet: &[u8]) -> Option<Self> {
        let (header, _) = packet.split_first_chunk::<20>()?;
        let length = usize::from(header[0] & 0x0f) * 4;
        let protocol = header[9];
        let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff;
        let ports = match protocol {
            6 | 17 if fragment == 0 => packet.get(length..length + 4),
            _ => None,
        };
        let port = |at: usize| ports.map(|ports| u16::from_be_bytes([ports[at], ports[at + 1]]));
        Some(Self {
            protocol,
            source: (u32::from_be_bytes([header[12], header[13], header[14], header[15]]), port(0)),
            destination: (u32::from_be_bytes([header[16], header[17], header[18], header[19]]), port(2)),
        })
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace().peekable();
        // The words in which the old system prints a list.
        if words.peek() == Some(&"extended") {
            words.next();
        }
        let permit = match words.next() {
            Some("permit") => true,
            Some("deny") => false,
            _ => return Err("must begin with permit or deny".into()),
        };
        let protocol = match words.next() {
            Some("ip") => None,
            Some("icmp") => Some(1),
            Some("tcp") => Some(6),
            Some("udp") => Some(17),
            Some("gre") => Some(47),
            Some("esp") => Some(50),
            Some(number) => Some(number.parse().map_err(|_| format!("{number:?} is not a protocol"))?),
            None => return Err("names no protocol".into()),
        };
        let client = side(&mut words)?;
        let inside = side(&mut words)?;
        if let Some(word) = words.next() {
            return Err(format!("has {word:?} too much"));
        }
        if (client.ports.is_some() || inside.ports.is_some()) && !matches!(protocol, Some(6 | 17)) {
            return Err("names a port without tcp or udp".into());
        }
        Ok(Self { permit, protocol, client, inside })
    }
}

fn side<'w>(words: &mut std::iter::Peekable<impl Iterator<Item = &'w str>>) -> Result<Side, String> {
    let address = |word: &str| {
        word.parse::<Ipv4Addr>().map(u32::from).map_err(|_| format!("{word:?} is not an IPv4 address"))
    };
    let mut next = |what: &str| words.next().ok_or_else(|| format!("ends before {what}"));
    let (network, mask) = match next("an address")? {
        "any" | "any4" => (0, 0),
        "host" => (address(next("a host address")?)?, u32::MAX),
        word => match word.split_once('/') {
            Some((network, length)) => {
                let length: u32 = length.parse().map_err(|_| format!("{word:?} is not a prefix"))?;
                let mask = match length {
                    0 => 0,
                    1..=32 => u32::MAX << (32 - length),
                    _ => return Err(format!("{word:?} is not a prefix")),
                };
                (address(network)?, mask)
            }
            None => (address(word)?, address(next("a mask")?)?),
        },
    };
    if network & !mask != 0 {
        return Err(format!("{} has bits outside its mask", Ipv4Addr::from(network)));
    }
    let ports = match words.peek() {
        Some(&"eq") => {
            words.next();
            let port = port(words.next())?;
            Some((port, port))
        }
        Some(&"range") => {
            words.next();
            Some((port(words.next())?, port(words.next())?))
        }
        _ => None,
    };
    Ok(Side { network, mask, ports })
}

fn port(word: Option<&str>) -> Result<u16, String> {
    let word = word.ok_or("ends before a port")?;
    word.parse().map_err(|_| format!("{word:?} is not a port number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(protocol: u8, source: ([u8; 4], u16), destination: ([u8; 4], u16)) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, protocol, 0, 0];
        packet.extend(source.0);
        packet.extend(destination.0);
        packet.extend(source.1.to_be_bytes());
        packet.extend(destination.1.to_be_bytes());
        packet.extend([0; 4]);
        packet
    }

    fn list(rules: &[&str]) -> AccessList {
        AccessList::parse(&rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_first_match_decides_and_the_end_denies() {
        let list = list(&[
            "deny tcp any host 10.0.0.9 eq 22",
            "permit tcp any 10.0.0.0/24",
            "extended permit udp 10.9.0.0 255.255.0.0 any range 53 54",
        ]);
        let client = [10, 9, 0, 1];
        let tcp = |to: [u8; 4], port| packet(6, (client, 4000), (to, port));
        assert!(!list.permits(&tcp([10, 0, 0, 9], 22), Direction::FromClient));
        assert!(list.permits(&tcp([10, 0, 0, 9], 23), Direction::FromClient));
        assert!(!list.permits(&tcp([10, 0, 1, 9], 23), Direction::FromClient));
        assert!(list.permits(&packet(17, (client, 9), ([8; 4], 53)), Direction::FromClient));
        assert!(
            list.permits(&packet(17, ([8; 4], 53), (client, 9)), Direction::ToClient),
            "the answer passes"
        );
        assert!(!list.permits(&packet(1, (client, 0), ([10, 0, 0, 9], 0)), Direction::FromClient));
        assert!(!list.permits(&[0x45; 10], Direction::FromClient), "a stump is no packet");
    }

    #[test]
    fn wrong_rules_are_told_in_words() {
        for (rule, error) in [
            ("allow ip any any", "must begin with permit or deny"),
            ("permit ip any", "ends before an address"),
            ("permit ip 10.0.0.1/24 any", "10.0.0.1 has bits outside its mask"),
            ("permit ip any any eq 80", "names a port without tcp or udp"),
            ("permit tcp any any eq http", "\"http\" is not a port number"),
            ("permit ip any any log", "has \"log\" too much"),
        ] {
            assert_eq!(AccessList::parse(&[rule.to_owned()]), Err((1, error.to_owned())), "{rule}");
        }
    }
}

//! What an authorization RESPONSE says about the session (RFC 8907 section 8.2), and what an accounting REQUEST tells
//! (section 8.3).

use std::net::Ipv4Addr;
use std::time::{Duration, UNIX_EPOCH};

use tollgate_aaa::Attributes;
use tollgate_aaa::accounting::{Record, RecordKind};

use super::packet::words;

/// `name=value`, which must be obeyed, or `name*value`, which may be left aside (RFC 8907 section 6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Argument {
    name: String,
    value: String,
    mandatory: bool,
}

impl Argument {
    fn parse(octets: &[u8]) -> Option<Self> {
        let place = octets.iter().position(|octet| matches!(octet, b'=' | b'*'))?;
        let (name, rest) = octets.split_at_checked(place)?;
        let (separator, value) = rest.split_first()?;
        let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty())?;
        let value = std::str::from_utf8(value).ok()?;
        Some(Self {
            name: name.to_ascii_lowercase(),
            value: value.trim().to_owned(),
            mandatory: *separator == b'=',
        })
    }
}

/// Reads all arguments. An error names the one that must be obeyed and cannot be.
pub fn attributes(arguments: &[&[u8]]) -> Result<Attributes, String> {
    let mut attributes = Attributes::default();
    for octets in arguments {
        let Some(argument) = Argument::parse(octets) else {
            return Err(format!("the argument {:?} is not of the form name=value", words(octets)));
        };
        match apply(&mut attributes, &argument) {
            Applied::Yes => {}
            _ if !argument.mandatory => {}
            Applied::Unknown => {
                return Err(format!(
                    "it demands {}={}, which is not known here; make it optional there, {0}*{1}",
                    words(argument.name.as_bytes()),
                    words(argument.value.as_bytes())
                ));
            }
            Applied::Bad(wanted) => {
                return Err(format!(
                    "{}={} is not {wanted}",
                    words(argument.name.as_bytes()),
                    words(argument.value.as_bytes())
                ));
            }
        }
    }
    Ok(attributes)
}

enum Applied {
    Yes,
    Unknown,
    Bad(&'static str),
}

fn apply(attributes: &mut Attributes, argument: &Argument) -> Applied {
    let Argument { name, value, .. } = argument;
    // `route#2` is the second of several (as IOS numbers them).
    let name = match name.split_once('#') {
        Some((name, number)) if number.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => name,
    };
    let text = || Some(value.clone()).filter(|value| !value.is_empty() && !value.contains(char::is_control));
    let done = match name {
        "service" => (value == "ppp").then_some(()),
        "protocol" => (value == "ip").then_some(()),
        "addr" => {
            value.parse::<Ipv4Addr>().ok().map(|address| attributes.framed_address = Some(address.into()))
        }
        "addr-pool" => text().map(|pool| attributes.address_pools.push(pool)),
        "dns-servers" => servers(value).map(|servers| attributes.dns = servers),
        "wins-servers" => servers(value).map(|servers| attributes.nbns = servers),
        "timeout" => minutes(value).map(|limit| attributes.session_timeout = limit),
        "idletime" => minutes(value).map(|limit| attributes.idle_timeout = limit),
        "inacl" => text().map(|name| attributes.filter_id = Some(name)),
        "route" => route(value).map(|route| attributes.framed_routes.push(route)),
        "group-policy" => text().map(|policy| attributes.group_policy = Some(policy)),
        _ => return Applied::Unknown,
    };
    match done {
        Some(()) => Applied::Yes,
        None => Applied::Bad(match name {
            "service" => "ppp",
            "protocol" => "ip",
            "addr" => "an IPv4 address",
            "dns-servers" | "wins-servers" => "one or two IPv4 addresses with a space between",
            "timeout" | "idletime" => "a number of minutes",
            "route" => "a route, written `destination mask gateway`",
            _ => "a word",
        }),
    }
}

fn servers(value: &str) -> Option<[Option<Ipv4Addr>; 2]> {
    let mut servers = value.split_ascii_whitespace().map(|word| word.parse::<Ipv4Addr>().ok());
    let first = servers.next()??;
    let second = servers.next();
    match (second, servers.next()) {
        (None, _) => Some([Some(first), None]),
        (Some(Some(second)), None) => Some([Some(first), Some(second)]),
        (Some(_), _) => None,
    }
}

/// 0 stands for no limit.
fn minutes(value: &str) -> Option<Option<Duration>> {
    let minutes: u32 = value.parse().ok()?;
    Some((minutes != 0).then(|| Duration::from_secs(u64::from(minutes) * 60)))
}

/// `destination mask [gateway]` in the form of Framed-Route (RFC 2865 section 5.22). Without a gateway, or with
/// 0.0.0.0, the way leads to the peer.
fn route(value: &str) -> Option<String> {
    let mut words = value.split_ascii_whitespace().map(|word| word.parse::<Ipv4Addr>().ok());
    let destination = u32::from(words.next()??);
    let mask = u32::from(words.next()??);
    let gateway = words.next().unwrap_or(Some(Ipv4Addr::UNSPECIFIED))?;
    let length = mask.leading_ones();
    if words.next().is_some() || mask.count_ones() != length {
        return None;
    }
    Some(format!("{}/{length} {gateway} 1", Ipv4Addr::from(destination & mask)))
}

/// The arguments of an accounting REQUEST (RFC 8907 section 8.3).
pub fn accounting(record: &Record) -> Vec<String> {
    let seconds = |time: std::time::SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let start = record.event_time.checked_sub(record.session_time).unwrap_or(UNIX_EPOCH);
    let mut arguments = vec![
        format!("task_id={}", record.context.acct_session_id),
        format!("start_time={}", seconds(start)),
        "service=ppp".to_owned(),
        "protocol=ip".to_owned(),
    ];
    if let Some(address) = record.framed_ip {
        arguments.push(format!("addr={address}"));
    }
    match record.kind {
        RecordKind::Start => return arguments,
        RecordKind::Interim => {}
        RecordKind::Stop => arguments.push(format!("stop_time={}", seconds(record.event_time))),
    }
    let traffic = &record.counters;
    arguments.extend([
        format!("elapsed_time={}", record.session_time.as_secs()),
        format!("bytes_in={}", traffic.input_octets),
        format!("bytes_out={}", traffic.output_octets),
        format!("paks_in={}", traffic.input_packets),
        format!("paks_out={}", traffic.output_packets),
    ]);
    if let Some(cause) = record.terminate_cause {
        arguments.push(format!("disc-cause={cause}"));
    }
    arguments
}

#[cfg(test)]
mod tests;

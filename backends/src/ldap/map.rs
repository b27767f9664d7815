//! What a directory's attributes say about a session: Cisco's `ldap attribute-map`.

use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use tollgate_aaa::{Attributes, FramedAddress};

use super::message::Entry;
use crate::radius::cisco::policy_of_class;

/// Groups are compared as names, whose case does not matter, and may be followed through other groups.
pub(super) const MEMBER_OF: &str = "memberOf";

/// Which attributes of an entry say what. Of the rules for one target, the first in order whose attribute says
/// anything decides; of an attribute's values, the alphabetically first that matches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttributeMap {
    rules: Vec<AttributeRule>,
}

/// One line of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeRule {
    /// Name in the directory: `memberOf`, `department`, `msRADIUSFramedIPAddress`.
    pub attribute: String,
    /// The value that it must have; `None`: any, which is then copied. Rules with a value come first.
    pub value: Option<String>,
    /// What is set.
    pub target: Target,
    /// What to set it to when `value` matches; `None`: the value itself.
    pub result: Option<String>,
}

/// What a rule sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// Name of a group policy, bare or as `OU=name;`.
    GroupPolicy,
    /// Dotted, or a number of 32 bits with or without a sign, as Active Directory stores it.
    FramedAddress,
    /// Name of an access list.
    FilterId,
    /// Text for the user.
    Banner,
    /// Seconds, as in RADIUS.
    SessionTimeout,
    /// Seconds, as in RADIUS.
    IdleTimeout,
    /// How many sessions at once.
    SimultaneousLogins,
    /// Bit mask: 1 PPTP, 2 L2TP, 4 IPsec, 8 L2TP over IPsec.
    TunnelingProtocols,
    /// Names of pools, with commas or blanks between.
    AddressPool,
    /// First name server.
    PrimaryDns,
    /// Second name server.
    SecondaryDns,
    /// First NetBIOS name server.
    PrimaryWins,
    /// Second NetBIOS name server.
    SecondaryWins,
}

const NAMES: [(&str, Target); 14] = [
    ("Group-Policy", Target::GroupPolicy),
    ("IETF-Radius-Class", Target::GroupPolicy),
    ("IETF-Radius-Framed-IP-Address", Target::FramedAddress),
    ("IETF-Radius-Filter-Id", Target::FilterId),
    ("Banner1", Target::Banner),
    ("IETF-Radius-Session-Timeout", Target::SessionTimeout),
    ("IETF-Radius-Idle-Timeout", Target::IdleTimeout),
    ("Simultaneous-Logins", Target::SimultaneousLogins),
    ("Tunneling-Protocols", Target::TunnelingProtocols),
    ("Address-Pools", Target::AddressPool),
    ("Primary-DNS", Target::PrimaryDns),
    ("Secondary-DNS", Target::SecondaryDns),
    ("Primary-WINS", Target::PrimaryWins),
    ("Secondary-WINS", Target::SecondaryWins),
];

impl Target {
    /// Cisco's name for it.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(_, target)| *target == self).map_or("?", |(name, _)| name)
    }
}

/// No target has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is nothing that an LDAP attribute can be mapped to; there are: {names}", names = names())]
pub struct UnknownTarget(pub String);

fn names() -> String {
    NAMES.map(|(name, _)| name).join(", ")
}

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Before version 8.0 every name had this in front.
        let bare = text.strip_prefix("cVPN3000-").unwrap_or(text);
        NAMES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(bare))
            .map(|(_, target)| *target)
            .ok_or_else(|| UnknownTarget(text.to_owned()))
    }
}

/// A value that cannot mean what the map wants of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{attribute} has the value {value:?}, which is no {wanted} for {target}", target = target.as_str())]
pub(super) struct BadValue {
    attribute: String,
    value: String,
    wanted: &'static str,
    target: Target,
}

impl AttributeMap {
    /// A map of these rules.
    pub fn new(rules: Vec<AttributeRule>) -> Self {
        Self { rules }
    }

    /// True for a map that says nothing.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The attributes that it looks at, each once.
    pub(super) fn attributes(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for rule in &self.rules {
            if !names.iter().any(|name| name.eq_ignore_ascii_case(&rule.attribute)) {
                names.push(rule.attribute.clone());
            }
        }
        names
    }

    /// The groups that it asks for by name, without those that the entry is in directly.
    pub(super) fn indirect_groups(&self, entry: &Entry) -> Vec<&str> {
        let mut groups: Vec<&str> = self
            .rules
            .iter()
            .filter(|rule| rule.attribute.eq_ignore_ascii_case(MEMBER_OF))
            .filter_map(|rule| rule.value.as_deref())
            .filter(|group| !entry.values(MEMBER_OF).any(|value| same(MEMBER_OF, group, value)))
            .collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// What the entry says about the session; `groups` are more values of memberOf.
    pub(super) fn apply(&self, entry: &Entry, groups: &[&str]) -> Result<Attributes, BadValue> {
        let mut attributes = Attributes::default();
        let mut done: Vec<Target> = Vec::new();
        for rule in &self.rules {
            if done.contains(&rule.target) {
                continue;
            }
            if let Some(value) = self.value(&rule.attribute, rule.target, entry, groups) {
                set(&mut attributes, rule.target, &rule.attribute, &value)?;
                done.push(rule.target);
            }
        }
        Ok(attributes)
    }

    fn value(&self, attribute: &str, target: Target, entry: &Entry, groups: &[&str]) -> Option<String> {
        let rules = || {
            let ours = move |rule: &&AttributeRule| {
                rule.target == target && rule.attribute.eq_ignore_ascii_case(attribute)
            };
            self.rules.iter().filter(ours)
        };
        let mut values: Vec<&[u8]> = entry.values(attribute).collect();
        if attribute.eq_ignore_ascii_case(MEMBER_OF) {
            values.extend(groups.iter().map(|group| group.as_bytes()));
        }
        values.sort_unstable();
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        for value in &values {
            let fits = |rule: &&AttributeRule| {
                rule.value.as_deref().is_some_and(|wanted| same(attribute, wanted, value))
            };
            if let Some(rule) = rules().find(fits) {
                return Some(rule.result.clone().unwrap_or_else(|| text(value)));
            }
        }
        let copied = rules().any(|rule| rule.value.is_none());
        values.first().filter(|_| copied).map(|value| text(value))
    }
}

/// Values are compared letter by letter, as the old system does; names of groups without regard to case.
fn same(attribute: &str, wanted: &str, value: &[u8]) -> bool {
    if attribute.eq_ignore_ascii_case(MEMBER_OF) {
        std::str::from_utf8(value).is_ok_and(|value| value.to_lowercase() == wanted.to_lowercase())
    } else {
        value == wanted.as_bytes()
    }
}

fn set(out: &mut Attributes, target: Target, attribute: &str, value: &str) -> Result<(), BadValue> {
    let bad = |wanted| BadValue {
        attribute: attribute.to_owned(),
        value: value.chars().take(128).collect(),
        wanted,
        target,
    };
    let text = value.trim();
    let number = || text.parse::<u32>().map_err(|_| bad("number"));
    let address = || text.parse::<Ipv4Addr>().map_err(|_| bad("IPv4 address"));
    let seconds = || Ok(Duration::from_secs(number()?.into()));
    match target {
        Target::GroupPolicy => {
            let name = policy_of_class(text.as_bytes()).unwrap_or_else(|| text.to_owned());
            out.group_policy = Some(name).filter(|name| !name.is_empty());
        }
        Target::FramedAddress => {
            let parsed = framed_address(text).ok_or_else(|| bad("IPv4 address"))?;
            out.framed_address = Some(FramedAddress::from(parsed));
        }
        Target::FilterId => out.filter_id = Some(text.to_owned()),
        Target::Banner => out.reply_message = Some(value.to_owned()),
        Target::SessionTimeout => out.session_timeout = Some(seconds()?),
        Target::IdleTimeout => out.idle_timeout = Some(seconds()?),
        Target::SimultaneousLogins => out.simultaneous_logins = Some(number()?),
        Target::TunnelingProtocols => out.tunneling_protocols = Some(number()?),
        Target::AddressPool => {
            let names = text.split([',', ' ']).filter(|name| !name.is_empty());
            out.address_pools = names.map(str::to_owned).collect();
        }
        Target::PrimaryDns => out.dns[0] = Some(address()?),
        Target::SecondaryDns => out.dns[1] = Some(address()?),
        Target::PrimaryWins => out.nbns[0] = Some(address()?),
        Target::SecondaryWins => out.nbns[1] = Some(address()?),
    }
    Ok(())
}

fn framed_address(text: &str) -> Option<Ipv4Addr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let bits = text.parse::<u32>().ok().or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned))?;
    Some(Ipv4Addr::from_bits(bits))
}

#[cfg(test)]
mod tests;

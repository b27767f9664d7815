//! A keytab: the keys of a service in a file, format 5.2 as `kadmin ktadd` and `ktpass` write it.

use std::path::Path;

use super::crypto::Key;
use super::messages::Name;

/// A file beyond this is none.
const LONGEST: u64 = 1 << 20;

/// The keys of one file.
pub(super) struct Keytab {
    entries: Vec<Entry>,
}

struct Entry {
    realm: Vec<u8>,
    name: Name,
    version: u32,
    key: Key,
}

/// Octets of the file from front to end.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }
}

impl Keytab {
    /// Reads a file; an error names it and the fix.
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let problem = |what: String| format!("{}: {what}", file.display());
        let length = std::fs::metadata(file).map_err(|error| problem(error.to_string()))?.len();
        if length > LONGEST {
            return Err(problem("too long for a keytab".to_owned()));
        }
        let octets = std::fs::read(file).map_err(|error| problem(error.to_string()))?;
        let octets = zeroize::Zeroizing::new(octets);
        Self::parse(&octets).ok_or_else(|| problem("no keytab of format 5.2".to_owned()))
    }

    /// Keys of types that are not served are passed over.
    pub(super) fn parse(octets: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(octets);
        if cursor.take(2)? != [5, 2] {
            return None;
        }
        let mut entries = Vec::new();
        while !cursor.0.is_empty() {
            let length = i32::from_be_bytes(cursor.take(4)?.try_into().ok()?);
            // A negative length is a hole where an entry was taken out; zero ends the file.
            let content = cursor.take(usize::try_from(length.unsigned_abs()).ok()?)?;
            match length {
                0 => break,
                1.. => entries.extend(entry(content)?),
                _ => {}
            }
        }
        Some(Self { entries })
    }

    /// The principal that a service ticket is asked for: the first one, or that which the configuration names.
    pub(super) fn principal(&self, wanted: Option<&str>) -> Option<(String, Name)> {
        let (wanted, wanted_realm) = match wanted {
            None => (None, None),
            Some(text) => match text.rsplit_once('@') {
                Some((name, realm)) => (Some(Name::principal(name)), Some(realm)),
                None => (Some(Name::principal(text)), None),
            },
        };
        let entry = self.entries.iter().find(|entry| {
            wanted.as_ref().is_none_or(|name| entry.name.is(name))
                && wanted_realm.is_none_or(|realm| entry.realm.eq_ignore_ascii_case(realm.as_bytes()))
        })?;
        Some((String::from_utf8(entry.realm.clone()).ok()?, entry.name.clone()))
    }

    /// The keys that a ticket for this principal may be encrypted with, those of its version first.
    pub(super) fn keys<'a>(
        &'a self,
        name: &'a Name,
        etype: i32,
        version: Option<u32>,
    ) -> impl Iterator<Item = &'a Key> {
        let mut fitting: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| entry.name.is(name) && entry.key.etype().number() == etype)
            .collect();
        fitting.sort_by_key(|entry| Some(entry.version) != version);
        fitting.into_iter().map(|entry| &entry.key)
    }
}

/// `Some(None)`: a key that is not served.
fn entry(content: &[u8]) -> Option<Option<Entry>> {
    let mut cursor = Cursor(content);
    let count = cursor.u16()?;
    let realm = cursor.counted()?.to_vec();
    let parts: Option<Vec<_>> = (0..count).map(|_| cursor.counted().map(<[u8]>::to_vec)).collect();
    let kind = i32::try_from(cursor.u32()?).unwrap_or_default();
    let _written = cursor.u32()?;
    let [short_version] = cursor.take(1)? else { return None };
    let etype = cursor.u16()?;
    let key = Key::new(etype.into(), cursor.counted()?);
    // Later writers have the version again in 32 bits.
    let version = cursor.u32().filter(|&version| version != 0).unwrap_or(u32::from(*short_version));
    let name = Name::of_parts(kind, parts?);
    Some(key.map(|key| Entry { realm, name, version, key }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(parts: &[&str], version: u8, etype: u16, key: &[u8]) -> Vec<u8> {
        let counted =
            |octets: &[u8]| [&u16::try_from(octets.len()).unwrap().to_be_bytes()[..], octets].concat();
        let mut out = u16::try_from(parts.len()).unwrap().to_be_bytes().to_vec();
        out.extend(counted(b"A.TEST"));
        for part in parts {
            out.extend(counted(part.as_bytes()));
        }
        out.extend([0, 0, 0, 1, 0, 0, 0, 0, version]);
        out.extend(etype.to_be_bytes());
        out.extend(counted(key));
        [&i32::try_from(out.len()).unwrap().to_be_bytes()[..], &out].concat()
    }

    #[test]
    fn keys_are_found_by_principal_type_and_version() {
        let file = [
            vec![5, 2],
            entry(&["host", "a.test"], 1, 18, &[9; 32]),
            [&(-5i32).to_be_bytes()[..], &[0; 5]].concat(),
            entry(&["vpn", "a.test"], 1, 18, &[1; 32]),
            entry(&["vpn", "a.test"], 2, 18, &[2; 32]),
            entry(&["vpn", "a.test"], 2, 17, &[3; 16]),
            entry(&["vpn", "a.test"], 2, 23, &[4; 16]),
        ]
        .concat();
        let keytab = Keytab::parse(&file).unwrap();
        assert_eq!(keytab.principal(None).unwrap().1.to_string(), "host/a.test");
        let (realm, name) = keytab.principal(Some("vpn/A.test")).unwrap();
        assert_eq!((realm.as_str(), name.to_string().as_str()), ("A.TEST", "vpn/a.test"));
        assert!(keytab.principal(Some("vpn/a.test@A.TEST")).is_some());
        assert!(keytab.principal(Some("vpn/a.test@B.TEST")).is_none());
        assert!(keytab.principal(Some("http/a.test")).is_none());
        let keys: Vec<_> = keytab.keys(&name, 18, Some(2)).map(|key| key.is(18, &[2; 32])).collect();
        assert_eq!(keys, [true, false]);
        assert_eq!(keytab.keys(&name, 17, Some(7)).count(), 1);
        assert_eq!(keytab.keys(&name, 23, None).count(), 0);
    }

    #[test]
    fn what_is_no_keytab_is_refused() {
        let file = [vec![5, 2], entry(&["vpn", "a.test"], 1, 18, &[1; 32])].concat();
        for length in (0..2).chain(3..file.len()) {
            assert!(Keytab::parse(&file[..length]).is_none(), "{length}");
        }
        assert!(Keytab::parse(b"\x05\x01").is_none());
    }
}

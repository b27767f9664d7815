//! From text to accounts; every error is collected, each with its line and a fix.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::Path;

use tollgate_aaa::username;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{UserFileError, UserFileErrors, line_of};
use crate::local::date::Date;
use crate::local::user::{StoredPassword, User};

const KEYS: [&str; 6] = ["nt-hash", "password-hash", "group-policy", "address", "expires", "enabled"];

/// Beyond this many the rest is only counted.
const MAX_ERRORS: usize = 100;

pub(super) fn parse(path: &Path, text: &str) -> Result<BTreeMap<String, User>, UserFileErrors> {
    let mut parser = Parser { path, text, errors: Vec::new(), unlisted: 0 };
    let (document, syntax) = DeTable::parse_recoverable(text);
    for error in &syntax {
        let span = error.span().unwrap_or(0..0);
        parser.error(&span, "", error.message(), "correct the TOML there");
    }
    let users = parser.document(document.get_ref());
    if parser.errors.is_empty() { Ok(users) } else { Err(parser.into_errors()) }
}

struct Parser<'a> {
    path: &'a Path,
    text: &'a str,
    errors: Vec<UserFileError>,
    unlisted: usize,
}

impl Parser<'_> {
    fn error(&mut self, span: &Range<usize>, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        if self.errors.len() >= MAX_ERRORS {
            self.unlisted += 1;
            return;
        }
        let line = line_of(self.text.as_bytes(), span.start);
        self.errors.push(UserFileError {
            file: self.path.to_owned(),
            line: Some(line),
            key: key.to_owned(),
            what: what.into(),
            fix: fix.into(),
        });
    }

    fn into_errors(mut self) -> UserFileErrors {
        self.errors.sort_by_key(|error| error.line);
        if self.unlisted > 0 {
            self.errors.push(UserFileError {
                file: self.path.to_owned(),
                line: None,
                key: String::new(),
                what: format!("{} more errors", self.unlisted),
                fix: "correct those above first".to_owned(),
            });
        }
        UserFileErrors(self.errors)
    }

    fn document(&mut self, document: &DeTable<'_>) -> BTreeMap<String, User> {
        let mut users = BTreeMap::new();
        for (key, value) in document {
            if key.get_ref() != "user" {
                let fix = "remove it; the only key at this level is `user`, as in [user.NAME]";
                self.error(&key.span(), key.get_ref(), "unknown key", fix);
                continue;
            }
            let Some(table) = value.get_ref().as_table() else {
                self.error(&value.span(), "user", "must be a table", "write each account as [user.NAME]");
                continue;
            };
            for (name, value) in table {
                if let Some(user) = self.user(name, value) {
                    users.insert(user.name.clone(), user);
                }
            }
        }
        users
    }

    fn user(&mut self, name: &Spanned<impl AsRef<str>>, value: &Spanned<DeValue<'_>>) -> Option<User> {
        let (span, name) = (name.span(), name.get_ref().as_ref());
        let key = format!("user.{}", quoted(name));
        if let Err(error) = username::check(name.as_bytes()) {
            let shown = username::PrintableName(name.as_bytes()).to_string();
            self.error(
                &span,
                &format!("user.\"{shown}\""),
                error.to_string(),
                "give the account another name",
            );
            return None;
        }
        let Some(table) = value.get_ref().as_table() else {
            self.error(&value.span(), &key, "must be a table", "write each account as [user.NAME]");
            return None;
        };
        let before = self.errors.len() + self.unlisted;
        for (word, value) in table {
            if !KEYS.contains(&word.get_ref().as_ref()) {
                let word_key = format!("{key}.{}", quoted(word.get_ref()));
                let fix = if value.get_ref().is_table() {
                    format!("a name with a dot needs quotes: [user.\"{name}.{}\"]", word.get_ref())
                } else {
                    format!("remove it or use one of {}", KEYS.join(", "))
                };
                self.error(&word.span(), &word_key, "unknown key", fix);
            }
        }
        let password = self.password(&span, &key, table);
        let user = User {
            name: name.to_owned(),
            group_policy: self.text(&key, table, "group-policy"),
            address: self.address(&key, table),
            expires: self.expires(&key, table),
            enabled: self.enabled(&key, table),
            password: password?,
        };
        (self.errors.len() + self.unlisted == before).then_some(user)
    }

    fn password(&mut self, user: &Range<usize>, key: &str, table: &DeTable<'_>) -> Option<StoredPassword> {
        const FIX: &str = "set it with `tollgate user passwd` (or with --mschap for MS-CHAP)";
        let (hash, phc) = (table.get("nt-hash"), table.get("password-hash"));
        let (word, value) = match (hash, phc) {
            (Some(value), None) => ("nt-hash", value),
            (None, Some(value)) => ("password-hash", value),
            (None, None) => {
                self.error(user, key, "has no password", FIX);
                return None;
            }
            (Some(_), Some(second)) => {
                self.error(&second.span(), key, "has both nt-hash and password-hash", "remove one of them");
                return None;
            }
        };
        let stored = match value.get_ref().as_str() {
            Some(text) if word == "nt-hash" => {
                StoredPassword::from_nt_hex(text).map_err(|error| error.to_string())
            }
            Some(text) => StoredPassword::from_phc(text).map_err(|error| error.to_string()),
            None => Err(format!("must be a string, not {}", article(value.get_ref().type_str()))),
        };
        stored.map_err(|what| self.error(&value.span(), &format!("{key}.{word}"), what, FIX)).ok()
    }

    fn text(&mut self, key: &str, table: &DeTable<'_>, word: &str) -> Option<String> {
        let value = table.get(word)?;
        let key = format!("{key}.{word}");
        match value.get_ref().as_str() {
            Some(text) if !text.is_empty() && !text.contains(char::is_control) => {
                return Some(text.to_owned());
            }
            Some(_) => {
                self.error(&value.span(), &key, "is empty or has control characters", "name it or remove it")
            }
            None => {
                let what = format!("must be a string, not {}", article(value.get_ref().type_str()));
                self.error(&value.span(), &key, what, "put it in quotes");
            }
        }
        None
    }

    fn address(&mut self, key: &str, table: &DeTable<'_>) -> Option<Ipv4Addr> {
        let text = self.text(key, table, "address")?;
        let usable = |address: &Ipv4Addr| {
            !(address.is_unspecified()
                || address.is_broadcast()
                || address.is_multicast()
                || address.is_loopback())
        };
        let address = text.parse::<Ipv4Addr>().ok().filter(usable);
        if address.is_none() {
            let span = table.get("address").map_or(0..0, Spanned::span);
            let what = format!("`{text}` is not an IPv4 address for a client");
            self.error(&span, &format!("{key}.address"), what, "write it as \"10.4.5.7\"");
        }
        address
    }

    fn expires(&mut self, key: &str, table: &DeTable<'_>) -> Option<Date> {
        let value = table.get("expires")?;
        // A bare TOML date is as good as one in quotes.
        let text = match (value.get_ref().as_str(), value.get_ref().as_datetime()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(date)) => date.to_string(),
            (None, None) => value.get_ref().type_str().to_owned(),
        };
        let date = text.parse();
        if date.is_err() {
            let what = format!("`{text}` is not a day");
            self.error(
                &value.span(),
                &format!("{key}.expires"),
                what,
                "write it as \"YYYY-MM-DD\", from 1970 on",
            );
        }
        date.ok()
    }

    fn enabled(&mut self, key: &str, table: &DeTable<'_>) -> bool {
        let Some(value) = table.get("enabled") else { return true };
        value.get_ref().as_bool().unwrap_or_else(|| {
            let what = format!("must be true or false, not {}", article(value.get_ref().type_str()));
            self.error(&value.span(), &format!("{key}.enabled"), what, "write true or false without quotes");
            false
        })
    }
}

fn article(kind: &str) -> String {
    if kind.starts_with(['a', 'i', 'o']) { format!("an {kind}") } else { format!("a {kind}") }
}

/// A key as it must be written.
fn quoted(key: &str) -> String {
    let bare = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '-';
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { format!("\"{key}\"") }
}

//! `users.toml`: its model, the loader and the edits of `tollgate user`.
//!
//! ```toml
//! [user.alice]
//! nt-hash = "0cb6948805f797bf2a82807973b89537"   # or password-hash = "$argon2id$..."
//! group-policy = "sales"
//! address = "10.4.5.7"
//! expires = "2027-01-31"                          # the last day, UTC
//! enabled = true
//! ```
//!
//! An edit keeps comments and order, and is read back before it is written: what this module writes, it can read.

mod parse;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::atomic;
use super::user::{StoredPassword, User};

/// A larger file is refused rather than read.
const MAX_FILE: u64 = 64 << 20;

/// One thing wrong with a users file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {key}{what}; {fix}", file.display(), line.map(|line| format!(":{line}")).unwrap_or_default(),
    key = if key.is_empty() { String::new() } else { format!("{key}: ") })]
pub struct UserFileError {
    /// The file.
    pub file: PathBuf,
    /// Counted from 1; `None`: the file as a whole.
    pub line: Option<usize>,
    /// Dotted, `user.alice.expires`; empty: no key in particular.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

/// Everything wrong with a users file, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFileErrors(pub Vec<UserFileError>);

impl fmt::Display for UserFileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UserFileErrors {}

/// An edit that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The name is taken.
    #[error("user {0} exists already; use `tollgate user passwd` for a new password")]
    Exists(String),
    /// No such name.
    #[error("there is no user {0}; `tollgate user list` shows those there are")]
    NoSuchUser(String),
    /// The result would not be a valid file.
    #[error("{0}")]
    Invalid(#[from] UserFileErrors),
    /// It could not be written; the old file stands.
    #[error("cannot write {}: {error}; the old file is unchanged", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// A users file in memory.
pub struct UserFile {
    path: PathBuf,
    text: String,
    users: BTreeMap<String, User>,
}

impl UserFile {
    /// Reads a file that must exist.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, UserFileErrors> {
        let path = path.into();
        let text = read(&path)?;
        Self::from_text(path, text)
    }

    /// Reads a file, or begins an empty one where there is none yet.
    pub fn load_or_new(path: impl Into<PathBuf>) -> Result<Self, UserFileErrors> {
        let path = path.into();
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::from_text(path, String::new()),
            Ok(_) | Err(_) => Self::load(path),
        }
    }

    /// Takes `text` as the content of `path`.
    pub fn from_text(path: impl Into<PathBuf>, text: String) -> Result<Self, UserFileErrors> {
        let path = path.into();
        let users = parse::parse(&path, &text)?;
        Ok(Self { path, text, users })
    }

    /// The accounts, by name.
    pub fn list(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// One account.
    pub fn get(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// A new account.
    pub fn add(&mut self, user: &User) -> Result<(), EditError> {
        if self.users.contains_key(&user.name) {
            return Err(EditError::Exists(user.name.clone()));
        }
        self.edit(|users| {
            let mut table = toml_edit::Table::new();
            let (key, value) = user.password.to_entry();
            table.insert(key, toml_edit::value(value));
            if let Some(policy) = &user.group_policy {
                table.insert("group-policy", toml_edit::value(policy));
            }
            if let Some(address) = user.address {
                table.insert("address", toml_edit::value(address.to_string()));
            }
            if let Some(expires) = user.expires {
                table.insert("expires", toml_edit::value(expires.to_string()));
            }
            if !user.enabled {
                table.insert("enabled", toml_edit::value(false));
            }
            users.insert(&user.name, toml_edit::Item::Table(table));
        })
    }

    /// Another password for an account that exists; everything else stays.
    pub fn set_password(&mut self, name: &str, password: &StoredPassword) -> Result<(), EditError> {
        if !self.users.contains_key(name) {
            return Err(EditError::NoSuchUser(name.to_owned()));
        }
        self.edit(|users| {
            if let Some(user) = users.get_mut(name).and_then(toml_edit::Item::as_table_like_mut) {
                let (key, value) = password.to_entry();
                for other in ["nt-hash", "password-hash"] {
                    if other != key {
                        user.remove(other);
                    }
                }
                user.insert(key, toml_edit::value(value));
            }
        })
    }

    /// Takes an account out.
    pub fn remove(&mut self, name: &str) -> Result<(), EditError> {
        if !self.users.contains_key(name) {
            return Err(EditError::NoSuchUser(name.to_owned()));
        }
        self.edit(|users| {
            users.remove(name);
        })
    }

    /// Writes the file as a whole, readable by its owner only; on any error the old one stands.
    pub fn save(&self) -> Result<(), EditError> {
        atomic::replace(&self.path, self.text.as_bytes())
            .map_err(|error| EditError::Write { file: self.path.clone(), error })
    }

    fn edit(&mut self, change: impl FnOnce(&mut dyn toml_edit::TableLike)) -> Result<(), EditError> {
        let fail = |what: String| {
            let error = UserFileError {
                file: self.path.clone(),
                line: None,
                key: "user".to_owned(),
                what,
                fix: "write each account as [user.NAME]".to_owned(),
            };
            EditError::Invalid(UserFileErrors(vec![error]))
        };
        let mut document: toml_edit::DocumentMut =
            self.text.parse().map_err(|error: toml_edit::TomlError| fail(error.message().to_owned()))?;
        let users = document.entry("user").or_insert_with(|| {
            let mut table = toml_edit::Table::new();
            // Only its sub-tables get a header.
            table.set_implicit(true);
            toml_edit::Item::Table(table)
        });
        change(users.as_table_like_mut().ok_or_else(|| fail("is not a table".to_owned()))?);
        let text = document.to_string();
        self.users = parse::parse(&self.path, &text)?;
        self.text = text;
        Ok(())
    }

    pub(super) fn into_users(self) -> BTreeMap<String, User> {
        self.users
    }
}

fn read(path: &Path) -> Result<String, UserFileErrors> {
    let fail = |what: String, fix: &str| {
        let error = UserFileError {
            file: path.to_owned(),
            line: None,
            key: String::new(),
            what,
            fix: fix.to_owned(),
        };
        UserFileErrors(vec![error])
    };
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            fail("the users file does not exist".to_owned(), "make it with `tollgate user add`")
        }
        _ => fail(format!("the users file cannot be read: {error}"), "check its path and permissions"),
    })?;
    if metadata.is_dir() {
        return Err(fail("this is a directory".to_owned(), "name the file itself"));
    }
    if metadata.len() > MAX_FILE {
        return Err(fail(format!("{} octets are too many", metadata.len()), "keep it below 64 MiB"));
    }
    let bytes = fs::read(path).map_err(|error| {
        fail(format!("the users file cannot be read: {error}"), "check its path and permissions")
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
        let mut errors = fail("not UTF-8".to_owned(), "save it as UTF-8");
        for error in &mut errors.0 {
            error.line = Some(line);
        }
        errors
    })
}

fn line_of(text: &[u8], offset: usize) -> usize {
    text.iter().take(offset).filter(|&&octet| octet == b'\n').count() + 1
}

/// What tells one version of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Stamp {
    /// `None`: no such file.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { modified: metadata.modified().ok(), length: metadata.len(), inode: metadata.ino() })
    }
}

#[cfg(test)]
mod tests;

//! One table of the configuration, read key by key, so that one wrong key does not hide the next.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;

use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;
use tollgate_aaa::Secret;
use zeroize::Zeroizing;

use super::problem::{Problem, Problems, Severity};
use super::source::Source;

/// Collects what is wrong while sections are read.
pub(crate) struct Reading {
    pub(crate) source: Source,
    problems: RefCell<Vec<Problem>>,
    /// Named tables that stand in the file, sound or not (`pool.sales`): who names one of them makes no mistake.
    declared: RefCell<HashSet<String>>,
}

impl Reading {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, problems: RefCell::default(), declared: RefCell::default() }
    }

    pub(crate) fn error(&self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        self.note(Severity::Error, key, what.into(), fix.into());
    }

    pub(crate) fn warn(&self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        self.note(Severity::Warning, key, what.into(), fix.into());
    }

    fn note(&self, severity: Severity, key: &str, what: String, fix: String) {
        let (file, line) = self.source.place(key);
        self.problems.borrow_mut().push(Problem { severity, file, line, key: key.to_owned(), what, fix });
    }

    /// All problems, in the order of the file.
    pub(crate) fn into_problems(self) -> Problems {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        Problems(problems)
    }
}

/// A table, its place, and which of its keys were asked for.
pub(crate) struct Section<'a> {
    pub(crate) path: String,
    values: Dict,
    known: Vec<&'static str>,
    /// Keys whose values have been taken.
    taken: Vec<&'static str>,
    reading: &'a Reading,
}

impl<'a> Section<'a> {
    pub(crate) fn new(reading: &'a Reading, path: impl Into<String>, values: Dict) -> Self {
        Self { path: path.into(), values, known: Vec::new(), taken: Vec::new(), reading }
    }

    /// The dotted name of a key of this table.
    pub(crate) fn key(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }

    pub(crate) fn error(&self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        self.reading.error(&self.key(key), what, fix);
    }

    pub(crate) fn warn(&self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        self.reading.warn(&self.key(key), what, fix);
    }

    /// True when the table holds the key (asked for or not).
    pub(crate) fn has(&mut self, key: &'static str) -> bool {
        self.know(key);
        self.values.contains_key(key)
    }

    /// True when the table held the key, be its value taken already or not.
    pub(crate) fn was_given(&self, key: &str) -> bool {
        self.taken.contains(&key) || self.values.contains_key(key)
    }

    /// True when a table stands under the key.
    pub(crate) fn is_table(&mut self, key: &'static str) -> bool {
        self.know(key);
        matches!(self.values.get(key), Some(Value::Dict(..)))
    }

    /// The names of the tables inside `[key.NAME]`, which stay where they are.
    pub(crate) fn names(&self, key: &str) -> Vec<String> {
        match self.values.get(key) {
            Some(Value::Dict(_, tables)) => tables.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    fn value(&mut self, key: &'static str) -> Option<Value> {
        self.know(key);
        let value = self.values.remove(key)?;
        self.taken.push(key);
        Some(value)
    }

    fn know(&mut self, key: &'static str) {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
    }

    /// A value of one type; `expected` says in words what belongs there.
    pub(crate) fn get<T: DeserializeOwned>(&mut self, key: &'static str, expected: &str) -> Option<T> {
        let value = self.value(key)?;
        let found = describe(&value);
        match value.deserialize() {
            Ok(value) => Some(value),
            Err(_) => {
                self.error(key, format!("holds {found}"), format!("write {expected}"));
                None
            }
        }
    }

    /// A whole number within a range, `default` where it is absent or wrong.
    pub(crate) fn number<T>(&mut self, key: &'static str, range: RangeInclusive<T>, default: T) -> T
    where
        T: Copy + PartialOrd + Display + TryFrom<i64>,
    {
        self.optional_number(key, range).unwrap_or(default)
    }

    /// A whole number within a range.
    pub(crate) fn optional_number<T>(&mut self, key: &'static str, range: RangeInclusive<T>) -> Option<T>
    where
        T: Copy + PartialOrd + Display + TryFrom<i64>,
    {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let number: i64 = self.get(key, &expected)?;
        match T::try_from(number) {
            Ok(value) if range.contains(&value) => Some(value),
            _ => {
                self.error(key, format!("{number} is out of range"), format!("write {expected}"));
                None
            }
        }
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        self.get(key, "true or false").unwrap_or(default)
    }

    /// A string that parses into `T`.
    pub(crate) fn parsed<T: FromStr>(&mut self, key: &'static str, expected: &str) -> Option<T> {
        let text: String = self.get(key, expected)?;
        self.parse(key, &text, expected)
    }

    /// A list of strings that each parse into `T`.
    pub(crate) fn list<T: FromStr>(&mut self, key: &'static str, expected: &str) -> Option<Vec<T>> {
        let texts: Vec<String> = self.get(key, &format!("a list in brackets, each {expected}"))?;
        let before = self.reading.problems.borrow().len();
        let values = texts
            .iter()
            .enumerate()
            .filter_map(|(index, text)| self.parse(&format!("{key}.{}", index + 1), text, expected))
            .collect();
        (self.reading.problems.borrow().len() == before).then_some(values)
    }

    fn parse<T: FromStr>(&self, key: &str, text: &str, expected: &str) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(_) => {
                self.error(key, format!("{text:?} is not {expected}"), format!("write {expected}"));
                None
            }
        }
    }

    /// A secret: inline, `{ file = "..." }` or `{ env = "..." }`. A file's last line end is not part of the secret.
    pub(crate) fn secret(&mut self, key: &'static str) -> Option<Secret> {
        let value = self.value(key)?;
        self.read_secret(key, value)
    }

    /// One secret or a list of them, each with the key that messages about it name.
    pub(crate) fn secrets(&mut self, key: &'static str) -> Vec<(String, Secret)> {
        let values = match self.value(key) {
            None => return Vec::new(),
            Some(Value::Array(_, values)) if values.is_empty() => {
                self.error(key, "is empty", "name at least one secret, or remove the line");
                return Vec::new();
            }
            Some(Value::Array(_, values)) => {
                let key = |index| format!("{key}.{}", index + 1);
                values.into_iter().enumerate().map(|(index, value)| (key(index), value)).collect()
            }
            Some(value) => vec![(key.to_owned(), value)],
        };
        let read = |(key, value): (String, Value)| {
            let secret = self.read_secret(&key, value)?;
            Some((key, secret))
        };
        values.into_iter().filter_map(read).collect()
    }

    fn read_secret(&self, key: &str, value: Value) -> Option<Secret> {
        const EXPECTED: &str = "a string, { file = \"...\" } or { env = \"...\" }";
        let secret = match value {
            Value::String(_, text) => Zeroizing::new(text.into_bytes()),
            Value::Dict(_, dict) => {
                let mut place = Section::new(self.reading, self.key(key), dict);
                let file: Option<String> = place.get("file", "a path in quotes");
                let env: Option<String> = place.get("env", "the name of a variable in quotes");
                place.finish();
                match (file, env) {
                    (Some(file), None) => self.secret_file(key, &file)?,
                    (None, Some(name)) => match std::env::var_os(&name) {
                        Some(text) => Zeroizing::new(std::os::unix::ffi::OsStringExt::into_vec(text)),
                        None => {
                            self.error(
                                key,
                                format!("the environment has no variable {name}"),
                                format!("export {name} before tollgate starts"),
                            );
                            return None;
                        }
                    },
                    _ => {
                        self.error(key, "names neither or both of file and env", format!("write {EXPECTED}"));
                        return None;
                    }
                }
            }
            other => {
                self.error(key, format!("holds {}", describe(&other)), format!("write {EXPECTED}"));
                return None;
            }
        };
        if secret.is_empty() {
            self.error(key, "is empty", "give a secret of at least one character");
            return None;
        }
        Some(Secret::from(secret))
    }

    fn secret_file(&self, key: &str, file: &str) -> Option<Zeroizing<Vec<u8>>> {
        let path = self.relative(file);
        match read_ordinary(&path) {
            Ok(bytes) => {
                use std::os::unix::fs::PermissionsExt;
                let mut bytes = Zeroizing::new(bytes);
                if std::fs::metadata(&path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0) {
                    self.warn(
                        key,
                        format!("{} can be read by other users", path.display()),
                        format!("chmod 600 {}", path.display()),
                    );
                }
                while bytes.last().is_some_and(|octet| matches!(octet, b'\n' | b'\r')) {
                    bytes.pop();
                }
                Some(bytes)
            }
            Err(error) => {
                self.error(
                    key,
                    format!("{} cannot be read: {error}", path.display()),
                    "put the secret into that file, readable by the user that runs tollgate",
                );
                None
            }
        }
    }

    /// A path as the operator means it: relative to the configuration file.
    pub(crate) fn relative(&self, file: &str) -> std::path::PathBuf {
        self.reading.source.file.parent().unwrap_or(Path::new("")).join(file)
    }

    /// The table that stands for an absent one: all its keys have their defaults.
    pub(crate) fn empty(&self, key: &str) -> Section<'a> {
        Section::new(self.reading, self.key(key), Dict::new())
    }

    /// A table inside this one.
    pub(crate) fn section(&mut self, key: &'static str) -> Option<Section<'a>> {
        let value = self.value(key)?;
        self.as_section(key, value)
    }

    /// Whether the file has a table `[kind.NAME]`, be it sound or not.
    pub(crate) fn is_declared(&self, kind: &str, name: &str) -> bool {
        self.reading.declared.borrow().contains(&format!("{kind}.{name}"))
    }

    /// The named tables inside `[key.NAME]`.
    pub(crate) fn named(&mut self, key: &'static str) -> BTreeMap<String, Section<'a>> {
        let Some(outer) = self.section(key) else { return BTreeMap::new() };
        let path = outer.path.clone();
        outer
            .values
            .into_iter()
            .filter_map(|(name, value)| {
                self.reading.declared.borrow_mut().insert(format!("{path}.{name}"));
                let section = match value {
                    Value::Dict(_, dict) => Section::new(self.reading, format!("{path}.{name}"), dict),
                    other => {
                        self.reading.error(
                            &format!("{path}.{name}"),
                            format!("holds {}", describe(&other)),
                            format!("write a table: [{path}.NAME]"),
                        );
                        return None;
                    }
                };
                Some((name, section))
            })
            .collect()
    }

    /// The tables of an array `[[key]]`.
    pub(crate) fn tables(&mut self, key: &'static str) -> Vec<Section<'a>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Value::Array(_, values) = value else {
            let full = self.key(key);
            self.error(key, format!("holds {}", describe(&value)), format!("write [[{full}]]"));
            return Vec::new();
        };
        values
            .into_iter()
            .enumerate()
            .filter_map(|(index, value)| self.as_section(&format!("{key}.{}", index + 1), value))
            .collect()
    }

    fn as_section(&self, key: &str, value: Value) -> Option<Section<'a>> {
        let path = self.key(key);
        match value {
            Value::Dict(_, dict) => Some(Section::new(self.reading, path, dict)),
            other => {
                self.error(key, format!("holds {}", describe(&other)), format!("write a table: [{path}]"));
                None
            }
        }
    }

    /// Refuses what nobody asked for.
    pub(crate) fn finish(self) {
        for key in self.values.keys() {
            let fix = match nearest(key, &self.known) {
                Some(known) => format!("did you mean {known}?"),
                None => format!("remove it; known here: {}", self.known.join(", ")),
            };
            self.error(key, "is not a key of this table", fix);
        }
    }
}

/// Longest secret that a file may hold: enough for any shared secret, little for what is no secret at all.
const LONGEST_SECRET: u64 = 4096;

/// Reads a file of one secret; a device or a pipe, which may never end, is not one.
fn read_ordinary(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::{Error, ErrorKind};
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is not an ordinary file"));
    }
    if metadata.len() > LONGEST_SECRET {
        return Err(Error::new(ErrorKind::InvalidData, format!("it is longer than {LONGEST_SECRET} octets")));
    }
    std::fs::read(path)
}

/// What stands there, for an error message. Strings are not repeated: they may be secrets.
fn describe(value: &Value) -> String {
    match value {
        Value::String(..) | Value::Char(..) => "a string".into(),
        Value::Bool(_, value) => format!("{value}"),
        Value::Num(_, number) => match (number.to_i128(), number.to_f64()) {
            (Some(number), _) => format!("the number {number}"),
            (None, Some(number)) => format!("the number {number}"),
            (None, None) => "a number".into(),
        },
        Value::Empty(..) => "nothing".into(),
        Value::Dict(..) => "a table".into(),
        Value::Array(..) => "a list".into(),
    }
}

/// The known key closest to a mistyped one, where it is close enough to be meant.
fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|candidate| (distance(key, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

//! The text of a configuration as layered values that remember their lines.
//!
//! `figment` layers the values (the file, then the overrides of the command line); the `toml` crate's spans tell the
//! line of each key, which figment does not keep.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Problems, Severity};

/// More than any configuration has: what is larger is a device or something else by mistake.
const LARGEST: u64 = 16 << 20;

/// A configuration file read into values, and where each key stands.
pub(crate) struct Source {
    pub(crate) file: PathBuf,
    values: Dict,
    lines: HashMap<String, usize>,
    /// Keys whose values the command line gave.
    overridden: HashSet<String>,
}

impl Source {
    /// Reads a file. Whatever keeps it from being read is told in words.
    pub(crate) fn read(file: &Path) -> Result<Self, Problems> {
        let kind = std::fs::metadata(file).map_err(|error| unreadable(file, &error))?;
        if kind.is_dir() {
            return Err(Problems::of_file(
                file,
                "is a directory, not a configuration file",
                "name the file in it, for example tollgate.toml",
            ));
        }
        let mut bytes = Vec::new();
        std::fs::File::open(file)
            .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
            .map_err(|error| unreadable(file, &error))?;
        if bytes.len() as u64 > LARGEST {
            return Err(Problems::of_file(
                file,
                format!("is larger than {} MiB", LARGEST >> 20),
                "name a configuration file",
            ));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()]
                .iter()
                .filter(|octet| **octet == b'\n')
                .count();
            let mut problems =
                Problems::of_file(file, "is not UTF-8 text", "save the file as UTF-8 and check this line");
            problems.0.iter_mut().for_each(|problem| problem.line = Some(line));
            problems
        })?;
        Self::parse(file, &text)
    }

    /// Takes the text of a file that was read elsewhere.
    pub(crate) fn parse(file: &Path, text: &str) -> Result<Self, Problems> {
        if text.trim().is_empty() {
            return Err(Problems::of_file(
                file,
                "is empty",
                "start from one of the files in examples/, for example examples/local.toml",
            ));
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let problems = errors
                .iter()
                .map(|error| Problem {
                    severity: Severity::Error,
                    file: file.to_owned(),
                    line: error.span().map(|span| line_of(text, span.start)),
                    key: String::new(),
                    what: format!("is not TOML: {}", error.message().replace('\n', ", ")),
                    fix: "correct the syntax of this line".into(),
                })
                .collect();
            return Err(Problems(problems));
        }
        let mut lines = HashMap::new();
        let values = dict(text, "", table.get_ref(), &mut lines);
        Ok(Self { file: file.to_owned(), values, lines, overridden: HashSet::new() })
    }

    /// Lays overrides (`lns.tun-name=vpn1`, the value in TOML or a bare word) over the file's values.
    pub(crate) fn with_overrides(mut self, overrides: &[String]) -> Result<Self, Problems> {
        let mut figment = Figment::from(Layer(self.values));
        for assignment in overrides {
            let Some((key, value)) = assignment.split_once('=') else {
                return Err(Problems::of_file(
                    Path::new("--set"),
                    format!("{assignment:?} has no '='"),
                    "write --set section.key=value",
                ));
            };
            let (key, value) = (key.trim(), value.trim());
            // A bare word is meant as a string.
            let quoted = toml::Value::String(value.to_owned()).to_string();
            let candidates = [format!("{key} = {value}"), format!("{key} = {quoted}")];
            let Some((text, table)) =
                candidates.iter().find_map(|text| DeTable::parse(text).ok().map(|table| (text, table)))
            else {
                return Err(Problems::of_file(
                    Path::new("--set"),
                    format!("{assignment:?} does not name a key"),
                    "write --set section.key=value",
                ));
            };
            let mut keys = HashMap::new();
            figment = figment.merge(Layer(dict(text, "", table.get_ref(), &mut keys)));
            // Each assignment names one key, and the tables around it.
            self.overridden.extend(keys.into_keys().max_by_key(String::len));
        }
        self.values = figment.extract().map_err(|error| {
            Problems::of_file(&self.file, error.to_string(), "remove the --set that clashes with the file")
        })?;
        Ok(self)
    }

    /// The values, once.
    pub(crate) fn take_values(&mut self) -> Dict {
        std::mem::take(&mut self.values)
    }

    /// Where a key's value was written: the file and line, or the command line.
    pub(crate) fn place(&self, key: &str) -> (PathBuf, Option<usize>) {
        if self.overridden.contains(key) {
            return (PathBuf::from("--set"), None);
        }
        (self.file.clone(), self.line(key))
    }

    /// The line of a key, or of the nearest table around it.
    fn line(&self, key: &str) -> Option<usize> {
        let mut key = key;
        loop {
            if let Some(line) = self.lines.get(key) {
                return Some(*line);
            }
            key = &key[..key.rfind('.')?];
        }
    }
}

fn unreadable(file: &Path, error: &std::io::Error) -> Problems {
    let fix = match error.kind() {
        std::io::ErrorKind::NotFound => "check the path given with --config".to_owned(),
        std::io::ErrorKind::PermissionDenied => {
            format!("let the user that runs tollgate read {}", file.display())
        }
        _ => "check the file and its disk".to_owned(),
    };
    Problems::of_file(file, format!("cannot be read: {error}"), fix)
}

/// Line of an offset, counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|octet| **octet == b'\n').count()
}

fn dict(text: &str, path: &str, table: &DeTable<'_>, lines: &mut HashMap<String, usize>) -> Dict {
    table
        .iter()
        .map(|(key, value)| {
            let name = key.get_ref().to_string();
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            lines.insert(path.clone(), line_of(text, key.span().start));
            (name, convert(text, &path, value, lines))
        })
        .collect()
}

fn convert(
    text: &str,
    path: &str,
    value: &Spanned<DeValue<'_>>,
    lines: &mut HashMap<String, usize>,
) -> Value {
    match value.get_ref() {
        DeValue::String(string) => Value::from(string.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::from(number),
            // Out of every range; as a number still, so that the message says what it is.
            Err(_) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::from(number),
                Err(_) => Value::from(f64::INFINITY),
            },
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(number.as_str().to_owned()),
        },
        DeValue::Boolean(boolean) => Value::from(*boolean),
        DeValue::Datetime(datetime) => Value::from(datetime.to_string()),
        DeValue::Array(array) => Value::from(
            array
                .iter()
                .enumerate()
                .map(|(index, value)| {
                    let path = format!("{path}.{}", index + 1);
                    lines.insert(path.clone(), line_of(text, value.span().start));
                    convert(text, &path, value, lines)
                })
                .collect::<Vec<_>>(),
        ),
        DeValue::Table(table) => Value::from(dict(text, path, table, lines)),
    }
}

/// One layer of values for figment.
struct Layer(Dict);

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named("configuration")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.0.clone()))
    }
}

//! `tollgate user`: the local users, in the file that `[local]` names.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use tollgate_backends::local::{Date, StoredPassword, User, UserFile};

use super::table;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a user; the password is read from the terminal or from standard input.
    #[command(after_help = "Example: echo -n 'j!doe1' | tollgate user add jdoe --mschap --users users.toml")]
    Add(AddArguments),
    /// Give a user a new password, read from the terminal or from standard input.
    #[command(after_help = "Example: tollgate user passwd jdoe --mschap --users users.toml")]
    Passwd(PasswordArguments),
    /// Delete a user.
    #[command(after_help = "Example: tollgate user delete jdoe --users users.toml")]
    Delete(NameArguments),
    /// List the users, no passwords.
    #[command(after_help = "Example: tollgate user list --users users.toml --json")]
    List(ListArguments),
}

/// Which user file.
#[derive(Debug, Args)]
struct File {
    /// The user file; without it, the one that the configuration names.
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// The configuration file.
    #[arg(long, short, value_name = "FILE", default_value = "/etc/tollgate/tollgate.toml")]
    config: PathBuf,
}

impl File {
    fn path(&self) -> Result<PathBuf, String> {
        if let Some(users) = &self.users {
            return Ok(users.clone());
        }
        let config = tollgate_policy::load(&self.config, &[]).map_err(|problems| problems.to_string())?;
        config.local.map(|local| local.users).ok_or_else(|| {
            format!("{} has no [local] table; add one, or name the file with --users", self.config.display())
        })
    }
}

/// How a password is kept.
#[derive(Debug, Args)]
struct Storage {
    /// Keep the NT hash, which MS-CHAP needs; otherwise Argon2id, which serves PAP only.
    #[arg(long)]
    mschap: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AddArguments {
    /// The user's name, without realm.
    name: String,
    #[command(flatten)]
    storage: Storage,
    /// A group policy of the user's own.
    #[arg(long, value_name = "NAME")]
    group_policy: Option<String>,
    /// A fixed inner address.
    #[arg(long)]
    address: Option<Ipv4Addr>,
    /// The last day on which the account may log in (UTC).
    #[arg(long, value_name = "YYYY-MM-DD")]
    expires: Option<Date>,
    /// Add the account without letting it log in.
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    file: File,
}

#[derive(Debug, Args)]
pub(crate) struct PasswordArguments {
    /// The user's name.
    name: String,
    #[command(flatten)]
    storage: Storage,
    #[command(flatten)]
    file: File,
}

#[derive(Debug, Args)]
pub(crate) struct NameArguments {
    /// The user's name.
    name: String,
    #[command(flatten)]
    file: File,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    file: File,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Add(arguments) => add(arguments),
        Command::Passwd(arguments) => passwd(&arguments),
        Command::Delete(arguments) => delete(&arguments),
        Command::List(arguments) => list(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn stored(name: &str, storage: &Storage) -> Result<StoredPassword, String> {
    let password = super::read_password(&format!("New password of {name}: "))
        .map_err(|error| format!("the password cannot be read: {error}"))?;
    if password.is_empty() {
        return Err("an empty password is refused; give one on standard input".into());
    }
    if storage.mschap {
        return Ok(StoredPassword::nt(&password));
    }
    StoredPassword::argon2id(&password).map_err(|error| error.to_string())
}

fn add(arguments: AddArguments) -> Result<(), String> {
    let path = arguments.file.path()?;
    let mut file = UserFile::load_or_new(path).map_err(|errors| errors.to_string())?;
    if file.get(&arguments.name).is_some() {
        return Err(format!("user {} exists already; use `tollgate user passwd`", arguments.name));
    }
    let mut user = User::new(&arguments.name, stored(&arguments.name, &arguments.storage)?);
    user.group_policy = arguments.group_policy;
    user.address = arguments.address;
    user.expires = arguments.expires;
    user.enabled = !arguments.disabled;
    file.add(&user).map_err(|error| error.to_string())?;
    file.save().map_err(|error| error.to_string())?;
    println!("user {} added, password kept as {}", user.name, user.password.kind());
    Ok(())
}

fn passwd(arguments: &PasswordArguments) -> Result<(), String> {
    let mut file = UserFile::load(arguments.file.path()?).map_err(|errors| errors.to_string())?;
    if file.get(&arguments.name).is_none() {
        return Err(format!("there is no user {}", arguments.name));
    }
    let password = stored(&arguments.name, &arguments.storage)?;
    file.set_password(&arguments.name, &password).map_err(|error| error.to_string())?;
    file.save().map_err(|error| error.to_string())?;
    println!("password of {} changed, kept as {}", arguments.name, password.kind());
    Ok(())
}

fn delete(arguments: &NameArguments) -> Result<(), String> {
    let mut file = UserFile::load(arguments.file.path()?).map_err(|errors| errors.to_string())?;
    file.remove(&arguments.name).map_err(|error| error.to_string())?;
    file.save().map_err(|error| error.to_string())?;
    println!("user {} deleted", arguments.name);
    Ok(())
}

fn list(arguments: &ListArguments) -> Result<(), String> {
    let file = UserFile::load(arguments.file.path()?).map_err(|errors| errors.to_string())?;
    if arguments.json {
        let users: Vec<_> = file
            .list()
            .map(|user| {
                serde_json::json!({
                    "name": user.name,
                    "password": user.password.kind(),
                    "group-policy": user.group_policy,
                    "address": user.address,
                    "expires": user.expires.map(|date| date.to_string()),
                    "enabled": user.enabled,
                })
            })
            .collect();
        println!("{:#}", serde_json::Value::from(users));
        return Ok(());
    }
    let rows: Vec<_> = file
        .list()
        .map(|user| {
            [
                user.name.clone(),
                user.password.kind().to_owned(),
                user.group_policy.clone().unwrap_or_else(|| "-".into()),
                user.address.map_or_else(|| "-".into(), |address| address.to_string()),
                user.expires.map_or_else(|| "never".into(), |date| date.to_string()),
                if user.enabled { "yes" } else { "no" }.to_owned(),
            ]
        })
        .collect();
    table::print(["USER", "PASSWORD", "GROUP-POLICY", "ADDRESS", "EXPIRES", "ENABLED"], &rows);
    Ok(())
}

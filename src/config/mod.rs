//! The settings, read in one place: flags, then the environment, then `vna.toml`, then the defaults.
//!
//! `vna.default.toml` is embedded: it is the list of keys that exist, each with its form and its default. Nothing here
//! touches the process: flags and environment are handed in, so every case can be tested.
//!
//! Secrets are held in [`SecretString`], come from the environment or a file it names, and are in no error and no
//! `Debug`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

pub use database::{DatabaseKind, DatabaseUrl};
pub use keys::{AdminKey, SigningKey};

use crate::domain::{Policy, Span};
use sources::{Layers, Problem};

mod database;
mod keys;
mod sources;

/// Every key with its default and a comment, as shipped.
pub const DEFAULTS: &str = include_str!("../../vna.default.toml");

/// The flags that name settings. No flag takes a secret: other users of the machine can read a command line.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Flags {
    /// Settings file [default: vna.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// sqlite://PATH, or postgres://USER@HOST/NAME; one with a password goes into DATABASE_URL
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<SecretString>,
    /// IP address and port to listen on
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub bind: Option<String>,
    /// Where the six endpoints hang, as /v1
    #[arg(long, global = true, value_name = "PATH")]
    pub base_path: Option<String>,
    /// How a browser reaches this server
    #[arg(long, global = true, value_name = "URL")]
    pub public_url: Option<String>,
    /// Rules file [default: the built-in rules]
    #[arg(long, global = true, value_name = "FILE")]
    pub rules: Option<PathBuf>,
}

/// The environment variables and the directory that relative paths start from.
#[derive(Default)]
pub struct Environment {
    variables: BTreeMap<String, SecretString>,
    /// Variables of ours that are not UTF-8.
    unreadable: Vec<String>,
    directory: PathBuf,
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        let mut environment = Self::default();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => _ = environment.variables.insert(name, value.into()),
                Err(_) => environment.unreadable.push(name),
            }
        }
        environment
    }

    /// One that is made up, with relative paths under `directory`.
    pub fn new<'a>(directory: &Path, variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        Self { variables, unreadable: Vec::new(), directory: directory.to_owned() }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// Everything that can be set, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    pub database_url: DatabaseUrl,
    /// What `store copy` copies where the command line does not say it.
    pub copy_from: Option<DatabaseUrl>,
    pub bind: SocketAddr,
    /// Starts with `/` and does not end with one; empty for the root.
    pub base_path: String,
    /// Without a trailing slash; `None`: by the address that is listened on ([`Settings::browser_url`]).
    pub public_url: Option<String>,
    /// `None`: the built-in rules.
    pub rules: Option<PathBuf>,
    /// In the order given; `serve` refuses to start without one.
    pub signing_keys: Vec<SigningKey>,
    /// Empty: the admin API is off.
    pub admin_keys: Vec<AdminKey>,
    pub http: HttpSettings,
    pub policy: Policy,
    pub accounts: AccountSettings,
    pub log: LogSettings,
    /// What is allowed and yet unwise, a sentence each, to be printed at the start.
    pub warnings: Vec<String>,
}

/// Table `[http]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    pub max_body_bytes: usize,
    pub body_timeout: Span,
    /// How long a server that is told to stop goes on serving, no longer ready.
    pub drain: Span,
}

/// Table `[accounts]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSettings {
    /// 1 to 5 of `[A-Za-z0-9]`.
    pub display_prefix: String,
}

/// Table `[log]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    pub format: LogFormat,
    /// Directives of `tracing_subscriber::EnvFilter`.
    pub filter: String,
}

/// `log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    Json,
    Text,
}

/// Why there are no settings: one line that says where, what is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(#[from] Problem);

impl Settings {
    /// Reads and checks every source.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, SettingsError> {
        let layers = Layers::read(flags, environment)?;
        let (signing_keys, signing_warnings) = keys::signing_keys(&layers)?;
        let (admin_keys, admin_warnings) = keys::admin_keys(&layers)?;
        Ok(Self {
            database_url: database::database_url(&layers)?,
            copy_from: database::copy_from(&layers)?,
            bind: layers.read_with("", "bind", |text| {
                text.parse().map_err(|_| {
                    format!("`{text}` is not an IP address and a port; write it as 127.0.0.1:8080 or [::]:8080")
                })
            })?,
            base_path: layers.read_with("", "base_path", base_path)?,
            public_url: layers.read_optional("", "public_url", public_url)?,
            rules: layers.read_optional("", "rules", |text| Ok(environment.directory.join(text)))?,
            signing_keys,
            admin_keys,
            http: HttpSettings {
                max_body_bytes: layers.read_with("http", "max_body_bytes", max_body_bytes)?,
                body_timeout: layers.read_with("http", "body_timeout", positive_span)?,
                drain: layers.read_with("http", "drain", span)?,
            },
            policy: policy(&layers)?,
            accounts: AccountSettings {
                display_prefix: layers.read_with("accounts", "display_prefix", display_prefix)?,
            },
            log: LogSettings {
                format: layers.choice("log", "format")?,
                filter: layers.read_with("log", "filter", log_filter)?,
            },
            warnings: [signing_warnings, admin_warnings].concat(),
        })
    }

    /// How a browser reaches this server, without a trailing slash. `listening_on` counts where nothing was set.
    pub fn browser_url(&self, listening_on: SocketAddr) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{listening_on}"))
    }
}

fn policy(layers: &Layers) -> Result<Policy, Problem> {
    let table = "policy";
    Ok(Policy {
        authorization_ttl: layers.read_with(table, "authorization_ttl", positive_span)?,
        late_credit: layers.choice(table, "late_credit")?,
        late_credit_window: layers.read_with(table, "late_credit_window", span)?,
        unreferenced_credits: layers.choice(table, "unreferenced_credits")?,
        unreferenced_retry_window: layers.read_with(table, "unreferenced_retry_window", span)?,
        exchange_rate: layers.choice(table, "exchange_rate")?,
        settlement: layers.choice(table, "settlement")?,
        reversals: layers.read_with(table, "reversals", yes_or_no)?,
        on_shortfall: layers.choice(table, "on_shortfall")?,
        account_creation: layers.choice(table, "account_creation")?,
        currencies: layers.read_list(table, "currencies", |code| code.parse().map_err(to_text))?,
        enrolment_currency: layers.read_optional(table, "enrolment_currency", |code| code.parse().map_err(to_text))?,
        missing_sender: layers.choice(table, "missing_sender")?,
        reasons: layers.choice(table, "reasons")?,
        credit_status: layers.choice(table, "credit_status")?,
    })
    .and_then(|policy| check_enrolment_currency(layers, policy))
}

/// An enrolment page must not open accounts in a currency that every later call would be refused for.
fn check_enrolment_currency(layers: &Layers, policy: Policy) -> Result<Policy, Problem> {
    match policy.enrolment_currency {
        Some(currency) if !policy.takes(currency) => Err(layers.wrong(
            "policy",
            "enrolment_currency",
            &format!("`{currency}` is not one of `currencies`; add it there or name another"),
        )),
        _ => Ok(policy),
    }
}

fn span(text: &str) -> Result<Span, String> {
    text.parse::<Span>().map_err(to_text)
}

fn positive_span(text: &str) -> Result<Span, String> {
    match span(text)? {
        Span(0) => Err("it must be longer than 0".to_owned()),
        positive => Ok(positive),
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("`{text}` is neither true nor false"))
}

/// Between the smallest body that a real call can have and the most that one caller may hold in memory.
fn max_body_bytes(text: &str) -> Result<usize, String> {
    let bounds = 1_024..=16 * 1_024 * 1_024;
    text.parse()
        .ok()
        .filter(|bytes| bounds.contains(bytes))
        .ok_or_else(|| format!("`{text}` is not a whole number of bytes from {} to {}", bounds.start(), bounds.end()))
}

fn base_path(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    if !text.starts_with('/') || text.contains("//") || !text.bytes().all(plain) {
        return Err(format!("`{text}` is not a path; write it as /v1, with only letters, digits, - . _ ~ and /"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn public_url(text: &str) -> Result<String, String> {
    let wrong = || format!("`{text}` is not a web address; write it as https://wallet.example.com");
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain && url.password().is_none() {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(wrong())
    }
}

fn display_prefix(text: &str) -> Result<String, String> {
    if (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not 1 to 5 letters or digits, as MC"))
    }
}

fn log_filter(text: &str) -> Result<String, String> {
    match text.parse::<tracing_subscriber::EnvFilter>() {
        Ok(_) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is not a log filter; write a level as info, or directives as info,sqlx=warn")),
    }
}

fn to_text(error: impl fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;

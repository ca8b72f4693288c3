//! The database's address, which may hold a password.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::SettingsError;
use super::sources::{Layers, Problem};

/// `sqlite://…` or `postgres://…`; prints without user, password and parameters.
#[derive(Clone)]
pub struct DatabaseUrl {
    url: SecretString,
    kind: DatabaseKind,
}

/// Which store the address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    Sqlite,
    Postgres,
}

impl DatabaseUrl {
    /// An address from the command line, where other users see it: one with a password is refused, and `variable` named
    /// in its place.
    ///
    /// # Errors
    /// What is wrong with it, without the address.
    pub fn of_flag(flag: &str, text: &SecretString, variable: &str) -> Result<Self, SettingsError> {
        refuse_password(flag, text, variable)?;
        let wrong = |problem| Problem::Wrong { place: flag.to_owned(), problem };
        Ok(address(text.expose_secret()).map_err(wrong)?)
    }

    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// The file of an SQLite address; `None` for Postgres.
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        let address = self.expose().split('?').next().unwrap_or_default();
        address.strip_prefix("sqlite://").or_else(|| address.strip_prefix("sqlite:")).map(PathBuf::from)
    }

    /// The whole address, for the driver alone.
    pub fn expose(&self) -> &str {
        self.url.expose_secret()
    }

    /// The same with one host each, in the order in which they are named, for the driver alone.
    pub fn expose_each_host(&self) -> Vec<String> {
        each_host(self.expose())
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DatabaseKind::Sqlite => f.write_str(self.expose().split('?').next().unwrap_or_default()),
            DatabaseKind::Postgres => {
                let addresses = self.expose_each_host();
                let parsed: Vec<url::Url> = addresses.iter().filter_map(|text| url::Url::parse(text).ok()).collect();
                let hosts: Vec<String> = parsed.iter().map(host_and_port).collect();
                write!(f, "postgres://{}{}", hosts.join(","), parsed.first().map_or("", url::Url::path))
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

pub(super) fn database_url(layers: &Layers) -> Result<DatabaseUrl, Problem> {
    layers.read_with("", "database_url", address)
}

/// `VNA_COPY_FROM`.
pub(super) fn copy_from(layers: &Layers) -> Result<Option<DatabaseUrl>, Problem> {
    let Some(given) = layers.secret("VNA_COPY_FROM") else { return Ok(None) };
    let wrong = |problem| Problem::Wrong { place: given.place.clone(), problem };
    address(given.text.expose_secret()).map(Some).map_err(wrong)
}

fn address(text: &str) -> Result<DatabaseUrl, String> {
    // A file ends with a line end, and no address does.
    let text = text.trim_end();
    let kind = kind_of(text).ok_or_else(|| {
        "it is no database address; write it as sqlite://vna-partner.db or postgres://USER:PASSWORD@HOST/NAME, with the \
         password's special characters percent-encoded"
            .to_owned()
    })?;
    if kind == DatabaseKind::Sqlite && is_in_memory(text) {
        return Err("it is a database in memory, which is lost at exit; name a file, as sqlite://vna-partner.db".into());
    }
    if kind == DatabaseKind::Sqlite && !parameters_of(text).all(|one| ["", "mode=rw", "mode=rwc"].contains(&one)) {
        // Whoever opens the file otherwise than the others would lock it otherwise, too.
        return Err("a file of SQLite's takes no parameter but mode=rw or mode=rwc".into());
    }
    Ok(DatabaseUrl { url: text.into(), kind })
}

/// Refuses an address on the command line that may hold a password; `variable` is where it can go instead.
pub(super) fn refuse_password(flag: &str, text: &SecretString, variable: &str) -> Result<(), Problem> {
    if !may_hold_password(text.expose_secret()) {
        return Ok(());
    }
    let problem = format!(
        "a password on the command line is seen by other users; put the address into {variable} or {variable}_FILE"
    );
    Err(Problem::Wrong { place: flag.to_owned(), problem })
}

/// Whether an address has a password, or is too odd to tell.
fn may_hold_password(text: &str) -> bool {
    if kind_of(text) == Some(DatabaseKind::Sqlite) {
        return false;
    }
    let holds_password = |address: &String| match url::Url::parse(address) {
        Ok(url) => url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password"),
        Err(_) => text.contains('@') || text.contains("password"),
    };
    each_host(text).iter().any(holds_password)
}

/// By the two ways that SQLite has of saying so.
fn is_in_memory(text: &str) -> bool {
    let address = text.split_once('?').map_or(text, |(address, _)| address);
    address.ends_with(":memory:") || parameters_of(text).any(|one| one == "mode=memory")
}

fn parameters_of(address: &str) -> impl Iterator<Item = &str> {
    address.split_once('?').map_or("", |(_, parameters)| parameters).split('&')
}

fn kind_of(text: &str) -> Option<DatabaseKind> {
    if text.strip_prefix("sqlite:").is_some_and(|rest| !rest.trim_start_matches('/').is_empty()) {
        return Some(DatabaseKind::Sqlite);
    }
    let is_postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
    // A password with a `/` that is not percent-encoded would be read as a part of the path, and be shown.
    let is_name = |path: &str| !path.contains('@') && !path.trim_start_matches('/').contains('/');
    let is_address = |address: &String| url::Url::parse(address).is_ok_and(|url| is_name(url.path()));
    (is_postgres && each_host(text).iter().all(is_address)).then_some(DatabaseKind::Postgres)
}

/// `postgres://user@a,b:5433/name` as `postgres://user@a/name` and `postgres://user@b:5433/name`.
fn each_host(text: &str) -> Vec<String> {
    let Some((scheme, rest)) = text.split_once("://") else { return vec![text.to_owned()] };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    hosts.split(',').map(|host| format!("{scheme}://{user}{host}{path}")).collect()
}

fn host_and_port(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_of_an_address_is_an_address() {
        assert_eq!(each_host("postgres://u:p@h/d?sslmode=require"), ["postgres://u:p@h/d?sslmode=require"]);
        assert_eq!(
            each_host("postgres://u:p@a,b:5433/d?x=1,2"),
            ["postgres://u:p@a/d?x=1,2", "postgres://u:p@b:5433/d?x=1,2"]
        );
        assert_eq!(each_host("postgres:///d?host=/run/postgresql"), ["postgres:///d?host=/run/postgresql"]);
        assert_eq!(kind_of("postgres://u@a:1,b:2/d"), Some(DatabaseKind::Postgres));
        assert_eq!(kind_of("postgres://u@a:1,b:x/d"), None);
    }

    #[test]
    fn a_list_of_hosts_is_printed_without_its_password() {
        let url =
            DatabaseUrl { url: "postgres://u:s3cret@a,b:5433/d?password=s3cret".into(), kind: DatabaseKind::Postgres };
        assert_eq!(url.to_string(), "postgres://a,b:5433/d");
        assert!(may_hold_password("postgres://u:s3cret@a,b/d") && !may_hold_password("postgres://u@a,b/d"));
    }
}

//! The database's address, which may hold a password.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

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
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DatabaseKind::Sqlite => f.write_str(self.expose().split('?').next().unwrap_or_default()),
            DatabaseKind::Postgres => match url::Url::parse(self.expose()) {
                Ok(url) => {
                    write!(f, "postgres://{}", url.host_str().unwrap_or_default())?;
                    if let Some(port) = url.port() {
                        write!(f, ":{port}")?;
                    }
                    f.write_str(url.path())
                }
                Err(_) => f.write_str("postgres://"),
            },
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

pub(super) fn database_url(layers: &Layers) -> Result<DatabaseUrl, Problem> {
    layers.read_with("", "database_url", |text| {
        // A file ends with a line end, and no address does.
        let text = text.trim_end();
        let kind = kind_of(text).ok_or_else(|| {
            "it is no database address; write it as sqlite://vna-partner.db or postgres://USER:PASSWORD@HOST/NAME"
                .to_owned()
        })?;
        if kind == DatabaseKind::Sqlite && is_in_memory(text) {
            return Err(
                "it is a database in memory, which is lost at exit; name a file, as sqlite://vna-partner.db".into()
            );
        }
        Ok(DatabaseUrl { url: text.into(), kind })
    })
}

/// Whether an address has a password, or is too odd to tell.
pub(super) fn may_hold_password(text: &str) -> bool {
    if kind_of(text) == Some(DatabaseKind::Sqlite) {
        return false;
    }
    match url::Url::parse(text) {
        Ok(url) => url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password"),
        Err(_) => text.contains('@') || text.contains("password"),
    }
}

/// By the two ways that SQLite has of saying so.
fn is_in_memory(text: &str) -> bool {
    let (address, parameters) = text.split_once('?').unwrap_or((text, ""));
    address.ends_with(":memory:") || parameters.split('&').any(|one| one == "mode=memory")
}

fn kind_of(text: &str) -> Option<DatabaseKind> {
    if text.strip_prefix("sqlite:").is_some_and(|rest| !rest.trim_start_matches('/').is_empty()) {
        return Some(DatabaseKind::Sqlite);
    }
    let is_postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
    (is_postgres && url::Url::parse(text).is_ok()).then_some(DatabaseKind::Postgres)
}

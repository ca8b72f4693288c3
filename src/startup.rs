//! Assembling: settings to an open store, an engine and a listening server; and taking it apart in order.
//!
//! The order of stopping is what an orderly stop is: no new connections, the requests that were taken are answered, the
//! writer commits what it holds, the store is closed.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::Clock;
use crate::commit::{self, Engine, Limits};
use crate::config::{DatabaseKind, DatabaseUrl, Settings};
use crate::decide::Context;
use crate::http::{self, AppState};
use crate::peers::{self, Dissent, Peers};
use crate::rules::{RuleSet, RulesError};
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;
use crate::store::{Database, Reads, StoreError};

/// Why the server, or the books alone, cannot be opened. One line each, which says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "there is no signing key; set VNA_SIGNING_KEYS to the key that Leap handed over, or VNA_SIGNING_KEYS_FILE to a \
         file that holds it"
    )]
    NoSigningKey,
    #[error(
        "the rules file {path} cannot be read: {why}; name a file that can be with `rules` in vna.toml, VNA_RULES or \
         --rules, or none for the built-in rules", path = path.display()
    )]
    UnreadableRules { path: PathBuf, why: io::Error },
    #[error("{}", in_one_line(.0))]
    WrongRules(#[from] RulesError),
    #[error("{path} cannot be made: its directory does not exist; make it, or set DATABASE_URL to another path", path = path.display())]
    NoDirectory { path: PathBuf },
    #[error("{url} cannot be used: {why}")]
    Store { url: String, why: StoreError },
    #[error("cannot listen on {address}: {why}; stop whatever listens there, or set VNA_BIND to another address")]
    Bind { address: SocketAddr, why: io::Error },
    #[error("the server cannot start: {0}")]
    Serve(io::Error),
}

impl StartError {
    /// Whether the settings are at fault rather than the machine.
    pub fn is_misuse(&self) -> bool {
        matches!(
            self,
            Self::NoSigningKey | Self::UnreadableRules { .. } | Self::WrongRules(_) | Self::NoDirectory { .. }
        )
    }
}

/// The rules that the settings name.
///
/// # Errors
/// A file that cannot be read or is wrong.
pub fn load_rules(path: Option<&Path>) -> Result<RuleSet, StartError> {
    let Some(path) = path else { return Ok(RuleSet::builtin()) };
    let text =
        std::fs::read_to_string(path).map_err(|why| StartError::UnreadableRules { path: path.to_owned(), why })?;
    Ok(RuleSet::parse(&text, &path.display().to_string())?)
}

/// The store and what its commands are decided by.
pub struct Books {
    pub store: Arc<dyn Database>,
    pub context: Arc<Context>,
    pub clock: Clock,
    /// For messages.
    url: String,
}

impl Books {
    /// Reads the rules, opens the database, creates it where it is missing and brings it up to date.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn open(settings: &Settings, clock: Clock, purpose: Purpose) -> Result<Self, StartError> {
        let context = Context {
            policy: settings.policy.clone(),
            rules: load_rules(settings.rules.as_deref())?,
            display_prefix: settings.accounts.display_prefix.clone(),
        };
        let store = open_store(&settings.database_url, purpose).await?;
        Ok(Self { store, context: Arc::new(context), clock, url: settings.database_url.to_string() })
    }

    pub fn reads(&self) -> Arc<dyn Reads> {
        self.store.clone()
    }

    /// Keeps the text of the rules, so that what they decide can be replayed, and starts the writer. Whoever does so
    /// stops it before closing the books. What only reads has no need of it, and then waits for no writer.
    ///
    /// # Errors
    /// [`StartError::Store`] where the database takes no write.
    pub async fn start_engine(&self, limits: Limits) -> Result<(Engine, commit::Running), StartError> {
        let rules = &self.context.rules;
        let kept = self.store.remember_rules(rules.version(), rules.text(), self.clock.now()).await;
        kept.map_err(|why| StartError::Store { url: self.url.clone(), why })?;
        Ok(Engine::start(self.store.clone(), self.context.clone(), self.clock.clone(), limits))
    }

    pub async fn close(self) {
        self.store.close().await;
    }
}

/// A server that answers.
pub struct Running {
    /// Where it listens; the port that was found where the settings ask for port 0.
    pub address: SocketAddr,
    pub engine: Engine,
    pub reads: Arc<dyn Reads>,
    http: http::Running,
    writer: commit::Running,
    listed: peers::Running,
    peers: Arc<Peers>,
    books: Books,
}

impl Running {
    /// Which other servers of the database decide otherwise.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn dissent(&self) -> Result<Vec<Dissent>, StoreError> {
        self.peers.dissent().await
    }

    /// Takes no more connections, answers all that was taken, commits, and closes the store.
    pub async fn stop(self) {
        self.http.stop().await;
        self.writer.stop().await;
        self.listed.stop().await;
        self.books.close().await;
    }
}

/// Starts a server; it answers when this returns. Whoever has no reason for other `limits` takes the defaults.
///
/// # Errors
/// [`StartError`]; then nothing is left running.
pub async fn start(settings: Settings, clock: Clock, limits: Limits) -> Result<Running, StartError> {
    if settings.signing_keys.is_empty() {
        return Err(StartError::NoSigningKey);
    }
    let books = Books::open(&settings, clock.clone(), Purpose::Serving).await?;
    let (engine, writer) = match books.start_engine(limits).await {
        Ok(started) => started,
        Err(error) => {
            books.close().await;
            return Err(error);
        }
    };
    match serve(settings, &books, engine.clone(), clock).await {
        Ok((address, http, peers)) => {
            let listed = peers.start().await;
            Ok(Running { address, engine, reads: books.reads(), http, writer, listed, peers, books })
        }
        Err(error) => {
            writer.stop().await;
            books.close().await;
            Err(error)
        }
    }
}

async fn serve(
    settings: Settings,
    books: &Books,
    engine: Engine,
    clock: Clock,
) -> Result<(SocketAddr, http::Running, Arc<Peers>), StartError> {
    let url = settings.database_url.to_string();
    let unbound = |why| StartError::Bind { address: settings.bind, why };
    let listener = TcpListener::bind(settings.bind).map_err(unbound)?;
    let address = listener.local_addr().map_err(unbound)?;
    let peers = Arc::new(Peers::new(books.store.clone(), &books.context, clock.clone(), address));
    let state = AppState::open(Arc::new(settings.clone()), engine, books.reads(), clock, peers.clone(), address)
        .await
        .map_err(|why| StartError::Store { url, why })?;
    let http = http::start(listener, state).map_err(StartError::Serve)?;
    Ok((address, http, peers))
}

/// The first mistake, and where to see the others.
fn in_one_line(error: &RulesError) -> String {
    match error.mistakes.as_slice() {
        [] => "the rules are wrong".to_owned(),
        [only] => only.to_string(),
        [first, others @ ..] => {
            format!("{first} (and {} more: vna-partner rules check {})", others.len(), first.file)
        }
    }
}

/// What a database is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Many calls, for a long time.
    Serving,
    /// A few statements, perhaps beside a server.
    Command,
}

/// Opens a database, creates it where it is missing and brings it up to date.
///
/// # Errors
/// [`StartError::NoDirectory`], [`StartError::Store`].
pub async fn open_store(url: &DatabaseUrl, purpose: Purpose) -> Result<Arc<dyn Database>, StartError> {
    let unusable = |why| StartError::Store { url: url.to_string(), why };
    match url.kind() {
        DatabaseKind::Sqlite => {
            if let Some(path) = url.sqlite_file()
                && path.parent().is_some_and(|parent| !parent.as_os_str().is_empty() && !parent.is_dir())
            {
                return Err(StartError::NoDirectory { path });
            }
            let opened = match purpose {
                Purpose::Serving => SqliteStore::open_to_serve(url.expose()).await,
                Purpose::Command => SqliteStore::open(url.expose()).await,
            };
            Ok(Arc::new(opened.map_err(unusable)?))
        }
        DatabaseKind::Postgres => Ok(Arc::new(PostgresStore::open(&url.expose_each_host()).await.map_err(unusable)?)),
    }
}

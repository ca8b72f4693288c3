//! The real server, in this process: its own runtime on its own thread, port 0, a fresh store, a clock that stands.
//!
//! The tests are written once and run once per store: `VNA_TEST_STORE` says which (`scripts/test` runs them on all).

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use vna_partner::cli::seed::seed_file;
use vna_partner::clock::{Clock, Hands, fresh_id};
use vna_partner::commit::Limits;
use vna_partner::config::{Environment, Flags, Settings};
use vna_partner::domain::{Span, Timestamp};

use vna_partner::startup::{self, Books, Purpose};
use vna_partner::store::Reads;

use super::database::Database;
use super::leap::Leap;
use super::operator::{NewAccount, Operator};

/// What Leap signs with, unless a test says otherwise.
pub const KEY: &str = "a-signing-key-for-tests";
/// What operators call the admin API with; its holder is `tester`.
pub const ADMIN_KEY: &str = "an-admin-key-for-tests";
/// Tuesday, 2026-03-10T18:00:00Z: noon in Mexico City, far from the end of a day, week or month.
pub const START: Timestamp = Timestamp(1_773_165_600_000_000);

/// A running server. Dropping it audits its books, stops it in an orderly way and removes its store.
pub struct Server {
    setup: Setup,
    store: Arc<Database>,
    address: SocketAddr,
    hands: Hands,
    now: Timestamp,
    running: Option<Running>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// What a server is started with.
#[derive(Clone)]
pub struct Setup {
    variables: BTreeMap<String, String>,
    rules: Option<String>,
    /// The text of a seed file.
    seed: Option<String>,
    limits: Limits,
    start: Timestamp,
}

impl Server {
    /// With no limits at all, the default policy, and Ana's account `4000000000001234` in MXN.
    pub async fn start() -> Self {
        Self::with().with_ana().await
    }

    /// Settings to choose; no account is there at first.
    pub fn with() -> Setup {
        let variables = [
            ("VNA_BIND", "127.0.0.1:0"),
            ("VNA_SIGNING_KEYS", KEY),
            ("VNA_ADMIN_KEYS", &format!("tester={ADMIN_KEY}")),
        ];
        Setup {
            variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            rules: Some("rules = []".to_owned()),
            seed: None,
            limits: Limits::default(),
            start: START,
        }
    }

    /// Leap, calling this server.
    pub fn leap(&self) -> Leap {
        let base_path = self.setup.variables.get("VNA_BASE_PATH").map_or("", String::as_str);
        Leap::new(format!("{}{}", self.url(), base_path.trim_end_matches('/')), KEY)
    }

    /// An operator, calling this server's admin API.
    pub fn operator(&self) -> Operator {
        Operator::new(self.url(), ADMIN_KEY)
    }

    /// Scheme, host and port.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets time pass: `15m`, `24h`, `7d`.
    pub fn advance(&mut self, span: &str) {
        self.advance_by(span.parse().unwrap());
    }

    pub fn advance_by(&mut self, span: Span) {
        self.hands.advance(span);
        self.now = self.now.plus(span);
    }

    /// The server's time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// 100.00 MXN to Ana's account are authorized; the TrackingIdentifier.
    pub async fn authorized(&self) -> String {
        self.leap().authorize(super::authorization().to(super::ANA)).await.authorized()
    }

    /// The same is authorized and credited; the TrackingIdentifiers of both.
    pub async fn credited(&self) -> (String, String) {
        let authorized = self.authorized().await;
        let credited = self.leap().credit(super::credit(super::ANA, &authorized)).await.done();
        (authorized, credited)
    }

    /// What Ana can spend.
    pub async fn balance(&self) -> String {
        self.operator().balance(super::ANA).await
    }

    /// Opens an account; its identifier.
    pub async fn open(&self, account: NewAccount) -> String {
        self.operator().open(account).await
    }

    /// Stops in an orderly way and starts again on the same store, at the same time.
    pub async fn restart(self) -> Self {
        let setup = self.setup.clone();
        self.restart_with(setup).await
    }

    /// The same with other settings: what an operator does to change a policy or the rules.
    pub async fn restart_with(mut self, setup: Setup) -> Self {
        self.stop();
        Setup { start: self.now, ..setup }.start_on(self.store.clone()).await
    }

    /// Another server on the same database, with the same settings and a clock of its own.
    pub async fn beside(&self) -> Self {
        self.beside_with(|setup| setup).await
    }

    /// The same with settings that `setup` changes.
    pub async fn beside_with(&self, setup: impl FnOnce(Setup) -> Setup) -> Self {
        setup(Setup { start: self.now, seed: None, ..self.setup.clone() }).start_on(self.store.clone()).await
    }

    /// The store's address, for another process's transaction on it.
    pub fn database_url(&self) -> &str {
        &self.store.url
    }

    fn stop(&mut self) {
        if let Some(Running { stop, thread }) = self.running.take() {
            drop(stop);
            // What went wrong was printed there; a second panic while unwinding would abort.
            let stopped = thread.join();
            assert!(stopped.is_ok() || std::thread::panicking(), "the server did not stop well: see its own panic");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Setup {
    /// A key of `[policy]`, in the form of the settings file without quotes.
    pub fn policy(self, key: &str, value: &str) -> Self {
        self.variable(&format!("VNA_POLICY_{}", key.to_uppercase()), value)
    }

    /// An environment variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn without(mut self, variable: &str) -> Self {
        self.variables.remove(variable);
        self
    }

    /// The text of a rules file.
    pub fn rules(mut self, text: &str) -> Self {
        self.rules = Some(text.to_owned());
        self
    }

    /// The rules that the server has built in.
    pub fn built_in_rules(mut self) -> Self {
        self.rules = None;
        self
    }

    /// Accounts of a seed file, there before the server starts.
    pub fn seed(mut self, accounts: &Value) -> Self {
        self.seed = Some(json!({ "accounts": accounts }).to_string());
        self
    }

    pub fn base_path(self, path: &str) -> Self {
        self.variable("VNA_BASE_PATH", path)
    }

    pub fn signing_keys(self, keys: &[&str]) -> Self {
        self.variable("VNA_SIGNING_KEYS", &keys.join(","))
    }

    pub fn max_body_bytes(self, bytes: usize) -> Self {
        self.variable("VNA_HTTP_MAX_BODY_BYTES", &bytes.to_string())
    }

    /// Bounds of the engine: how many calls may wait, and how many one commit holds.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    pub fn starting_at(mut self, moment: Timestamp) -> Self {
        self.start = moment;
        self
    }

    /// The settings as the server will read them.
    fn settings(&self, store: &Database) -> Settings {
        let mut variables = self.variables.clone();
        variables.insert("DATABASE_URL".to_owned(), store.url.clone());
        if let Some(text) = &self.rules {
            // Another server may be starting on this store.
            let path = store.folder.path().join(format!("rules-{}.toml", fresh_id()));
            fs::write(&path, text).unwrap();
            variables.insert("VNA_RULES".to_owned(), path.display().to_string());
        }
        let variables = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let environment = Environment::new(store.folder.path(), variables);
        Settings::load(&Flags::default(), &environment).unwrap()
    }

    /// Starts, and opens Ana's account `4000000000001234` in MXN.
    pub async fn with_ana(self) -> Server {
        let server = self.start().await;
        server.open(super::account(super::ANA)).await;
        server
    }

    pub async fn start(self) -> Server {
        self.start_on(Arc::new(Database::fresh().await)).await
    }

    pub async fn start_on(self, store: Arc<Database>) -> Server {
        let settings = self.settings(&store);
        let limits = self.limits;
        let (clock, hands) = Clock::manual(self.start);
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        let seed = self.seed.as_ref().map(|text| {
            let path = store.folder.path().join(format!("seed-{}.json", fresh_id()));
            fs::write(&path, text).unwrap();
            path
        });
        let serve = async move {
            if let Some(path) = seed {
                let books =
                    Books::open(&settings, clock.clone(), Purpose::Command).await.expect("the books can be opened");
                seed_file(&books, &path).await.expect("the seed file is right");
                books.close().await;
            }
            let server = startup::start(settings, clock, limits).await.expect("the server starts");
            tell.send(server.address).expect("the test waits for the address");
            // Ends with an error when the test drops its side, which is how it is told to stop.
            let _ = stopped.await;
            let offenders = audit(&*server.reads).await;
            server.stop().await;
            assert!(offenders.is_empty(), "the books are not sound: {offenders:#?}");
        };
        let thread = std::thread::Builder::new()
            .name("server".to_owned())
            .spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime can be built").block_on(serve);
            })
            .unwrap();
        let address = told.await.expect("the server tells its address");
        let now = self.start;
        Server { setup: self, store, address, hands, now, running: Some(Running { stop, thread }) }
    }
}

/// What the audit has to object to, with the claim that it breaks.
async fn audit(reads: &dyn Reads) -> Vec<String> {
    let checks = reads.audit().await.expect("the books can be audited");
    checks
        .iter()
        .flat_map(|check| check.offenders.iter().map(move |offender| format!("{}: {offender}", check.claim)))
        .collect()
}

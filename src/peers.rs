//! Which other servers work on the same database, and whether they decide alike.
//!
//! All servers of a database count together, so one that judges by other rules or settings makes an answer depend on the
//! road that its call took. While new rules are rolled out that is meant; else it is a mistake that nobody sees. So every
//! server keeps a row in the database, renews it every few seconds, looks at the others' rows, and where one decides
//! otherwise says so: in the log at error level, when it is found and every minute that it lasts; as a metric; and in
//! `/health/ready`, which stays a 200.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::{self, Clock};
use crate::decide::Context;
use crate::domain::Span;
use crate::store::{Database, RunningServer, StoreError};
use crate::telemetry;

/// Between two looks: a server that decides otherwise is known within this time.
const EVERY: Duration = Duration::from_secs(5);

/// A server that was not seen for this long has ended: three looks, and room for a slow one.
pub const SEEN_WITHIN: Span = Span::seconds(17);

/// How long the row of a server that was killed stays, for whoever looks into what happened.
const KEPT: Span = Span::seconds(3_600);

/// Looks between two log lines that say the same: a minute.
const LOOKS_PER_REMINDER: u32 = 12;

/// This server among those of its database.
pub struct Peers {
    store: Arc<dyn Database>,
    clock: Clock,
    this: RunningServer,
}

/// Servers that decide in one way, which is not this server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dissent {
    /// By name.
    pub servers: Vec<String>,
    /// Where it is another than this server's: theirs and this one's.
    pub rules_version: Option<(String, String)>,
    /// Key, their value and this server's, of each that differs.
    pub settings: Vec<(String, String, String)>,
}

/// The task that keeps this server's row.
pub struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Peers {
    /// `listening_on` tells this server from others on its machine.
    pub fn new(store: Arc<dyn Database>, context: &Context, clock: Clock, listening_on: SocketAddr) -> Self {
        let now = clock.now();
        let this = RunningServer {
            id: clock::fresh_id(),
            name: format!("{}:{}", gethostname::gethostname().to_string_lossy(), listening_on.port()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rules_version: context.rules.version().to_owned(),
            settings: deciding_settings(context),
            started_at: now,
            seen_at: now,
        };
        Self { store, clock, this }
    }

    /// Who runs by now and decides otherwise. Also what the metric shows.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn dissent(&self) -> Result<Vec<Dissent>, StoreError> {
        let seen = self.store.servers_seen(self.clock.now().minus(SEEN_WITHIN)).await?;
        let dissent = dissent_from(&self.this, seen);
        let servers: usize = dissent.iter().map(|one| one.servers.len()).sum();
        metrics::gauge!(telemetry::DISSENTING_SERVERS).set(u32::try_from(servers).unwrap_or(u32::MAX));
        Ok(dissent)
    }

    /// Puts this server on the list, and says who decides otherwise; then goes on doing so until it is stopped.
    pub async fn start(self: &Arc<Self>) -> Running {
        let mut rounds = Rounds::default();
        self.look(&mut rounds).await;
        let (stop, mut stopping) = watch::channel(false);
        let peers = self.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    _ = stopping.wait_for(|stop| *stop) => break,
                    () = tokio::time::sleep(EVERY) => {}
                }
                peers.look(&mut rounds).await;
            }
            if let Err(error) = peers.store.remove_server(peers.this.id).await {
                tracing::warn!(%error, "this server could not take itself off the list of servers");
            }
        });
        Running { stop, task }
    }

    async fn look(&self, rounds: &mut Rounds) {
        let now = self.clock.now();
        let this = RunningServer { seen_at: now, ..self.this.clone() };
        let noted = self.store.note_server(&this, now.minus(KEPT)).await;
        match noted.and(self.dissent().await) {
            Ok(dissent) => rounds.tell(&self.this.name, dissent),
            // The next round tries again; a store that is away is said where calls need it.
            Err(error) => tracing::warn!(%error, "the other servers of this database could not be looked at"),
        }
    }
}

impl Running {
    /// Takes this server off the list. The store must still be open.
    pub async fn stop(self) {
        // The task may have ended already; then there is nothing left to tell.
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the task that keeps this server listed did not end in order");
        }
    }
}

/// What was told last, and how many rounds ago.
#[derive(Default)]
struct Rounds {
    told: Vec<Dissent>,
    since: u32,
}

impl Rounds {
    fn tell(&mut self, this: &str, dissent: Vec<Dissent>) {
        self.since += 1;
        if dissent == self.told && (dissent.is_empty() || self.since < LOOKS_PER_REMINDER) {
            return;
        }
        for one in &dissent {
            tracing::error!(server = this, dissent = %one, "servers of one database decide differently");
        }
        if dissent.is_empty() {
            tracing::info!(server = this, "all servers of this database decide alike again");
        }
        *self = Self { told: dissent, since: 0 };
    }
}

impl fmt::Display for Dissent {
    /// One line: who, and what is different there and here.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.servers.join(", "))?;
        let mut separator = " decides by";
        if let Some((theirs, ours)) = &self.rules_version {
            write!(f, "{separator} rules {theirs}, this server by {ours}")?;
            separator = "; by";
        }
        for (key, theirs, ours) in &self.settings {
            write!(f, "{separator} {key} = {theirs}, this server by {ours}")?;
            separator = "; by";
        }
        Ok(())
    }
}

/// The servers that do not decide as `this` does, together where they decide alike.
fn dissent_from(this: &RunningServer, seen: Vec<RunningServer>) -> Vec<Dissent> {
    let mut ways: BTreeMap<(String, BTreeMap<String, String>), Vec<String>> = BTreeMap::new();
    for server in seen {
        if server.rules_version != this.rules_version || server.settings != this.settings {
            ways.entry((server.rules_version, server.settings)).or_default().push(server.name);
        }
    }
    let dissent = ways.into_iter().map(|((rules_version, settings), servers)| Dissent {
        servers,
        settings: differences(&settings, &this.settings),
        rules_version: (rules_version != this.rules_version).then(|| (rules_version, this.rules_version.clone())),
    });
    dissent.collect()
}

/// A key that only one of the two knows is one of another version of the program.
fn differences(theirs: &BTreeMap<String, String>, ours: &BTreeMap<String, String>) -> Vec<(String, String, String)> {
    let value = |settings: &BTreeMap<String, String>, key: &str| {
        settings.get(key).cloned().unwrap_or_else(|| "(unknown)".to_owned())
    };
    let mut keys: Vec<&String> = theirs.keys().chain(ours.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .map(|key| (key.clone(), value(theirs, key), value(ours, key)))
        .filter(|(_, theirs, ours)| theirs != ours)
        .collect()
}

/// All that a command is decided by beside the rules. None of it is a secret.
fn deciding_settings(context: &Context) -> BTreeMap<String, String> {
    let mut policy = context.policy.clone();
    // Their order decides nothing.
    policy.currencies.sort_unstable();
    let policy = match serde_json::to_value(policy) {
        Ok(Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    };
    let mut settings: BTreeMap<String, String> =
        policy.into_iter().map(|(key, value)| (format!("policy.{key}"), value.to_string())).collect();
    settings.insert("accounts.display_prefix".to_owned(), Value::from(context.display_prefix.as_str()).to_string());
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::LateCredit;
    use crate::domain::{Policy, Timestamp};
    use crate::rules::RuleSet;

    fn server(name: &str, rules: &str, policy: Policy) -> RunningServer {
        let rules = RuleSet::parse(rules, "rules.toml").unwrap();
        let context = Context { policy, rules, display_prefix: "MC".to_owned() };
        RunningServer {
            id: clock::fresh_id(),
            name: name.to_owned(),
            version: "1".to_owned(),
            rules_version: context.rules.version().to_owned(),
            settings: deciding_settings(&context),
            started_at: Timestamp(0),
            seen_at: Timestamp(0),
        }
    }

    #[test]
    fn who_decides_by_the_same_rules_and_settings_dissents_in_nothing() {
        let currencies = |codes: [&str; 2]| {
            let currencies = codes.map(|code| code.parse().unwrap()).to_vec();
            Policy { currencies, ..Policy::default() }
        };
        let this = server("a:1", "rules = []", currencies(["MXN", "USD"]));
        let other = server("b:1", "rules = []", currencies(["USD", "MXN"]));
        assert_eq!(dissent_from(&this, vec![this.clone(), other]), []);
    }

    #[test]
    fn those_who_decide_alike_are_named_together_with_what_is_different() {
        let strict = Policy { late_credit: LateCredit::Refuse, ..Policy::default() };
        let this = server("a:1", "rules = []", Policy::default());
        let others = ["b:1", "c:1"].map(|name| server(name, "rules = [] # new", strict.clone()));
        let (theirs, ours) = (others[0].rules_version.clone(), this.rules_version.clone());
        let dissent = dissent_from(&this, others.to_vec());
        let said: Vec<String> = dissent.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [format!(
                "b:1, c:1 decides by rules {theirs}, this server by {ours}; by policy.late_credit = \"refuse\", this \
                 server by \"recheck\""
            )]
        );
    }
}

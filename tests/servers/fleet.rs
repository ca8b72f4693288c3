//! The servers, the books they share, and the look at both when the callers have gone.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, query_as, query_scalar};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use vna_partner::clock;

use crate::caller::Caller;
use crate::database::Database;
use crate::program::{ADMIN_KEY, Desk, LOG, Ran, Server};
use crate::scenes;
use crate::told::Told;

/// Two wallets are one person's; the officer blocks and unblocks the last.
pub const ACCOUNTS: [&str; 4] = ["4000000000000001", "4000000000000002", "4000000000000003", "4000000000000004"];

/// Whose wallets they are.
pub const HOLDERS: [usize; 4] = [0, 1, 2, 2];

/// Under this alone most remittances need their account alone, and lock nothing where nobody is in their way.
pub const BY_ACCOUNT: &str = r#"
[[rules]]
id = "account"
type = "velocity"
max = 200
window = { rolling = "5s" }
"#;

/// With these, too, rules count on every kind of subject and refuse some: a remittance locks its account, its sender and its
/// receiver, and each of the three meets each of the others.
pub const BY_PERSON: &str = r#"
[[rules]]
id = "sender"
type = "accumulated"
max = { MXN = "900.00" }
window = { rolling = "5s" }
per = "sender"

[[rules]]
id = "receiver"
type = "accumulated"
max = { MXN = "900.00" }
window = { rolling = "5s" }
per = "receiver"
on_expiry = "keep"
on_reversal = "keep"
"#;

/// Money waits for its settlement, and authorizations expire while callers dawdle.
const SETTINGS: &str = "rules = \"rules.toml\"\n[policy]\nsettlement = \"confirmed\"\nauthorization_ttl = \"2s\"\n";

const SERVERS: usize = 4;

const WITHOUT_LOCKS: &str = "vna_batches_without_locks_total{outcome=\"";

/// One database and its servers, each with a desk of its own.
pub struct Fleet {
    database: Database,
    servers: Vec<(Desk, Server)>,
}

impl Fleet {
    pub async fn start(rules: &str) -> Self {
        let database = Database::fresh().await;
        assert!(database.url.starts_with("postgres:"), "several servers are for Postgres: set VNA_TEST_STORE");
        let rows: Vec<Value> = ACCOUNTS
            .iter()
            .zip(HOLDERS)
            .map(|(id, holder)| {
                json!({"AccountIdentifier": id, "Currency": "MXN", "PersonalData": scenes::person(holder)})
            })
            .collect();
        let desks: Vec<Desk> = (0..SERVERS).map(|_| a_desk(rules, &json!({ "accounts": rows }).to_string())).collect();
        well(&desks[0], &database.url, &["seed", "accounts.json"]);
        let servers = desks.into_iter().map(|desk| {
            let server = desk.serve(&[("DATABASE_URL", &database.url), ("VNA_ADMIN_KEYS", ADMIN_KEY)]);
            (desk, server)
        });
        Self { servers: servers.collect(), database }
    }

    /// Traffic from this many callers and one officer for this long; what all of them were told. The books are sound in
    /// the midst of it.
    pub async fn traffic(&self, callers: usize, time: Duration) -> Told {
        let seed = clock::fresh_id().0.as_u64_pair().1;
        println!("the callers choose by the seed {seed}");
        let urls: Vec<String> = self.servers.iter().map(|(_, server)| server.url.clone()).collect();
        let end = Instant::now() + time;
        let told = (0..callers as u64).map(async |number| {
            let mut caller = Caller::new(urls.clone(), seed.wrapping_add(number));
            while Instant::now() < end {
                scenes::play(&mut caller).await;
            }
            caller.leave()
        });
        let officer = async {
            let mut officer = Caller::new(urls.clone(), seed.wrapping_sub(1));
            let mut audit = None;
            while Instant::now() < end {
                scenes::block_and_unblock(&mut officer, ACCOUNTS[3]).await;
                audit.get_or_insert_with(|| self.start_audit());
            }
            (officer.leave(), audit)
        };
        let (told, (officers, audit)) = join(join_all(told), officer).await;
        assert_eq!(audit.unwrap().await.unwrap(), 0, "the books are unsound in the midst of the traffic");
        told.into_iter().fold(officers, Told::and)
    }

    /// How many batches took no locks, by what became of them.
    pub async fn batches_without_locks(&self) -> BTreeMap<String, u64> {
        let mut batches = BTreeMap::new();
        for (_, server) in &self.servers {
            let metrics = reqwest::get(format!("{}/metrics", server.url)).await.unwrap().text().await.unwrap();
            for (outcome, count) in
                metrics.lines().filter_map(|line| line.strip_prefix(WITHOUT_LOCKS)?.split_once("\"} "))
            {
                *batches.entry(outcome.to_owned()).or_default() += count.parse::<u64>().unwrap();
            }
        }
        batches
    }

    /// Its exit code.
    fn start_audit(&self) -> JoinHandle<i32> {
        let mut audit = self.servers[0].0.command(&["audit"]);
        audit.env("DATABASE_URL", &self.database.url);
        tokio::task::spawn_blocking(move || Ran::of(audit.output().unwrap()).code)
    }

    /// Stops all servers, and holds the books to what the callers were told.
    pub async fn end_and_hold_to(self, told: &Told) {
        let Self { database, servers } = self;
        let (mut desks, mut put_off) = (Vec::new(), BTreeMap::<String, u32>::new());
        for (desk, server) in servers {
            assert_eq!(server.stop(), 0);
            let log = fs::read_to_string(desk.path(LOG)).unwrap();
            assert!(!log.contains("panick") && !log.contains("deadlock"), "{log}");
            for why in log.lines().filter_map(why_not_carried_out) {
                *put_off.entry(why).or_default() += 1;
            }
            desks.push(desk);
        }
        println!("put off: {put_off:#?}");
        well(&desks[0], &database.url, &["audit"]);
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        let deadlocks: i64 = query_scalar("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(deadlocks, 0);
        let credits: Vec<(String, String, i64, String)> =
            query_as("SELECT id::text, account, amount, state FROM credits WHERE state <> 'Refused'")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        let balances = told.hold(&credits);
        let accounts: Vec<(String, i64, i64)> =
            query_as("SELECT id, balance, pending FROM accounts").fetch_all(&mut connection).await.unwrap();
        for (id, balance, pending) in accounts {
            let expected = balances.get(&id).copied().unwrap_or_default();
            assert_eq!((balance, pending), expected, "{id}");
        }
    }
}

/// Of a line of a server's log about a command that got no outcome.
fn why_not_carried_out(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).unwrap();
    line["command"].as_str()?;
    Some(format!("{} {}", line["message"].as_str()?, line["error"].as_str().unwrap_or_default()))
}

fn well(desk: &Desk, database_url: &str, arguments: &[&str]) {
    let ran = Ran::of(desk.command(arguments).env("DATABASE_URL", database_url).output().unwrap());
    assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.out, ran.err);
}

fn a_desk(rules: &str, accounts: &str) -> Desk {
    let desk = Desk::new();
    desk.write("vna.toml", SETTINGS);
    desk.write("rules.toml", rules);
    desk.write("accounts.json", accounts);
    desk
}

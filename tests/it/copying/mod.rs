//! A database copied into another: everything, proven, or nothing.

mod answers;
mod claims;
mod interruptions;
mod tables;

use std::sync::Arc;

use serde_json::json;
use vna_partner::config::DatabaseUrl;
use vna_partner::copy::{CopyError, Proof, Step, copy};
use vna_partner::domain::Timestamp;
use vna_partner::startup::{Purpose, open_store};
use vna_partner::store;

use crate::support::{
    ANA, Answer, Browser, Database, START, Server, Setup, account, authorization, credit, enrolment, new_account,
    person, reversal, somebody, unreferenced_credit,
};

/// Counts by everything that can be counted by, and refuses something.
const RULES: &str = r#"
[[rules]]
id = "pace"
type = "velocity"
max = 20
window = { rolling = "48h" }

[[rules]]
id = "month-of-sender"
type = "accumulated"
per = "sender"
on_expiry = "keep"
max = { MXN = "1500.00" }
window = { calendar = "month", time_zone = "America/Mexico_City" }

[[rules]]
id = "day-of-receiver"
type = "velocity"
per = "receiver"
mode = "shadow"
max = 1
window = { rolling = "24h" }

[[rules]]
id = "gold"
type = "amount"
tiers = ["gold"]
max = { MXN = "5000.00" }
"#;

/// The account of somebody else, whose tier is another.
const GOLD: &str = "4000000000005678";

/// A source and an empty target.
struct Pair {
    source: Arc<Database>,
    target: Arc<Database>,
}

/// Every way in which this run's store takes part in a copy.
async fn pairs() -> Vec<Pair> {
    let fresh = Database::fresh().await;
    if fresh.is_sqlite() {
        return vec![Pair { source: Arc::new(fresh), target: Arc::new(Database::file()) }];
    }
    let [second, third, fourth] = [Database::fresh().await, Database::fresh().await, Database::fresh().await];
    vec![
        Pair { source: Arc::new(Database::file()), target: Arc::new(fresh) },
        Pair { source: Arc::new(second), target: Arc::new(Database::file()) },
        Pair { source: Arc::new(third), target: Arc::new(fourth) },
    ]
}

/// The pair that the run is about: into its store, from the other one where there is one.
async fn pair() -> Pair {
    pairs().await.swap_remove(0)
}

impl Pair {
    /// Into another new database of the target's kind.
    async fn copy_again(&self, now: Timestamp) -> Result<Proof, CopyError> {
        let target = if self.target.is_sqlite() { Database::file() } else { Database::fresh().await };
        Self { source: self.source.clone(), target: Arc::new(target) }.copy(now).await
    }

    async fn copy(&self, now: Timestamp) -> Result<Proof, CopyError> {
        self.copy_watched(now, &|_| {}).await
    }

    async fn copy_watched(&self, now: Timestamp, watcher: &(dyn Fn(Step) + Send + Sync)) -> Result<Proof, CopyError> {
        let (source, target) = (open(&self.source).await, open(&self.target).await);
        let copied = copy(&*source, &*target, now, watcher).await;
        source.close().await;
        target.close().await;
        copied
    }
}

async fn open(database: &Database) -> Arc<dyn store::Database> {
    let url = DatabaseUrl::of_flag("--to", &database.url.as_str().into(), "DATABASE_URL").unwrap();
    open_store(&url, Purpose::Command).await.unwrap()
}

async fn rows_of(database: &Database) -> i64 {
    let store = open(database).await;
    let mut snapshot = store.snapshot().await.unwrap();
    let mut rows = 0;
    for table in store::TABLES {
        rows += snapshot.count(table).await.unwrap();
    }
    drop(snapshot);
    store.close().await;
    rows
}

fn setup() -> Setup {
    Server::with().rules(RULES).policy("enrolment_currency", "MXN")
}

/// What callers were told before the copy.
struct Told {
    now: Timestamp,
    /// CreditFunds of these authorizations, and what was answered.
    credits: Vec<(String, Answer)>,
    /// A debit's key, and what was answered.
    debit: (&'static str, serde_json::Value),
    /// The path of an enrolment link that was not used.
    link: String,
    /// What the sender's limit had counted at the end.
    counted: serde_json::Value,
    balance: String,
}

/// A server's life on `database`: something of everything that it can be asked for.
async fn traffic(database: &Arc<Database>) -> Told {
    let seed = json!([{"AccountIdentifier": "4000000000009999", "Currency": "USD", "OpeningBalance": "10.00",
        "PersonalData": serde_json::Value::from(somebody(9))}]);
    let mut server = setup().seed(&seed).start_on(database.clone()).await;
    server.open(account(ANA)).await;
    server.open(account(GOLD).holder(somebody(1)).tier("gold")).await;
    let mut credits = Vec::new();

    let credited = credited(&server, &mut credits).await;
    let (_, reversed) = server.credited().await;
    server.leap().reverse(reversal(ANA, &reversed)).await.done();
    let voided = server.authorized().await;
    server.operator().void(&voided).await.expect_status(200);
    server.leap().authorize(authorization().to(ANA).amount("1500.01")).await.not_authorized("ByAccumulateAmountLimit");
    server.leap().authorize(authorization().to(ANA).currency("USD")).await.not_authorized("NonMatchingCurrencyAccount");
    server.leap().authorize(authorization().to("4000000000000000")).await.ok();

    let late = server.authorized().await;
    server.advance("25h");
    let after = server.authorized().await;
    credits.push((late.clone(), server.leap().credit(credit(ANA, &late)).await.success()));

    // A credit that names no authorization, and a second one that could be a retry or another remittance.
    server.leap().credit(unreferenced_credit(ANA)).await.done();
    server.advance("1s");
    server.authorized().await;
    server.leap().credit(unreferenced_credit(ANA)).await.done();

    let gold = |amount: &str| authorization().to(GOLD).receiver(somebody(1)).amount(amount);
    let refused = server.leap().authorize(gold("30.00")).await.authorized();
    server.operator().block(GOLD, "BlockedByLaw").await;
    let answer = server.leap().credit(credit(GOLD, &refused)).await.ok();
    credits.push((refused, answer));
    server.operator().unblock(GOLD).await;

    let debit = json!({"amount": "40.00", "reason": "a card payment"});
    let paid = server.operator().request(reqwest::Method::POST, &format!("/admin/accounts/{ANA}/debits"));
    let paid = paid.body(&debit).idempotency_key("payment-1").send().await.data();

    server
        .leap()
        .create_account(new_account(person("Eva", "Sol", "+525555999999")).document("Passport", "E123"))
        .await
        .success();
    let link = server.leap().enrolment_url(enrolment(person("Iris", "Mar", "+525555888888"))).await.success();
    Browser::new().confirm(link.text_of("RegistrationUrl"), "").await.ok();
    let unused = server.leap().enrolment_url(enrolment(person("Leo", "Río", "+525555777777"))).await.success();
    let link = unused.text_of("RegistrationUrl").strip_prefix(&server.url()).unwrap().to_owned();

    // Other rules, and credits that wait for their settlement: one of each outcome, and one that waits on.
    let confirmed =
        setup().rules(&format!("{RULES}\n# the same, with another version")).policy("settlement", "confirmed");
    let server = server.restart_with(confirmed).await;
    for outcome in [Some("Approved"), Some("Failed"), None] {
        let (_, credited) = server.credited().await;
        if let Some(outcome) = outcome {
            server.operator().settle(&credited, outcome).await.expect_status(200);
        }
    }
    let over = server.leap().authorize(authorization().to(ANA).amount("1500.00")).await;
    let counted = counted_of_sender(&server, &over.not_authorized("ByAccumulateAmountLimit")).await;
    assert_ne!((&credited, counted.as_i64()), (&after, Some(0)));
    // A sweep remembers how far it has come; one that has run meanwhile knows better.
    database.run("INSERT INTO marks VALUES ('swept', 1) ON CONFLICT DO NOTHING").await.unwrap();
    Told { now: server.now(), credits, debit: ("payment-1", paid), link, counted, balance: server.balance().await }
}

/// A remittance to Ana; its authorization.
async fn credited(server: &Server, credits: &mut Vec<(String, Answer)>) -> String {
    let authorized = server.authorized().await;
    let answer = server.leap().credit(credit(ANA, &authorized)).await.success();
    credits.push((authorized.clone(), answer));
    authorized
}

/// What the sender's limit had counted when `decision` was made.
async fn counted_of_sender(server: &Server, decision: &str) -> serde_json::Value {
    server.operator().decision(decision).await["rules"][1]["counted"].clone()
}

/// For a copy of which no server knows the time.
const NOW: Timestamp = START;

//! Does a decision cost the same for an account with ten events in its windows and for one with a million, half of them
//! given back in random order?
//!
//! One caller over HTTP, signed, durable (SQLite, `synchronous=FULL`), the two accounts in turn; then the same command
//! inside the store alone. Prints medians and their ratio.
//!
//! `cargo bench --bench flat_windows`, or with `-- --events 100000 --calls 500`.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the stopwatch")]

use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use rand::seq::SliceRandom;
use serde_json::value::RawValue;
use sha2::Sha256;
use vna_partner::clock::Clock;
use vna_partner::commit::Limits;
use vna_partner::commit::execute;
use vna_partner::config::{Environment, Flags, Settings};
use vna_partner::decide::command::{Action, AuthorizeCall, Field, NewAccount, Operation, SeedAccount};
use vna_partner::decide::{Command, Context, Request};
use vna_partner::domain::{AccountId, Address, Body, Gender, JsonNumber, PersonalData, Policy, Span, Timestamp};
use vna_partner::rules::RuleSet;
use vna_partner::startup;
use vna_partner::store::Store;
use vna_partner::store::sqlite::SqliteStore;

const KEY: &str = "a-signing-key-for-benchmarks";
const SHORT: &str = "4000000000000010";
const LONG: &str = "4000000000000028";

/// Windows whose start lies before, in the middle of and near the end of the long history.
const RULES: &str = r#"
    [[rules]]
    id = "per-transaction"
    type = "amount"
    max = { MXN = "20000.00" }

    [[rules]]
    id = "a-month-of-transactions"
    type = "velocity"
    max = 100000000
    window = { rolling = "30d" }

    [[rules]]
    id = "five-days-of-money"
    type = "accumulated"
    max = { MXN = "90000000000000.00" }
    window = { rolling = "5d" }

    [[rules]]
    id = "a-day-of-money"
    type = "accumulated"
    max = { MXN = "90000000000000.00" }
    window = { rolling = "1d" }
"#;

#[tokio::main]
async fn main() {
    let events = argument("--events").unwrap_or(1_000_000);
    let calls = argument("--calls").unwrap_or(1_000);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("bench.db").display());
    let rules_file = folder.path().join("rules.toml");
    std::fs::write(&rules_file, RULES).unwrap();

    let store = SqliteStore::open(&url).await.unwrap();
    let context = Context {
        policy: Policy { authorization_ttl: Span::seconds(90 * 86_400), ..Policy::default() },
        rules: RuleSet::parse(RULES, "rules.toml").unwrap(),
        display_prefix: "MC".to_owned(),
    };
    let clock = Clock::system();
    let filled = Instant::now();
    fill(&store, &context, &clock, SHORT, 10).await;
    fill(&store, &context, &clock, LONG, events).await;
    println!("filled {events} events, half of them given back, in {:.0?}", filled.elapsed());
    let inside = inside_the_store(&store, &context, &clock, calls).await;
    store.close().await;

    let environment = Environment::new(
        folder.path(),
        [
            ("DATABASE_URL", url.as_str()),
            ("VNA_SIGNING_KEYS", KEY),
            ("VNA_BIND", "127.0.0.1:0"),
            ("VNA_RULES", rules_file.to_str().unwrap()),
        ],
    );
    let settings = Settings::load(&Flags::default(), &environment).unwrap();
    let server = startup::start(settings, clock, Limits::default()).await.unwrap();
    let over_http = over_http(&format!("http://{}/TxAuthorization", server.address), calls).await;
    server.stop().await;

    println!("{calls} TxAuthorization each, in turn, one caller; medians");
    print("over HTTP, durable", over_http);
    print("the store and the core alone, not committed", inside);
}

fn print(what: &str, (short, long): (Duration, Duration)) {
    let ratio = long.as_secs_f64() / short.as_secs_f64();
    println!(
        "{what:<46} 10 events {:>6} us   many events {:>6} us   ratio {ratio:.2}",
        short.as_micros(),
        long.as_micros()
    );
}

fn argument(name: &str) -> Option<i64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.next()?;
    arguments.next()?.parse().ok()
}

/// Opens an account, authorizes `events` remittances over the last eleven days, and voids half of them.
async fn fill(store: &SqliteStore, context: &Context, clock: &Clock, account: &str, events: i64) {
    let now = clock.now();
    let begin = now.minus(Span::seconds(11 * 86_400));
    let apart = Span((11 * 86_400 - 60) * 1_000_000 / events);
    carry_out(store, context, &[at(clock, begin, seed(account))]).await;
    let mut ids = Vec::new();
    let mut when = begin;
    for first in (0..events).step_by(2_000) {
        let batch: Vec<Request> = (first..events.min(first + 2_000))
            .map(|_| {
                when = when.plus(apart);
                at(clock, when, authorize(account))
            })
            .collect();
        ids.extend(batch.iter().map(|request| request.id));
        carry_out(store, context, &batch).await;
    }
    ids.shuffle(&mut rand::rng());
    for half in ids[..ids.len() / 2].chunks(2_000) {
        let batch: Vec<Request> = half
            .iter()
            .map(|id| {
                let action = Action::VoidAuthorization { authorization: *id };
                let operation = Operation { who: "bench".to_owned(), why: "to fill".to_owned(), action };
                at(clock, when, Command::Operate(operation))
            })
            .collect();
        carry_out(store, context, &batch).await;
    }
}

async fn carry_out(store: &SqliteStore, context: &Context, requests: &[Request]) {
    let mut batch = store.begin().await.unwrap();
    execute(&mut *batch, context, requests).await.unwrap();
    batch.commit(vna_partner::clock::fresh_id(), requests[0].received_at).await.unwrap();
}

/// Loading, deciding and writing, without the commit: what grows with a history would show here first.
async fn inside_the_store(store: &SqliteStore, context: &Context, clock: &Clock, calls: i64) -> (Duration, Duration) {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..calls {
        for (account, times) in [SHORT, LONG].into_iter().zip(&mut times) {
            let request = clock.receive(authorize(account), None);
            let mut batch = store.begin().await.unwrap();
            let began = Instant::now();
            execute(&mut *batch, context, &[request]).await.unwrap();
            times.push(began.elapsed());
        }
    }
    let [short, long] = times;
    (median(short), median(long))
}

async fn over_http(url: &str, calls: i64) -> (Duration, Duration) {
    let client = reqwest::Client::new();
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..calls {
        for (account, times) in [SHORT, LONG].into_iter().zip(&mut times) {
            let body = body(account);
            let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
            mac.update(body.as_bytes());
            let signature = hex::encode(mac.finalize().into_bytes());
            let request = client.post(url).header("X-Signature", signature).body(body);
            let began = Instant::now();
            let answer = request.send().await.unwrap().text().await.unwrap();
            times.push(began.elapsed());
            assert!(answer.contains("\"Authorized\":true"), "{answer}");
        }
    }
    let [short, long] = times;
    (median(short), median(long))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn at(clock: &Clock, when: Timestamp, command: Command) -> Request {
    let mut request = clock.receive(command, None);
    request.received_at = when;
    request
}

fn seed(account: &str) -> Command {
    Command::Seed(SeedAccount {
        id: AccountId::new(account),
        account: NewAccount {
            id: Some(AccountId::new(account)),
            currency: "MXN".parse().unwrap(),
            tier: None,
            display_name: None,
            person: person(account),
            documents: Vec::new(),
        },
        status: None,
        opening_balance: None,
    })
}

fn authorize(account: &str) -> Command {
    Command::Authorize(AuthorizeCall {
        account: Field::Given(account.to_owned()),
        amount: Field::Given(JsonNumber::parse("120.50").unwrap()),
        currency: Field::Given("MXN".parse().unwrap()),
        exchange_rate: Field::Given("17.25".parse().unwrap()),
        sender: Field::Given(person("+12025550143")),
        receiver: Field::Given(person("+525555123456")),
        body: Body::new(RawValue::from_string(body(account)).unwrap()),
    })
}

fn person(phone: &str) -> PersonalData {
    PersonalData {
        phone_number: Some(phone.to_owned()),
        email: None,
        first_name: "Ana".to_owned(),
        middle_name: None,
        last_name: "Lopez".to_owned(),
        last_name2: None,
        gender: Gender::Female,
        birth_date: "1990-01-31".parse().unwrap(),
        address: Address {
            address1: "Calle 1".to_owned(),
            address2: None,
            zip_code: "06600".to_owned(),
            city: "CDMX".to_owned(),
            country_code: "MX".to_owned(),
            state_code: "CMX".to_owned(),
        },
    }
}

fn body(account: &str) -> String {
    let person = |phone: &str| serde_json::to_string(&person(phone)).unwrap();
    format!(
        r#"{{"SenderPersonalData":{},"ReceiverPersonalData":{},"AccountIdentifier":"{account}","Amount":120.50,"Currency":"MXN","ExchangeRate":17.25}}"#,
        person("+12025550143"),
        person("+525555123456")
    )
}

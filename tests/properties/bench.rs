//! A store, a rule set, and commands made by hand: the core and the engine without HTTP and without a clock.

use std::sync::Arc;

use rust_decimal::Decimal;
use sqlx::{AssertSqlSafe, PgPool, Row, SqlitePool};

use vna_partner::clock::{self, Clock};
use vna_partner::commit::{Engine, Limits, Running, execute};
use vna_partner::decide::command::{
    Action, AuthorizeCall, CreditCall, Field, IdempotencyClaim, NewAccount, Operation, ReverseCall, SeedAccount,
};
use vna_partner::decide::{Changes, Command, Context, Outcome, Request};
use vna_partner::domain::{
    AccountId, Address, Body, Currency, Gender, JsonNumber, PersonalData, Policy, Timestamp, TrackingId,
};
use vna_partner::rules::RuleSet;
use vna_partner::store;
use vna_partner::store::postgres::PostgresStore;
use vna_partner::store::sqlite::SqliteStore;

#[path = "../it/support/database.rs"]
#[expect(dead_code, reason = "a store alone needs no folder")]
mod database;

use database::Database;

pub struct Bench {
    pub store: Arc<dyn store::Database>,
    pub context: Context,
    pub database: Database,
}

/// What a server of this partner decides under.
pub fn context(policy: Policy, rules: &str) -> Context {
    let rules = RuleSet::parse(rules, "rules.toml").unwrap();
    Context { policy, rules, display_prefix: "MC".to_owned() }
}

impl Bench {
    pub async fn new(policy: Policy, rules: &str) -> Self {
        let database = Database::fresh().await;
        Self { store: Self::open(&database).await, context: context(policy, rules), database }
    }

    async fn open(database: &Database) -> Arc<dyn store::Database> {
        if database.is_sqlite() {
            Arc::new(SqliteStore::open_to_serve(&database.url).await.unwrap())
        } else {
            Arc::new(PostgresStore::open(std::slice::from_ref(&database.url)).await.unwrap())
        }
    }

    /// A server's engine on this database: on Postgres with a store of its own. It sweeps nothing: its clock stands still.
    pub async fn serve(&self, context: &Arc<Context>) -> (Engine, Running) {
        let store = if self.database.is_sqlite() { self.store.clone() } else { Self::open(&self.database).await };
        let (clock, _hands) = Clock::manual(second(0));
        Engine::start(store, context.clone(), clock, Limits::default())
    }

    /// Carries out `requests` as one batch.
    pub async fn batch(&self, requests: &[Request]) -> Vec<Outcome> {
        let mut batch = self.store.begin().await.unwrap();
        let executed = execute(&mut *batch, &self.context, requests).await.unwrap();
        let at = requests.iter().map(|request| request.received_at).max().unwrap();
        batch.commit(&Changes::default(), clock::fresh_id(), at).await.unwrap().reached().await.unwrap();
        executed.outcomes
    }

    pub async fn one(&self, request: Request) -> Outcome {
        self.batch(std::slice::from_ref(&request)).await.pop().unwrap()
    }

    /// Every row of every table but the batches' own, as text: two stores that went through the same are equal.
    pub async fn dump(&self) -> Vec<String> {
        let tables = [
            "persons",
            "directory",
            "accounts",
            "subjects",
            "series",
            "events",
            "release_nodes",
            "current_authorizations",
            "credits",
            "reversals",
            "ambiguous_credits",
            "entries",
            "postings",
            "decisions",
            "all_account_records",
            "account_changes",
            "idempotency",
        ];
        let mut dump = Vec::new();
        for table in tables {
            // A node that was added to and taken from is the same as one that never was.
            let rows = match table {
                "release_nodes" => "release_nodes WHERE NOT (count = 0 AND amount = 0)",
                // Their JSON is dumped by the views `series` and `all_account_records`.
                "accounts" => {
                    "(SELECT id, person, currency, status, tier, display_name, created_at, balance, pending, receivable, \
                     opening_balance, last_event_at, NULL AS series, NULL AS unfiled FROM accounts) accounts"
                }
                "subjects" => "(SELECT kind, key, last_event_at, NULL AS series FROM subjects) subjects",
                // Where its open events begin is a bound, exact when it was looked for.
                "series" => {
                    "(SELECT kind, key, currency, events, amount, first_at, released, starts, open, NULL AS open_since, \
                     NULL AS open_until FROM series) series"
                }
                table => table,
            };
            dump.extend(self.rows(table, rows).await.into_iter().map(|row| format!("{table} {row}")));
        }
        dump
    }

    /// The rows of `table` that `selected` names, sorted.
    async fn rows(&self, table: &str, selected: &str) -> Vec<String> {
        if !self.database.url.starts_with("sqlite:") {
            let pool = PgPool::connect(&self.database.url).await.unwrap();
            let query = format!("SELECT row_to_json({table})::text AS row FROM {selected} ORDER BY 1");
            let rows = sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&pool).await.unwrap();
            pool.close().await;
            return rows;
        }
        let pool = SqlitePool::connect(&self.database.url).await.unwrap();
        let columns = sqlx::query(AssertSqlSafe(format!("PRAGMA table_info({table})"))).fetch_all(&pool).await.unwrap();
        let columns: Vec<String> = columns.iter().map(|row| row.get("name")).collect();
        let query = format!("SELECT json_array({}) AS row FROM {selected} ORDER BY 1", columns.join(", "));
        let rows = sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&pool).await.unwrap();
        pool.close().await;
        rows
    }

    pub async fn assert_books_are_sound(&self) {
        for check in self.store.audit().await.unwrap() {
            assert!(check.offenders.is_empty(), "{}: {:?}", check.claim, check.offenders);
        }
    }
}

pub fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

/// A moment some seconds after the tests' beginning of time.
pub fn second(seconds: i64) -> Timestamp {
    Timestamp(1_767_225_600_000_000 + seconds * 1_000_000)
}

pub fn request(at: Timestamp, command: Command) -> Request {
    let id = clock::fresh_id();
    Request { id, random: id.0.as_u64_pair().1, received_at: at, idempotency: None, command }
}

pub fn with_key(mut request: Request, key: &str, body: &str) -> Request {
    request.idempotency =
        Some(IdempotencyClaim { path: "/CreditFunds".to_owned(), key: key.to_owned(), body_hash: body.to_owned() });
    request
}

pub fn seed(account: &str, phone: &str) -> Command {
    Command::Seed(SeedAccount {
        id: AccountId::new(account),
        account: NewAccount {
            id: Some(AccountId::new(account)),
            currency: currency("MXN"),
            tier: None,
            display_name: None,
            person: person(phone),
            documents: Vec::new(),
        },
        status: None,
        opening_balance: None,
    })
}

pub fn person(phone: &str) -> PersonalData {
    PersonalData {
        phone_number: Some(phone.into()),
        email: None,
        first_name: "Ana".into(),
        middle_name: None,
        last_name: "Lopez".into(),
        last_name2: None,
        gender: Gender::Female,
        birth_date: "1990-01-31".parse().unwrap(),
        address: Address {
            address1: "Calle 1".into(),
            address2: None,
            zip_code: "06600".into(),
            city: "CDMX".into(),
            country_code: "MX".into(),
            state_code: "CMX".into(),
        },
    }
}

fn body() -> Body {
    Body::of(&serde_json::json!({}))
}

fn number(minor_units: i64) -> Field<JsonNumber> {
    Field::Given(JsonNumber::parse(&format!("{}.{:02}", minor_units / 100, minor_units % 100)).unwrap())
}

fn rate() -> Field<Decimal> {
    Field::Given(Decimal::new(1725, 2))
}

pub fn authorize(account: &str, amount: i64, sender_phone: &str) -> Command {
    Command::Authorize(AuthorizeCall {
        account: Field::Given(account.into()),
        amount: number(amount),
        currency: Field::Given(currency("MXN")),
        exchange_rate: rate(),
        sender: Field::Given(person(sender_phone).sender_key().unwrap()),
        receiver: Field::Given(person("+525555123456")),
        body: body(),
    })
}

pub fn credit(account: &str, authorization: TrackingId) -> Command {
    Command::Credit(CreditCall {
        account: Field::Given(account.into()),
        authorization: Field::Given(authorization.to_string().into()),
        amount: Field::Absent,
        currency: Field::Absent,
        exchange_rate: Field::Absent,
        body: body(),
    })
}

pub fn credit_unreferenced(account: &str, amount: i64) -> Command {
    Command::Credit(CreditCall {
        account: Field::Given(account.into()),
        authorization: Field::Absent,
        amount: number(amount),
        currency: Field::Given(currency("MXN")),
        exchange_rate: rate(),
        body: body(),
    })
}

pub fn reverse(account: &str, credit: TrackingId) -> Command {
    Command::Reverse(ReverseCall {
        account: Field::Given(account.into()),
        credit: Field::Given(credit.to_string().into()),
        body: body(),
    })
}

pub fn operate(action: Action) -> Command {
    Command::Operate(Operation { who: "test".to_owned(), why: "a test".to_owned(), action })
}

//! One transaction per request on SQLite: one connection writes, in WAL mode with `synchronous=FULL`.

use actix_web::web::{self, Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use std::str::FromStr;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use vna_partner::clock::{Clock, fresh_id};

use super::judge::{Counted, judge, minor_units, windows};
use super::wire::{Authorized, CreditFunds, Credited, TxAuthorization, internal, verified};
use crate::bodies;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS accounts (
        id text PRIMARY KEY, currency text NOT NULL, status text NOT NULL, display_name text NOT NULL,
        balance integer NOT NULL);
    CREATE TABLE IF NOT EXISTS authorizations (
        id text PRIMARY KEY, account text NOT NULL, amount integer NOT NULL, currency text NOT NULL,
        exchange_rate text NOT NULL, at integer NOT NULL, expires_at integer NOT NULL, state text NOT NULL, credit text);
    CREATE INDEX IF NOT EXISTS authorizations_by_account ON authorizations (account, at);
    CREATE TABLE IF NOT EXISTS credits (
        id text PRIMARY KEY, account text NOT NULL, \"authorization\" text NOT NULL UNIQUE, amount integer NOT NULL,
        currency text NOT NULL, at integer NOT NULL, state text NOT NULL);
    CREATE INDEX IF NOT EXISTS credits_by_account ON credits (account, at);
    CREATE TABLE IF NOT EXISTS postings (
        credit text NOT NULL, book text NOT NULL, currency text NOT NULL, amount integer NOT NULL,
        PRIMARY KEY (credit, book));
    CREATE TABLE IF NOT EXISTS decisions (
        id text PRIMARY KEY, kind text NOT NULL, account text NOT NULL, at integer NOT NULL, approved integer NOT NULL,
        reason text, amount integer NOT NULL, findings text NOT NULL, request text NOT NULL);
    CREATE INDEX IF NOT EXISTS decisions_by_account ON decisions (account, at)";

#[derive(Clone)]
pub struct Books {
    pool: SqlitePool,
    clock: Clock,
}

impl Books {
    pub async fn open(database: &str, accounts: usize) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::from_str(database)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        // A writer waits for its turn in the pool's queue, which is fair, and never in SQLite's.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        sqlx::raw_sql(TABLES).execute(&pool).await?;
        let names: Vec<String> = (0..accounts).map(bodies::account).collect();
        sqlx::query(
            "INSERT INTO accounts SELECT value, 'MXN', 'Active', 'MC-' || substr(value, -4), 0 FROM json_each($1)
             WHERE true ON CONFLICT DO NOTHING",
        )
        .bind(serde_json::to_string(&names)?)
        .execute(&pool)
        .await?;
        Ok(Self { pool, clock: Clock::system() })
    }
}

pub fn routes(config: &mut web::ServiceConfig, books: Books) {
    config
        .app_data(Data::new(books))
        .service(web::resource("/TxAuthorization").post(authorize))
        .service(web::resource("/CreditFunds").post(credit));
}

async fn authorize(books: Data<Books>, request: HttpRequest, body: Bytes) -> actix_web::Result<HttpResponse> {
    let (call, text) = verified::<TxAuthorization>(&request, &body)?;
    let (id, now) = (fresh_id().to_string(), books.clock.now().0);
    let amount = minor_units(call.amount.get()).ok_or_else(|| internal("wrong amount"))?;
    let windows = windows(now).ok_or_else(|| internal("no such month"))?;

    let mut transaction = books.pool.begin_with("BEGIN IMMEDIATE").await.map_err(internal)?;
    let (currency, status, display_name): (String, String, String) =
        sqlx::query_as("SELECT currency, status, display_name FROM accounts WHERE id = $1")
            .bind(&call.account_identifier)
            .fetch_one(&mut *transaction)
            .await
            .map_err(internal)?;
    let (day_count, month_amount): (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE at > $2), coalesce(sum(amount) FILTER (WHERE at >= $3), 0)
         FROM authorizations
         WHERE account = $1 AND at > min($2, $3 - 1) AND (state = 'Credited' OR state = 'Open' AND expires_at > $4)",
    )
    .bind(&call.account_identifier)
    .bind(windows.day)
    .bind(windows.month)
    .bind(now)
    .fetch_one(&mut *transaction)
    .await
    .map_err(internal)?;
    let judgement = judge(amount, Counted { day_count, month_amount }, windows, now);
    let refusal = match (status.as_str(), currency == call.currency) {
        ("Active", true) => judgement.refusal,
        ("Active", false) => Some("NonMatchingCurrencyAccount"),
        _ => Some("AccountBlocked"),
    };
    sqlx::query("INSERT INTO authorizations VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL)")
        .bind(&id)
        .bind(&call.account_identifier)
        .bind(amount)
        .bind(&call.currency)
        .bind(call.exchange_rate.get())
        .bind(now)
        .bind(now + super::judge::DAY)
        .bind(if refusal.is_none() { "Open" } else { "Refused" })
        .execute(&mut *transaction)
        .await
        .map_err(internal)?;
    sqlx::query("INSERT INTO decisions VALUES ($1, 'Authorization', $2, $3, $4, $5, $6, $7, $8)")
        .bind(&id)
        .bind(&call.account_identifier)
        .bind(now)
        .bind(refusal.is_none())
        .bind(refusal)
        .bind(amount)
        .bind(judgement.findings)
        .bind(text)
        .execute(&mut *transaction)
        .await
        .map_err(internal)?;
    transaction.commit().await.map_err(internal)?;
    Ok(HttpResponse::Ok().json(Authorized {
        authorized: refusal.is_none(),
        tracking_identifier: id,
        account_identifier: call.account_identifier,
        display_name,
        non_authorized_reason: refusal,
    }))
}

async fn credit(books: Data<Books>, request: HttpRequest, body: Bytes) -> actix_web::Result<HttpResponse> {
    let (call, text) = verified::<CreditFunds>(&request, &body)?;
    let (id, now) = (fresh_id().to_string(), books.clock.now().0);

    let mut transaction = books.pool.begin_with("BEGIN IMMEDIATE").await.map_err(internal)?;
    let (account, amount, currency, state): (String, i64, String, String) =
        sqlx::query_as("SELECT account, amount, currency, state FROM authorizations WHERE id = $1")
            .bind(&call.auth_tracking_identifier)
            .fetch_one(&mut *transaction)
            .await
            .map_err(internal)?;
    let refusal = (state != "Open" || account != call.account_identifier).then_some("NotPreviouslyValidated");
    if refusal.is_none() {
        sqlx::query("UPDATE authorizations SET state = 'Credited', credit = $2 WHERE id = $1")
            .bind(&call.auth_tracking_identifier)
            .bind(&id)
            .execute(&mut *transaction)
            .await
            .map_err(internal)?;
        sqlx::query("INSERT INTO credits VALUES ($1, $2, $3, $4, $5, $6, 'Approved')")
            .bind(&id)
            .bind(&account)
            .bind(&call.auth_tracking_identifier)
            .bind(amount)
            .bind(&currency)
            .bind(now)
            .execute(&mut *transaction)
            .await
            .map_err(internal)?;
        sqlx::query("INSERT INTO postings VALUES ($1, 'clearing', $2, -$3), ($1, 'available', $2, $3)")
            .bind(&id)
            .bind(&currency)
            .bind(amount)
            .execute(&mut *transaction)
            .await
            .map_err(internal)?;
        sqlx::query("UPDATE accounts SET balance = balance + $2 WHERE id = $1")
            .bind(&account)
            .bind(amount)
            .execute(&mut *transaction)
            .await
            .map_err(internal)?;
    }
    sqlx::query("INSERT INTO decisions VALUES ($1, 'Credit', $2, $3, $4, $5, $6, '[]', $7)")
        .bind(&id)
        .bind(&account)
        .bind(now)
        .bind(refusal.is_none())
        .bind(refusal)
        .bind(amount)
        .bind(text)
        .execute(&mut *transaction)
        .await
        .map_err(internal)?;
    transaction.commit().await.map_err(internal)?;
    let answer = Credited { success: refusal.is_none(), tracking_identifier: id, non_credit_reason: refusal };
    Ok(HttpResponse::Ok().json(answer))
}

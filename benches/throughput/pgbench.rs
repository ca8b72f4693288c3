//! The writes of a CreditFunds, one transaction each, by Postgres' own load generator over prepared statements.
//!
//! It writes the rows that the product writes for a credit, in the product's own tables, and reads nothing: no
//! signature, no HTTP, no decision. The records in the account's row are as many as there are on average, and each credit's
//! is filed, as it is in the end.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use vna_partner::domain::record::FILED_AT_ONCE;

use super::arguments::Arguments;
use super::bodies;
use super::process::{self, Parties};
use super::sample::{Sample, percentile};
use super::{postgres, servers};

/// How many clients are tried.
pub const CLIENTS: [usize; 5] = [4, 8, 16, 32, 64];

/// More transactions than a client can do in a second, of all of them together: that many authorizations wait for them.
const MOST_PER_SECOND: f64 = 12_000.0;

pub struct Pgbench {
    database: String,
    /// Authorizations made so far.
    made: usize,
}

impl Pgbench {
    pub async fn prepare(arguments: &Arguments) -> anyhow::Result<Self> {
        let database = postgres::create(arguments, "vna_pgbench").await?;
        servers::seed(arguments, &database)?;
        fs::write(arguments.folder.join("credit.sql"), script())?;
        Ok(Self { database, made: 0 })
    }

    pub async fn run(&mut self, arguments: &Arguments, clients: usize, duration: Duration) -> anyhow::Result<Sample> {
        let seconds = duration.as_secs_f64().ceil();
        let span = ((MOST_PER_SECOND * seconds) as usize).div_ceil(clients);
        let base = self.made;
        self.made += span * clients + 1;
        postgres::execute(&self.database, open(base, self.made, arguments.accounts)).await?;

        for old in logs(arguments)? {
            fs::remove_file(old)?;
        }
        let parties = Parties { server: None, postmaster: Some(arguments.postmaster) };
        let before = parties.cpu()?;
        let ended = process::ended_children()?;
        let output = Command::new(&arguments.pgbench)
            .args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--log", "--log-prefix=pgbench"])
            .args([format!("--client={clients}"), format!("--time={seconds}"), "--file=credit.sql".to_owned()])
            .args([format!("--define=base={base}"), format!("--define=span={span}")])
            .args([format!("--define=accounts={}", arguments.accounts), "--define=n=0".to_owned()])
            .arg(&self.database)
            .current_dir(&arguments.folder)
            .output()
            .context("pgbench cannot be started")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
        let per_second = said
            .lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse::<f64>().ok())
            .with_context(|| format!("pgbench said no tps: {said}"))?;
        let latencies = latencies(arguments)?;
        let mut cpu = parties.cpu()?.per_request(before, latencies.len());
        cpu[2] = (process::ended_children()? - ended) as f64 / latencies.len() as f64;
        Ok(Sample { per_second, p50: percentile(&latencies, 0.50), p99: percentile(&latencies, 0.99), cpu })
    }
}

/// The authorizations that a run will credit, as the product leaves them.
fn open(from: usize, to: usize, accounts: usize) -> String {
    format!(
        "CREATE TEMPORARY TABLE made AS
             SELECT k, lpad(to_hex(k), 32, '0')::uuid AS id, (4000000000000000 + k % {accounts})::text AS account,
                 (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
             FROM generate_series({from}::bigint, {to} - 1) k;
         INSERT INTO authorizations
             SELECT id, account, 12050, 'MXN', '17.25', now, now + 86400000000, 'Open', '+13125550000|1984-07-30',
                 json_build_array(json_build_object('kind', 'account', 'key', account, 'currency', 'MXN', 'at', now, 'number', k)),
                 NULL
             FROM made;
         INSERT INTO events
             SELECT 'account', account, 'MXN', now, k, 12050, 12050 * (k + 1), id, now + 86400000000, NULL, false FROM made"
    )
}

/// One transaction. Each client has a span of authorizations to itself.
fn script() -> String {
    let authorization = "lpad(to_hex(:k::bigint), 32, '0')::uuid";
    let credit = "('01000000' || lpad(to_hex(:k::bigint), 24, '0'))::uuid";
    let body = String::from_utf8(bodies::credit(&bodies::account(0), "00000000-0000-0000-0000-000000000000"));
    let body = body.unwrap_or_default();
    let body = body.rsplit("\r\n").next().unwrap_or_default().to_owned();
    let record = r#"[1700000000000000,"01000000-0000-0000-0000-000000000000","Credit",true]"#;
    let records = format!("[{}]", [record; FILED_AT_ONCE / 2].join(","));
    format!(
        r#"\set n :n + 1
\set k :base + :client_id * :span + :n
\set account 4000000000000000 + :k % :accounts
\set now 1700000000000000 + :k
BEGIN;
UPDATE accounts SET balance = balance + 12050, last_event_at = :now, unfiled = '{records}' WHERE id = :account::bigint::text;
INSERT INTO credits VALUES ({credit}, :account::bigint::text, {authorization}, 12050, 'MXN', NULL, :now, 'Approved', true, NULL, NULL, NULL, NULL, NULL, '[]');
INSERT INTO entries VALUES (:account::bigint::text, {credit}, 'Credit', {credit}, 'MXN', :now);
INSERT INTO postings VALUES (:account::bigint::text, {credit}, 'Clearing', 'MXN', -12050), (:account::bigint::text, {credit}, 'Available', 'MXN', 12050);
INSERT INTO account_records VALUES (:account::bigint::text, :now, {credit}, 'Credit', true);
INSERT INTO decisions VALUES ({credit}, 'Credit', :account::bigint::text, :now, :now, true, NULL, NULL, {authorization}, 12050, 'MXN', NULL, NULL, '[]', '{body}');
COMMIT;
"#
    )
}

fn logs(arguments: &Arguments) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(&arguments.folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("pgbench.") {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Each transaction's time out of pgbench's log, microseconds, sorted.
fn latencies(arguments: &Arguments) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for log in logs(arguments)? {
        for line in fs::read_to_string(log)?.lines() {
            found.push(line.split_whitespace().nth(2).context("pgbench's log is short")?.parse()?);
        }
    }
    found.sort_unstable();
    Ok(found)
}

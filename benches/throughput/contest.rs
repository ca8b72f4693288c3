//! The order of everything: start all that takes part, then round after round each in turn, then the figures.

use std::time::Duration;

use super::arguments::{Arguments, Part, Role};
use super::cells::{CONNECTIONS, Cell, What, Where, Who};
use super::edge::Edge;
use super::load::{self, Supply};
use super::measure::in_turn;
use super::pgbench::{self, Pgbench};
use super::process;
use super::report::{Findings, print};
use super::sample::Results;
use super::servers::{self, Server};
use super::windows::Windows;
use super::{bodies, postgres, startup};

/// Connections to the database that the handler on Postgres is tried with.
const POOLS: [u32; 4] = [8, 16, 32, 64];

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut findings = Findings::default();
    let calls = bodies::authorizations(arguments.accounts);
    let mut books = Vec::new();
    let mut pgbench = None;
    if arguments.includes(Part::Postgres) {
        findings.notes.push(format!("Postgres: {}", postgres::described(arguments).await?));
        books.push(Contestants::on_postgres(arguments, &calls, &mut findings).await?);
        pgbench = Some(BestPgbench::find(arguments, &mut findings).await?);
    }
    if arguments.includes(Part::Sqlite) {
        books.push(Contestants::on_sqlite(arguments).await?);
    }
    let mut windows = Vec::new();
    if arguments.includes(Part::Windows) {
        windows = with_a_past(arguments, &calls, &mut findings).await?;
    }
    let edge = arguments.includes(Part::Edge).then(|| Edge::start(arguments)).transpose()?;

    let mut results = Results::default();
    for both in &books {
        both.round(arguments, &calls, Duration::from_secs(1), &mut Results::default()).await?;
    }
    for round in 1..=arguments.rounds() {
        eprintln!("round {round} of {}", arguments.rounds());
        for both in &books {
            both.round(arguments, &calls, arguments.duration(), &mut results).await?;
        }
        if let Some(best) = &mut pgbench {
            best.round(arguments, &mut results).await?;
        }
        for windows in &windows {
            windows.round(arguments.duration(), &mut results).await?;
        }
        if let Some(edge) = &edge {
            edge.round(arguments.duration(), &mut results).await?;
        }
    }

    if let Some(edge) = edge {
        edge.stop()?;
    }
    for windows in windows {
        windows.stop()?;
    }
    for both in books {
        findings.memory.push((both.place, process::peak_memory(both.product.pid())?));
        let (place, database) = (both.place, both.database.clone());
        both.product.stop()?;
        drop(both.handler);
        findings.starts.push((place, startup::to_ready(arguments, &database).await?));
    }
    print(arguments, &results, &findings);
    Ok(())
}

/// The account with a long history, on each store that there is.
async fn with_a_past(
    arguments: &Arguments,
    calls: &[Vec<u8>],
    findings: &mut Findings,
) -> anyhow::Result<Vec<Windows>> {
    let mut all = Vec::new();
    for place in [Where::Postgres, Where::Sqlite] {
        if place == Where::Postgres && arguments.postgres.is_empty() {
            continue;
        }
        let database = servers::new_database(arguments, place, "windows").await?;
        let (windows, took) = Windows::start(arguments, place, &database, calls).await?;
        findings.notes.push(format!(
            "{place}: a history of {} events, half of them given back, filled in {took:.0?}",
            arguments.events
        ));
        all.push(windows);
    }
    Ok(all)
}

/// The product and the handler on one kind of store.
struct Contestants {
    place: Where,
    product: Server,
    handler: Server,
    /// The product's.
    database: String,
}

impl Contestants {
    async fn on_postgres(arguments: &Arguments, calls: &[Vec<u8>], findings: &mut Findings) -> anyhow::Result<Self> {
        let database = servers::new_database(arguments, Where::Postgres, "bench").await?;
        servers::seed(arguments, &database)?;
        let product = Server::start(servers::product(arguments, &database, servers::THREE_RULES, &["serve"])?)?;
        let of_handler = servers::new_database(arguments, Where::Postgres, "handler").await?;
        let mut tried = Vec::new();
        for pool in POOLS {
            let handler = servers::baseline(Role::Postgres, &of_handler, pool, arguments.accounts)?;
            let mut rates = Vec::new();
            // The first is to warm up.
            for duration in [Duration::from_millis(500), arguments.duration()] {
                let run = load::run(handler.address, 64, duration, Supply::Endless(calls), load::AUTHORIZED).await?;
                rates.push(run.latencies.len() as f64 / run.took.as_secs_f64());
            }
            tried.push((rates[1], pool));
        }
        let best =
            tried.iter().copied().max_by(|one, other| one.0.total_cmp(&other.0)).map_or(POOLS[0], |(_, pool)| pool);
        findings.notes.push(format!("The handler's pool: {}; {best} connections taken", listed(&tried)));
        let handler = servers::baseline(Role::Postgres, &of_handler, best, arguments.accounts)?;
        Ok(Self { place: Where::Postgres, product, handler, database })
    }

    async fn on_sqlite(arguments: &Arguments) -> anyhow::Result<Self> {
        let database = servers::new_database(arguments, Where::Sqlite, "product").await?;
        servers::seed(arguments, &database)?;
        let product = Server::start(servers::product(arguments, &database, servers::THREE_RULES, &["serve"])?)?;
        let of_handler = servers::new_database(arguments, Where::Sqlite, "handler").await?;
        let handler = servers::baseline(Role::Sqlite, &of_handler, 1, arguments.accounts)?;
        Ok(Self { place: Where::Sqlite, product, handler, database })
    }

    /// Authorizes for a while, then credits what was authorized, each in turn.
    async fn round(
        &self,
        arguments: &Arguments,
        calls: &[Vec<u8>],
        duration: Duration,
        results: &mut Results,
    ) -> anyhow::Result<()> {
        for connections in CONNECTIONS {
            let servers = [(Who::Server, &self.product), (Who::Handler, &self.handler)];
            in_turn(arguments, self.place, connections, servers, calls, duration, results).await?;
        }
        Ok(())
    }
}

/// pgbench at the number of clients that it does best with.
struct BestPgbench {
    pgbench: Pgbench,
    clients: usize,
}

impl BestPgbench {
    async fn find(arguments: &Arguments, findings: &mut Findings) -> anyhow::Result<Self> {
        let mut pgbench = Pgbench::prepare(arguments).await?;
        pgbench.run(arguments, 8, Duration::from_secs(1)).await?;
        let mut tried = Vec::new();
        for clients in pgbench::CLIENTS {
            let sample = pgbench.run(arguments, clients, arguments.duration()).await?;
            tried.push((sample.per_second, clients));
        }
        let clients =
            tried.iter().copied().max_by(|one, other| one.0.total_cmp(&other.0)).map_or(8, |(_, clients)| clients);
        findings.notes.push(format!("pgbench's clients: {}; {clients} taken", listed(&tried)));
        findings.pgbench_clients = clients;
        Ok(Self { pgbench, clients })
    }

    async fn round(&mut self, arguments: &Arguments, results: &mut Results) -> anyhow::Result<()> {
        let sample = self.pgbench.run(arguments, self.clients, arguments.duration()).await?;
        let (place, what, who) = (Where::Postgres, What::Credit, Who::Pgbench);
        results.add(Cell { place, what, connections: self.clients, who }, sample);
        Ok(())
    }
}

/// `8: 1200/s, 16: 1500/s`.
fn listed<T: std::fmt::Display>(tried: &[(f64, T)]) -> String {
    tried.iter().map(|(rate, of)| format!("{of}: {rate:.0}/s")).collect::<Vec<_>>().join(", ")
}

//! By hand: the throughput on books with a long past, against empty ones. It fills a disk.

use std::fs;
use std::time::Duration;

use super::arguments::Arguments;
use super::cells::{Where, Who};
use super::history::{self, Past};
use super::measure::in_turn;
use super::report::{Findings, print};
use super::sample::Results;
use super::servers::{self, Server, THREE_RULES};
use super::{bodies, postgres};

const CONNECTIONS: [usize; 2] = [64, 256];

/// Of each run: the first touch of a page after a checkpoint costs Postgres a copy of it in the log, and filling has just
/// ended with one.
const WARM_UP: Duration = Duration::from_secs(20);

pub async fn run(arguments: &Arguments, authorizations: usize) -> anyhow::Result<()> {
    // One account more than there is traffic on: the one that the past is copied from.
    let calls = bodies::authorizations(arguments.accounts + 1);
    let with_one_more = Arguments { accounts: arguments.accounts + 1, ..arguments.clone() };
    let past = [Past::long(arguments.accounts, authorizations)];
    for place in arguments.stores() {
        let mut findings = Findings::default();
        let mut results = Results::default();
        if place == Where::Postgres {
            findings.notes.push(format!("Postgres: {}", postgres::described(arguments).await?));
        }
        let full = servers::new_database(arguments, place, "full").await?;
        let empty = servers::new_database(arguments, place, "empty").await?;
        let took = history::fill(&with_one_more, place, &full, THREE_RULES, &past, &calls).await?;
        servers::seed(&with_one_more, &empty)?;
        findings.notes.push(format!(
            "{place}: {authorizations} authorizations filled in {took:.0?}, one in ten of them credited; {} MiB on disk",
            size(place, &full).await?
        ));
        let [on_empty, on_full] = [&empty, &full]
            .map(|database| Server::start(servers::product(arguments, database, THREE_RULES, &["serve"])?));
        let servers = [(Who::Server, on_empty?), (Who::FullBooks, on_full?)];
        let calls = &calls[..arguments.accounts];
        round(arguments, place, &servers, calls, WARM_UP, &mut Results::default()).await?;
        for number in 1..=arguments.rounds() {
            eprintln!("{place}, round {number} of {}", arguments.rounds());
            round(arguments, place, &servers, calls, arguments.duration(), &mut results).await?;
        }
        for (_, server) in servers {
            server.stop()?;
        }
        // It reads everything, and what traffic needs is no longer in memory afterwards.
        if arguments.audit {
            let took = history::audit(arguments, &full, THREE_RULES)?;
            findings.notes.push(format!("{place}: the audit of the full books passed, in {took:.0?}"));
        }
        if place == Where::Postgres {
            postgres::drop(arguments, "vna_full").await?;
        }
        // As soon as it is known: the other store takes as long again.
        print(arguments, &results, &findings);
    }
    Ok(())
}

async fn round(
    arguments: &Arguments,
    place: Where,
    servers: &[(Who, Server); 2],
    calls: &[Vec<u8>],
    duration: Duration,
    results: &mut Results,
) -> anyhow::Result<()> {
    for connections in CONNECTIONS {
        let servers = servers.iter().map(|(who, server)| (*who, server));
        in_turn(arguments, place, connections, servers, calls, duration, results).await?;
    }
    Ok(())
}

/// What the database takes, MiB.
async fn size(place: Where, database: &str) -> anyhow::Result<u64> {
    match place {
        Where::Postgres => postgres::size(database).await,
        _ => Ok(fs::metadata(database.trim_start_matches("sqlite://"))?.len() / 1_048_576),
    }
}

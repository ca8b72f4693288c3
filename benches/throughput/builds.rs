//! Builds of the product in turn, each on books of its own: what a change is worth, on a machine where one run is not
//! another.

use super::arguments::{Arguments, Part};
use super::cells::{CONNECTIONS, Cell, Where, Who};
use super::measure::Measure;
use super::process::Parties;
use super::report::{Findings, print};
use super::sample::Results;
use super::servers::{self, Server, THREE_RULES};
use super::{bodies, postgres};

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let calls = bodies::authorizations(arguments.accounts);
    let mut findings = Findings::default();
    for (build, program) in (0..).zip(&arguments.build) {
        findings.notes.push(format!("{}: {}", Who::Build(build), program.display()));
    }
    let mut results = Results::default();
    for (part, place) in [(Part::Postgres, Where::Postgres), (Part::Sqlite, Where::Sqlite)] {
        if !arguments.includes(part) {
            continue;
        }
        let mut servers = Vec::new();
        for (build, program) in (0..).zip(&arguments.build) {
            servers.push((Who::Build(build), start(arguments, program, place, build).await?));
        }
        for round in 0..=arguments.rounds() {
            eprintln!("{place}, round {round} of {}", arguments.rounds());
            // The first is to warm up.
            let mut warm_up = Results::default();
            let results = if round == 0 { &mut warm_up } else { &mut results };
            for connections in CONNECTIONS {
                for turn in 0..servers.len() {
                    // Whoever comes first in one round comes last in the next but one.
                    let (who, server) = &servers[(turn + round) % servers.len()];
                    let postmaster = (place == Where::Postgres).then_some(arguments.postmaster);
                    let parties = Parties { server: Some(server.pid()), postmaster };
                    let duration = arguments.duration();
                    let measure = Measure { address: server.address, parties, connections, duration };
                    let cell = |what| Cell { place, what, connections, who: *who };
                    measure.authorize_and_credit(&calls, results, cell).await?;
                }
            }
        }
        for (_, server) in servers {
            server.stop()?;
        }
    }
    print(arguments, &results, &findings);
    Ok(())
}

async fn start(arguments: &Arguments, program: &std::path::Path, place: Where, build: u8) -> anyhow::Result<Server> {
    let arguments = Arguments { program: program.canonicalize()?, ..arguments.clone() };
    let name = format!("vna_build_{build}");
    let database = match place {
        Where::Postgres => postgres::create(&arguments, &name).await?,
        _ => format!("sqlite://{}", arguments.folder.join(format!("{name}.db")).display()),
    };
    servers::seed(&arguments, &database)?;
    Server::start(servers::product(&arguments, &database, THREE_RULES, &["serve"])?)
}

//! Builds of the product in turn, each on books of its own: what a change is worth, on a machine where one run is not
//! another.

use std::path::Path;

use super::arguments::{Arguments, Part};
use super::bodies;
use super::cells::{CONNECTIONS, Where, Who};
use super::edge;
use super::measure::in_turn;
use super::report::{Findings, print};
use super::sample::Results;
use super::servers::{self, Server, THREE_RULES};

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let calls = bodies::authorizations(arguments.accounts);
    let mut findings = Findings::default();
    for (build, program) in (0..).zip(&arguments.build) {
        findings.notes.push(format!("{}: {}", Who::Build(build), program.display()));
    }
    let mut results = Results::default();
    let edge = arguments.includes(Part::Edge).then_some(Where::NoStore);
    for place in arguments.stores().chain(edge) {
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
                // Whoever comes first in one round comes last in the next.
                let (last, first) = servers.split_at(round % servers.len());
                let in_order = first.iter().chain(last).map(|(who, server)| (*who, server));
                let duration = arguments.duration();
                match place {
                    Where::NoStore => edge::in_turn(connections, in_order, duration, results).await?,
                    _ => in_turn(arguments, place, connections, in_order, &calls, duration, results).await?,
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

async fn start(arguments: &Arguments, program: &Path, place: Where, build: u8) -> anyhow::Result<Server> {
    let arguments = Arguments { program: program.canonicalize()?, ..arguments.clone() };
    let name = if place == Where::NoStore { "edge_of_build" } else { "build" };
    let database = servers::new_database(&arguments, place, &format!("{name}_{build}")).await?;
    // The edge alone asks for no account.
    if place != Where::NoStore {
        servers::seed(&arguments, &database)?;
    }
    Server::start(servers::product(&arguments, &database, THREE_RULES, &["serve"])?)
}

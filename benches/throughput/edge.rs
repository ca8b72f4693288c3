//! The edge alone, against actix' hello-world: what verifying, parsing and answering cost.

use std::time::Duration;

use super::arguments::{Arguments, Role};
use super::bodies;
use super::cells::{Cell, What, Where, Who};
use super::load::{Expected, Supply};
use super::measure::Measure;
use super::process::Parties;
use super::sample::Results;
use super::servers::{self, Server};

const CONNECTIONS: [usize; 2] = [64, 256];

/// The two servers.
pub struct Edge {
    product: Server,
    hello: Server,
}

impl Edge {
    pub fn start(arguments: &Arguments) -> anyhow::Result<Self> {
        let database = format!("sqlite://{}", arguments.folder.join("edge.db").display());
        let product = Server::start(servers::product(arguments, &database, servers::THREE_RULES, &["serve"])?)?;
        Ok(Self { product, hello: servers::baseline(Role::Hello, "", 1, 0)? })
    }

    pub async fn round(&self, duration: Duration, results: &mut Results) -> anyhow::Result<()> {
        for connections in CONNECTIONS {
            let servers = [(Who::Server, &self.product), (Who::Actix, &self.hello)];
            in_turn(connections, servers, duration, results).await?;
        }
        Ok(())
    }

    pub fn stop(self) -> anyhow::Result<()> {
        self.product.stop()
    }
}

/// Each of `servers` in its turn answers what needs no store.
pub async fn in_turn<'s>(
    connections: usize,
    servers: impl IntoIterator<Item = (Who, &'s Server)>,
    duration: Duration,
    results: &mut Results,
) -> anyhow::Result<()> {
    let (status, hello) = ([bodies::status_as_long_as_an_authorization()], [bodies::hello()]);
    let known = Expected(r#""ResponseDescription":"no credit has this CreditTrackingNumber""#);
    let greeted = Expected("Hello, world!");
    for (who, server) in servers {
        let (what, requests, expected) = match who {
            Who::Actix => (What::Hello, &hello, greeted),
            _ => (What::Status, &status, known),
        };
        let parties = Parties { server: Some(server.pid()), postmaster: None };
        let measure = Measure { address: server.address, parties, connections, duration };
        let (_, sample) = measure.run(Supply::Endless(requests), expected).await?;
        results.add(Cell { place: Where::NoStore, what, connections, who }, sample);
    }
    Ok(())
}

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
        let (status, hello) = ([bodies::status_as_long_as_an_authorization()], [bodies::hello()]);
        let known = Expected(r#""ResponseDescription":"no credit has this CreditTrackingNumber""#);
        let greeted = Expected("Hello, world!");
        for connections in CONNECTIONS {
            for (server, requests, expected, what, who) in [
                (&self.product, &status, known, What::Status, Who::Server),
                (&self.hello, &hello, greeted, What::Hello, Who::Actix),
            ] {
                let parties = Parties { server: Some(server.pid()), postmaster: None };
                let measure = Measure { address: server.address, parties, connections, duration };
                let (_, sample) = measure.run(Supply::Endless(requests), expected).await?;
                results.add(Cell { place: Where::NoStore, what, connections, who }, sample);
            }
        }
        Ok(())
    }

    pub fn stop(self) -> anyhow::Result<()> {
        self.product.stop()
    }
}

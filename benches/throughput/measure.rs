//! One run of one server, with what it cost.

use std::net::SocketAddr;
use std::time::Duration;

use super::arguments::Arguments;
use super::bodies;
use super::cells::{Cell, What, Where, Who};
use super::load::{self, Expected, Run, Supply};
use super::process::Parties;
use super::sample::{Results, Sample};
use super::servers::Server;

/// Each of `servers` in its turn authorizes for a while, then credits what was authorized.
pub async fn in_turn<'s>(
    arguments: &Arguments,
    place: Where,
    connections: usize,
    servers: impl IntoIterator<Item = (Who, &'s Server)>,
    calls: &[Vec<u8>],
    duration: Duration,
    results: &mut Results,
) -> anyhow::Result<()> {
    for (who, server) in servers {
        let parties = Parties { server: Some(server.pid()), postmaster: arguments.postmaster_of(place) };
        let measure = Measure { address: server.address, parties, connections, duration };
        let cell = |what| Cell { place, what, connections, who };
        measure.authorize_and_credit(calls, results, cell).await?;
    }
    Ok(())
}

pub struct Measure {
    pub address: SocketAddr,
    pub parties: Parties,
    pub connections: usize,
    pub duration: Duration,
}

impl Measure {
    pub async fn run(&self, supply: Supply<'_>, expected: Expected) -> anyhow::Result<(Run, Sample)> {
        let before = self.parties.cpu()?;
        let run = load::run(self.address, self.connections, self.duration, supply, expected).await?;
        let cpu = self.parties.cpu()?.per_request(before, run.latencies.len());
        let sample = Sample::of(&run, cpu);
        Ok((run, sample))
    }

    /// Authorizes for a while, then credits what was authorized for as long at most.
    async fn authorize_and_credit(
        &self,
        calls: &[Vec<u8>],
        results: &mut Results,
        cell: impl Fn(What) -> Cell,
    ) -> anyhow::Result<()> {
        let (authorized, sample) = self.run(Supply::Endless(calls), load::AUTHORIZED).await?;
        results.add(cell(What::Authorize), sample);
        let credits: Vec<Vec<u8>> = authorized
            .answered
            .iter()
            .map(|(account, tracking)| bodies::credit(&bodies::account(*account), tracking))
            .collect();
        let (_, sample) = self.run(Supply::Once(&credits), load::CREDITED).await?;
        results.add(cell(What::Credit), sample);
        Ok(())
    }
}

//! Does a decision cost the same for an account with ten events in its windows and for one with a million, half of them
//! given back?

use std::time::Duration;

use vna_partner::telemetry::Stopwatch;

use super::arguments::Arguments;
use super::cells::{Cell, What, Where, Who};
use super::client::Connection;
use super::history::{self, Past};
use super::load::{self, Run, Supply};
use super::measure::Measure;
use super::process::Parties;
use super::sample::{Results, Sample};
use super::servers::{self, LONG_WINDOWS, Server};

/// Beside a lone caller.
const CONNECTIONS: usize = 64;

const SHORT: i64 = 10;

/// One server with two accounts that have a past: the first a short one, the second a long one.
pub struct Windows {
    place: Where,
    server: Server,
    postmaster: Option<u32>,
    short: [Vec<u8>; 1],
    long: [Vec<u8>; 1],
}

impl Windows {
    pub async fn start(
        arguments: &Arguments,
        place: Where,
        database: &str,
        calls: &[Vec<u8>],
    ) -> anyhow::Result<(Self, Duration)> {
        let pasts = [Past::of_one(0, SHORT), Past::of_one(1, arguments.events)];
        let took = history::fill(arguments, place, database, LONG_WINDOWS, &pasts, calls).await?;
        let server = Server::start(servers::product(arguments, database, LONG_WINDOWS, &["serve"])?)?;
        let postmaster = arguments.postmaster_of(place);
        Ok((Self { place, server, postmaster, short: [calls[0].clone()], long: [calls[1].clone()] }, took))
    }

    pub async fn round(&self, duration: Duration, results: &mut Results) -> anyhow::Result<()> {
        self.alone(duration * 2, results).await?;
        for (who, call) in self.calls() {
            let parties = Parties { server: Some(self.server.pid()), postmaster: self.postmaster };
            let measure = Measure { address: self.server.address, parties, connections: CONNECTIONS, duration };
            let (_, sample) = measure.run(Supply::Endless(call), load::AUTHORIZED).await?;
            results.add(self.cell(CONNECTIONS, who), sample);
        }
        Ok(())
    }

    /// The two accounts call by call, so that both meet the same moments of the machine. CPU time is not told apart.
    async fn alone(&self, duration: Duration, results: &mut Results) -> anyhow::Result<()> {
        let mut runs = [Run::default(), Run::default()];
        let mut connection = Connection::open(self.server.address).await?;
        let watch = Stopwatch::start();
        while watch.elapsed() < duration {
            for ((_, calls), run) in self.calls().into_iter().zip(&mut runs) {
                load::call(&mut connection, &calls[0], 0, load::AUTHORIZED, run).await?;
            }
        }
        runs.iter_mut().for_each(|run| run.took = watch.elapsed() / 2);
        for ((who, _), run) in self.calls().into_iter().zip(&runs) {
            results.add(self.cell(1, who), Sample::of(run, [f64::NAN; 3]));
        }
        Ok(())
    }

    fn calls(&self) -> [(Who, &[Vec<u8>]); 2] {
        [(Who::ShortHistory, &self.short), (Who::LongHistory, &self.long)]
    }

    fn cell(&self, connections: usize, who: Who) -> Cell {
        Cell { place: self.place, what: What::Authorize, connections, who }
    }

    pub fn stop(self) -> anyhow::Result<()> {
        self.server.stop()
    }
}

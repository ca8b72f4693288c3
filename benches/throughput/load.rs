//! Many callers at once, each on a connection of its own, each waiting for its answer before it calls again.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::ensure;
use futures_util::future::try_join_all;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use vna_partner::telemetry::Stopwatch;

use super::client::Connection;

/// What is sent.
#[derive(Clone, Copy)]
pub enum Supply<'a> {
    /// Any of these, by chance, for as long as the run lasts.
    Endless(&'a [Vec<u8>]),
    /// Each of these once, in order; the run ends with the last.
    Once(&'a [Vec<u8>]),
}

/// What every answer must contain.
#[derive(Debug, Clone, Copy)]
pub struct Expected(pub &'static str);

pub const AUTHORIZED: Expected = Expected(r#""Authorized":true"#);
pub const CREDITED: Expected = Expected(r#""Success":true"#);

/// What one run came to.
#[derive(Debug, Default)]
pub struct Run {
    pub took: Duration,
    /// Each answer's time, microseconds, unsorted.
    pub latencies: Vec<u32>,
    /// The requests that were sent, as places in the supply, and the TrackingIdentifier that each was answered with.
    pub answered: Vec<(usize, String)>,
}

/// Calls for `duration`, or until the supply ends.
///
/// # Errors
/// An answer that is not what it must be.
pub async fn run(
    address: SocketAddr,
    connections: usize,
    duration: Duration,
    supply: Supply<'_>,
    expected: Expected,
) -> anyhow::Result<Run> {
    let opened = try_join_all((0..connections).map(|_| Connection::open(address))).await?;
    let next = Next { supply, sent: Cell::new(0), chance: RefCell::new(SmallRng::seed_from_u64(connections as u64)) };
    let next = Rc::new(next);
    let watch = Stopwatch::start();
    let callers = opened.into_iter().map(|connection| caller(connection, next.clone(), watch, duration, expected));
    let parts = try_join_all(callers).await?;
    let mut run = Run { took: watch.elapsed(), ..Run::default() };
    for part in parts {
        run.latencies.extend(part.latencies);
        run.answered.extend(part.answered);
    }
    ensure!(!run.latencies.is_empty(), "nothing was sent");
    Ok(run)
}

async fn caller(
    mut connection: Connection,
    next: Rc<Next<'_>>,
    watch: Stopwatch,
    duration: Duration,
    expected: Expected,
) -> anyhow::Result<Run> {
    let mut run = Run::default();
    while watch.elapsed() < duration
        && let Some((place, request)) = next.take()
    {
        call(&mut connection, request, place, expected, &mut run).await?;
    }
    Ok(run)
}

/// One call, added to `run`.
pub async fn call(
    connection: &mut Connection,
    request: &[u8],
    place: usize,
    expected: Expected,
    run: &mut Run,
) -> anyhow::Result<()> {
    let sent = Stopwatch::start();
    let answer = connection.call(request).await?;
    run.latencies.push(u32::try_from(sent.elapsed().as_micros())?);
    let answer = std::str::from_utf8(answer)?;
    ensure!(answer.contains(expected.0), "{} is not in {answer}", expected.0);
    if let Some(tracking) = tracking_identifier(answer) {
        run.answered.push((place, tracking.to_owned()));
    }
    Ok(())
}

fn tracking_identifier(answer: &str) -> Option<&str> {
    answer.split_once(r#""TrackingIdentifier":""#)?.1.split_once('"').map(|(tracking, _)| tracking)
}

/// Hands out the requests.
struct Next<'a> {
    supply: Supply<'a>,
    sent: Cell<usize>,
    chance: RefCell<SmallRng>,
}

impl<'a> Next<'a> {
    fn take(&self) -> Option<(usize, &'a [u8])> {
        let (place, requests) = match self.supply {
            Supply::Endless(requests) => (self.chance.borrow_mut().random_range(0..requests.len()), requests),
            Supply::Once(requests) => (self.sent.replace(self.sent.get() + 1), requests),
        };
        requests.get(place).map(|request| (place, request.as_slice()))
    }
}

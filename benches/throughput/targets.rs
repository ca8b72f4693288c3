//! What was promised, and what was reached.

use super::cells::{Cell, What, Where, Who};
use super::report::Findings;
use super::sample::{Results, Sample};

/// One promise.
pub struct Line {
    what: String,
    bound: Bound,
    reached: f64,
    unit: Unit,
    /// The same ratio over CPU time per request, of all processes together: where a ratio of throughput falls short of
    /// this one, cores were idle or somebody else's.
    by_cpu: Option<f64>,
}

#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
    /// Only printed.
    None,
}

#[derive(Clone, Copy)]
enum Unit {
    Times,
    Mebibytes,
    Milliseconds,
}

impl Line {
    pub fn row(&self) -> String {
        let Self { what, reached, .. } = self;
        let show = |value: f64| match self.unit {
            Unit::Times => format!("{value:.2}x"),
            Unit::Mebibytes => format!("{value:.0} MiB"),
            Unit::Milliseconds => format!("{value:.0} ms"),
        };
        let by_cpu = self.by_cpu.map(show).unwrap_or_default();
        let (wanted, target, met) = match self.bound {
            Bound::AtLeast(target) => (format!("≥ {}", show(target)), target, *reached >= target),
            Bound::AtMost(target) => (format!("≤ {}", show(target)), target, *reached <= target),
            Bound::None => (String::new(), f64::NAN, true),
        };
        let verdict = match (met, target.is_nan()) {
            (_, true) => String::new(),
            (true, _) => "PASS".to_owned(),
            (false, _) => format!("MISS by {:.0} %", (reached / target - 1.0).abs() * 100.0),
        };
        format!("| {what} | {wanted} | {} | {verdict} | {by_cpu} |", show(*reached))
    }
}

/// Every line of what was measured.
pub fn lines(results: &Results, findings: &Findings) -> Vec<Line> {
    let mut lines = [
        throughput(results, findings),
        tails(results),
        lone_callers(results),
        long_histories(results),
        full_books(results),
        builds(results),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    for (place, kib) in &findings.memory {
        let what = format!("the most resident memory, {place}");
        let (bound, reached) = (Bound::AtMost(100.0), *kib as f64 / 1_024.0);
        lines.push(Some(Line { what, bound, reached, unit: Unit::Mebibytes, by_cpu: None }));
    }
    for (place, milliseconds) in &findings.starts {
        let what = format!("start to ready, {place}");
        let (bound, reached) = (Bound::AtMost(300.0), *milliseconds);
        lines.push(Some(Line { what, bound, reached, unit: Unit::Milliseconds, by_cpu: None }));
    }
    lines.into_iter().flatten().collect()
}

fn throughput(results: &Results, findings: &Findings) -> Vec<Option<Line>> {
    let mut lines = Vec::new();
    for (place, what, target) in [
        (Where::Postgres, What::Credit, 3.5),
        (Where::Postgres, What::Authorize, 5.0),
        (Where::Sqlite, What::Credit, 6.0),
        (Where::Sqlite, What::Authorize, 6.0),
    ] {
        for connections in [64, 256] {
            let ours = Cell { place, what, connections, who: Who::Server };
            let theirs = match (place, what) {
                (Where::Postgres, What::Credit) => {
                    Cell { connections: findings.pgbench_clients, who: Who::Pgbench, ..ours }
                }
                _ => Cell { who: Who::Handler, ..ours },
            };
            let text = format!("{what} on {place} at {connections} connections, against {}", theirs.who);
            lines.push(faster(results, text, Bound::AtLeast(target), ours, theirs));
        }
    }
    for connections in [64, 256] {
        let [edge, hello] = [(What::Status, Who::Server), (What::Hello, Who::Actix)].map(|(what, who)| Cell {
            place: Where::NoStore,
            what,
            connections,
            who,
        });
        let text = format!("the edge alone at {connections} connections, against hello-world");
        lines.push(faster(results, text, Bound::AtLeast(0.55), edge, hello));
    }
    lines
}

fn tails(results: &Results) -> Vec<Option<Line>> {
    each_call(|place, what| {
        let cell = Cell { place, what, connections: 64, who: Who::Server };
        let text = format!("p99 against p50, {what} on {place} at 64 connections");
        let reached = results.ratio(cell, cell, |ours, same| ours.p99 / same.p50)?;
        Some(Line { what: text, bound: Bound::AtMost(4.0), reached, unit: Unit::Times, by_cpu: None })
    })
}

fn lone_callers(results: &Results) -> Vec<Option<Line>> {
    each_call(|place, what| {
        let [ours, theirs] = [Who::Server, Who::Handler].map(|who| Cell { place, what, connections: 1, who });
        let text = format!("a lone caller's p50, {what} on {place}, against {}", theirs.who);
        slower(results, text, Bound::AtMost(1.2), ours, theirs)
    })
}

fn long_histories(results: &Results) -> Vec<Option<Line>> {
    let mut lines = Vec::new();
    for place in [Where::Postgres, Where::Sqlite] {
        for (connections, bound) in [(1, Bound::AtMost(1.2)), (64, Bound::None)] {
            let [long, short] = [Who::LongHistory, Who::ShortHistory].map(|who| Cell {
                place,
                what: What::Authorize,
                connections,
                who,
            });
            let text = format!("p50 of many events in the windows on {place} at {connections} connections, against 10");
            lines.push(slower(results, text, bound, long, short));
        }
    }
    lines
}

fn full_books(results: &Results) -> Vec<Option<Line>> {
    let mut lines = Vec::new();
    for connections in [64, 256] {
        lines.extend(each_call(|place, what| {
            let [full, empty] = [Who::FullBooks, Who::Server].map(|who| Cell { place, what, connections, who });
            let bound = if place == Where::Postgres { Bound::AtLeast(0.8) } else { Bound::None };
            let text = format!("{what} on {place} at {connections} connections with a past, against empty books");
            faster(results, text, bound, full, empty)
        }));
    }
    lines
}

/// How many more calls a second each build answers than the first.
fn builds(results: &Results) -> Vec<Option<Line>> {
    let line = |cell: Cell| {
        let Who::Build(1..) = cell.who else { return None };
        let first = Cell { who: Who::Build(0), ..cell };
        let text = format!(
            "{} on {} at {} connections, {} against the first",
            cell.what, cell.place, cell.connections, cell.who
        );
        faster(results, text, Bound::None, cell, first)
    };
    results.cells().map(line).collect()
}

fn each_call(line: impl Fn(Where, What) -> Option<Line>) -> Vec<Option<Line>> {
    let of = |place| [What::Authorize, What::Credit].map(|what| line(place, what));
    [Where::Postgres, Where::Sqlite].map(of).into_iter().flatten().collect()
}

/// A ratio of throughputs. `None` where one of the two was not run.
fn faster(results: &Results, what: String, bound: Bound, ours: Cell, theirs: Cell) -> Option<Line> {
    let reached = results.ratio(ours, theirs, |ours, theirs| ours.per_second / theirs.per_second)?;
    let all = |sample: &Sample| sample.cpu.iter().sum::<f64>();
    let by_cpu = results.ratio(ours, theirs, |ours, theirs| all(theirs) / all(ours));
    Some(Line { what, bound, reached, unit: Unit::Times, by_cpu })
}

/// A ratio of latencies. `None` where one of the two was not run.
fn slower(results: &Results, what: String, bound: Bound, ours: Cell, theirs: Cell) -> Option<Line> {
    let reached = results.ratio(ours, theirs, |ours, theirs| ours.p50 / theirs.p50)?;
    Some(Line { what, bound, reached, unit: Unit::Times, by_cpu: None })
}

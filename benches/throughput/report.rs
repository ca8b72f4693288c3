//! The figures as tables that can be pasted into docs/performance.md.

use super::arguments::Arguments;
use super::cells::{Cell, What, Where, Who};
use super::sample::Results;

/// What is measured once.
#[derive(Debug, Default)]
pub struct Findings {
    pub notes: Vec<String>,
    pub pgbench_clients: usize,
    /// The most memory that a server held, KiB.
    pub memory: Vec<(Where, u64)>,
    /// From start to ready, milliseconds.
    pub starts: Vec<(Where, f64)>,
}

/// One line: what was promised and what was reached.
struct Line {
    what: String,
    target: f64,
    bound: Bound,
    reached: f64,
    unit: &'static str,
}

#[derive(Clone, Copy)]
enum Bound {
    AtLeast,
    AtMost,
    /// Only printed.
    None,
}

pub fn print(arguments: &Arguments, results: &Results, findings: &Findings) {
    println!("\nMachine: {}", machine());
    for note in &findings.notes {
        println!("{note}");
    }
    println!(
        "{} rounds, each run {:.1} s, {} accounts, the servers' log filter {}\n",
        arguments.rounds(),
        arguments.duration().as_secs_f64(),
        arguments.accounts,
        arguments.log_filter.as_deref().unwrap_or("the default (a line per request, into a file)")
    );
    println!("| what | must reach | reached | |");
    println!("|---|---|---|---|");
    for line in lines(results, findings) {
        println!("{}", line.row());
    }
    println!(
        "\n| store | what | connections | who | per second | p50 µs | p99 µs | CPU µs per request: server | database | load generator |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for cell in results.cells() {
        let Cell { place, what, connections, who } = cell;
        let [server, database, generator] = [0, 1, 2].map(|party| {
            let micros = results.median_of(cell, |sample| sample.cpu[party]);
            if micros.is_nan() { "–".to_owned() } else { format!("{micros:.0}") }
        });
        println!(
            "| {place} | {what} | {connections} | {who} | {:.0} | {:.0} | {:.0} | {server} | {database} | {generator} |",
            results.median_of(cell, |sample| sample.per_second),
            results.median_of(cell, |sample| sample.p50),
            results.median_of(cell, |sample| sample.p99),
        );
    }
}

impl Line {
    fn row(&self) -> String {
        let Self { what, target, bound, reached, unit } = self;
        let digits = if *unit == "x" { 2 } else { 0 };
        let space = if *unit == "x" { "" } else { " " };
        let (sign, met) = match bound {
            Bound::AtLeast => ("≥", reached >= target),
            Bound::AtMost => ("≤", reached <= target),
            Bound::None => return format!("| {what} | | {reached:.digits$}{space}{unit} | |"),
        };
        let missed_by = (reached / target - 1.0).abs() * 100.0;
        let verdict = if met { "PASS".to_owned() } else { format!("MISS by {missed_by:.0} %") };
        format!("| {what} | {sign} {target}{space}{unit} | {reached:.digits$}{space}{unit} | {verdict} |")
    }
}

fn lines(results: &Results, findings: &Findings) -> Vec<Line> {
    let cell = |place, what, connections, who| Cell { place, what, connections, who };
    let mut lines = Vec::new();
    let mut add = |what: String, bound, target, reached: Option<f64>, unit| {
        lines.extend(reached.map(|reached| Line { what, target, bound, reached, unit }));
    };
    for (place, what, target) in [
        (Where::Postgres, What::Credit, 3.5),
        (Where::Postgres, What::Authorize, 5.0),
        (Where::Sqlite, What::Credit, 6.0),
        (Where::Sqlite, What::Authorize, 6.0),
    ] {
        for connections in [64, 256] {
            let against = match (place, what) {
                (Where::Postgres, What::Credit) => cell(place, what, findings.pgbench_clients, Who::Pgbench),
                _ => cell(place, what, connections, Who::Handler),
            };
            let ratio = results.ratio(cell(place, what, connections, Who::Server), against, |sample| sample.per_second);
            let who = against.who;
            add(
                format!("{what} on {place} at {connections} connections, against {who}"),
                Bound::AtLeast,
                target,
                ratio,
                "x",
            );
        }
    }
    for connections in [64, 256] {
        let [edge, hello] = [(What::Status, Who::Server), (What::Hello, Who::Actix)]
            .map(|(what, who)| cell(Where::NoStore, what, connections, who));
        let ratio = results.ratio(edge, hello, |sample| sample.per_second);
        add(
            format!("the edge alone at {connections} connections, against hello-world"),
            Bound::AtLeast,
            0.55,
            ratio,
            "x",
        );
    }
    for place in [Where::Postgres, Where::Sqlite] {
        for what in [What::Authorize, What::Credit] {
            let ratio = results.within(cell(place, what, 64, Who::Server), |sample| sample.p99 / sample.p50);
            add(format!("p99 against p50, {what} on {place} at 64 connections"), Bound::AtMost, 4.0, ratio, "x");
        }
    }
    for place in [Where::Postgres, Where::Sqlite] {
        for what in [What::Authorize, What::Credit] {
            let [ours, theirs] = [Who::Server, Who::Handler].map(|who| cell(place, what, 1, who));
            let ratio = results.ratio(ours, theirs, |sample| sample.p50);
            add(format!("a lone caller's p50, {what} on {place}, against the handler"), Bound::AtMost, 1.2, ratio, "x");
        }
    }
    for place in [Where::Postgres, Where::Sqlite] {
        for connections in [1, 64] {
            let [long, short] =
                [Who::LongHistory, Who::ShortHistory].map(|who| cell(place, What::Authorize, connections, who));
            let ratio = results.ratio(long, short, |sample| sample.p50);
            let (what, bound) = match connections {
                1 => (format!("a lone caller's p50 on {place}, many events in the windows against 10"), Bound::AtMost),
                _ => (format!("p50 at 64 connections on {place}, many events against 10"), Bound::None),
            };
            add(what, bound, 1.2, ratio, "x");
        }
    }
    for place in [Where::Postgres, Where::Sqlite] {
        for what in [What::Authorize, What::Credit] {
            for connections in [64, 256] {
                let [full, empty] = [Who::FullBooks, Who::Server].map(|who| cell(place, what, connections, who));
                let ratio = results.ratio(full, empty, |sample| sample.per_second);
                let bound = if place == Where::Postgres { Bound::AtLeast } else { Bound::None };
                let what = format!("{what} on {place} with a past, against empty books, {connections} connections");
                add(what, bound, 0.8, ratio, "x");
            }
        }
    }
    for (place, kib) in &findings.memory {
        add(format!("the most resident memory, {place}"), Bound::AtMost, 100.0, Some(*kib as f64 / 1_024.0), "MiB");
    }
    for (place, milliseconds) in &findings.starts {
        add(format!("start to ready, {place}"), Bound::AtMost, 300.0, Some(*milliseconds), "ms");
    }
    lines
}

fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let named = |line: &&str| line.starts_with("model name");
    let model = cpus.lines().find(named).and_then(|line| line.split_once(": ")).map_or("unknown CPU", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{cores} cores of {model}, Linux {}, load average now {}",
        kernel.trim(),
        load.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
    )
}

//! The figures as tables that can be pasted into docs/performance.md.

use super::arguments::Arguments;
use super::cells::{Cell, Where};
use super::sample::Results;
use super::targets;

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
    println!("| what | must reach | reached | | by CPU time |");
    println!("|---|---|---|---|---|");
    for line in targets::lines(results, findings) {
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

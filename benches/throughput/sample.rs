//! What a run came to, and the medians over rounds.

use std::collections::BTreeMap;

use super::cells::Cell;
use super::load::Run;

/// One run of one cell.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub per_second: f64,
    /// Microseconds.
    pub p50: f64,
    pub p99: f64,
    /// Microseconds of CPU per request: server, database, load generator.
    pub cpu: [f64; 3],
}

impl Sample {
    pub fn of(run: &Run, cpu: [f64; 3]) -> Self {
        let mut sorted = run.latencies.clone();
        sorted.sort_unstable();
        Self {
            per_second: sorted.len() as f64 / run.took.as_secs_f64(),
            p50: percentile(&sorted, 0.50),
            p99: percentile(&sorted, 0.99),
            cpu,
        }
    }
}

/// Of what is sorted; 0 of nothing.
pub fn percentile(sorted: &[u32], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().map_or(0.0, f64::from)
}

/// Of nothing, not a number.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[odd / 2],
        even => (values[even / 2 - 1] + values[even / 2]) / 2.0,
    }
}

/// Every run so far, in the order of rounds.
#[derive(Debug, Default)]
pub struct Results(BTreeMap<Cell, Vec<Sample>>);

impl Results {
    pub fn add(&mut self, cell: Cell, sample: Sample) {
        self.0.entry(cell).or_default().push(sample);
    }

    pub fn cells(&self) -> impl Iterator<Item = Cell> {
        self.0.keys().copied()
    }

    pub fn median_of(&self, cell: Cell, value: impl Fn(&Sample) -> f64) -> f64 {
        median(self.0.get(&cell).into_iter().flatten().map(value).collect())
    }

    /// The median over the rounds of one cell against another of the same round. `None` where one was not run.
    pub fn ratio(&self, cell: Cell, against: Cell, ratio: impl Fn(&Sample, &Sample) -> f64) -> Option<f64> {
        let (ours, theirs) = (self.0.get(&cell)?, self.0.get(&against)?);
        Some(median(ours.iter().zip(theirs).map(|(ours, theirs)| ratio(ours, theirs)).collect()))
    }
}

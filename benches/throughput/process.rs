//! What the kernel knows of a process: CPU time and memory.

use std::fs;

use anyhow::Context;

/// Linux counts CPU time in hundredths of a second, whatever its own clock runs at.
const MICROS_PER_TICK: u64 = 10_000;

/// CPU time so far of each of the parties, microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu {
    pub server: u64,
    pub database: u64,
    pub generator: u64,
}

/// Which processes a run is charged to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parties {
    pub server: Option<u32>,
    pub postmaster: Option<u32>,
}

impl Parties {
    pub fn cpu(self) -> anyhow::Result<Cpu> {
        Ok(Cpu {
            server: self.server.map(alone).transpose()?.unwrap_or_default(),
            database: self.postmaster.map(with_children).transpose()?.unwrap_or_default(),
            generator: alone(std::process::id())?,
        })
    }
}

impl Cpu {
    /// Microseconds per request of each party, since `earlier`.
    pub fn per_request(self, earlier: Self, requests: usize) -> [f64; 3] {
        let each = |now: u64, then: u64| now.saturating_sub(then) as f64 / requests as f64;
        [
            each(self.server, earlier.server),
            each(self.database, earlier.database),
            each(self.generator, earlier.generator),
        ]
    }
}

/// CPU time of the children that this process has waited for, microseconds.
pub fn ended_children() -> anyhow::Result<u64> {
    Ok(Times::of(std::process::id())?.ended_children)
}

/// The most memory that a process has held, KiB.
pub fn peak_memory(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("no VmHWM")?;
    Ok(line.split_whitespace().nth(1).context("no number")?.parse()?)
}

fn alone(pid: u32) -> anyhow::Result<u64> {
    Ok(Times::of(pid)?.own)
}

/// A postmaster, the backends it has now, and those that have ended.
fn with_children(pid: u32) -> anyhow::Result<u64> {
    let times = Times::of(pid)?;
    let mut sum = times.own + times.ended_children;
    for entry in fs::read_dir("/proc")? {
        let Some(child) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // It may have ended meanwhile; then its parent has its time.
        if let Ok(times) = Times::of(child)
            && times.parent == pid
        {
            sum += times.own;
        }
    }
    Ok(sum)
}

/// From /proc/PID/stat; microseconds.
struct Times {
    parent: u32,
    own: u64,
    ended_children: u64,
}

impl Times {
    fn of(pid: u32) -> anyhow::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("no process {pid}"))?;
        // The name, in parentheses, may itself hold spaces and parentheses.
        let (_, rest) = text.rsplit_once(')').context("no name in stat")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |place: usize| -> anyhow::Result<u64> { Ok(fields.get(place).context("stat is short")?.parse()?) };
        Ok(Self {
            parent: u32::try_from(number(1)?)?,
            own: (number(11)? + number(12)?) * MICROS_PER_TICK,
            ended_children: (number(13)? + number(14)?) * MICROS_PER_TICK,
        })
    }
}

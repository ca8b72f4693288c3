//! How many durable answers a second, against one transaction per request. `scripts/bench` runs it; what it compares and
//! why that is fair is in docs/performance.md.
//!
//! One process drives the load and measures. The servers are processes of their own: the real `vna-partner serve`, and
//! the baselines, which are this program again in another role. Everything runs in turn, round after round.

mod arguments;
mod baseline;
mod bodies;
mod builds;
mod cells;
mod client;
mod contest;
mod edge;
mod history;
mod load;
mod measure;
mod pgbench;
mod postgres;
mod process;
mod report;
mod sample;
mod servers;
mod startup;
mod stored;
mod targets;
mod windows;

use clap::Parser;

use arguments::Arguments;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(role) = arguments.role {
        return actix_web::rt::System::new().block_on(baseline::serve(role, &arguments));
    }
    // One thread: a load generator that spreads over the cores takes them from the server.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::task::LocalSet::new().run_until(measure_all(&arguments)))
}

async fn measure_all(arguments: &Arguments) -> anyhow::Result<()> {
    match arguments.stored {
        Some(authorizations) => stored::run(arguments, authorizations).await,
        None if !arguments.build.is_empty() => builds::run(arguments).await,
        None => contest::run(arguments).await,
    }
}

//! The command line; everything it does is in the library.

// An optimised build lays out the future of every command in one, which nests deeper than the compiler's default.
#![recursion_limit = "256"]

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use mimalloc::MiMalloc;

use vna_partner::cli::{self, CommandLine};
use vna_partner::config::Environment;

/// What a call allocates is freed by another thread as a rule, which is dear with the system's (docs/adr/0015).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> anyhow::Result<ExitCode> {
    let command_line = CommandLine::parse();
    // One may wait for the disk.
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot start")?;
    Ok(runtime.block_on(cli::run(command_line, &Environment::of_process())))
}

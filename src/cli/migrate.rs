//! `migrate`: the database, made or brought up to date.

use super::failure::Failure;
use super::{desk, terminal};
use crate::clock::Clock;
use crate::config::Settings;

/// Create the database, or bring its tables up to date.
///
/// `serve` and `seed` do so by themselves; this is for those who want it done before.
#[derive(Debug, clap::Args)]
pub struct Migrate {}

pub async fn run(settings: &Settings, clock: Clock) -> Result<(), Failure> {
    let books = desk::open_books(settings, clock).await?;
    books.close().await;
    terminal::print_line(&format!("{} is up to date.", settings.database_url))
}

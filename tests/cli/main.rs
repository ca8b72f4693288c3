//! The command line as its users meet it: the real program, its output, its exit codes.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod program;

mod backups;
mod copying;
mod demo;
mod operators;
mod seeding;
mod serving;
mod signing;

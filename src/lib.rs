//! `vna-partner`: the server a partner of Leap Financial runs to own External Account Objects.
//!
//! Read the modules in this order; each uses only those before it:
//!
//! - [`domain`]: the nouns, plain data
//! - [`toml_text`]: reading TOML so that every mistake has its line
//! - [`rules`]: judgement, which remittances the limits allow
//! - [`config`]: the settings, read in one place
//! - [`decide`]: the verbs, pure functions from state and command to outcome and changes
//! - [`clock`]: where time and identifiers enter
//! - [`telemetry`]: the log, and the metrics' names
//! - [`store`]: load these keys, commit these changes; and what people read
//! - [`commit`]: the queue, the batch, the one commit
//! - [`peers`]: which other servers work on the database, and whether they decide alike
//! - [`copy`]: a database copied into another, and proven
//! - [`views`], [`explain`]: what people are shown, over the admin API and on the command line
//! - [`http`]: the signed edge, the admin API, the enrolment page
//! - [`startup`]: assembling all of it, and taking it apart in order
//! - [`cli`]: one file per command

pub mod cli;
pub mod clock;
pub mod commit;
pub mod config;
pub mod copy;
pub mod decide;
pub mod domain;
pub mod explain;
pub mod http;
pub mod peers;
pub mod rules;
pub mod startup;
pub mod store;
pub mod telemetry;
pub mod toml_text;
pub mod views;

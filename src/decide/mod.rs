//! The verbs, pure: given the loaded state, a command and the rule set, what to answer and what to write.

pub mod command;
pub mod outcome;
mod state;

pub use command::{Command, Request};
pub use outcome::Outcome;
pub use state::{Changes, Loaded, Wanted};

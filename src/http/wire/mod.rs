//! The contract's forms: request trees to commands, outcomes to answers. Requests and answers are known to `http` alone;
//! [`fields`] and [`person`] also read what the command line is given, seed files above all.
//!
//! A field that is wrong never stops the reading: the core judges all of them in the contract's order, and an operator
//! wants to see the rest of the request too.

pub(in crate::http) mod answers;
pub mod fields;
pub mod person;
pub(in crate::http) mod requests;

//! The contract's forms: request trees to commands, outcomes to answers. None of it is known outside `http`.
//!
//! A field that is wrong never stops the reading: the core judges all of them in the contract's order, and an operator
//! wants to see the rest of the request too.

pub mod answers;
pub mod fields;
pub mod person;
pub mod requests;

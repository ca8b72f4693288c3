//! `vna-partner`: the server a partner of Leap Financial runs to own External Account Objects.
//!
//! Read the modules in this order; each uses only those before it:
//!
//! - [`domain`]: the nouns, plain data
//! - [`rules`]: judgement, which remittances the limits allow
//! - [`decide`]: the verbs, pure functions from state and command to outcome and changes
//! - [`store`]: load these keys, commit these changes; and what people read
//! - [`commit`]: the queue, the batch, the one commit
//! - [`http`]: the signed edge, the admin API, the enrolment page
//! - [`cli`]: one file per command

pub mod clock;
pub mod commit;
pub mod decide;
pub mod domain;
pub mod rules;
pub mod store;

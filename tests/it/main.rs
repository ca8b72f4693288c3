//! The server over HTTP, as Leap and operators meet it. One binary, so that it is linked once.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod accounts;
mod admin_access;
mod admin_accounts;
mod admin_explain;
mod admin_journal;
mod admin_remittances;
mod authorizing;
mod concurrency;
mod concurrency_servers;
mod copying;
mod counting;
mod crediting;
mod crediting_mixed;
mod crediting_unreferenced;
mod edge_bodies;
mod edge_callers;
mod edge_enrolment;
mod edge_fields;
mod edge_idempotency;
mod edge_operations;
mod edge_routes;
mod edge_signature;
mod ledger;
mod limits;
mod openapi;
mod overload;
mod policy;
mod reversing;
mod rows_held;
mod seeds;
mod servers;
mod settling;
mod support;

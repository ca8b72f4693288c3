//! What every test over HTTP starts from: [`Server`], the callers [`Leap`] and [`Operator`], and bodies to send.
//!
//! Every exchange that a caller makes is held against `openapi/`, in both directions.

mod answer;
mod bodies;
mod browser;
mod database;
mod leap;
pub mod openapi;
mod operator;
mod server;

pub use answer::Answer;
pub use bodies::*;
pub use browser::Browser;
pub use database::Database;
pub use leap::{Leap, sign};
pub use operator::{Operator, account};
pub use server::{ADMIN_KEY, KEY, START, Server, Setup};

/// The account that [`Server::start`] opens for Ana, in MXN.
pub const ANA: &str = "4000000000001234";

/// A client that goes straight to the server and follows nothing.
pub fn http_client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

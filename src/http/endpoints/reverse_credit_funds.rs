//! ReverseCreditFunds: take one credit back in full.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::super::signature::SignedBody;
use super::super::wire::{answers, requests};
use super::super::{AppState, HttpError, unexpected};
use super::{Call, answer};
use crate::decide::{Command, Outcome};

/// The endpoint's name, which is its path.
pub const NAME: &str = "ReverseCreditFunds";

/// The same endpoint under its name of version 1.0.
pub const ALIAS: &str = "ReverseCredit";

pub async fn handle(state: Data<AppState>, request: HttpRequest, body: SignedBody) -> Result<HttpResponse, HttpError> {
    let call = Call::read(&state, &request, &body, NAME).await?;
    let command = Command::Reverse(requests::reverse(&call.document));
    match call.decide(&state, command).await? {
        Outcome::Reversal(outcome) => Ok(answer(answers::ReverseCreditFundsAnswer::new(&outcome))),
        _ => Err(unexpected()),
    }
}

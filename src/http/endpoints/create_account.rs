//! CreateAccount: open an account for a person, or find the one there is.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::super::signature::SignedBody;
use super::super::wire::{answers, requests};
use super::super::{AppState, HttpError, unexpected};
use super::{Call, answer};
use crate::decide::{Command, Outcome};

/// The endpoint's name, which is its path.
pub const NAME: &str = "CreateAccount";

pub async fn handle(state: Data<AppState>, request: HttpRequest, body: SignedBody) -> Result<HttpResponse, HttpError> {
    let call = Call::read(&state, &request, &body, NAME).await?;
    let command = Command::CreateAccount(requests::create_account(&call.document));
    match call.decide(&state, command).await? {
        Outcome::Account(outcome) => Ok(answer(answers::CreateAccountAnswer::new(&outcome))),
        _ => Err(unexpected()),
    }
}

//! TxAuthorization: may this amount go to this account?

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::super::signature::SignedBody;
use super::super::wire::{answers, requests};
use super::super::{AppState, HttpError, unexpected};
use super::{Call, answer};
use crate::decide::{Command, Outcome};

/// The endpoint's name, which is its path.
pub const NAME: &str = "TxAuthorization";

pub async fn handle(state: Data<AppState>, request: HttpRequest, body: SignedBody) -> Result<HttpResponse, HttpError> {
    let call = Call::read(&state, &request, &body, NAME).await?;
    let command = Command::Authorize(requests::authorize(&call.document));
    match call.decide(&state, command).await? {
        Outcome::Authorization(outcome) => {
            Ok(answer(answers::TxAuthorizationAnswer::new(&outcome, state.settings.policy.reasons)))
        }
        _ => Err(unexpected()),
    }
}

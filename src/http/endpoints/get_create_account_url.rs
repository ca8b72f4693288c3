//! GetCreateAccountUrl: a link on which the person enrols.
//!
//! The link's token is made of the call's own TrackingIdentifier and the key that verified it, and only its hash is
//! stored. So an `Idempotency-Key` can give the same link again, and a copy of the database opens nothing.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::super::signature::{KeyIndex, SignedBody, token_hash};
use super::super::wire::{answers::GetCreateAccountUrlAnswer, requests};
use super::super::{AppState, HttpError, enrolment, unexpected};
use super::{Call, answer};
use crate::clock;
use crate::decide::outcome::EnrolmentAnswer;
use crate::decide::{Command, Outcome};

/// The endpoint's name, which is its path.
pub const NAME: &str = "GetCreateAccountUrl";

pub async fn handle(state: Data<AppState>, request: HttpRequest, body: SignedBody) -> Result<HttpResponse, HttpError> {
    let call = Call::read(&state, &request, &body, NAME).await?;
    let tracking = clock::fresh_id();
    let token = state.signatures.enrolment_token(body.key(), tracking);
    let command = Command::OfferEnrolment(requests::offer_enrolment(&call.document, token_hash(&token)));
    let outcome = match state.submit(state.clock.receive_as(tracking, command, call.idempotency)).await? {
        Outcome::Enrolment(outcome) => outcome,
        _ => return Err(unexpected()),
    };
    let token = match outcome.success {
        false => None,
        true if outcome.tracking == tracking => Some(token),
        true => Some(first_token(&state, body.key(), &outcome).await?),
    };
    let url = token.map(|token| enrolment::link(&state.public_url, &token));
    Ok(answer(GetCreateAccountUrlAnswer::new(&outcome, url)))
}

/// The token of an earlier answer. Its call may have been signed with another key than the retry: it is the one whose
/// hash is stored.
async fn first_token(state: &AppState, retried_with: KeyIndex, first: &EnrolmentAnswer) -> Result<String, HttpError> {
    for key in state.signatures.key_indexes() {
        let token = state.signatures.enrolment_token(key, first.tracking);
        if state.reads.enrolment(&token_hash(&token)).await?.is_some() {
            return Ok(token);
        }
    }
    // Long forgotten, or signed with a key that is gone: a link that says so plainly when it is opened.
    Ok(state.signatures.enrolment_token(retried_with, first.tracking))
}

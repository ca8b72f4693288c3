//! Leap's six endpoints, one file each: read, decide, answer.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::json::Document;
use super::observe::note_tracking;
use super::signature::SignedBody;
use super::{AppState, HttpError, idempotency};
use crate::decide::command::IdempotencyClaim;
use crate::decide::{Command, Outcome};
use crate::domain::TrackingId;

pub mod create_account;
pub mod credit_funds;
pub mod get_create_account_url;
pub mod get_credit_status;
pub mod reverse_credit_funds;
pub mod tx_authorization;

/// A verified call to the endpoint `name`, read and claimed.
struct Call<'a> {
    request: &'a HttpRequest,
    document: Document<'a>,
    idempotency: Option<IdempotencyClaim>,
}

impl<'a> Call<'a> {
    /// An unreadable body is refused here, and the refusal kept for the call's `Idempotency-Key`.
    async fn read(
        state: &AppState,
        request: &'a HttpRequest,
        body: &'a SignedBody,
        name: &str,
    ) -> Result<Self, HttpError> {
        // An endpoint's path is its own even where an alias was called: a retry under the other name is a retry.
        let path = || state.endpoint_path(name);
        let idempotency = idempotency::claim(request.headers(), path, body.bytes())?;
        match body.document() {
            Ok(document) => Ok(Self { request, document, idempotency }),
            Err(unreadable) => Err(idempotency::keep(state, idempotency, unreadable.into()).await),
        }
    }

    /// Has the call's command decided.
    async fn decide(self, state: &AppState, command: Command) -> Result<Outcome, HttpError> {
        let outcome = state.submit(state.clock.receive(command, self.idempotency)).await?;
        if let Some(tracking) = tracking_of(&outcome) {
            note_tracking(self.request, tracking);
        }
        Ok(outcome)
    }
}

/// The TrackingIdentifier that is answered; of a retry, the first call's.
fn tracking_of(outcome: &Outcome) -> Option<TrackingId> {
    match outcome {
        Outcome::Authorization(answer) => Some(answer.tracking),
        Outcome::Credit(answer) => Some(answer.tracking),
        Outcome::Reversal(answer) => Some(answer.tracking),
        _ => None,
    }
}

/// A business answer, positive or negative.
fn answer(body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().json(body)
}

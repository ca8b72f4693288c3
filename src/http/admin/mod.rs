//! The admin API: what the partner's people see and do (docs/admin-api.md).
//!
//! Every handler takes an [`Operator`] first, so nothing is read, and no body parsed, without a key. Lists and records
//! come from the read pool as [`crate::views`]; what changes anything is an [`act`] that goes through the writer like
//! any other command and is recorded with who, when and why. One file per resource; `docs/admin-api.md` is for callers.

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::body::PlainBody;
use super::json::Object;
use super::{AppState, HttpError, idempotency, unexpected};
use crate::decide::command::{Action, Operation};
use crate::decide::outcome::{OperationAnswer, Refusal};
use crate::decide::{Command, Outcome};
use crate::domain::TrackingId;
use crate::store::{Listed, Page};
use crate::views::ListView;

pub use operator::Operator;

mod accounts;
mod ambiguous_credits;
mod authorizations;
mod credits;
mod decisions;
mod form;
mod operator;
mod parameters;
mod reversals;
mod rules;

/// Every path of the admin API.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/admin/accounts").get(accounts::list).post(accounts::open))
        .service(resource("/admin/accounts/{id}").get(accounts::show))
        .service(resource("/admin/accounts/{id}/block").post(accounts::block))
        .service(resource("/admin/accounts/{id}/unblock").post(accounts::unblock))
        .service(resource("/admin/accounts/{id}/close").post(accounts::close))
        .service(resource("/admin/accounts/{id}/tier").post(accounts::change_tier))
        .service(resource("/admin/accounts/{id}/debits").post(accounts::debit))
        .service(resource("/admin/accounts/{id}/statement").get(accounts::statement))
        .service(resource("/admin/accounts/{id}/changes").get(accounts::changes))
        .service(resource("/admin/authorizations").get(authorizations::list))
        .service(resource("/admin/authorizations/{id}").get(authorizations::show))
        .service(resource("/admin/authorizations/{id}/void").post(authorizations::void))
        .service(resource("/admin/credits").get(credits::list))
        .service(resource("/admin/credits/{id}").get(credits::show))
        .service(resource("/admin/credits/{id}/settle").post(credits::settle))
        .service(resource("/admin/reversals").get(reversals::list))
        .service(resource("/admin/ambiguous-credits").get(ambiguous_credits::list))
        .service(resource("/admin/ambiguous-credits/{id}/credit").post(ambiguous_credits::credit))
        .service(resource("/admin/decisions").get(decisions::list))
        .service(resource("/admin/decisions/{id}").get(decisions::show))
        .service(resource("/admin/rules").get(rules::show));
}

/// What an operator asks for, read from a body: the reason and the action.
struct Asked {
    why: String,
    action: Action,
}

/// Has an operator's action decided and made durable.
///
/// # Errors
/// 400 for a body that is not what the endpoint takes, 404 for a record that does not exist, and 409 under `conflict`
/// where its state forbids the action; all of them kept for the call's `Idempotency-Key`.
async fn act(
    state: &AppState,
    operator: Operator,
    request: &HttpRequest,
    body: &PlainBody,
    conflict: &'static str,
    read: impl FnOnce(&Object<'_>) -> Result<Asked, HttpError>,
) -> Result<OperationAnswer, HttpError> {
    let claim = idempotency::claim(request.headers(), || path_as_meant(request), body.bytes())?;
    let asked = match body.document().and_then(|document| read(&document.object)) {
        Ok(asked) => asked,
        Err(refusal) => return Err(idempotency::keep(state, claim, refusal).await),
    };
    let operation = Operation { who: operator.into_name(), why: asked.why, action: asked.action };
    match state.submit(state.clock.receive(Command::Operate(operation), claim)).await? {
        Outcome::Operation(OperationAnswer::Refused(refusal)) => Err(match refusal {
            Refusal::NotFound(why) => HttpError::not_found(why),
            Refusal::Conflict(why) => HttpError::conflict(conflict, why),
            Refusal::Invalid(why) => HttpError::invalid(why),
        }),
        Outcome::Operation(answer) => Ok(answer),
        _ => Err(unexpected()),
    }
}

/// The path of a call, whichever of its characters were encoded: an account's identifier is written so by one client and not by
/// another, and holds none that would make two paths one.
fn path_as_meant(request: &HttpRequest) -> String {
    // Of what no account's identifier holds, Postgres cannot store this.
    percent_decode_str(request.path()).decode_utf8_lossy().replace('\0', "\u{fffd}")
}

/// The identifier in a path; one that this server cannot have issued names nothing.
fn tracking_id(text: &str, what: &'static str) -> Result<TrackingId, HttpError> {
    TrackingId::parse(text).ok_or_else(|| no_such(what))
}

fn no_such(what: &'static str) -> HttpError {
    HttpError::not_found(format!("no such {what}"))
}

#[derive(Serialize)]
struct Success<T> {
    success: bool,
    data: T,
}

fn answer(data: impl Serialize) -> HttpResponse {
    success(StatusCode::OK, data)
}

fn created(data: impl Serialize) -> HttpResponse {
    success(StatusCode::CREATED, data)
}

/// No cache may keep it: that a key was asked for does not show in a header that caches know.
fn success(status: StatusCode, data: impl Serialize) -> HttpResponse {
    HttpResponse::build(status).insert_header((CACHE_CONTROL, "no-store")).json(Success { success: true, data })
}

fn list<View, Row>(listed: &Listed<Row>, page: Page) -> HttpResponse
where
    View: for<'a> From<&'a Row> + Serialize,
{
    answer(ListView::<View>::new(listed, page))
}

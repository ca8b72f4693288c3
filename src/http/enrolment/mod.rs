//! The page behind a GetCreateAccountUrl link: the person sees what Leap sent, confirms, and gets the account.
//!
//! The link is the secret: its token is opaque, stored only as a hash, good for 30 minutes and for one account. Opening
//! it changes nothing, so a mail scanner that follows links uses nothing up; only the form's POST does. There is no
//! script and nothing inline, and a page is neither cached, nor framed, nor named to other sites.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpResponse, ResponseError};
use askama::Template;
use serde::Deserialize;

use super::body::PlainBody;
use super::error::PageRefusal;
use super::signature::token_hash;
use super::{AppState, HttpError, unexpected};
use crate::decide::{Command, Outcome};
use crate::domain::{Currency, Enrolment};
use pages::{FormPage, MessagePage, OpenedPage};

mod pages;

/// Where the pages hang: at the server's root, as a person's browser has no part in the contract's base path.
pub const PAGE_PATH: &str = "/enrol/{token}";

/// Beside the pages, so that they name it without knowing under which path a proxy shows them.
pub const STYLE_PATH: &str = "/enrol/style.css";

const STYLE: &str = include_str!("../../../templates/enrolment/style.css");

/// Nothing but this server's own style sheet and form.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The address that is handed out for `token`.
pub fn link(public_url: &str, token: &str) -> String {
    format!("{public_url}/enrol/{token}")
}

/// What the form sends.
#[derive(Deserialize)]
struct Confirmation {
    currency: Option<String>,
}

/// Shows the form. The link stays as it is.
pub async fn show(state: Data<AppState>, token: Path<String>) -> HttpResponse {
    match find(&state, &token).await {
        Ok(Ok(enrolment)) => form(&state, &enrolment, StatusCode::OK, None),
        Ok(Err(refusal)) => dead_link(refusal),
        Err(error) => failure(&error),
    }
}

/// The person confirms.
pub async fn confirm(state: Data<AppState>, token: Path<String>, body: Result<PlainBody, HttpError>) -> HttpResponse {
    let enrolment = match find(&state, &token).await {
        Ok(Ok(enrolment)) => enrolment,
        Ok(Err(refusal)) => return dead_link(refusal),
        Err(error) => return failure(&error),
    };
    let chosen = match body {
        Ok(body) => chosen_currency(&body),
        Err(error) => return failure(&error),
    };
    let currency = state.settings.policy.currency_of_enrolments().or(chosen);
    if currency.is_none() {
        return form(
            &state,
            &enrolment,
            PageRefusal::NoCurrencyChosen.status_code(),
            Some("Please choose a currency."),
        );
    }
    let command = Command::Enrol { token_hash: enrolment.token_hash, currency };
    match state.submit(state.clock.receive(command, None)).await {
        Ok(Outcome::Account(answer)) => match &answer.account {
            Some(account) if answer.success => page(
                StatusCode::OK,
                &OpenedPage { account: account.as_str(), display_name: answer.display_name.as_deref().unwrap_or("") },
            ),
            _ => page(PageRefusal::NotOpened.status_code(), &MessagePage::refused(&answer.description)),
        },
        Ok(_) => failure(&unexpected()),
        Err(error) => failure(&error),
    }
}

/// The style sheet.
pub async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(STYLE)
}

async fn find(state: &AppState, token: &str) -> Result<Result<Enrolment, PageRefusal>, HttpError> {
    let Some(enrolment) = state.reads.enrolment(&token_hash(token)).await? else {
        return Ok(Err(PageRefusal::UnknownLink));
    };
    Ok(if enrolment.account.is_some() {
        Err(PageRefusal::UsedLink)
    } else if state.clock.now() >= enrolment.expires_at {
        Err(PageRefusal::ExpiredLink)
    } else {
        Ok(enrolment)
    })
}

/// A form body has the syntax of a query. What is not a currency is as if nothing was chosen.
fn chosen_currency(body: &PlainBody) -> Option<Currency> {
    let text = std::str::from_utf8(body.bytes()).ok()?;
    Query::<Confirmation>::from_query(text).ok()?.into_inner().currency?.parse().ok()
}

fn form(state: &AppState, enrolment: &Enrolment, status: StatusCode, problem: Option<&str>) -> HttpResponse {
    page(status, &FormPage::new(enrolment, &state.settings.policy, problem))
}

fn dead_link(refusal: PageRefusal) -> HttpResponse {
    let message = match refusal {
        PageRefusal::UsedLink => MessagePage::used(),
        PageRefusal::ExpiredLink => MessagePage::expired(),
        PageRefusal::UnknownLink | PageRefusal::NoCurrencyChosen | PageRefusal::NotOpened => MessagePage::unknown(),
    };
    page(refusal.status_code(), &message)
}

fn failure(error: &HttpError) -> HttpResponse {
    let mut answer = page(error.status_code(), &MessagePage::failure());
    if let Some(seconds) = error.error_response().headers().get(header::RETRY_AFTER) {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds.clone());
    }
    answer
}

fn page(status: StatusCode, template: &impl Template) -> HttpResponse {
    let text = match template.render() {
        Ok(text) => text,
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            return HttpError::Internal.error_response();
        }
    };
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")))
        .body(text)
}

//! What a caller is told when there is no business answer: the only file with the status codes of errors.
//!
//! Every error has two texts. The one here is for the caller and repeats nothing that was sent or stored; the one for
//! operators is logged where the error is turned into this one.

use std::borrow::Cow;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use super::json::Unreadable;
use crate::commit::SubmitError;
use crate::decide::command::EdgeAnswer;
use crate::store::StoreError;

/// A call that gets no business answer (contract, decision 2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    #[error("{0}")]
    InvalidRequest(Cow<'static, str>),
    #[error("the body {0}")]
    Unreadable(#[from] Unreadable),
    /// The text says what is wrong with the signature's form, or that it is not the body's.
    #[error("{0}")]
    InvalidSignature(&'static str),
    #[error("X-API-Key is missing")]
    NoApiKey,
    #[error("X-API-Key is not a key of this server")]
    InvalidApiKey,
    #[error("{0}")]
    NotFound(Cow<'static, str>),
    #[error("this path does not take that method")]
    MethodNotAllowed,
    #[error("the body did not arrive in time")]
    BodyTooSlow,
    /// The state of a record forbids it; the code says of which kind.
    #[error("{message}")]
    Conflict { code: &'static str, message: Cow<'static, str> },
    #[error("this Idempotency-Key was used with another body; nothing was written")]
    IdempotencyKeyReused,
    /// The limit in bytes.
    #[error("the body is larger than {0} bytes")]
    BodyTooLarge(usize),
    #[error("the body has a Content-Encoding; send it as it is")]
    EncodedBody,
    /// The first answer to an `Idempotency-Key`, given again.
    #[error("{}", .0.message)]
    Kept(EdgeAnswer),
    #[error("the server failed; whether anything was written is not known")]
    Internal,
    /// Nothing was written, or nothing is known: worth a retry.
    #[error("{0}")]
    Unavailable(&'static str),
}

/// Why an enrolment page shows no form, or no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageRefusal {
    UnknownLink,
    UsedLink,
    ExpiredLink,
    NoCurrencyChosen,
    NotOpened,
}

impl PageRefusal {
    pub fn status_code(self) -> StatusCode {
        match self {
            Self::UnknownLink => StatusCode::NOT_FOUND,
            Self::UsedLink | Self::ExpiredLink => StatusCode::GONE,
            Self::NoCurrencyChosen => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotOpened => StatusCode::CONFLICT,
        }
    }
}

/// Seconds after which a retry is worth it: a full queue is empty by then.
const RETRY_AFTER_SECONDS: &str = "1";

impl HttpError {
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::InvalidRequest(message.into())
    }

    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::NotFound(message.into())
    }

    pub fn conflict(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Conflict { code, message: message.into() }
    }

    fn status_and_code(&self) -> (StatusCode, &str) {
        match self {
            Self::InvalidRequest(_) | Self::Unreadable(_) => (StatusCode::BAD_REQUEST, "INVALID_REQUEST"),
            Self::InvalidSignature(_) | Self::NoApiKey => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            Self::InvalidApiKey => (StatusCode::UNAUTHORIZED, "INVALID_API_KEY"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED"),
            Self::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT"),
            Self::Conflict { code, .. } => (StatusCode::CONFLICT, code),
            Self::IdempotencyKeyReused => (StatusCode::CONFLICT, "IDEMPOTENCY_KEY_REUSED"),
            Self::BodyTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE"),
            Self::EncodedBody => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE"),
            Self::Kept(answer) => {
                (StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &answer.code)
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE"),
        }
    }

    /// This answer in the form in which it is kept for an `Idempotency-Key`; `None`: 401s and 5xx are not kept
    /// (decision 6), and a reused key has an answer already.
    pub fn to_keep(&self) -> Option<EdgeAnswer> {
        let (status, code) = self.status_and_code();
        let kept =
            status.is_client_error() && status != StatusCode::UNAUTHORIZED && *self != Self::IdempotencyKeyReused;
        kept.then(|| EdgeAnswer { status: status.as_u16(), code: code.to_owned(), message: self.to_string() })
    }
}

impl From<SubmitError> for HttpError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Overloaded => Self::Unavailable("too many calls are waiting; nothing was written"),
            SubmitError::Stopping => Self::Unavailable("the server is stopping; nothing was written"),
            SubmitError::Unavailable => Self::Unavailable("the store does not answer"),
            SubmitError::Held => Self::Unavailable("somebody else holds what this call needs; nothing was written"),
            SubmitError::Failed => Self::Internal,
        }
    }
}

impl From<StoreError> for HttpError {
    /// Logs the store's own text, which a caller never sees.
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "reading the store failed");
        match error {
            StoreError::Unavailable(_)
            | StoreError::Held(_)
            | StoreError::Overtaken(_)
            | StoreError::Outdated(_)
            | StoreError::NeedsLocks(_) => Self::Unavailable("the store does not answer"),
            StoreError::Conflict(_) | StoreError::Corrupt(_) => Self::Internal,
        }
    }
}

/// actix answers a wrong method by itself, with `Allow` and an empty body: this gives it the one form of errors.
pub fn in_error_form(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let mut answer = HttpError::MethodNotAllowed.error_response();
    if let Some(allow) = response.headers().get(ALLOW) {
        answer.headers_mut().insert(ALLOW, allow.clone());
    }
    response.into_response(answer)
}

#[derive(Serialize)]
struct Body<'a> {
    success: bool,
    error: Detail<'a>,
}

#[derive(Serialize)]
struct Detail<'a> {
    code: &'a str,
    message: &'a str,
}

impl ResponseError for HttpError {
    fn status_code(&self) -> StatusCode {
        self.status_and_code().0
    }

    fn error_response(&self) -> HttpResponse {
        let (status, code) = self.status_and_code();
        let mut answer = HttpResponse::build(status);
        if matches!(self, Self::Unavailable(_)) {
            answer.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS));
        }
        answer.json(Body { success: false, error: Detail { code, message: &self.to_string() } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;

    #[actix_web::test]
    async fn an_error_has_one_form_and_a_503_says_when_to_come_again() {
        let answer = HttpError::from(SubmitError::Overloaded).error_response();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers().get(RETRY_AFTER).unwrap(), "1");
        let body = to_bytes(answer.into_body()).await.unwrap();
        let expected = r#"{"success":false,"error":{"code":"SERVICE_UNAVAILABLE","message":"too many calls are waiting; nothing was written"}}"#;
        assert_eq!(body, expected);
    }

    #[test]
    fn only_an_answer_that_would_be_the_same_again_is_kept() {
        assert_eq!(HttpError::invalid("x").to_keep().map(|answer| answer.status), Some(400));
        for error in [
            HttpError::InvalidSignature("x"),
            HttpError::Internal,
            HttpError::Unavailable("x"),
            HttpError::IdempotencyKeyReused,
        ] {
            assert_eq!(error.to_keep(), None, "{error}");
        }
    }
}

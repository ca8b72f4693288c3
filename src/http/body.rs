//! How a body is read: bounded in size and in time, and as it was sent.
//!
//! Signed endpoints take a [`SignedBody`](super::signature::SignedBody) and nothing else; [`PlainBody`] is for the
//! admin API, which has its own key, and for the enrolment page, whose link is the secret.

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;

use super::AppState;
use super::error::HttpError;
use super::json::{self, Document};
use crate::config::HttpSettings;

/// A body that nobody vouches for.
pub struct PlainBody(Bytes);

impl PlainBody {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads it as strictly as a signed one.
    ///
    /// # Errors
    /// A 400 that says what is wrong with the body.
    pub fn document(&self) -> Result<Document<'_>, HttpError> {
        Ok(json::read(&self.0)?)
    }
}

impl FromRequest for PlainBody {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move { read(&request, payload, &state(&request)?.settings.http).await.map(Self) })
    }
}

/// The server's state, which every app has.
pub(super) fn state(request: &HttpRequest) -> Result<&Data<AppState>, HttpError> {
    request.app_data::<Data<AppState>>().ok_or(HttpError::Internal)
}

/// Reads a body to its end.
///
/// # Errors
/// 415 for a Content-Encoding, 413 for a body that is larger than the settings allow (known from its head where that
/// tells), 408 for one that is too slow, 400 for one that breaks off.
pub(super) async fn read(request: &HttpRequest, payload: Payload, limits: &HttpSettings) -> Result<Bytes, HttpError> {
    refuse_encodings(request.headers())?;
    let too_large = HttpError::BodyTooLarge(limits.max_body_bytes);
    if announced_length(request.headers()).is_some_and(|length| length > limits.max_body_bytes as u64) {
        return Err(too_large);
    }
    // actix bounds the time of a request's head alone: without this, a body that never ends holds its connection.
    match tokio::time::timeout(limits.body_timeout.to_std(), collect(payload, limits.max_body_bytes)).await {
        Ok(Ok(Some(body))) => Ok(body),
        Ok(Ok(None)) => Err(too_large),
        Ok(Err(_)) => Err(HttpError::invalid("the body broke off before its end")),
        Err(_) => Err(HttpError::BodyTooSlow),
    }
}

/// The signature covers the bytes as they are sent, and unpacking them would undo the size limit.
fn refuse_encodings(headers: &HeaderMap) -> Result<(), HttpError> {
    let plain = |value: &[u8]| value.is_empty() || value.eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).all(|value| plain(value.as_bytes().trim_ascii())) {
        Ok(())
    } else {
        Err(HttpError::EncodedBody)
    }
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// `None` where there is more than `limit`. A body that comes in one piece is not copied.
async fn collect(mut payload: Payload, limit: usize) -> Result<Option<Bytes>, actix_web::error::PayloadError> {
    let Some(first) = payload.next().await.transpose()? else { return Ok(Some(Bytes::new())) };
    if first.len() > limit {
        return Ok(None);
    }
    let Some(second) = payload.next().await.transpose()? else { return Ok(Some(first)) };
    let mut whole = BytesMut::from(first);
    let mut piece = second;
    loop {
        if whole.len() + piece.len() > limit {
            return Ok(None);
        }
        whole.extend_from_slice(&piece);
        match payload.next().await.transpose()? {
            Some(next) => piece = next,
            None => return Ok(Some(whole.freeze())),
        }
    }
}

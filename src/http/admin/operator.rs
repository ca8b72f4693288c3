//! Who is asking: the only way to an admin handler.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use actix_web::{FromRequest, HttpRequest};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::config::AdminKey;
use crate::http::HttpError;
use crate::http::body::state;

/// The header's name.
const HEADER: &str = "X-API-Key";

/// Somebody with a key of this server, named as their key is.
#[derive(Debug)]
pub struct Operator(String);

impl Operator {
    /// The "who" of every record.
    pub fn into_name(self) -> String {
        self.0
    }
}

impl FromRequest for Operator {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(state(request).and_then(|state| recognise(&state.settings.admin_keys, request.headers())))
    }
}

/// The operator whose key was sent.
///
/// # Errors
/// 404 where the admin API is off, 401 without a key, with several, or with one that is not this server's.
fn recognise(keys: &[AdminKey], headers: &HeaderMap) -> Result<Operator, HttpError> {
    if keys.is_empty() {
        return Err(HttpError::not_found("the admin API is off: no VNA_ADMIN_KEYS are set"));
    }
    let mut sent = headers.get_all(HEADER);
    let key = match (sent.next(), sent.next()) {
        (None, _) => return Err(HttpError::NoApiKey),
        (Some(key), None) => Sha256::digest(key.as_bytes()),
        (Some(_), Some(_)) => return Err(HttpError::InvalidApiKey),
    };
    // Every key is compared, and every byte of it, whichever fits: the time tells nothing.
    let mut found = None;
    for known in keys {
        if same(&Sha256::digest(known.key.expose_secret().as_bytes()), &key) {
            found = Some(Operator(known.name.clone()));
        }
    }
    found.ok_or(HttpError::InvalidApiKey)
}

fn same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |seen, (one, other)| seen | (one ^ other));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn keys() -> Vec<AdminKey> {
        [("ops", "key-of-ops-0123456789"), ("risk", "key-of-risk-0123456789")]
            .map(|(name, key)| AdminKey { name: name.to_owned(), key: key.into() })
            .into()
    }

    fn asking(keys: &[AdminKey], sent: &[&[u8]]) -> Result<String, HttpError> {
        let mut headers = HeaderMap::new();
        for key in sent {
            headers.append(HeaderName::from_static("x-api-key"), HeaderValue::from_bytes(key).unwrap());
        }
        recognise(keys, &headers).map(Operator::into_name)
    }

    #[test]
    fn every_key_has_its_name() {
        assert_eq!(asking(&keys(), &[b"key-of-ops-0123456789"]), Ok("ops".to_owned()));
        assert_eq!(asking(&keys(), &[b"key-of-risk-0123456789"]), Ok("risk".to_owned()));
    }

    #[test]
    fn no_key_or_another_key_is_nobody() {
        assert_eq!(asking(&keys(), &[]), Err(HttpError::NoApiKey));
        let wrong: [&[&[u8]]; 5] =
            [&[b""], &[b"ops"], &[b"key-of-ops-012345678"], &[b"KEY-OF-OPS-0123456789"], &[&[0xff]]];
        for sent in wrong {
            assert_eq!(asking(&keys(), sent), Err(HttpError::InvalidApiKey));
        }
        let twice: [&[u8]; 2] = [b"key-of-ops-0123456789"; 2];
        assert_eq!(asking(&keys(), &twice), Err(HttpError::InvalidApiKey));
    }

    #[test]
    fn without_keys_there_is_no_admin_api() {
        for sent in [&[][..], &[&b""[..]]] {
            assert!(matches!(asking(&[], sent), Err(HttpError::NotFound(_))));
        }
    }
}

//! `Idempotency-Key`: the same bytes under the same key get the same answer (decision 6).
//!
//! A claim travels with its command and is judged in the core, in the same transaction. What the edge refuses by itself
//! is kept as well, so that a retry hears the same even where the edge has learnt more since.

use actix_web::http::header::HeaderMap;

use super::AppState;
use super::error::HttpError;
use crate::decide::Command;
use crate::decide::command::IdempotencyClaim;

/// The header's name.
pub const HEADER: &str = "Idempotency-Key";

/// The claim that the request makes, if it makes one. `path` is the full path, an alias replaced.
///
/// # Errors
/// A 400 for a header that is no key, or for several.
pub fn claim(
    headers: &HeaderMap,
    path: impl FnOnce() -> String,
    body: &[u8],
) -> Result<Option<IdempotencyClaim>, HttpError> {
    let mut all = headers.get_all(HEADER);
    let Some(only) = all.next() else { return Ok(None) };
    match only.to_str() {
        Ok(key) if IdempotencyClaim::is_key(key) && all.next().is_none() => {
            Ok(Some(IdempotencyClaim::new(path(), key.to_owned(), body)))
        }
        _ => Err(HttpError::invalid(format!("Idempotency-Key must be one header of {}", IdempotencyClaim::KEY_RULE))),
    }
}

/// The answer to a call that the edge refuses by itself: the first answer under its key, or a 409 where the key was
/// used with another body. Without a key, and for refusals that are not kept, it is `refusal`.
pub async fn keep(state: &AppState, claim: Option<IdempotencyClaim>, refusal: HttpError) -> HttpError {
    let (Some(claim), Some(answer)) = (claim, refusal.to_keep()) else { return refusal };
    match state.submit(state.clock.receive(Command::Remember(answer), Some(claim))).await {
        Ok(_) => super::unexpected(),
        Err(first) => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn claimed(values: &[&[u8]]) -> Result<Option<IdempotencyClaim>, HttpError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HeaderName::from_static("idempotency-key"), HeaderValue::from_bytes(value).unwrap());
        }
        claim(&headers, || "/v1/CreditFunds".to_owned(), b"{}")
    }

    #[test]
    fn a_key_is_claimed_with_the_hash_of_the_body() {
        let claim = claimed(&[b"3f0a-retry"]).unwrap().unwrap();
        assert_eq!((claim.path.as_str(), claim.key.as_str()), ("/v1/CreditFunds", "3f0a-retry"));
        assert_eq!(claim.body_hash, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    }

    #[test]
    fn one_header_of_visible_ascii_is_a_key_and_none_is_none() {
        assert_eq!(claimed(&[]), Ok(None));
        assert!(claimed(&[&[b'a'; 255]]).is_ok());
        let wrong: [&[&[u8]]; 6] = [&[b""], &[&[b'a'; 256]], &[b"a b"], &[b"a\tb"], &["é".as_bytes()], &[b"a", b"a"]];
        for values in wrong {
            assert!(matches!(claimed(values), Err(HttpError::InvalidRequest(_))), "{values:?}");
        }
    }
}

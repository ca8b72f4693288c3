//! The calls and the answers as structs, and the signature over the bytes.

use actix_web::HttpRequest;
use actix_web::error::{ErrorBadRequest, ErrorInternalServerError, ErrorUnauthorized};
use actix_web::web::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::Sha256;

use crate::bodies::KEY;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "a handler parses what its contract names, and stores the body")]
pub struct TxAuthorization {
    pub sender_personal_data: PersonalData,
    pub receiver_personal_data: PersonalData,
    pub account_identifier: String,
    pub amount: Box<RawValue>,
    pub currency: String,
    pub exchange_rate: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "a handler parses what its contract names, and stores the body")]
pub struct PersonalData {
    pub phone_number: String,
    pub first_name: String,
    pub last_name: String,
    pub gender: String,
    pub birth_date: chrono::NaiveDate,
    pub address: Address,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "a handler parses what its contract names, and stores the body")]
pub struct Address {
    pub address1: String,
    pub zip_code: String,
    pub city: String,
    pub country_code: String,
    pub state_code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreditFunds {
    pub account_identifier: String,
    pub auth_tracking_identifier: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Authorized {
    pub authorized: bool,
    pub tracking_identifier: String,
    pub account_identifier: String,
    pub display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub non_authorized_reason: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Credited {
    pub success: bool,
    pub tracking_identifier: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub non_credit_reason: Option<&'static str>,
}

/// Verifies the signature over the bytes, then parses them; the call and its text.
pub fn verified<'a, T: DeserializeOwned>(request: &HttpRequest, body: &'a Bytes) -> actix_web::Result<(T, &'a str)> {
    let signature = request.headers().get("X-Signature").ok_or_else(|| ErrorUnauthorized("no signature"))?;
    let signature = hex::decode(signature.as_bytes()).map_err(ErrorUnauthorized)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).map_err(ErrorInternalServerError)?;
    mac.update(body);
    mac.verify_slice(&signature).map_err(ErrorUnauthorized)?;
    let text = std::str::from_utf8(body).map_err(ErrorBadRequest)?;
    Ok((serde_json::from_str(text).map_err(ErrorBadRequest)?, text))
}

pub fn internal(error: impl std::fmt::Display) -> actix_web::Error {
    ErrorInternalServerError(error.to_string())
}

//! The calls as bytes, signed ahead of time, so that a run only sends them.

use serde_json::{Value, json};
use vna_partner::http::signature::sign;

pub const KEY: &str = "a-signing-key-for-benchmarks";

/// The identifier of the `index`th account.
pub fn account(index: usize) -> String {
    (4_000_000_000_000_000 + index).to_string()
}

/// One TxAuthorization for each account, of 120.50 MXN.
pub fn authorizations(accounts: usize) -> Vec<Vec<u8>> {
    (0..accounts).map(|index| request("/TxAuthorization", &authorization(index))).collect()
}

/// The CreditFunds of an authorization, with nothing but what the contract asks for.
pub fn credit(account: &str, authorization: &str) -> Vec<u8> {
    let body = format!(r#"{{"AccountIdentifier":"{account}","AuthTrackingIdentifier":"{authorization}"}}"#);
    request("/CreditFunds", &body)
}

/// A GetCreditStatus that the edge answers by itself, because no store could know a number of this form. It has
/// everything that a TxAuthorization has beside: unknown properties are ignored, but they are signed and parsed.
pub fn status_as_long_as_an_authorization() -> Vec<u8> {
    let body = authorization(0);
    let body = format!(r#"{{"CreditTrackingNumber":"no-number",{}"#, body.trim_start_matches('{'));
    request("/GetCreditStatus", &body)
}

/// What a hello-world answers.
pub fn hello() -> Vec<u8> {
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_vec()
}

/// The seed file of all accounts.
pub fn seed(accounts: usize) -> Value {
    let rows: Vec<Value> = (0..accounts)
        .map(|index| json!({"AccountIdentifier": account(index), "Currency": "MXN", "PersonalData": receiver(index)}))
        .collect();
    json!({ "accounts": rows })
}

fn authorization(index: usize) -> String {
    format!(
        r#"{{"SenderPersonalData":{},"ReceiverPersonalData":{},"AccountIdentifier":"{}","Amount":120.50,"Currency":"MXN","ExchangeRate":17.25}}"#,
        sender(index),
        receiver(index),
        account(index)
    )
}

fn sender(index: usize) -> Value {
    json!({"PhoneNumber": format!("+1312555{:04}", index % 10_000), "FirstName": "Luis", "LastName": "Ortega",
        "Gender": "Male", "BirthDate": "1984-07-30", "Address": {"Address1": "1200 W Fulton Market",
        "ZipCode": "60607", "City": "Chicago", "CountryCode": "US", "StateCode": "IL"}})
}

fn receiver(index: usize) -> Value {
    json!({"PhoneNumber": format!("+5255{:08}", 40_000_000 + index), "FirstName": "Ana", "LastName": "López",
        "Gender": "Female", "BirthDate": "1990-01-31", "Address": {"Address1": "Calle Durango 12",
        "ZipCode": "06700", "City": "Ciudad de México", "CountryCode": "MX", "StateCode": "CMX"}})
}

fn request(path: &str, body: &str) -> Vec<u8> {
    let signature = sign(KEY.as_bytes(), body.as_bytes());
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-Signature: {signature}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

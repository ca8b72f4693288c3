//! What came back, and the claims that tests make about it most.

use std::ops::Index;

use reqwest::header::HeaderMap;
use serde_json::Value;

/// One answer of the server.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// Null where the body is no JSON.
    pub json: Value,
}

impl Answer {
    pub async fn read(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap();
        Self::new(status, headers, text)
    }

    pub fn new(status: u16, headers: HeaderMap, text: String) -> Self {
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, text, json }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A member's text; panics where it is none.
    #[track_caller]
    pub fn text_of(&self, member: &str) -> &str {
        self[member].as_str().unwrap_or_else(|| panic!("{member} is no text in {}", self.text))
    }

    /// The `TrackingIdentifier`.
    #[track_caller]
    pub fn tracking(&self) -> String {
        self.text_of("TrackingIdentifier").to_owned()
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.expect_status(200)
    }

    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// TxAuthorization said yes; the TrackingIdentifier.
    #[track_caller]
    pub fn authorized(self) -> String {
        let answer = self.ok();
        assert_eq!(answer["Authorized"], true, "{}", answer.text);
        answer.tracking()
    }

    /// TxAuthorization said no for this reason; the TrackingIdentifier.
    #[track_caller]
    pub fn not_authorized(self, reason: &str) -> String {
        let answer = self.ok();
        assert_eq!(answer["Authorized"], false, "{}", answer.text);
        assert_eq!(answer["NonAuthorizedReason"], reason, "{}", answer.text);
        answer.tracking()
    }

    /// CreditFunds, ReverseCreditFunds, CreateAccount or GetCreateAccountUrl said yes.
    #[track_caller]
    pub fn success(self) -> Self {
        let answer = self.ok();
        assert_eq!(answer["Success"], true, "{}", answer.text);
        answer
    }

    /// ReverseCreditFunds, CreateAccount or GetCreateAccountUrl said no, and why.
    #[track_caller]
    pub fn failure(self) -> Self {
        let answer = self.ok();
        assert_eq!(answer["Success"], false, "{}", answer.text);
        assert!(!answer.text_of("ResponseDescription").is_empty(), "{}", answer.text);
        answer
    }

    /// CreditFunds or ReverseCreditFunds said yes; the TrackingIdentifier.
    #[track_caller]
    pub fn done(self) -> String {
        self.success().tracking()
    }

    /// CreditFunds said no for this reason; the TrackingIdentifier.
    #[track_caller]
    pub fn not_credited(self, reason: &str) -> String {
        let answer = self.failure();
        assert_eq!(answer["NonCreditReason"], reason, "{}", answer.text);
        answer.tracking()
    }

    /// An HTTP error in the one form, with this status and code.
    #[track_caller]
    pub fn error(self, status: u16, code: &str) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self["success"], false, "{}", self.text);
        assert_eq!(self["error"]["code"], code, "{}", self.text);
        self
    }

    /// What the admin API answered with: `data`.
    #[track_caller]
    pub fn data(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text);
        assert_eq!(self["success"], true, "{}", self.text);
        self.json["data"].clone()
    }
}

impl Index<&str> for Answer {
    type Output = Value;

    fn index(&self, member: &str) -> &Value {
        &self.json[member]
    }
}

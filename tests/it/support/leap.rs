//! Leap: calls that are signed, sent, and held against the contract.

use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;

use super::answer::Answer;
use super::bodies::Body;
use super::openapi::{Exchange, VNA};

/// Signs with one key and calls one server.
#[derive(Clone)]
pub struct Leap {
    http: reqwest::Client,
    /// With the base path, without a trailing slash.
    url: String,
    key: String,
}

impl Leap {
    pub fn new(url: String, key: &str) -> Self {
        Self { http: super::http_client(), url, key: key.to_owned() }
    }

    /// The same, signing with another key.
    pub fn signing_with(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    pub async fn authorize(&self, body: Body) -> Answer {
        self.call("/TxAuthorization").body(body).send().await
    }

    pub async fn credit(&self, body: Body) -> Answer {
        self.call("/CreditFunds").body(body).send().await
    }

    pub async fn reverse(&self, body: Body) -> Answer {
        self.call("/ReverseCreditFunds").body(body).send().await
    }

    pub async fn status(&self, body: Body) -> Answer {
        self.call("/GetCreditStatus").body(body).send().await
    }

    pub async fn create_account(&self, body: Body) -> Answer {
        self.call("/CreateAccount").body(body).send().await
    }

    pub async fn enrolment_url(&self, body: Body) -> Answer {
        self.call("/GetCreateAccountUrl").body(body).send().await
    }

    /// A call to be shaped by hand: `{}` and the right signature until it is told otherwise.
    pub fn call(&self, path: &str) -> Call {
        Call {
            leap: self.clone(),
            method: reqwest::Method::POST,
            path: path.to_owned(),
            body: b"{}".to_vec(),
            signatures: None,
            headers: HeaderMap::new(),
            off_contract: false,
        }
    }
}

/// One call that is not sent yet.
pub struct Call {
    leap: Leap,
    method: reqwest::Method,
    path: String,
    body: Vec<u8>,
    /// `None`: the right one.
    signatures: Option<Vec<String>>,
    headers: HeaderMap,
    off_contract: bool,
}

impl Call {
    pub fn method(mut self, method: reqwest::Method) -> Self {
        self.method = method;
        self
    }

    pub fn body(self, body: Body) -> Self {
        self.bytes(body.text())
    }

    /// Exactly these bytes, signed as they are.
    pub fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// One more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
        self
    }

    pub fn idempotency_key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// These X-Signature headers and no other; none at all where the list is empty.
    pub fn signatures(mut self, signatures: &[&str]) -> Self {
        self.signatures = Some(signatures.iter().map(|&signature| signature.to_owned()).collect());
        self
    }

    /// The test means the request to be one that the contract does not describe.
    pub fn off_contract(mut self) -> Self {
        self.off_contract = true;
        self
    }

    pub async fn send(self) -> Answer {
        let mut headers = self.headers;
        if !headers.contains_key("content-type") {
            headers.insert("content-type", HeaderValue::from_static("application/json"));
        }
        for signature in self.signatures.unwrap_or_else(|| vec![sign(&self.leap.key, &self.body)]) {
            headers.append("x-signature", HeaderValue::try_from(signature).unwrap());
        }
        let url = format!("{}{}", self.leap.url, self.path);
        let request = self.leap.http.request(self.method.clone(), url).headers(headers.clone()).body(self.body.clone());
        let answer = Answer::read(request.send().await.unwrap()).await;
        VNA.hold(&Exchange {
            method: self.method.as_str(),
            path: &self.path,
            request: &self.body,
            request_headers: &headers,
            off_contract: self.off_contract,
            status: answer.status,
            headers: &answer.headers,
            body: answer.text.as_bytes(),
        });
        answer
    }
}

/// The X-Signature of these bytes, lower case.
pub fn sign(key: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

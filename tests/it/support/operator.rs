//! An operator of the partner: calls of the admin API, held against its contract.

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use vna_partner::clock::fresh_id;

use super::answer::Answer;
use super::bodies::{Person, ana};
use super::openapi::{ADMIN, Exchange};

/// Calls one server's admin API with one key.
#[derive(Clone)]
pub struct Operator {
    http: reqwest::Client,
    /// The server's root: the admin API is not under the base path.
    url: String,
    key: String,
}

impl Operator {
    pub fn new(url: String, key: &str) -> Self {
        Self { http: super::http_client(), url, key: key.to_owned() }
    }

    /// The same with another key.
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request(Method::POST, path).body(&body).send().await
    }

    pub fn request(&self, method: Method, path: &str) -> AdminCall {
        AdminCall {
            operator: self.clone(),
            method,
            path: path.to_owned(),
            body: Vec::new(),
            headers: HeaderMap::new(),
            off_contract: false,
        }
    }

    /// Opens an account and returns its identifier.
    pub async fn open(&self, account: NewAccount) -> String {
        let opened = self.post("/admin/accounts", account.0).await.expect_status(201).data();
        opened["accountIdentifier"].as_str().unwrap().to_owned()
    }

    pub async fn account(&self, id: &str) -> Value {
        self.get(&format!("/admin/accounts/{id}")).await.data()
    }

    /// What the holder can spend, as decimal text.
    pub async fn balance(&self, id: &str) -> String {
        self.account(id).await["balance"].as_str().unwrap().to_owned()
    }

    /// To one of the blocked states.
    pub async fn block(&self, id: &str, status: &str) {
        let body = json!({"status": status, "reason": "a test"});
        self.post(&format!("/admin/accounts/{id}/block"), body).await.expect_status(200);
    }

    pub async fn unblock(&self, id: &str) {
        self.post(&format!("/admin/accounts/{id}/unblock"), json!({"reason": "a test"})).await.expect_status(200);
    }

    pub async fn close(&self, id: &str) {
        self.post(&format!("/admin/accounts/{id}/close"), json!({"reason": "a test"})).await.expect_status(200);
    }

    /// Money leaves the wallet, each time it is called.
    pub async fn debit(&self, id: &str, amount: &str) {
        self.request(Method::POST, &format!("/admin/accounts/{id}/debits"))
            .body(&json!({"amount": amount, "reason": "a test"}))
            .idempotency_key(&fresh_id().to_string())
            .send()
            .await
            .expect_status(200);
    }

    pub async fn void(&self, authorization: &str) -> Answer {
        self.post(&format!("/admin/authorizations/{authorization}/void"), json!({"reason": "a test"})).await
    }

    /// `Approved` or `Failed`.
    pub async fn settle(&self, credit: &str, outcome: &str) -> Answer {
        let body = json!({"outcome": outcome, "reason": "a test"});
        self.post(&format!("/admin/credits/{credit}/settle"), body).await
    }

    pub async fn authorization(&self, id: &str) -> Value {
        self.get(&format!("/admin/authorizations/{id}")).await.data()
    }

    pub async fn credit(&self, id: &str) -> Value {
        self.get(&format!("/admin/credits/{id}")).await.data()
    }

    /// Credits a call that was taken for a retry or refused as ambiguous.
    pub async fn credit_ambiguous(&self, id: &str) -> Answer {
        self.post(&format!("/admin/ambiguous-credits/{id}/credit"), json!({"reason": "a test"})).await
    }

    /// The recorded decision behind a TrackingIdentifier.
    pub async fn decision(&self, tracking: &str) -> Value {
        self.get(&format!("/admin/decisions/{tracking}")).await.data()
    }

    /// The items of a list's first page.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        self.get(path).await.data()["items"].as_array().unwrap().clone()
    }
}

/// What an operator asks for in `POST /admin/accounts`: by default Ana's account in MXN.
#[derive(Debug, Clone)]
pub struct NewAccount(Value);

pub fn account(id: &str) -> NewAccount {
    NewAccount(json!({"accountIdentifier": id, "currency": "MXN", "personalData": Value::from(ana())}))
}

impl NewAccount {
    pub fn currency(self, code: &str) -> Self {
        self.with("currency", code)
    }

    pub fn tier(self, tier: &str) -> Self {
        self.with("tier", tier)
    }

    pub fn holder(self, person: Person) -> Self {
        self.with("personalData", person)
    }

    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0[field] = value.into();
        self
    }
}

/// One call of the admin API that is not sent yet.
pub struct AdminCall {
    operator: Operator,
    method: Method,
    path: String,
    body: Vec<u8>,
    headers: HeaderMap,
    off_contract: bool,
}

impl AdminCall {
    pub fn body(self, body: &Value) -> Self {
        self.bytes(body.to_string())
    }

    pub fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
        self
    }

    pub fn idempotency_key(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    /// The test means the request to be one that the contract does not describe.
    pub fn off_contract(mut self) -> Self {
        self.off_contract = true;
        self
    }

    pub async fn send(self) -> Answer {
        let mut headers = self.headers;
        if !self.operator.key.is_empty() {
            headers.insert("x-api-key", HeaderValue::try_from(&self.operator.key).unwrap());
        }
        if !self.body.is_empty() {
            headers.insert("content-type", HeaderValue::from_static("application/json"));
        }
        let url = format!("{}{}", self.operator.url, self.path);
        let request =
            self.operator.http.request(self.method.clone(), url).headers(headers.clone()).body(self.body.clone());
        let answer = Answer::read(request.send().await.unwrap()).await;
        ADMIN.hold(&Exchange {
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

//! One caller: Leap and an operator in one, who calls every server and comes again whenever it is told to.

use std::cell::Cell;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use vna_partner::clock::fresh_id;
use vna_partner::http::signature::sign;

use crate::program::{ADMIN_KEY, SIGNING_KEY};
use crate::told::Told;

/// Less than the server keeps a connection that nobody uses: a call must not meet its end.
const IDLE_AT_MOST: Duration = Duration::from_secs(10);

/// What came back, other than a 503.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub text: String,
    pub json: Value,
}

impl Answer {
    /// A yes of CreditFunds, ReverseCreditFunds or CreateAccount.
    pub fn is_success(&self) -> bool {
        self.json["Success"] == true
    }

    pub fn tracking(&self) -> &str {
        self.json["TrackingIdentifier"].as_str().unwrap_or_else(|| panic!("no TrackingIdentifier in {}", self.text))
    }
}

pub struct Caller {
    http: reqwest::Client,
    urls: Vec<String>,
    pub chance: SmallRng,
    pub told: Told,
    calls: Cell<u64>,
    refused: Cell<u64>,
}

impl Caller {
    pub fn new(urls: Vec<String>, seed: u64) -> Self {
        let http = reqwest::Client::builder().no_proxy().pool_idle_timeout(IDLE_AT_MOST).build().unwrap();
        let chance = SmallRng::seed_from_u64(seed);
        Self { http, urls, chance, told: Told::default(), calls: Cell::new(0), refused: Cell::new(0) }
    }

    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        *all.choose(&mut self.chance).unwrap()
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, times: u32) -> bool {
        self.chance.random_range(0..100) < times
    }

    /// Two servers, which are not the same one.
    pub fn two_servers(&mut self) -> [usize; 2] {
        let first = self.chance.random_range(0..self.urls.len());
        let second = self.chance.random_range(1..self.urls.len());
        [first, (first + second) % self.urls.len()]
    }

    /// A signed call of Leap's. It must get a business answer.
    pub async fn leap(&self, server: usize, endpoint: &str, body: &Value, key: Option<&str>) -> Answer {
        let body = body.to_string();
        let answer = self.ask(|| {
            let request = self.http.post(format!("{}/{endpoint}", self.urls[server]));
            let request = request.header("X-Signature", sign(SIGNING_KEY.as_bytes(), body.as_bytes()));
            let request = if let Some(key) = key { request.header("Idempotency-Key", key) } else { request };
            request.body(body.clone())
        });
        let answer = answer.await;
        assert_eq!(answer.status, 200, "{endpoint}: {}", answer.text);
        answer
    }

    /// An operator's action. It must be carried out, or conflict with what is so.
    pub async fn operate(&self, server: usize, path: &str, body: &Value) -> Answer {
        let key = fresh_id().to_string();
        self.operate_once(server, path, body, &key).await
    }

    /// The same under a key of the caller's.
    pub async fn operate_once(&self, server: usize, path: &str, body: &Value, key: &str) -> Answer {
        let mut body = body.clone();
        body["reason"] = json!("a test");
        let answer = self.ask(|| {
            let request = self.http.post(format!("{}/admin/{path}", self.urls[server]));
            request.header("X-API-Key", ADMIN_KEY).header("Idempotency-Key", key).body(body.to_string())
        });
        let answer = answer.await;
        assert!([200, 409].contains(&answer.status), "{path}: {} {}", answer.status, answer.text);
        answer
    }

    /// Until there is an answer: a 503 says that nothing has happened.
    async fn ask(&self, request: impl Fn() -> RequestBuilder) -> Answer {
        loop {
            self.calls.set(self.calls.get() + 1);
            let response = request().send().await.unwrap();
            let status = response.status().as_u16();
            let may_come_again = response.headers().contains_key("retry-after");
            let text = response.text().await.unwrap();
            if status == 503 && may_come_again {
                self.refused.set(self.refused.get() + 1);
                continue;
            }
            let json = serde_json::from_str(&text).unwrap_or(Value::Null);
            return Answer { status, text, json };
        }
    }

    /// What this caller knows in the end.
    pub fn leave(mut self) -> Told {
        self.told.calls = self.calls.get();
        self.told.refused = self.refused.get();
        self.told
    }
}

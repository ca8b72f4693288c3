//! Callers who remit, ask again whenever they heard a 503, and remember what they were told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use vna_partner::clock;
use vna_partner::http::signature::sign;

use crate::program::{ADMIN_KEY, Desk, SIGNING_KEY, Server};

pub const ACCOUNTS: [&str; 4] = ["4000000000000001", "4000000000000002", "4000000000000003", "4000000000000004"];

/// Whoever has heard a 503 comes again after this time.
const PATIENCE: Duration = Duration::from_millis(50);

/// A caller hears something within this time, whatever becomes of the database.
const LONGEST_CALL: Duration = Duration::from_secs(30);

/// Four empty accounts, with a rule that counts on each and refuses nothing.
pub fn open_books(database_url: &str) -> Desk {
    let desk = Desk::on(database_url);
    desk.write("vna.toml", "rules = \"rules.toml\"");
    let rule = "[[rules]]\nid = \"daily\"\ntype = \"accumulated\"\nmax = { MXN = \"1000000000.00\" }\n\
                window = { rolling = \"24h\" }\n";
    desk.write("rules.toml", rule);
    let accounts: Vec<Value> = ACCOUNTS
        .iter()
        .enumerate()
        .map(|(number, id)| json!({"AccountIdentifier": id, "Currency": "MXN", "PersonalData": person(number)}))
        .collect();
    desk.write("accounts.json", &json!({ "accounts": accounts }).to_string());
    desk.well(&["seed", "accounts.json"]);
    desk
}

/// A server on the books of a desk, with an admin API.
pub fn serve(desk: &Desk) -> Server {
    desk.serve(&[("VNA_ADMIN_KEYS", ADMIN_KEY)])
}

/// One remittance as its caller was told of it.
#[derive(Debug)]
pub struct Remittance {
    pub account: &'static str,
    pub amount: u32,
    pub authorization: String,
    pub credit: String,
    pub reversal: Option<String>,
}

/// Calls under way.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
    /// When each success of a call that writes was heard, in order.
    successes: watch::Sender<Vec<Instant>>,
    callers: JoinSet<Vec<Remittance>>,
}

impl Traffic {
    /// Starts `callers` that remit through each of `servers` in turn until they are stopped.
    pub fn start(servers: &[&Server], callers: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let first = Caller::of(servers[0]);
        let (refused, successes) = (first.refused.clone(), first.successes.clone());
        let callers = (0..callers)
            .map(|number| {
                let caller = Caller { url: servers[number % servers.len()].url.clone(), ..first.clone() };
                caller.remit_until(stop.clone(), ACCOUNTS[number % ACCOUNTS.len()])
            })
            .collect();
        Self { stop, refused, successes, callers }
    }

    /// Waits until so many calls more have succeeded.
    pub async fn flows(&self, calls: usize) {
        let enough = self.successes.borrow().len() + calls;
        self.wait(|successes| successes.len() >= enough).await;
    }

    /// How long after `ready` the first call succeeded that was not answered before `down`.
    pub async fn first_success(&self, down: Instant, ready: Instant) -> Duration {
        self.wait(|successes| successes.last().is_some_and(|&at| at > down)).await;
        let successes = self.successes.borrow();
        let first = successes[successes.partition_point(|&at| at <= down)];
        first.saturating_duration_since(ready)
    }

    /// How many calls have succeeded.
    pub fn succeeded(&self) -> usize {
        self.successes.borrow().len()
    }

    /// How many calls were told to come again.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    /// Lets every caller finish what it has begun; all that they were told.
    pub async fn stop(self) -> Vec<Remittance> {
        self.stop.store(true, Ordering::Relaxed);
        self.callers.join_all().await.into_iter().flatten().collect()
    }

    async fn wait(&self, enough: impl FnMut(&Vec<Instant>) -> bool) {
        let mut successes = self.successes.subscribe();
        let waited = timeout(Duration::from_secs(120), successes.wait_for(enough)).await;
        drop(waited.unwrap().unwrap());
    }
}

/// Comes again until it is answered.
#[derive(Clone)]
pub struct Caller {
    http: reqwest::Client,
    url: String,
    refused: Arc<AtomicUsize>,
    successes: watch::Sender<Vec<Instant>>,
}

impl Caller {
    pub fn of(server: &Server) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(LONGEST_CALL).build().unwrap();
        let successes = watch::Sender::new(Vec::new());
        Self { http, url: server.url.clone(), refused: Arc::default(), successes }
    }

    /// How many calls were told to come again.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    async fn remit_until(self, stop: Arc<AtomicBool>, account: &'static str) -> Vec<Remittance> {
        let mut told = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let number = told.len();
            let amount = u32::try_from(number % 5 + 1).unwrap();
            let authorization = self.authorize(account, amount).await;
            let credit = self.credit(account, &authorization).await;
            if number % 3 == 1 {
                assert_eq!(self.credit(account, &authorization).await, credit, "a retry is answered as the call was");
            }
            let mut reversal = None;
            if number % 3 == 2 {
                let reversed = self.reverse(account, &credit).await;
                assert_eq!(self.reverse(account, &credit).await, reversed, "a retry is answered as the call was");
                reversal = Some(reversed);
            }
            let expected = if reversal.is_some() { "Failed" } else { "Approved" };
            assert_eq!(self.status(account, &credit).await, expected);
            told.push(Remittance { account, amount, authorization, credit, reversal });
        }
        told
    }

    pub async fn authorize(&self, account: &str, amount: u32) -> String {
        let body = json!({"PersonalData": person(0), "AccountIdentifier": account, "Amount": amount});
        let key = clock::fresh_id().to_string();
        self.told("TxAuthorization", "Authorized", body, Some(&key)).await
    }

    pub async fn credit(&self, account: &str, authorization: &str) -> String {
        let body = json!({"AccountIdentifier": account, "AuthTrackingIdentifier": authorization});
        self.told("CreditFunds", "Success", body, None).await
    }

    async fn reverse(&self, account: &str, credit: &str) -> String {
        let body = json!({"AccountIdentifier": account, "CreditTrackingNumber": credit});
        self.told("ReverseCreditFunds", "Success", body, None).await
    }

    async fn status(&self, account: &str, credit: &str) -> Value {
        let body = json!({"AccountIdentifier": account, "CreditTrackingNumber": credit});
        self.ask("GetCreditStatus", body, None).await["CreditStatus"].clone()
    }

    /// The answer's TrackingIdentifier; the answer must be a yes.
    async fn told(&self, endpoint: &str, verdict: &str, body: Value, key: Option<&str>) -> String {
        let answer = self.ask(endpoint, body, key).await;
        assert_eq!(answer[verdict], true, "{endpoint}: {answer}");
        self.successes.send_modify(|successes| successes.push(Instant::now()));
        answer["TrackingIdentifier"].as_str().unwrap().to_owned()
    }

    /// Asks until it is answered. A 503 is the only other thing that a caller may hear.
    async fn ask(&self, endpoint: &str, body: Value, key: Option<&str>) -> Value {
        let body = body.to_string();
        let signature = sign(SIGNING_KEY.as_bytes(), body.as_bytes());
        loop {
            let mut request = self.http.post(format!("{}/{endpoint}", self.url)).header("X-Signature", &signature);
            if let Some(key) = key {
                request = request.header("Idempotency-Key", key);
            }
            let answer = request.body(body.clone()).send().await.unwrap();
            if answer.status() == 200 {
                return answer.json().await.unwrap();
            }
            assert_eq!((answer.status().as_u16(), &answer.headers()["Retry-After"]), (503, &"1".parse().unwrap()));
            self.refused.fetch_add(1, Ordering::Relaxed);
            sleep(PATIENCE).await;
        }
    }
}

/// Everything that callers were told is in the books, once, and nothing else is.
pub async fn hold_to(desk: &Desk, server: &Server, told: &[Remittance]) {
    let stored = async |path: &str| -> BTreeSet<String> {
        let rows = list(server, path).await;
        rows.iter().map(|row| row["trackingIdentifier"].as_str().unwrap().to_owned()).collect()
    };
    let expected =
        |id: fn(&Remittance) -> Option<&String>| told.iter().filter_map(id).cloned().collect::<BTreeSet<_>>();
    assert_eq!(stored("authorizations").await, expected(|told| Some(&told.authorization)));
    assert_eq!(stored("credits").await, expected(|told| Some(&told.credit)));
    assert_eq!(stored("reversals").await, expected(|told| told.reversal.as_ref()));
    for account in ACCOUNTS {
        let kept = told.iter().filter(|told| told.account == account && told.reversal.is_none());
        let sum: u32 = kept.map(|told| told.amount).sum();
        assert_eq!(desk.balance(account), format!("{sum}.00"));
    }
    desk.well(&["audit"]);
}

/// Every row of a list of the admin API.
async fn list(server: &Server, path: &str) -> Vec<Value> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut rows = Vec::new();
    loop {
        let url = format!("{}/admin/{path}?limit=100&offset={}", server.url, rows.len());
        let answer = http.get(url).header("X-API-Key", ADMIN_KEY).send().await.unwrap();
        let page: Value = answer.error_for_status().unwrap().json().await.unwrap();
        rows.extend(page["data"]["items"].as_array().unwrap().iter().cloned());
        if page["data"]["pagination"]["hasMore"] == false {
            return rows;
        }
    }
}

/// The status of `/health/ready`.
pub async fn readiness(server: &Server) -> u16 {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.get(format!("{}/health/ready", server.url)).send().await.unwrap().status().as_u16()
}

fn person(number: usize) -> Value {
    json!({"PhoneNumber": format!("+52555500000{number}"), "FirstName": "Ana", "LastName": format!("López {number}"),
        "Gender": "None", "BirthDate": "1990-01-31", "Address": {"Address1": "Calle Durango 12", "ZipCode": "06700",
        "City": "Ciudad de México", "CountryCode": "MX", "StateCode": "CMX"}})
}

//! The program itself, killed, stopped and cut off from power under load: what was answered is there, and nothing happened
//! twice. On the store that the run is about.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../cli/program.rs"]
#[expect(dead_code, reason = "the command line's tests need more of it")]
mod program;

#[path = "../it/support/database.rs"]
#[expect(dead_code, reason = "the tests over HTTP need more of it")]
mod database;

mod disk;

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::{join, join_all};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::Instant;
use vna_partner::clock;
use vna_partner::http::signature::sign;

use database::Database;
use disk::Disk;
use program::{Desk, SIGNING_KEY, Server};

const ACCOUNTS: [&str; 3] = ["4000000000000001", "4000000000000002", "4000000000000003"];

/// More than there are accounts, so that they meet on each of them.
const CALLERS: usize = 8;

/// Answers that callers hear before a server is killed: from the first to about half a second's worth.
const ANSWERS_BEFORE_THE_END: std::ops::Range<u32> = 1..150;

#[tokio::test]
async fn what_was_answered_survives_kill_nine_and_nothing_happens_twice() {
    let mut torture = Torture::new().await;
    for _ in 0..6 {
        torture.kill_and_look().await;
    }
    torture.look_at_everything().await;
}

/// The same for long: see docs/testing.md.
#[tokio::test]
#[ignore = "takes ten minutes"]
async fn kill_nine_for_ten_minutes() {
    let mut torture = Torture::new().await;
    let end = Instant::now() + Duration::from_secs(600);
    while Instant::now() < end {
        torture.kill_and_look().await;
    }
    torture.look_at_everything().await;
}

/// Of the embedded store, whose files are ours to sync.
#[tokio::test]
#[ignore = "needs root, to mount a disk that can be cut off"]
async fn what_was_answered_survives_a_power_cut() {
    let disk = Disk::new();
    let mut torture = Torture::at(a_desk_on(&format!("sqlite://{}", disk.root().join("books.db").display())), None);
    for _ in 0..20 {
        torture.cut_and_look(&disk).await;
    }
    torture.look_at_everything().await;
}

#[tokio::test]
async fn an_orderly_stop_answers_every_call_that_it_carries_out() {
    let (desk, _database) = a_desk().await;
    let server = desk.serve(&[]);
    let url = server.url.clone();
    let (tell, told_to_stop) = oneshot::channel();
    let fuse = Fuse::of(150, move || tell.send(()).unwrap());
    let stop = async {
        told_to_stop.await.unwrap();
        tokio::task::spawn_blocking(move || server.stop()).await.unwrap()
    };
    let (told, exit_code) = join(load(&Leap::new(&url), &fuse), stop).await;
    assert_eq!(exit_code, 0);
    desk.well(&["audit"]);
    let state_of = |kind: &str, id: &str| desk.json(&[kind, "show", id])["state"].as_str().unwrap().to_owned();
    for remittance in told {
        // A call without an answer was refused before it was taken: it has changed nothing.
        match (&remittance.credit, &remittance.reversal) {
            (Asked::Heard(credit), Asked::Heard(_)) => assert_eq!(state_of("credit", credit), "Reversed"),
            (Asked::Heard(credit), _) => assert_eq!(state_of("credit", credit), "Approved"),
            _ => assert_eq!(state_of("authorization", &remittance.authorization), "Open"),
        }
    }
}

#[tokio::test]
async fn the_command_line_gets_its_turn_beside_a_busy_server() {
    let (desk, _database) = a_desk().await;
    let server = desk.serve(&[]);
    let url = server.url.clone();
    let (tell, told_to_begin) = oneshot::channel();
    let fuse = Fuse::of(20, move || tell.send(()).unwrap());
    let operate = async {
        told_to_begin.await.unwrap();
        let at_work = tokio::task::spawn_blocking(move || {
            for tier in ["gold", "standard", "gold", "standard", "gold"] {
                desk.well(&["account", "tier", ACCOUNTS[0], tier, "--reason", "a test"]);
                desk.well(&["audit"]);
            }
            drop(server);
            desk
        });
        at_work.await.unwrap()
    };
    let (_, desk) = join(load(&Leap::new(&url), &fuse), operate).await;
    assert_eq!(desk.json(&["account", "show", ACCOUNTS[0]])["tier"], "gold");
}

/// What became of one call.
#[derive(Debug, Default, PartialEq, Eq)]
enum Asked {
    #[default]
    Not,
    /// And no answer came.
    InVain,
    Heard(String),
}

/// One remittance of 1.00 MXN, as far as its caller was told.
#[derive(Debug)]
struct Remittance {
    account: &'static str,
    authorization: String,
    credit: Asked,
    reversal: Asked,
}

/// Ends a server after a number of answers.
struct Fuse<F> {
    answers_left: Cell<u32>,
    end: Cell<Option<F>>,
    /// What a server still says of a disk that is cut off: it may have been told that it is written.
    hears_the_end: bool,
}

impl<F: FnOnce()> Fuse<F> {
    fn of(answers: u32, end: F) -> Self {
        Self { answers_left: Cell::new(answers), end: Cell::new(Some(end)), hears_the_end: true }
    }

    /// Takes an answer as it is heard, and passes it on.
    fn heard(&self, asked: Asked) -> Asked {
        if self.is_burnt() && !self.hears_the_end {
            return Asked::InVain;
        }
        let left = self.answers_left.get().saturating_sub(1);
        self.answers_left.set(left);
        if left == 0
            && let Some(end) = self.end.take()
        {
            end();
        }
        asked
    }

    fn is_burnt(&self) -> bool {
        self.answers_left.get() == 0
    }
}

/// One database, and all that its callers were told by the servers that ran on it.
struct Torture {
    desk: Desk,
    _database: Option<Database>,
    chance: SmallRng,
    told: Vec<Remittance>,
}

impl Torture {
    async fn new() -> Self {
        let (desk, database) = a_desk().await;
        Self::at(desk, Some(database))
    }

    fn at(desk: Desk, database: Option<Database>) -> Self {
        let seed = clock::fresh_id().0.as_u64_pair().1;
        println!("the numbers of calls come from the seed {seed}");
        Self { desk, _database: database, chance: SmallRng::seed_from_u64(seed), told: Vec::new() }
    }

    /// Kills a server under load, and holds the next one to what the callers were told.
    async fn kill_and_look(&mut self) {
        let server = self.desk.serve(&[]);
        let url = server.url.clone();
        // SIGKILL, as soon as an answer is heard: what is answered before it is durable is then lost.
        let fuse = Fuse::of(self.chance.random_range(ANSWERS_BEFORE_THE_END), || drop(server));
        let told = load(&Leap::new(&url), &fuse).await;
        assert!(fuse.is_burnt());
        self.look_at(told).await;
    }

    /// The same with the power of its disk.
    async fn cut_and_look(&mut self, disk: &Disk) {
        let server = self.desk.serve(&[]);
        let answers = self.chance.random_range(ANSWERS_BEFORE_THE_END);
        let fuse = Fuse { hears_the_end: false, ..Fuse::of(answers, || disk.cut()) };
        let leap = Leap { disk_may_be_cut: true, ..Leap::new(&server.url) };
        let told = load(&leap, &fuse).await;
        assert!(fuse.is_burnt());
        drop(server);
        disk.mend();
        self.look_at(told).await;
    }

    async fn look_at(&mut self, mut told: Vec<Remittance>) {
        self.desk.well(&["audit"]);
        hold_to(&self.desk.serve(&[]), &mut told).await;
        self.told.append(&mut told);
        self.count_the_money();
    }

    async fn look_at_everything(&mut self) {
        hold_to(&self.desk.serve(&[]), &mut self.told).await;
        self.count_the_money();
        self.desk.well(&["audit"]);
    }

    /// Every retry has been answered by now, so it is known of each remittance what it came to.
    fn count_the_money(&self) {
        for account in ACCOUNTS {
            let credited = |told: &&Remittance| {
                told.account == account && matches!((&told.credit, &told.reversal), (Asked::Heard(_), Asked::Not))
            };
            let expected = self.told.iter().filter(credited).count();
            assert_eq!(self.desk.balance(account), format!("{expected}.00"));
        }
    }
}

/// Asks again for everything that was asked for: what was answered is answered the same, and what was not, now is.
async fn hold_to(server: &Server, told: &mut [Remittance]) {
    let leap = Leap::new(&server.url);
    for remittance in told {
        if remittance.reversal == Asked::Not {
            again(&mut remittance.credit, async || leap.credit(&remittance.authorization, remittance.account).await)
                .await;
        } else if let Asked::Heard(credit) = &remittance.credit {
            again(&mut remittance.reversal, async || leap.reverse(credit, remittance.account).await).await;
        }
    }
}

async fn again(asked: &mut Asked, call: impl AsyncFn() -> Asked) {
    if *asked == Asked::InVain {
        *asked = call().await;
    }
    if *asked != Asked::Not {
        assert_eq!(call().await, *asked);
        assert_ne!(*asked, Asked::InVain);
    }
}

/// Remittances from many callers, until the server answers none of them any more.
async fn load<F: FnOnce()>(leap: &Leap, fuse: &Fuse<F>) -> Vec<Remittance> {
    let callers = (0..CALLERS).map(|caller| remit_until_silence(leap, ACCOUNTS[caller % ACCOUNTS.len()], fuse));
    join_all(callers).await.into_iter().flatten().collect()
}

async fn remit_until_silence<F: FnOnce()>(leap: &Leap, account: &'static str, fuse: &Fuse<F>) -> Vec<Remittance> {
    let mut told: Vec<Remittance> = Vec::new();
    while let Asked::Heard(authorization) = fuse.heard(leap.authorize(account).await) {
        let credit = fuse.heard(leap.credit(&authorization, account).await);
        let reversal = match &credit {
            Asked::Heard(credit) if told.len() % 3 == 2 => fuse.heard(leap.reverse(credit, account).await),
            _ => Asked::Not,
        };
        let is_silent = credit == Asked::InVain || reversal == Asked::InVain;
        told.push(Remittance { account, authorization, credit, reversal });
        if is_silent {
            break;
        }
    }
    told
}

async fn a_desk() -> (Desk, Database) {
    let database = Database::fresh().await;
    (a_desk_on(&database.url), database)
}

/// Three empty accounts without limits.
fn a_desk_on(database: &str) -> Desk {
    let desk = Desk::on(database);
    desk.write("vna.toml", "rules = \"rules.toml\"");
    desk.write("rules.toml", "rules = []");
    let accounts: Vec<Value> = (0..)
        .zip(ACCOUNTS)
        .map(|(number, id)| json!({"AccountIdentifier": id, "Currency": "MXN", "PersonalData": person(number)}))
        .collect();
    desk.write("accounts.json", &json!({ "accounts": accounts }).to_string());
    desk.well(&["seed", "accounts.json"]);
    desk
}

fn person(number: usize) -> Value {
    json!({"PhoneNumber": format!("+52555500000{number}"), "FirstName": "Ana", "LastName": format!("López {number}"),
        "Gender": "None", "BirthDate": "1990-01-31", "Address": {"Address1": "Calle Durango 12", "ZipCode": "06700",
        "City": "Ciudad de México", "CountryCode": "MX", "StateCode": "CMX"}})
}

/// A caller that expects to be hung up on.
struct Leap {
    http: reqwest::Client,
    url: String,
    /// A server whose disk is away says so before it ends.
    disk_may_be_cut: bool,
}

impl Leap {
    fn new(url: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, url: url.to_owned(), disk_may_be_cut: false }
    }

    async fn authorize(&self, account: &str) -> Asked {
        let body = json!({"PersonalData": person(0), "AccountIdentifier": account, "Amount": 1});
        self.ask("TxAuthorization", "Authorized", &body).await
    }

    async fn credit(&self, authorization: &str, account: &str) -> Asked {
        let body = json!({"AccountIdentifier": account, "AuthTrackingIdentifier": authorization});
        self.ask("CreditFunds", "Success", &body).await
    }

    async fn reverse(&self, credit: &str, account: &str) -> Asked {
        let body = json!({"AccountIdentifier": account, "CreditTrackingNumber": credit});
        self.ask("ReverseCreditFunds", "Success", &body).await
    }

    /// The answer's TrackingIdentifier; the answer must be a yes.
    async fn ask(&self, endpoint: &str, verdict: &str, body: &Value) -> Asked {
        let body = body.to_string();
        let request = self.http.post(format!("{}/{endpoint}", self.url));
        let request = request.header("X-Signature", sign(SIGNING_KEY.as_bytes(), body.as_bytes())).body(body);
        let Ok(answer) = request.send().await else { return Asked::InVain };
        let status = answer.status();
        if status == StatusCode::SERVICE_UNAVAILABLE && self.disk_may_be_cut {
            return Asked::InVain;
        }
        let Ok(answer) = answer.json::<Value>().await else { return Asked::InVain };
        match answer["TrackingIdentifier"].as_str() {
            Some(tracking) if answer[verdict] == true => Asked::Heard(tracking.to_owned()),
            _ => panic!("{endpoint} was answered with {status} {answer}"),
        }
    }
}

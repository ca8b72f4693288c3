//! What `compose.yaml` describes, as processes: two servers on one Postgres behind the proxy.

use std::cell::Cell;
use std::fs;
use std::process::{Command, Stdio};
use std::thread;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use vna_partner::clock;
use vna_partner::http::signature::sign;

use crate::compose;
use crate::program::{Ran, Server, in_repository};
use crate::proxy::{Proxy, secrets, trial_secrets};

const ACCOUNT: &str = "4000000000000001";
const CALLERS: usize = 8;

/// Remittances of each caller before and after a server goes.
const BEFORE: usize = 5;
const AFTER: usize = 10;

#[tokio::test]
#[ignore = "needs Postgres and HAProxy: scripts/test brings both"]
async fn killing_one_of_two_servers_costs_each_caller_one_answer_at_most() {
    let site = Site::start().await;
    let [first, second] = site.servers();
    let proxy = Proxy::start(&site.folder, [&host(&first), &host(&second)]);
    let leap = site.leap(&proxy);
    leap.remit_from_all_callers(BEFORE, || {}).await;
    assert_eq!(leap.unanswered.get(), 0);
    leap.remit_from_all_callers(AFTER, || drop(first)).await;
    assert!(leap.unanswered.get() <= CALLERS, "{} calls went unanswered", leap.unanswered.get());
    site.holds_the_books(CALLERS * (BEFORE + AFTER));
    drop(second);
}

#[tokio::test]
#[ignore = "needs Postgres and HAProxy: scripts/test brings both"]
async fn stopping_one_of_two_servers_in_order_costs_no_answer() {
    let site = Site::start().await;
    let [first, second] = site.servers();
    let proxy = Proxy::start(&site.folder, [&host(&first), &host(&second)]);
    let leap = site.leap(&proxy);
    let (tell, mut stopped) = oneshot::channel();
    leap.remit_from_all_callers(BEFORE, || {
        thread::spawn(move || tell.send(first.stop()).unwrap());
    })
    .await;
    let mut rounds = 1;
    let exit_code = loop {
        leap.remit_from_all_callers(BEFORE, || {}).await;
        rounds += 1;
        if let Ok(exit_code) = stopped.try_recv() {
            break exit_code;
        }
    };
    assert_eq!((exit_code, leap.unanswered.get()), (0, 0));
    site.holds_the_books(CALLERS * BEFORE * rounds);
    drop(second);
}

#[tokio::test]
#[ignore = "needs Postgres and HAProxy: scripts/test brings both"]
async fn the_outside_sees_leaps_endpoints_and_the_enrolment_page_alone() {
    let site = Site::start().await;
    let [first, second] = site.servers();
    let proxy = Proxy::start(&site.folder, [&host(&first), &host(&second)]);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let status = async |url: String| http.get(url).send().await.unwrap().status().as_u16();
    for hidden in ["/admin/accounts", "/metrics", "/health/ready", "//admin/accounts", "/"] {
        assert_eq!(status(format!("{}{hidden}", proxy.for_leap)).await, 404, "{hidden}");
    }
    assert_eq!(status(format!("{}/enrol/style.css", proxy.for_browsers)).await, 200);
    assert_eq!(status(format!("{}/TxAuthorization", proxy.for_leap)).await, 405);
    assert_eq!(status(format!("{}/TxAuthorization", proxy.for_browsers)).await, 403);
    let operator = reqwest::Client::builder().no_proxy().unix_socket(proxy.for_operators.as_path()).build().unwrap();
    let asked = operator.get("http://vna/admin/accounts").header("X-API-Key", site.admin_key()).send().await.unwrap();
    assert_eq!(asked.status(), 200);
    assert_eq!(operator.get("http://vna/metrics").send().await.unwrap().status(), 404);
}

/// A database made as the container makes it, with the secrets and settings that its servers get.
struct Site {
    folder: TempDir,
}

impl Site {
    async fn start() -> Self {
        let site = Self { folder: trial_secrets() };
        site.make_database();
        fs::write(site.folder.path().join("rules.toml"), "rules = []").unwrap();
        site
    }

    /// Of a name of its own, as the cluster is shared with other tests.
    fn make_database(&self) {
        let name = format!("vna_{}", clock::fresh_id().0.simple());
        let cluster = cluster();
        let script = self.folder.path().join("database.sql");
        let text = fs::read_to_string(in_repository("packaging/database.sql")).unwrap();
        fs::write(&script, text.replace(" vna", &format!(" {name}"))).unwrap();
        let secrets = secrets(&self.folder);
        let password_file = compose::environment_with("postgres", &secrets)["VNA_DATABASE_PASSWORD_FILE"].clone();
        let mut psql = Command::new("psql");
        psql.args(["--no-psqlrc", "--set=ON_ERROR_STOP=1", "--dbname", &format!("{cluster}/postgres"), "--file"]);
        let ran = Ran::of(psql.arg(&script).env("VNA_DATABASE_PASSWORD_FILE", &password_file).output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.err);
        // The image's superuser has this one's place and the container's name; user, password and form stay.
        let url = fs::read_to_string(secrets.join("database_url")).unwrap();
        let place = cluster.rsplit('@').next().unwrap();
        let url = url.replace("//vna:", &format!("//{name}:")).replace("@postgres/vna", &format!("@{place}/{name}"));
        fs::write(secrets.join("database_url"), url).unwrap();
    }

    /// Both started at once on the empty database; then it gets an account.
    fn servers(&self) -> [Server; 2] {
        let start = |service: &'static str| {
            let command = self.command(service, &["serve"]);
            thread::spawn(move || Server::start(command))
        };
        let servers = [start("vna-1"), start("vna-2")].map(|server| server.join().unwrap());
        let accounts =
            json!({"accounts": [{"AccountIdentifier": ACCOUNT, "Currency": "MXN", "PersonalData": person()}]});
        fs::write(self.folder.path().join("accounts.json"), accounts.to_string()).unwrap();
        self.well(&["seed", "accounts.json"]);
        servers
    }

    /// The program as a container runs it, but for ports and folders.
    fn command(&self, service: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vna-partner"));
        command
            .args(arguments)
            .env_clear()
            .envs(compose::environment_with(service, &secrets(&self.folder)))
            .env("VNA_PUBLIC_URL", "https://localhost:8443")
            .env("VNA_BIND", "127.0.0.1:0")
            .env("VNA_RULES", "rules.toml")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    #[track_caller]
    fn well(&self, arguments: &[&str]) -> String {
        let ran = Ran::of(self.command("vna-1", arguments).stdout(Stdio::piped()).output().unwrap());
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        ran.out
    }

    /// Every remittance of 1.00 is there once.
    #[track_caller]
    fn holds_the_books(&self, remittances: usize) {
        self.well(&["audit"]);
        let account: Value = serde_json::from_str(&self.well(&["account", "show", ACCOUNT, "--json"])).unwrap();
        assert_eq!(account["balance"], format!("{remittances}.00"));
    }

    fn leap(&self, proxy: &Proxy) -> Leap {
        Leap {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            url: proxy.for_leap.clone(),
            key: self.secret("signing_keys"),
            unanswered: Cell::new(0),
        }
    }

    fn admin_key(&self) -> String {
        self.secret("admin_keys").split_once('=').unwrap().1.to_owned()
    }

    fn secret(&self, name: &str) -> String {
        fs::read_to_string(secrets(&self.folder).join(name)).unwrap().trim().to_owned()
    }
}

/// Callers that send what got no answer again, as Leap does.
struct Leap {
    http: reqwest::Client,
    url: String,
    key: String,
    unanswered: Cell<usize>,
}

impl Leap {
    /// So many from each; `meanwhile` happens once each caller has had its first answer and none its last.
    async fn remit_from_all_callers(&self, remittances: usize, meanwhile: impl FnOnce()) {
        let meanwhile = Cell::new(Some(meanwhile));
        let answers = Cell::new(0);
        let caller = async || {
            for _ in 0..remittances {
                self.remit().await;
                answers.set(answers.get() + 1);
                if answers.get() == CALLERS
                    && let Some(meanwhile) = meanwhile.take()
                {
                    meanwhile();
                }
            }
        };
        join_all((0..CALLERS).map(|_| caller())).await;
    }

    async fn remit(&self) {
        let authorize = json!({"PersonalData": person(), "AccountIdentifier": ACCOUNT, "Amount": 1});
        let authorized = self.ask("TxAuthorization", &authorize).await;
        assert_eq!(authorized["Authorized"], true, "{authorized}");
        let authorization = &authorized["TrackingIdentifier"];
        let credit = json!({"AccountIdentifier": ACCOUNT, "AuthTrackingIdentifier": authorization});
        let credited = self.ask("CreditFunds", &credit).await;
        assert_eq!(credited["Success"], true, "{credited}");
    }

    async fn ask(&self, endpoint: &str, body: &Value) -> Value {
        // Spaces and letters that a proxy which reads JSON would write otherwise.
        let body = format!("  {body:#}\r\n");
        loop {
            let request = self.http.post(format!("{}/{endpoint}", self.url));
            let request = request.header("X-Signature", sign(self.key.as_bytes(), body.as_bytes()));
            match request.body(body.clone()).send().await {
                Ok(answer) if answer.status() == 200 => return answer.json().await.unwrap(),
                Ok(answer) => assert_eq!(answer.status(), 502, "{endpoint}"),
                // The proxy's other way to say so, on a connection that has served before.
                Err(error) => assert!(!error.is_connect(), "{endpoint}: {error}"),
            }
            self.unanswered.set(self.unanswered.get() + 1);
        }
    }
}

fn person() -> Value {
    json!({"PhoneNumber": "+525555000000", "FirstName": "Ana", "LastName": "López", "Gender": "None",
        "BirthDate": "1990-01-31", "Address": {"Address1": "Calle Durango 12", "ZipCode": "06700",
        "City": "Ciudad de México", "CountryCode": "MX", "StateCode": "CMX"}})
}

fn host(server: &Server) -> String {
    server.url.trim_start_matches("http://").to_owned()
}

#[expect(clippy::disallowed_methods, reason = "the run's own switch, not a setting of the product")]
fn cluster() -> String {
    std::env::var("VNA_TEST_POSTGRES").unwrap()
}

//! Runs the program in a directory of its own, with nothing of this machine's settings.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

pub const SIGNING_KEY: &str = "a-signing-key-of-tests";
pub const ADMIN_KEY: &str = "an-admin-key-of-tests";

/// The file that a server's log lines go to.
pub const LOG: &str = "server.log";

/// A directory with a settings file's place, a database's place, and the program to run there.
pub struct Desk {
    directory: TempDir,
    database_url: String,
}

/// What a run came to.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Desk {
    pub fn new() -> Self {
        Self::on("sqlite://vna.db")
    }

    /// With a database elsewhere.
    pub fn on(database_url: &str) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), database_url: database_url.to_owned() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The program with keys and a database here, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vna-partner"));
        command
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", &self.database_url)
            .env("VNA_SIGNING_KEYS", SIGNING_KEY)
            .env("VNA_BIND", "127.0.0.1:0")
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Runs what must succeed; its output.
    #[track_caller]
    pub fn well(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        ran.out
    }

    /// A list or a record as JSON.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.well(&[arguments, &["--json"]].concat())).unwrap()
    }

    #[track_caller]
    pub fn balance(&self, account: &str) -> String {
        self.json(&["account", "show", account])["balance"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn seed_demo(&self) {
        self.well(&["seed", &in_repository("seeds/demo.json")]);
    }

    /// Starts `serve` and waits until it says where it listens.
    #[track_caller]
    pub fn serve(&self, variables: &[(&str, &str)]) -> Server {
        let mut command = self.command(&["serve"]);
        let log = File::create(self.path(LOG)).unwrap();
        command.envs(variables.iter().copied()).stdout(log);
        Server::start(command)
    }
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// One line on standard error, nothing on standard output, and this exit code.
    #[track_caller]
    pub fn fails(&self, code: i32, said: &str) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        assert!(self.err.contains(said), "`{said}` is not in: {}", self.err);
        assert_eq!(self.out, "");
    }
}

/// A server in a process of its own; killed with its test.
pub struct Server {
    pub url: String,
    /// What it printed as it started.
    pub said: String,
    child: Child,
}

impl Server {
    /// Starts a `serve` and waits until it says where it listens.
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        while !said.contains("admin API") {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {said}")).unwrap();
            said.push_str(&line);
            said.push('\n');
        }
        let url = said.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        Self { url: url.trim_end_matches(',').to_owned(), said, child }
    }

    /// Asks it to stop.
    pub fn tell_to_stop(&self) {
        tell_to_stop(&self.child);
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> i32 {
        stop(&mut self.child)
    }

    /// Sends a signed body; the answer.
    pub async fn call(&self, endpoint: &str, body: &str) -> serde_json::Value {
        let signature = vna_partner::http::signature::sign(SIGNING_KEY.as_bytes(), body.as_bytes());
        post(&format!("{}/{endpoint}", self.url), &signature, body).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a process to stop, and waits until it has; its exit code.
pub fn stop(child: &mut Child) -> i32 {
    tell_to_stop(child);
    child.wait().unwrap().code().unwrap_or(-1)
}

fn tell_to_stop(child: &Child) {
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
}

pub async fn post(url: &str, signature: &str, body: &str) -> serde_json::Value {
    let request = reqwest::Client::new()
        .post(url)
        .header("Content-Type", "application/json")
        .header("X-Signature", signature)
        .body(body.to_owned());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{url}");
    answer.json().await.unwrap()
}

/// The full path of a file of the repository.
pub fn in_repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).display().to_string()
}

/// Changes the database behind the program's back.
pub async fn tamper(desk: &Desk, statement: &'static str) {
    use sqlx::{Connection, SqliteConnection};
    let url = format!("sqlite://{}", desk.path("vna.db").display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query(statement).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

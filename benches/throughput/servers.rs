//! Servers in processes of their own, killed with the run.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};

use super::arguments::{Arguments, Role};
use super::bodies::{self, KEY};
use super::cells::Where;
use super::postgres;

/// Three rules, as in the default set, with limits that no account reaches however long the run.
pub const THREE_RULES: &str = r#"
    [[rules]]
    id = "per-transaction"
    type = "amount"
    max = { MXN = "20000.00" }

    [[rules]]
    id = "a-day-of-transactions"
    type = "velocity"
    max = 100000000
    window = { rolling = "24h" }

    [[rules]]
    id = "monthly-total"
    type = "accumulated"
    max = { MXN = "90000000000000.00" }
    window = { calendar = "month", time_zone = "America/Mexico_City" }
"#;

/// Windows whose start lies before, in the middle of and near the end of a history of eleven days.
pub const LONG_WINDOWS: &str = r#"
    [[rules]]
    id = "per-transaction"
    type = "amount"
    max = { MXN = "20000.00" }

    [[rules]]
    id = "a-month-of-transactions"
    type = "velocity"
    max = 100000000
    window = { rolling = "30d" }

    [[rules]]
    id = "five-days-of-money"
    type = "accumulated"
    max = { MXN = "90000000000000.00" }
    window = { rolling = "5d" }

    [[rules]]
    id = "a-day-of-money"
    type = "accumulated"
    max = { MXN = "90000000000000.00" }
    window = { rolling = "1d" }
"#;

/// A server that answers.
pub struct Server {
    pub address: SocketAddr,
    pub child: Child,
}

impl Server {
    /// Starts a program and waits until it says where it listens, on standard error.
    pub fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stderr.take().context("standard error is a pipe")?);
        let mut said = String::new();
        loop {
            let mut line = String::new();
            ensure!(lines.read_line(&mut line)? > 0, "{command:?} ended: {said}");
            said.push_str(&line);
            if let Some((_, rest)) = line.split_once("http://") {
                let address = rest.split([',', '\n']).next().unwrap_or_default().parse()?;
                // What it says later is nobody's concern, but it must be able to say it.
                std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                return Ok(Self { address, child });
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with keys, rules and a database, its log in a file as a service manager would keep it.
pub fn product(arguments: &Arguments, database: &str, rules: &str, command: &[&str]) -> anyhow::Result<Command> {
    let file = arguments.folder.join("rules.toml");
    fs::write(&file, rules)?;
    let mut program = Command::new(&arguments.program);
    program
        .args(command)
        .env_clear()
        .env("DATABASE_URL", database)
        .env("VNA_SIGNING_KEYS", KEY)
        .env("VNA_BIND", "127.0.0.1:0")
        .env("VNA_RULES", &file)
        .current_dir(&arguments.folder)
        .stdout(File::options().create(true).append(true).open(arguments.folder.join("server.log"))?);
    if let Some(filter) = &arguments.log_filter {
        program.env("VNA_LOG_FILTER", filter);
    }
    Ok(program)
}

/// The address of a new database, or of a file that is to be one.
pub async fn new_database(arguments: &Arguments, place: Where, name: &str) -> anyhow::Result<String> {
    match place {
        Where::Postgres => postgres::create(arguments, &format!("vna_{name}")).await,
        _ => Ok(format!("sqlite://{}", arguments.folder.join(name).with_extension("db").display())),
    }
}

/// Opens the accounts in a new database.
pub fn seed(arguments: &Arguments, database: &str) -> anyhow::Result<()> {
    let file = arguments.folder.join("seed.json");
    fs::write(&file, bodies::seed(arguments.accounts).to_string())?;
    let status = product(arguments, database, THREE_RULES, &["seed", utf8(&file)?])?.stderr(Stdio::null()).status()?;
    ensure!(status.success(), "seeding ended with {status}");
    Ok(())
}

/// This program in the role of a baseline.
pub fn baseline(role: Role, database: &str, pool: u32, accounts: usize) -> anyhow::Result<Server> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--role", &format!("{role:?}").to_lowercase(), "--database", database]);
    command.args(["--pool", &pool.to_string(), "--accounts", &accounts.to_string()]);
    Server::start(command)
}

pub fn utf8(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("the folder's name is not UTF-8")
}

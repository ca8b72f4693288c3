//! `demo`: a real server on a fresh database, and Leap's whole conversation with it on real requests.

use std::fs::{self, DirBuilder};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::{desk, seed, serve, terminal};
use crate::clock::{Clock, fresh_id, fresh_key};
use crate::commit::Limits;
use crate::config::{Environment, Flags, Settings, SigningKey};
use crate::startup::{self, Running};
use leap::Leap;
use story::{Story, Told};

mod leap;
mod people;
mod story;

const ACCOUNTS: &str = include_str!("../../../seeds/demo.json");
const RULES: &str = include_str!("../../../seeds/demo-rules.toml");

/// Where the demo listens unless it is told otherwise.
const PORT: u16 = 8080;

/// Watch Leap's whole conversation answered, on real requests, against a fresh database.
///
/// Starts the server with demo accounts and rules, plays Leap (opens an account, authorizes, credits, asks the status,
/// retries, is refused for number and amount, reverses), audits the books, and keeps serving.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  vna-partner demo
  vna-partner demo --bind 127.0.0.1:9000 --directory ./demo
  vna-partner demo --once                      # for a CI job: exit 0 only if every answer was right

It needs no settings and reads none. docs/demo-accounts.md says which account provokes which refusal.")]
pub struct Demo {
    /// Port to listen on, on this machine only [default: 8080, or any that is free]
    #[arg(long)]
    port: Option<u16>,
    /// Directory for the demo's database and rules; kept afterwards [default: a temporary one, removed]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// End after the story; exit 0 only if every answer was what the story says
    #[arg(long)]
    once: bool,
}

pub async fn run(args: &Demo, flags: &Flags, clock: Clock) -> Result<(), Failure> {
    let stop = serve::stop_signal()?;
    let address = address(args, flags)?;
    let place = Place::make(args.directory.as_deref())?;
    let played = play(args, &place, address, clock, stop).await;
    place.remove();
    played
}

async fn play(
    args: &Demo,
    place: &Place,
    address: SocketAddr,
    clock: Clock,
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let keys = Keys { signing: fresh_key(), admin: fresh_key() };
    let settings = settings(&place.path, address, &keys)?;
    seed_accounts(&settings, clock.clone()).await?;
    let running = startup::start(settings, clock.clone(), Limits::default()).await.map_err(desk::start_failure)?;
    let played = tokio::select! {
        told = tell(args, place, &running, &keys, clock) => told,
        // Whoever has seen enough ends it in the middle.
        () = stop => Ok(()),
    };
    running.stop().await;
    played
}

/// The story, and what to do after it; ends only with `--once` or where it fails.
async fn tell(args: &Demo, place: &Place, running: &Running, keys: &Keys, clock: Clock) -> Result<(), Failure> {
    terminal::print(&format!(
        "vna-partner serves on http://{}, database and rules in {}.\nEvery request below is sent to it over HTTP, \
         signed as Leap signs.\n",
        running.address,
        place.path.display()
    ))?;
    let leap = Leap::new(running.address, SigningKey::new(&keys.signing));
    let told = Story::new(leap, running.reads.clone(), clock).tell().await?;
    finish(args, running, &told, keys).await
}

async fn finish(args: &Demo, running: &Running, told: &Told, keys: &Keys) -> Result<(), Failure> {
    let ended = match told.surprises {
        0 => Ok(()),
        1 => Err(Failure::refused("one answer was not what the story says")),
        many => Err(Failure::Refused(format!("{many} answers were not what the story says"))),
    };
    if args.once {
        if ended.is_ok() {
            terminal::print_line("\nEvery answer was as it should be.")?;
        }
        return ended;
    }
    let body = story::authorization(people::ORDINARY, people::PERSON_ORDINARY, "150.00");
    terminal::print(&format!(
        "\nThe server goes on. Paste this: a signed TxAuthorization (after the fifth within an hour it is refused):\n\n\
         {}\n\n\
         As an operator (the admin key is {}):\n\n\
         curl -s http://{address}/admin/accounts/{} -H 'X-API-Key: {}'\n\
         curl -s 'http://{address}/admin/decisions?limit=5' -H 'X-API-Key: {}'\n\n\
         To sign bodies of your own: VNA_SIGNING_KEYS={} vna-partner sign body.json\n\n\
         Ctrl-C ends it.\n",
        told.leap.curl("/TxAuthorization", &body),
        keys.admin,
        people::ORDINARY,
        keys.admin,
        keys.admin,
        keys.signing,
        address = running.address,
    ))?;
    // The caller ends this with the signal it listens for.
    std::future::pending().await
}

/// Made for this run, and of no worth after it.
struct Keys {
    signing: String,
    admin: String,
}

/// The demo's own settings: nothing of the machine's enters, so that it runs the same everywhere.
fn settings(directory: &Path, address: SocketAddr, keys: &Keys) -> Result<Settings, Failure> {
    let rules = directory.join("demo-rules.toml");
    fs::write(&rules, RULES).map_err(|error| unwritable(directory, &error))?;
    let database = format!("sqlite://{}", directory.join("demo.db").display());
    let environment = Environment::new(
        directory,
        [
            ("DATABASE_URL", database.as_str()),
            ("VNA_BIND", &address.to_string()),
            ("VNA_SIGNING_KEYS", &keys.signing),
            ("VNA_ADMIN_KEYS", &format!("demo={}", keys.admin)),
            ("VNA_RULES", &rules.display().to_string()),
        ],
    );
    Settings::load(&Flags::default(), &environment).map_err(Failure::misused)
}

async fn seed_accounts(settings: &Settings, clock: Clock) -> Result<(), Failure> {
    let books = desk::open_books(settings, clock).await?;
    let seeded = seed::seed_text(&books, "seeds/demo.json", ACCOUNTS).await;
    books.close().await;
    seeded.map(|_| ())
}

/// Where to listen: as asked, else the usual port, else any.
fn address(args: &Demo, flags: &Flags) -> Result<SocketAddr, Failure> {
    let Flags { config, database_url, bind, base_path, public_url, rules } = flags;
    if config.is_some() || database_url.is_some() || base_path.is_some() || public_url.is_some() || rules.is_some() {
        return Err(Failure::misused(
            "the demo brings its own settings; of the flags it takes --bind and --port alone",
        ));
    }
    match (bind, args.port) {
        (Some(_), Some(_)) => Err(Failure::misused("--bind names a port already; leave --port out")),
        (Some(bind), None) => {
            bind.parse().map_err(|_| Failure::Misused(format!("--bind: write it as 127.0.0.1:8080, not `{bind}`")))
        }
        (None, Some(port)) => Ok((Ipv4Addr::LOCALHOST, port).into()),
        (None, None) if args.once => Ok((Ipv4Addr::LOCALHOST, 0).into()),
        (None, None) => {
            let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
            let is_free = TcpListener::bind(usual).is_ok();
            Ok(if is_free { usual } else { (Ipv4Addr::LOCALHOST, 0).into() })
        }
    }
}

/// The directory of one run.
struct Place {
    path: PathBuf,
    is_temporary: bool,
}

impl Place {
    /// A directory of the user's alone; one that is named must hold no demo yet.
    fn make(named: Option<&Path>) -> Result<Self, Failure> {
        let (path, is_temporary) = match named {
            Some(path) => (path.to_owned(), false),
            None => (std::env::temp_dir().join(format!("vna-partner-demo-{}", fresh_id())), true),
        };
        if path.join("demo.db").exists() {
            return Err(Failure::Misused(format!(
                "{} holds a demo already, and the story needs a fresh one; name another directory or remove it",
                path.display()
            )));
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        // The settings that are written into it name it from anywhere.
        match made.and_then(|()| fs::canonicalize(&path)) {
            Ok(path) => Ok(Self { path, is_temporary }),
            Err(error) => Err(unwritable(&path, &error)),
        }
    }

    fn remove(self) {
        if self.is_temporary {
            // What is left behind is in the machine's temporary directory, which is cleared by itself.
            _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn unwritable(directory: &Path, error: &std::io::Error) -> Failure {
    Failure::Refused(format!("{} cannot be written: {error}", directory.display()))
}

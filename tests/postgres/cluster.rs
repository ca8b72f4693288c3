//! A Postgres cluster of a test's own, to be stopped, killed and promoted.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use vna_partner::clock;

const DATABASE: &str = "vna";

/// Between two looks at something that is awaited.
const A_MOMENT: Duration = Duration::from_millis(10);

/// No step of a cluster takes longer on any machine.
const LONGEST_STEP: Duration = Duration::from_secs(60);

/// How Postgres is ended.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// Connections are ended, the rest is written.
    Fast,
    /// Everything is dropped; the next start recovers.
    Immediate,
    /// SIGKILL to the postmaster; what it had started notices by itself.
    KillNine,
}

/// Stopped and removed when it is dropped.
pub struct Cluster {
    folder: TempDir,
    pub port: u16,
}

impl Cluster {
    /// An empty database on a cluster that runs.
    pub async fn start() -> Self {
        let cluster = Self { folder: folder_of_postgres(), port: free_port() };
        let data = cluster.data();
        run(postgres("initdb").args(["--username", "postgres", "--auth", "trust", "--encoding", "UTF8"]).args([
            "--locale",
            "C.UTF-8",
            "--no-sync",
            "--pgdata",
            &data,
        ]));
        // What reaches the kernel survives the death of every process, so nothing here has to reach the disk. Shared memory
        // is in the cluster's folder, and goes with it where nobody is left to remove it.
        cluster.configure(
            "fsync = off\nwal_retrieve_retry_interval = 100ms\nmax_connections = 60\ndynamic_shared_memory_type = mmap",
        );
        cluster.start_again().await;
        cluster.run_sql("postgres", &format!("CREATE DATABASE {DATABASE} ENCODING 'UTF8'")).await;
        cluster
    }

    /// A copy of `primary` that follows it. Every commit there waits for it from then on.
    pub async fn synchronous_standby_of(primary: &Self) -> Self {
        Self { folder: folder_of_postgres(), port: free_port() }.follow(primary).await
    }

    /// The same host, come back as the synchronous standby of `primary`.
    pub async fn follow(self, primary: &Self) -> Self {
        let (port, data) = (primary.port.to_string(), self.data());
        if Path::new(&data).exists() {
            fs::remove_dir_all(&data).unwrap();
        }
        run(postgres("pg_basebackup").args(["--host", "127.0.0.1", "--username", "postgres", "--port", &port]).args([
            "--checkpoint",
            "fast",
            "--write-recovery-conf",
            "--no-sync",
            "--pgdata",
            &data,
        ]));
        self.configure("");
        self.start_again().await;
        // Not before the copy was made: a standby that inherits the setting waits for one of its own once promoted.
        primary.run_sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'").await;
        primary.run_sql("postgres", "SELECT pg_reload_conf()").await;
        let is_followed = "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
        primary.wait_until("it is followed", is_followed).await;
        self
    }

    /// A copy of `primary`'s files as they are while it works, not started yet.
    pub fn base_backup_of(primary: &Self) -> Self {
        let copy = Self { folder: folder_of_postgres(), port: free_port() };
        let port = primary.port.to_string();
        run(postgres("pg_basebackup").args(["--host", "127.0.0.1", "--username", "postgres", "--port", &port]).args([
            "--checkpoint",
            "fast",
            "--no-sync",
            "--pgdata",
            &copy.data(),
        ]));
        copy.configure("");
        copy
    }

    /// From now on it takes encrypted connections alone; the path of its authority's certificate.
    pub async fn encrypt(&self) -> String {
        let authority = self.path("authority.pem");
        let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        self.openssl(&format!("req -x509 {new_key} -subj /CN=authority -keyout authority.key -out authority.pem"));
        self.openssl(&format!("req {new_key} -subj /CN=database -keyout database.key -out database.csr"));
        fs::write(self.path("extensions"), "subjectAltName = IP:127.0.0.1").unwrap();
        self.openssl(
            "x509 -req -in database.csr -CA authority.pem -CAkey authority.key -set_serial 1 -extfile extensions \
             -out database.pem",
        );
        fs::write(self.path("data/pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n").unwrap();
        let (certificate, key) = (self.path("database.pem"), self.path("database.key"));
        self.configure(&format!("ssl = on\nssl_cert_file = '{certificate}'\nssl_key_file = '{key}'"));
        self.run_sql("postgres", "SELECT pg_reload_conf()").await;
        let is_encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        self.wait_until("it speaks TLS", is_encrypted).await;
        authority
    }

    /// Runs it in the cluster's folder.
    fn openssl(&self, arguments: &str) {
        run(as_postgres(Path::new("openssl")).args(arguments.split_whitespace()).current_dir(self.folder.path()));
    }

    /// What a server's URL names.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{DATABASE}", self.port)
    }

    /// What a server's URL names: these clusters, in this order.
    pub fn url_of(clusters: &[&Self]) -> String {
        let hosts: Vec<String> = clusters.iter().map(|cluster| format!("127.0.0.1:{}", cluster.port)).collect();
        format!("postgres://postgres@{}/{DATABASE}", hosts.join(","))
    }

    /// Ends it, and waits until nothing of it runs any more.
    pub async fn end(&self, end: End) {
        let mode = match end {
            End::Fast => "fast",
            End::Immediate => "immediate",
            End::KillNine => {
                let postmaster = self.postmaster().unwrap();
                let children = children_of(postmaster);
                kill("-KILL", postmaster);
                for process in children {
                    wait_until("a child of the dead has ended", || !Path::new(&format!("/proc/{process}")).exists())
                        .await;
                }
                return;
            }
        };
        run(self.pg_ctl().args(["stop", "--mode", mode, "--wait"]));
    }

    /// Starts it and waits until it answers; the moment in which it did.
    pub async fn start_again(&self) -> Instant {
        let log = self.path("log");
        run(self.pg_ctl().args(["start", "--no-wait", "--log", &log]));
        self.wait_until("it answers", "SELECT true").await
    }

    /// Makes a standby the primary; the moment in which it takes writes.
    pub async fn promote(&self) -> Instant {
        run(self.pg_ctl().args(["promote", "--no-wait"]));
        self.wait_until("it takes writes", "SELECT NOT pg_is_in_recovery()").await
    }

    /// Stops every process of it where it stands: it answers nothing any more and closes nothing, as a machine that is gone.
    pub fn freeze(&self) -> Frozen {
        let postmaster = self.postmaster().unwrap();
        kill("-STOP", postmaster);
        let mut processes = children_of(postmaster);
        processes.push(postmaster);
        for &process in &processes {
            kill("-STOP", process);
        }
        Frozen { processes }
    }

    /// Runs one statement in a database.
    pub async fn run_sql(&self, database: &str, statement: &str) {
        let mut connection = self.connect(database).await.unwrap();
        connection.execute(AssertSqlSafe(statement)).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Waits until a question is answered with yes; the moment in which it was.
    pub async fn wait_until(&self, what: &str, question: &str) -> Instant {
        let began = Instant::now();
        loop {
            if let Ok(mut connection) = self.connect("postgres").await
                && let Ok(row) = connection.fetch_one(sqlx::raw_sql(AssertSqlSafe(question))).await
                && row.get::<bool, _>(0)
            {
                return Instant::now();
            }
            let log = || fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(began.elapsed() < LONGEST_STEP, "not within a minute: {what}\n{}", log());
            sleep(A_MOMENT).await;
        }
    }

    async fn connect(&self, database: &str) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect(&format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)).await
    }

    fn configure(&self, settings: &str) {
        let file = PathBuf::from(self.data()).join("postgresql.auto.conf");
        let socket = self.path("");
        let mut text = fs::read_to_string(&file).unwrap();
        text.push_str(&format!(
            "port = {}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{socket}'\n{settings}\n",
            self.port
        ));
        fs::write(&file, text).unwrap();
    }

    fn pg_ctl(&self) -> Command {
        let mut command = postgres("pg_ctl");
        command.args(["--silent", "--pgdata", &self.data()]);
        command
    }

    fn postmaster(&self) -> Option<u32> {
        let file = fs::read_to_string(PathBuf::from(self.data()).join("postmaster.pid")).ok()?;
        file.lines().next()?.trim().parse().ok()
    }

    fn data(&self) -> String {
        self.path("data")
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may be down.
        let _ = self.pg_ctl().args(["stop", "--mode", "immediate"]).stderr(Stdio::null()).status();
    }
}

/// Goes on when it is dropped.
pub struct Frozen {
    processes: Vec<u32>,
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for process in &self.processes {
            // It may be gone.
            let _ = Command::new("kill").args(["-CONT", &process.to_string()]).status();
        }
    }
}

/// A folder that Postgres' user owns, in memory where there is some.
pub fn folder_of_postgres() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    if is_root() {
        run(Command::new("chown").arg("postgres").arg(folder.path()));
    }
    folder
}

/// A program run as Postgres' user: the servers refuse to run as root.
pub fn as_postgres(program: &Path) -> Command {
    let mut command;
    if is_root() {
        command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
    } else {
        command = Command::new(program);
    }
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// Below the ports that outgoing connections get, so that none of them takes it while its server is down.
pub fn free_port() -> u16 {
    loop {
        let chance = clock::fresh_id().0.as_u64_pair().1 % 12_000;
        let port = 20_000 + u16::try_from(chance).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

#[track_caller]
pub fn run(command: &mut Command) {
    // A server that is started keeps what it inherits, so it must not inherit a pipe that is read to its end.
    let said = tempfile::NamedTempFile::new().unwrap();
    let status = command.stdout(Stdio::null()).stderr(said.reopen().unwrap()).status();
    let said = fs::read_to_string(said.path()).unwrap();
    assert!(status.is_ok_and(|status| status.success()), "{command:?} failed: {said}");
}

pub async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONGEST_STEP, "not within a minute: {what}");
        sleep(A_MOMENT).await;
    }
}

/// Debian keeps the programs of each version in a folder of its own, outside of the path.
pub fn postgres(program: &str) -> Command {
    let mut versions: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    versions.sort();
    let found = versions.into_iter().map(|version| version.join("bin").join(program)).rfind(|path| path.exists());
    as_postgres(&found.unwrap_or_else(|| program.into()))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn children_of(process: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap();
    text.split_whitespace().map(|child| child.parse().unwrap()).collect()
}

fn kill(signal: &str, process: u32) {
    run(Command::new("kill").args([signal, &process.to_string()]));
}

//! A pgbouncer of a test's own, in transaction mode.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::cluster::{Cluster, as_postgres, folder_of_postgres, free_port, run, wait_until};

/// Debian keeps it where only root's path leads.
const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// Stopped when it is dropped.
pub struct Pooler {
    folder: TempDir,
    port: u16,
}

impl Pooler {
    /// Few connections to the cluster, taken in turn, so that hardly any transaction is run where the last one was.
    pub async fn start(cluster: &Cluster, settings: &str) -> Self {
        let pooler = Self { folder: folder_of_postgres(), port: free_port() };
        let users = pooler.write("users.txt", "\"postgres\" \"\"\n");
        let folder = pooler.folder.path().display();
        let settings = pooler.write(
            "pgbouncer.ini",
            &format!(
                "[databases]\nvna = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\n\
                 auth_type = trust\nauth_file = {users}\nunix_socket_dir = {folder}\nlogfile = {folder}/log\n\
                 pidfile = {folder}/pid\npool_mode = transaction\ndefault_pool_size = 5\nserver_round_robin = 1\n\
                 {settings}\n",
                cluster.port, pooler.port
            ),
        );
        let program = Path::new(PROGRAM);
        let program = if program.exists() { program } else { Path::new("pgbouncer") };
        run(as_postgres(program).args(["--quiet", "--daemon", &settings]));
        let pid = pooler.folder.path().join("pid");
        wait_until("pgbouncer has written its process id", || {
            fs::read_to_string(&pid).is_ok_and(|pid| !pid.is_empty())
        })
        .await;
        pooler
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/vna", self.port)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        if let Ok(process) = fs::read_to_string(self.folder.path().join("pid")) {
            let _ = Command::new("kill").args(["-TERM", process.trim()]).status();
        }
    }
}

//! HAProxy with the repository's file, and Leap's side of its TLS.

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::compose;
use crate::program::in_repository;

/// Speaks TLS for a caller that does not; no HTTP, so that it repeats and changes nothing.
const CALLERS_SIDE: &str = r#"
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen caller
    bind fd@0
    server proxy "${PROXY}" ssl verify required ca-file "${CA}" verifyhost localhost ${CERTIFICATE}
"#;

/// What `compose.yaml`'s proxy is, in front of two addresses.
pub struct Proxy {
    /// For a caller with a client certificate that the proxy knows.
    pub for_leap: String,
    /// For a caller without one.
    pub for_browsers: String,
    /// For the partner's people, as a socket's path.
    pub for_operators: PathBuf,
    _processes: [Running; 3],
}

impl Proxy {
    /// Starts it with the secrets of [`trial_secrets`]. Calls may be sent when this returns.
    pub fn start(folder: &TempDir, servers: [&str; 2]) -> Self {
        let for_operators = folder.path().join("operators");
        let mut environment = compose::environment_with("proxy", &secrets(folder));
        environment.extend(
            [
                ("VNA_PROXY_BIND", "fd@0".to_owned()),
                ("VNA_PROXY_OPERATORS_BIND", format!("unix@{}", for_operators.display())),
                ("VNA_PROXY_SERVER_1", servers[0].to_owned()),
                ("VNA_PROXY_SERVER_2", servers[1].to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let mut command = haproxy(Path::new(&in_repository("packaging/haproxy.cfg")));
        let log = File::create(folder.path().join("proxy.log")).unwrap();
        command.envs(environment).stdout(log.try_clone().unwrap()).stderr(log);
        let (address, proxy) = listening(command);
        let certificate = format!("crt {}", secrets(folder).join("caller_certificate").display());
        let (for_leap, leap) = listening(callers_side(folder, &address, "leap.cfg", &certificate));
        let (for_browsers, browser) = listening(callers_side(folder, &address, "browser.cfg", ""));
        Self {
            for_leap: format!("http://{for_leap}"),
            for_browsers: format!("http://{for_browsers}"),
            for_operators,
            _processes: [proxy, leap, browser],
        }
    }
}

/// Makes the secrets of `compose.yaml` in a new folder.
pub fn trial_secrets() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(in_repository("scripts/compose-secrets")).arg(secrets(&folder)).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

/// Where they are.
pub fn secrets(folder: &TempDir) -> PathBuf {
    folder.path().join("secrets")
}

fn callers_side(folder: &TempDir, proxy: &str, who: &str, certificate: &str) -> Command {
    let file = folder.path().join(who);
    // A word of HAProxy's language cannot come from a variable that may be empty.
    std::fs::write(&file, CALLERS_SIDE.replace("${CERTIFICATE}", certificate)).unwrap();
    let mut command = haproxy(&file);
    command.env("PROXY", proxy).env("CA", secrets(folder).join("proxy_client_ca")).stdout(Stdio::null());
    command
}

fn haproxy(file: &Path) -> Command {
    let mut command = Command::new("haproxy");
    command.env_clear().env("PATH", "/usr/local/sbin:/usr/sbin:/usr/bin:/bin").arg("-db").arg("-f").arg(file);
    command
}

/// Starts it with a socket that listens already as its standard input: whoever connects early waits.
fn listening(mut command: Command) -> (String, Running) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let child = command.stdin(OwnedFd::from(listener)).spawn().unwrap();
    (address, Running(child))
}

/// A process that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

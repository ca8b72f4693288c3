//! `healthcheck`: whether a server is ready, for Docker's HEALTHCHECK.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::failure::Failure;
use super::terminal;
use crate::config::Settings;

/// Shorter than the interval at which containers are asked.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Ask a server whether it is ready; exit 0 or 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  vna-partner healthcheck
  vna-partner healthcheck http://10.0.0.7:8080

Without a URL it asks the server of these settings (VNA_BIND) on this machine.")]
pub struct Healthcheck {
    /// Where the server is, as http://127.0.0.1:8080
    #[arg(value_name = "URL")]
    url: Option<String>,
}

pub async fn run(args: &Healthcheck, settings: &Settings) -> Result<(), Failure> {
    let url = match &args.url {
        Some(url) => ready_url(url),
        None => ready_url(&format!("http://{}", reachable(settings.bind))),
    };
    let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build().map_err(Failure::refused)?;
    let request = client.get(&url).build().map_err(|error| Failure::misused(format!("{url}: {error}")))?;
    let answer = client.execute(request).await.map_err(|error| {
        let why = if error.is_timeout() { "no answer in time" } else { "it cannot be reached" };
        Failure::refused(format!("{url}: {why}"))
    })?;
    match answer.status() {
        status if status.is_success() => terminal::print_line("ready"),
        status => Err(Failure::refused(format!("{url}: not ready ({status})"))),
    }
}

fn ready_url(url: &str) -> String {
    let base = url.trim_end_matches('/');
    if base.ends_with("/health/ready") { base.to_owned() } else { format!("{base}/health/ready") }
}

/// An address that listens everywhere is asked on this machine.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bind.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_on_this_machine() {
        assert_eq!(reachable("0.0.0.0:80".parse().unwrap()).to_string(), "127.0.0.1:80");
        assert_eq!(reachable("[::]:80".parse().unwrap()).to_string(), "[::1]:80");
        assert_eq!(reachable("10.0.0.7:80".parse().unwrap()).to_string(), "10.0.0.7:80");
    }

    #[test]
    fn a_url_may_name_the_server_or_the_whole_path() {
        for url in ["http://a:1", "http://a:1/", "http://a:1/health/ready"] {
            assert_eq!(ready_url(url), "http://a:1/health/ready");
        }
    }
}

//! From the start of the process to the first `ready`, on a database that exists.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::ensure;
use vna_partner::telemetry::Stopwatch;

use super::arguments::Arguments;
use super::client::Connection;
use super::sample::median;
use super::servers;

const STARTS: usize = 5;

const READY: &[u8] = b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/// Milliseconds, the median of some starts.
pub async fn to_ready(arguments: &Arguments, database: &str) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let address = free_address()?;
        let mut command = servers::product(arguments, database, servers::THREE_RULES, &["serve"])?;
        command.env("VNA_BIND", address.to_string()).stderr(std::process::Stdio::null());
        let watch = Stopwatch::start();
        let child = command.spawn()?;
        let server = servers::Server { address, child };
        while !is_ready(address).await {
            ensure!(watch.elapsed() < Duration::from_secs(60), "the server does not become ready");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        times.push(watch.elapsed().as_secs_f64() * 1_000.0);
        server.stop()?;
    }
    Ok(median(times))
}

async fn is_ready(address: SocketAddr) -> bool {
    match Connection::open(address).await {
        Ok(mut connection) => connection.call(READY).await.is_ok(),
        Err(_) => false,
    }
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

//! One keep-alive HTTP/1.1 connection, as cheap as a load generator beside its server has to be.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// More than any answer of ours has.
const MOST_HEADERS: usize = 32;

pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("the server takes no connection")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(4_096) })
    }

    /// Sends a request; the body of its answer, which must be a 200.
    pub async fn call(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.received.clear();
        loop {
            let read = self.stream.read_buf(&mut self.received).await?;
            ensure!(read > 0, "the server closed the connection");
            if let Some(head) = self.head()? {
                ensure!(head.status == 200, "status {}: {}", head.status, String::from_utf8_lossy(&self.received));
                if self.received.len() >= head.length + head.body {
                    return Ok(&self.received[head.length..head.length + head.body]);
                }
            }
        }
    }

    fn head(&self) -> anyhow::Result<Option<Head>> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(&self.received)? else { return Ok(None) };
        let body = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
        let Some(body) = body else { bail!("an answer without Content-Length") };
        let body = std::str::from_utf8(body.value)?.parse()?;
        Ok(Some(Head { status: response.code.unwrap_or_default(), length, body }))
    }
}

/// Bytes of an answer's head and of its body.
struct Head {
    status: u16,
    length: usize,
    body: usize,
}

//! A network between a server and its database that breaks at the worst moment.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::cluster::Cluster;

/// How a message that commits ends.
const COMMIT: &[u8] = b"COMMIT\0";

/// When a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The database never hears of the commit.
    BeforeTheCommit,
    /// The database has committed, and its answer is lost.
    BeforeTheAnswer,
}

/// Carries connections to a cluster.
pub struct Relay {
    port: u16,
    next_cut: Arc<Mutex<Option<Cut>>>,
}

impl Relay {
    pub async fn to(cluster: &Cluster) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Self { port: listener.local_addr().unwrap().port(), next_cut: Arc::default() };
        let (next_cut, database) = (relay.next_cut.clone(), cluster.port);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", database)).await.unwrap();
                tokio::spawn(carry(client, server, next_cut.clone()));
            }
        });
        relay
    }

    /// The address of a cluster's database, by way of this.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/vna", self.port)
    }

    /// Cuts the next connection that commits.
    pub fn cut(&self, cut: Cut) {
        *self.next_cut.lock().unwrap() = Some(cut);
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, next_cut: Arc<Mutex<Option<Cut>>>) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    let mut is_cut = false;
    loop {
        tokio::select! {
            Ok(length @ 1..) = client.read(&mut asked) => {
                if asked[..length].ends_with(COMMIT) {
                    match next_cut.lock().unwrap().take() {
                        Some(Cut::BeforeTheCommit) => return,
                        Some(Cut::BeforeTheAnswer) => is_cut = true,
                        None => {}
                    }
                }
                if server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
            }
            Ok(length @ 1..) = server.read(&mut answered) => {
                if is_cut || client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
            else => return,
        }
    }
}

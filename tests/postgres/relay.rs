//! A network between a server and its database that breaks at the worst moment.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::cluster::Cluster;

/// What messages hold that begin a transaction, and how those end that end it.
const BEGIN: &[u8] = b"BEGIN";
const COMMIT: &[u8] = b"COMMIT\0";
const ROLLBACK: &[u8] = b"ROLLBACK\0";

/// What is written of a credit, the call itself. Where no transaction was begun, the statement that writes it commits, too.
const CREDIT: &[u8] = b"\"AuthTrackingIdentifier\":";

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
    next_cuts: Cuts,
}

/// For one connection that commits after the other.
type Cuts = Arc<Mutex<VecDeque<Cut>>>;

impl Relay {
    pub async fn to(cluster: &Cluster) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Self { port: listener.local_addr().unwrap().port(), next_cuts: Cuts::default() };
        let (next_cuts, database) = (relay.next_cuts.clone(), cluster.port);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", database)).await.unwrap();
                tokio::spawn(carry(client, server, next_cuts.clone()));
            }
        });
        relay
    }

    /// The address of a cluster's database, by way of this.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/vna", self.port)
    }

    /// Cuts the next connections that commit.
    pub fn cut(&self, cuts: &[Cut]) {
        self.next_cuts.lock().unwrap().extend(cuts);
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, next_cuts: Cuts) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    let (mut has_begun, mut is_cut) = (false, false);
    loop {
        tokio::select! {
            Ok(length @ 1..) = client.read(&mut asked) => {
                let said = &asked[..length];
                let commits = said.ends_with(COMMIT) || !has_begun && holds(said, CREDIT);
                has_begun = !commits && !said.ends_with(ROLLBACK) && (has_begun || holds(said, BEGIN));
                if commits {
                    match next_cuts.lock().unwrap().pop_front() {
                        Some(Cut::BeforeTheCommit) => return,
                        Some(Cut::BeforeTheAnswer) => is_cut = true,
                        None => {}
                    }
                }
                if server.write_all(said).await.is_err() {
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

fn holds(said: &[u8], words: &[u8]) -> bool {
    said.windows(words.len()).any(|part| part == words)
}

//! A network between a server and its database that breaks at the worst moment.

use std::collections::VecDeque;
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
    let mut is_cut = false;
    loop {
        tokio::select! {
            Ok(length @ 1..) = client.read(&mut asked) => {
                if asked[..length].ends_with(COMMIT) {
                    match next_cuts.lock().unwrap().pop_front() {
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

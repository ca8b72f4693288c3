//! What the proxy does with calls that got no answer, in front of servers that are ready and answer none.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::proxy::{Proxy, trial_secrets};

#[tokio::test]
#[ignore = "needs HAProxy: scripts/test brings it"]
async fn a_call_that_may_have_been_carried_out_is_not_sent_to_a_second_server() {
    let heard = Heard::default();
    let folder = trial_secrets();
    let proxy = Proxy::start(&folder, [&silent_server(&heard).await, &silent_server(&heard).await]);
    let leap = caller();
    for endpoint in ["TxAuthorization", "CreditFunds", "ReverseCreditFunds", "CreateAccount"] {
        let answer = leap.post(format!("{}/{endpoint}", proxy.for_leap)).body("{ }").send().await.unwrap();
        assert_eq!(answer.status(), 502);
        let answer: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(answer["error"]["code"], "SERVICE_UNAVAILABLE");
        assert_eq!(heard.take(), [format!("POST /{endpoint} HTTP/1.1")]);
    }
}

#[tokio::test]
#[ignore = "needs HAProxy: scripts/test brings it"]
async fn a_question_that_changes_nothing_is_asked_again() {
    let heard = Heard::default();
    let folder = trial_secrets();
    let proxy = Proxy::start(&folder, [&silent_server(&heard).await, &silent_server(&heard).await]);
    let leap = caller();
    let answer = leap.post(format!("{}/GetCreditStatus", proxy.for_leap)).body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 502);
    assert_eq!(heard.take(), ["POST /GetCreditStatus HTTP/1.1"; 4]);
}

/// With a connection per call: on one that has served before, the proxy hangs up without a word instead.
fn caller() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap()
}

/// The first lines of the calls that came in.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Says that it is ready, and hangs up on everything else once it has read it.
async fn silent_server(heard: &Heard) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heard = heard.clone();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(hang_up(connection, heard.clone()));
        }
    });
    address
}

async fn hang_up(mut connection: TcpStream, heard: Heard) {
    let mut request = vec![0; 16 * 1024];
    let read = connection.read(&mut request).await.unwrap();
    let request = String::from_utf8_lossy(&request[..read]);
    let first = request.lines().next().unwrap_or_default();
    if first.starts_with("GET /health/ready ") {
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    } else if !first.is_empty() {
        heard.0.lock().unwrap().push(first.to_owned());
    }
}

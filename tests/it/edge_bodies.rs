//! Bodies that cannot be read: each gets its own clear answer, and writes nothing (decision 2).

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{ANA, Answer, KEY, Server, authorization, sign, status, unreferenced_credit};

/// These bytes, rightly signed, at an endpoint that would otherwise give a business answer.
async fn send(server: &Server, body: impl Into<Vec<u8>>) -> Answer {
    server.leap().call("/TxAuthorization").bytes(body).off_contract().send().await
}

/// One raw HTTP request; the whole answer as text. The server is asked to close the connection.
fn raw(server: &Server, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let signature = sign(KEY, body);
    write!(stream, "POST /TxAuthorization HTTP/1.1\r\nHost: test\r\nX-Signature: {signature}\r\n{head}\r\n\r\n")
        .unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn what_is_not_json_is_a_400() {
    let server = Server::start().await;
    for body in
        ["", " ", "{", "{]", "not json", "{\"A\":1", "{\"A\":01}", "{\"A\":.5}", "{\"A\":NaN}", "{'A':1}", "{\"A\":1,}"]
    {
        send(&server, body).await.error(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn what_follows_the_object_is_a_400() {
    let server = Server::start().await;
    for body in ["{}{}", "{} x", "{}\0"] {
        send(&server, body).await.error(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn json_that_is_no_object_is_a_400() {
    let server = Server::start().await;
    for body in ["[]", "[{}]", "\"text\"", "1", "true", "null"] {
        send(&server, body).await.error(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn invalid_utf8_is_a_400() {
    let server = Server::start().await;
    for bytes in [&b"{\"A\":\"\xff\"}"[..], b"{\"A\":\"\xc3\"}", b"{\"A\":\"\xed\xa0\x80\"}", b"\xef\xbb\xbf{}"] {
        send(&server, bytes).await.error(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn a_lone_surrogate_is_a_400() {
    let server = Server::start().await;
    for body in [r#"{"A":"\ud800"}"#, r#"{"A":"\udc00"}"#, r#"{"A":"\ud800x"}"#, r#"{"\ud800":1}"#] {
        send(&server, body).await.error(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn a_property_that_occurs_twice_is_a_400_at_any_depth() {
    let server = Server::start().await;
    for body in [
        r#"{"Amount":1,"Amount":1}"#,
        r#"{"Unknown":1,"Unknown":2}"#,
        r#"{"A":{"B":1,"B":2}}"#,
        r#"{"A":[{"B":1,"B":2}]}"#,
        r#"{"Amount":1,"\u0041mount":2}"#,
    ] {
        send(&server, body).await.error(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn json_is_nested_64_deep_at_most() {
    let server = Server::start().await;
    // The body itself is the first level.
    let nested = |levels: usize| format!("{{\"A\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    send(&server, nested(64)).await.not_authorized("InvalidAmount");
    send(&server, nested(65)).await.error(400, "INVALID_REQUEST");
    send(&server, nested(20_000)).await.error(400, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_body_of_the_largest_size_is_taken_and_one_byte_more_is_a_413() {
    let server = Server::start().await;
    let of_size = |size: usize| {
        let empty = authorization().to(ANA).with("Padding", "").text().len();
        authorization().to(ANA).with("Padding", "x".repeat(size - empty)).text()
    };
    send(&server, of_size(65_536)).await.authorized();
    send(&server, of_size(65_537)).await.error(413, "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn the_largest_size_can_be_set() {
    let server = Server::with().max_body_bytes(1_024).start().await;
    send(&server, format!("{{\"A\":\"{}\"}}", "x".repeat(1_024))).await.error(413, "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn a_body_that_does_not_say_its_size_is_cut_at_the_limit_too() {
    let server = Server::with().max_body_bytes(1_024).start().await;
    let chunk = "x".repeat(2_000);
    let body = format!("{:x}\r\n{chunk}\r\n0\r\n\r\n", chunk.len());
    let answer = raw(&server, "Transfer-Encoding: chunked\r\nConnection: close", body.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_a_408() {
    let server = Server::with().variable("VNA_HTTP_BODY_TIMEOUT", "1s").start().await;
    let answer = raw(&server, "Content-Length: 100\r\nConnection: close", b"{\"Amount\"");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"code\":\"REQUEST_TIMEOUT\""), "{answer}");
}

#[tokio::test]
async fn a_compressed_body_is_a_415() {
    let server = Server::start().await;
    for encoding in ["gzip", "deflate", "br", "identity, gzip"] {
        let call = server.leap().call("/TxAuthorization").body(authorization().to(ANA));
        call.header("Content-Encoding", encoding).send().await.error(415, "UNSUPPORTED_MEDIA_TYPE");
    }
}

#[tokio::test]
async fn a_content_type_is_not_insisted_on() {
    let server = Server::start().await;
    for content_type in ["text/plain", "application/json; charset=utf-8", "application/octet-stream"] {
        let call = server.leap().call("/TxAuthorization").body(authorization().to(ANA));
        call.header("Content-Type", content_type).send().await.authorized();
    }
}

#[tokio::test]
async fn whitespace_and_order_of_properties_do_not_matter() {
    let server = Server::start().await;
    let body = format!("\r\n\t {{ \"CreditTrackingNumber\" : \"x\" ,\n\"AccountIdentifier\":\"{ANA}\" }} \n");
    server.leap().call("/GetCreditStatus").bytes(body).send().await.ok();
}

#[tokio::test]
async fn unknown_properties_are_ignored() {
    let server = Server::start().await;
    let body = authorization().to(ANA).with("Memo", "x").raw("Nested", r#"{"A":[1,2,{"B":null}]}"#);
    server.leap().authorize(body.clone()).await.authorized();
    send(&server, body.raw("Huge", "1e999").text()).await.authorized();
}

#[tokio::test]
async fn property_names_are_exact() {
    let server = Server::start().await;
    let body = authorization().to(ANA).without("Amount").raw("amount", "100.00").raw("AMOUNT", "100.00");
    let answer = server.leap().call("/TxAuthorization").body(body).off_contract().send().await;
    answer.not_authorized("InvalidAmount");
}

#[tokio::test]
async fn an_unreadable_body_leaves_no_decision() {
    let server = Server::start().await;
    for body in ["{", "[]", r#"{"A":1,"A":1}"#] {
        send(&server, body).await.error(400, "INVALID_REQUEST");
    }
    assert!(server.operator().list("/admin/decisions").await.is_empty());
}

#[tokio::test]
async fn every_endpoint_reads_bodies_in_the_same_way() {
    let server = Server::start().await;
    for endpoint in
        ["/CreditFunds", "/ReverseCreditFunds", "/CreateAccount", "/GetCreateAccountUrl", "/GetCreditStatus"]
    {
        for body in ["[]", r#"{"A":1,"A":1}"#] {
            let call = server.leap().call(endpoint).bytes(body).off_contract();
            call.send().await.error(400, "INVALID_REQUEST");
        }
    }
}

#[tokio::test]
async fn errors_repeat_nothing_that_was_sent() {
    let server = Server::start().await;
    let answer = send(&server, r#"{"SecretName":"Ana","SecretName":"Ana"}"#).await;
    assert!(!answer.text.contains("Secret") && !answer.text.contains("Ana"), "{}", answer.text);
    let answer = server.leap().status(status(ANA, "secret-number")).await;
    assert!(!answer.text.contains("secret"), "{}", answer.text);
    let answer = server.leap().credit(unreferenced_credit("secret-account")).await;
    assert!(!answer.text.contains("secret"), "{}", answer.text);
}

//! Health and metrics, and the door of the admin API.

use crate::support::{ADMIN_KEY, ANA, Server, authorization};

#[tokio::test]
async fn a_running_server_is_live_and_ready_without_any_key() {
    let server = Server::start().await;
    for path in ["/health/live", "/health/ready"] {
        server.operator().with_key("").get(path).await.ok();
    }
}

#[tokio::test]
async fn a_server_whose_clock_is_behind_the_books_is_live_but_not_ready_and_answers_503() {
    let mut server = Server::start().await;
    server.leap().authorize(authorization().to(ANA)).await.authorized();
    server.advance_by(vna_partner::domain::Span::seconds(-3));
    server.operator().get("/health/live").await.ok();
    server.operator().get("/health/ready").await.error(503, "SERVICE_UNAVAILABLE");
    server.leap().authorize(authorization().to(ANA)).await.error(503, "SERVICE_UNAVAILABLE");
    assert_eq!(server.operator().list("/admin/authorizations").await.len(), 1);
    server.advance("1s");
    server.operator().get("/health/ready").await.ok();
    server.leap().authorize(authorization().to(ANA)).await.authorized();
}

#[tokio::test]
async fn the_metrics_name_what_was_answered_decided_and_committed() {
    let server = Server::start().await;
    server.leap().authorize(authorization().to(ANA)).await.authorized();
    server.leap().authorize(authorization().to("unknown")).await.not_authorized("InvalidAccount");
    let metrics = server.operator().with_key("").get("/metrics").await.ok().text;
    for name in [
        "vna_http_requests_total",
        "vna_http_request_seconds",
        "vna_decisions_total",
        "vna_batch_commands",
        "vna_queue_depth",
        "vna_commit_seconds",
        "vna_dissenting_servers",
    ] {
        assert!(metrics.contains(name), "{name} is missing in\n{metrics}");
    }
    assert!(metrics.lines().any(|line| line.starts_with("vna_decisions_total") && line.contains("InvalidAccount")));
    assert!(!metrics.contains(ANA), "metrics name no account");
}

#[tokio::test]
async fn the_admin_api_asks_for_its_key_before_anything_else() {
    let server = Server::start().await;
    for path in ["/admin/accounts", "/admin/accounts/unknown", "/admin/decisions?limit=0", "/admin/rules"] {
        let stranger = server.operator().with_key("");
        stranger.request(reqwest::Method::GET, path).off_contract().send().await.error(401, "UNAUTHORIZED");
        let guesser = server.operator().with_key(&ADMIN_KEY[1..]);
        guesser.request(reqwest::Method::GET, path).off_contract().send().await.error(401, "INVALID_API_KEY");
    }
}

#[tokio::test]
async fn a_page_has_1_to_100_items() {
    let server = Server::start().await;
    for limit in ["0", "101", "-1", "x", ""] {
        let call = server.operator().request(reqwest::Method::GET, &format!("/admin/accounts?limit={limit}"));
        call.off_contract().send().await.error(400, "INVALID_REQUEST");
    }
    for limit in ["1", "100"] {
        server.operator().get(&format!("/admin/accounts?limit={limit}")).await.ok();
    }
}

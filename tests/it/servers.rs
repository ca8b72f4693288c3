//! Several servers of one database that do not decide alike: said, and no reason to stop.

use crate::support::{ANA, Server, Setup, authorization};

const NO_RULES: &str = "rules = []";
const OTHER_RULES: &str = "rules = [] # the new file";

/// A server, and one beside it that is started in another way.
async fn two(setup: impl FnOnce(Setup) -> Setup) -> [Server; 2] {
    let server = Server::with().rules(NO_RULES).with_ana().await;
    let beside = server.beside_with(setup).await;
    [server, beside]
}

/// What `/health/ready` warns of. The answer is a 200.
async fn warning(server: &Server) -> Option<String> {
    let ready = server.operator().with_key("").get("/health/ready").await.ok();
    assert_eq!(ready["data"]["status"], "ready");
    ready["data"]["warning"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn servers_with_different_rule_files_warn_of_each_other_and_serve_all_the_same() {
    let servers = two(|setup| setup.rules(OTHER_RULES)).await;
    for server in &servers {
        let warning = warning(server).await.expect("it warns");
        assert!(warning.contains("other rules or settings: 1;"), "{warning}");
        server.leap().authorize(authorization().to(ANA)).await.authorized();
    }
}

#[tokio::test]
async fn servers_with_different_policies_warn_of_each_other() {
    for (key, value) in [("late_credit", "refuse"), ("authorization_ttl", "1h"), ("currencies", "MXN")] {
        for server in &two(|setup| setup.policy(key, value)).await {
            assert!(warning(server).await.is_some(), "{key}");
        }
    }
}

#[tokio::test]
async fn servers_that_decide_alike_warn_of_nothing_wherever_they_listen() {
    let same = |setup: Setup| setup.rules(NO_RULES).policy("late_credit", "recheck").base_path("/v1");
    for server in &two(same).await {
        assert_eq!(warning(server).await, None);
    }
}

#[tokio::test]
async fn the_warning_ends_with_the_server_that_decided_otherwise() {
    let [server, beside] = two(|setup| setup.rules(OTHER_RULES)).await;
    assert!(warning(&server).await.is_some());
    let beside = beside.restart_with(Server::with().rules(NO_RULES)).await;
    assert_eq!(warning(&server).await, None);
    assert_eq!(warning(&beside).await, None);
}

#[tokio::test]
async fn a_server_that_was_not_seen_for_long_is_no_longer_warned_of() {
    let [mut server, _beside] = two(|setup| setup.rules(OTHER_RULES)).await;
    server.advance("18s");
    assert_eq!(warning(&server).await, None);
}

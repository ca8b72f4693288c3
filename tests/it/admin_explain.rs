//! Why a call was answered as it was: each rule in order, its window, what it counted, its limit, what was left.

use serde_json::{Value, json};
use vna_partner::domain::{Span, Timestamp};

use crate::support::{
    ANA, START, Server, account, authorization, authorization_v1, credit, reversal, unreferenced_credit,
};

const RULES: &str = r#"
[[rules]]
id = "per-transaction"
type = "amount"
max = { MXN = "1000.00" }

[[rules]]
id = "watched"
type = "amount"
max = { MXN = "10.00" }
mode = "shadow"

[[rules]]
id = "retired"
type = "amount"
max = { MXN = "1.00" }
mode = "off"

[[rules]]
id = "two-a-week"
type = "velocity"
max = 2
window = { calendar = "week", time_zone = "America/Mexico_City" }

[[rules]]
id = "sender-total"
type = "accumulated"
max = { MXN = "250.00" }
window = { rolling = "30d" }
per = "sender"

[[rules]]
id = "gold-only"
type = "velocity"
max = 1
window = { rolling = "1h" }
tiers = ["gold"]

[[rules]]
id = "free"
type = "accumulated"
max = { MXN = "unlimited" }
window = { rolling = "1h" }
"#;

async fn server() -> Server {
    let server = Server::with().rules(RULES).start().await;
    server.open(account(ANA)).await;
    server
}

fn rule<'a>(decision: &'a Value, id: &str) -> &'a Value {
    let rules = decision["rules"].as_array().unwrap();
    rules.iter().find(|rule| rule["rule"] == id).unwrap_or_else(|| panic!("{id} is not in {rules:#?}"))
}

#[tokio::test]
async fn every_rule_is_explained_in_file_order_whichever_refused_first() {
    let server = server().await;
    for _ in 0..2 {
        server.leap().authorize(authorization().to(ANA)).await.authorized();
    }
    let refused = server.leap().authorize(authorization().to(ANA)).await.not_authorized("ByVelocity");
    let decision = server.operator().decision(&refused).await;
    let rules: Vec<(&str, &str)> = decision["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| (rule["rule"].as_str().unwrap(), rule["verdict"].as_str().unwrap()))
        .collect();
    let expected = [
        ("per-transaction", "Passed"),
        ("watched", "Refused"),
        ("retired", "Skipped"),
        ("two-a-week", "Refused"),
        ("sender-total", "Refused"),
        ("gold-only", "Skipped"),
        ("free", "Passed"),
    ];
    assert_eq!(rules, expected);
    assert_eq!(rule(&decision, "watched")["shadow"], true);
    assert_eq!(rule(&decision, "two-a-week")["shadow"], false);
}

#[tokio::test]
async fn what_was_counted_the_limit_and_the_rest_are_in_the_rules_own_unit() {
    let server = server().await;
    server.leap().authorize(authorization().to(ANA).amount("120.5")).await.authorized();
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    let decision = server.operator().decision(&authorized).await;
    let numbers = |id: &str| {
        let rule = rule(&decision, id);
        json!([rule["unit"], rule["counted"], rule["limit"], rule["left"]])
    };
    assert_eq!(numbers("two-a-week"), json!(["transactions", 1, 2, 1]));
    assert_eq!(numbers("sender-total"), json!(["amount", "120.50", "250.00", "129.50"]));
    assert_eq!(numbers("free"), json!(["amount", null, null, null]), "nothing is counted where nothing is limited");
    assert_eq!(rule(&decision, "per-transaction")["limit"], "1000.00");
}

#[tokio::test]
async fn a_calendar_window_is_shown_from_its_first_moment_and_in_its_zone() {
    let server = server().await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    let decision = server.operator().decision(&authorized).await;
    // Tuesday noon in Mexico City: the week began on Monday.
    for (member, expected) in [
        ("from", json!("2026-03-09T06:00:00.000000Z")),
        ("fromIncluded", json!(true)),
        ("to", json!("2026-03-10T18:00:00.000000Z")),
        ("timeZone", json!("America/Mexico_City")),
        ("localFrom", json!("2026-03-09T00:00:00.000000-06:00")),
        ("localTo", json!("2026-03-10T12:00:00.000000-06:00")),
    ] {
        assert_eq!(rule(&decision, "two-a-week")["window"][member], expected, "{member}");
    }
}

#[tokio::test]
async fn a_rolling_window_is_shown_as_beginning_after_its_first_moment() {
    let server = server().await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    let decision = server.operator().decision(&authorized).await;
    let window = &rule(&decision, "sender-total")["window"];
    assert_eq!((&window["from"], &window["fromIncluded"]), (&json!("2026-02-08T18:00:00.000000Z"), &json!(false)));
    assert_eq!(rule(&decision, "sender-total")["per"], "sender");
    assert!(rule(&decision, "per-transaction")["window"].is_null());
}

#[tokio::test]
async fn a_day_of_23_hours_is_shown_as_one() {
    let rules = "[[rules]]\nid = 'day'\ntype = 'velocity'\nmax = 9\n\
                 window = { calendar = 'day', time_zone = 'America/New_York' }\n";
    // Sunday 2026-03-08T16:00:00Z: clocks went from 02:00 to 03:00 that night.
    let noon = Timestamp(START.0 - Span::seconds(50 * 3_600).0);
    let server = Server::with().rules(rules).starting_at(noon).start().await;
    server.open(account(ANA)).await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    let decision = server.operator().decision(&authorized).await;
    let window = &rule(&decision, "day")["window"];
    assert_eq!(window["from"], "2026-03-08T05:00:00.000000Z");
    assert_eq!(window["localFrom"], "2026-03-08T00:00:00.000000-05:00");
    assert_eq!(window["localTo"], "2026-03-08T12:00:00.000000-04:00");
}

#[tokio::test]
async fn a_rule_that_was_skipped_says_why() {
    let server = server().await;
    let authorized = server.leap().authorize(authorization_v1().to(ANA)).await.authorized();
    let decision = server.operator().decision(&authorized).await;
    for (id, why) in [("retired", "off"), ("gold-only", "tier"), ("sender-total", "sender")] {
        let skipped = rule(&decision, id);
        assert_eq!(skipped["verdict"], "Skipped", "{id}");
        assert!(skipped["note"].as_str().unwrap().contains(why), "{skipped}");
    }
}

#[tokio::test]
async fn twins_that_hold_limits_are_named_until_they_are_used_voided_or_expired() {
    let mut server = Server::start().await;
    let leap = server.leap();
    let asked = leap.authorize(authorization().to(ANA)).await.authorized();
    let mut twins = Vec::new();
    for _ in 0..3 {
        server.advance("1h");
        twins.push(leap.authorize(authorization().to(ANA)).await.authorized());
    }
    leap.authorize(authorization().to(ANA).amount("99.99")).await.authorized();
    let open = async |server: &Server| {
        let decision = server.operator().decision(&asked).await;
        let twins = decision["openTwins"].as_array().unwrap().clone();
        let mut ids: Vec<_> =
            twins.iter().map(|twin| twin["trackingIdentifier"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(open(&server).await, twins);
    server.operator().void(&twins[0]).await.ok();
    assert_eq!(open(&server).await, twins[1..]);
    let credited = leap.credit(credit(ANA, &twins[1])).await.done();
    assert_eq!(open(&server).await, twins[2..]);
    let of_credit = server.operator().decision(&credited).await["openTwins"].clone();
    assert!(of_credit.as_array().unwrap().iter().all(|twin| twin["trackingIdentifier"] != twins[1]), "{of_credit}");
    server.advance("24h");
    assert_eq!(open(&server).await, [""; 0], "no sweep has run, and yet they hold nothing");
}

#[tokio::test]
async fn a_refusal_that_came_before_the_rules_has_none_and_says_why() {
    let server = server().await;
    server.operator().block(ANA, "BlockedByLaw").await;
    let refused = server.leap().authorize(authorization().to(ANA)).await.not_authorized("AccountBlockedByLaw");
    let decision = server.operator().decision(&refused).await;
    assert_eq!((&decision["rules"], &decision["rulesVersion"]), (&json!([]), &Value::Null));
    assert!(!decision["note"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn credits_and_reversals_are_explained_as_well() {
    let server = server().await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    let credited = server.leap().credit(credit(ANA, &authorized)).await.done();
    let reversed = server.leap().reverse(reversal(ANA, &credited)).await.done();
    let unmatched = server.leap().credit(unreferenced_credit(ANA)).await.not_credited("NotPreviouslyValidated");
    for (id, kind, reference, approved) in [
        (&authorized, "Authorization", Value::Null, true),
        (&credited, "Credit", json!(authorized), true),
        (&reversed, "Reversal", json!(credited), true),
        (&unmatched, "Credit", Value::Null, false),
    ] {
        let decision = server.operator().decision(id).await;
        assert_eq!((&decision["kind"], &decision["approved"]), (&json!(kind), &json!(approved)));
        assert_eq!(decision["reference"], reference, "{kind}");
    }
}

#[tokio::test]
async fn a_late_credit_that_was_checked_again_shows_the_rules_at_its_own_time() {
    let mut server = server().await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    server.advance("25h");
    let credited = server.leap().credit(credit(ANA, &authorized)).await.done();
    let decision = server.operator().decision(&credited).await;
    let week = rule(&decision, "two-a-week");
    assert_eq!((&week["verdict"], &week["counted"]), (&json!("Passed"), &json!(0)), "its own count is taken out first");
    assert_eq!(week["window"]["to"], "2026-03-11T19:00:00.000000Z");
}

#[tokio::test]
async fn the_request_is_kept_as_it_was_received_even_what_nobody_reads() {
    let server = Server::start().await;
    let body = authorization().to(ANA).amount("1e2").raw("Unknown", r#"{"deep":[1.50,null]}"#);
    let authorized = server.leap().authorize(body.clone()).await.authorized();
    let call = server.operator().get(&format!("/admin/decisions/{authorized}")).await.ok();
    assert!(call.text.contains(&body.text()), "byte for byte");
}

#[tokio::test]
async fn a_decision_keeps_the_version_of_the_rules_that_made_it() {
    let server = server().await;
    let refused = server.leap().authorize(authorization().to(ANA).amount("5000")).await.not_authorized("ByAmountLimit");
    let before = server.operator().decision(&refused).await;
    let server = server.restart_with(Server::with().rules("rules = []")).await;
    assert_eq!(server.operator().decision(&refused).await, before);
    assert_ne!(server.operator().get("/admin/rules").await.data()["version"], before["rulesVersion"]);
}

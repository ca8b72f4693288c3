//! What an authorization counts, until when, and whose calendar it is counted by (decisions 6 and 13). The rules
//! themselves are in [`super::limits`].

use serde_json::json;
use vna_partner::domain::{Span, Timestamp};

use crate::support::{ANA, Server, Setup, account, ana, authorization, credit, luis, person, reversal, somebody};

/// One rule of at most `max` transactions in 24 hours, with more lines.
fn velocity(max: u32, more: &str) -> String {
    format!(
        "[[rules]]\nid = \"velocity\"\ntype = \"velocity\"\nmax = {max}\nwindow = {{ rolling = \"24h\" }}\n{more}\n"
    )
}

/// One rule of at most 250.00 MXN and 250.00 USD in 24 hours, with more lines.
fn sum(more: &str) -> String {
    format!(
        "[[rules]]\nid = \"sum\"\ntype = \"accumulated\"\nmax = {{ MXN = \"250.00\", USD = \"250.00\" }}\n\
         window = {{ rolling = \"24h\" }}\n{more}\n"
    )
}

async fn with_rules(rules: &str) -> Server {
    Server::with().rules(rules).with_ana().await
}

async fn refused(server: &Server, reason: &str) {
    server.leap().authorize(authorization().to(ANA)).await.not_authorized(reason);
}

#[tokio::test]
async fn an_approval_reserves_its_limits_at_once() {
    let server = with_rules(&sum("")).await;
    server.authorized().await;
    server.authorized().await;
    refused(&server, "ByAccumulateAmountLimit").await;
    server.leap().authorize(authorization().to(ANA).amount("50.00")).await.authorized();
    server.leap().authorize(authorization().to(ANA).amount("0.01")).await.not_authorized("ByAccumulateAmountLimit");
}

#[tokio::test]
async fn refused_attempts_count_nowhere() {
    let server = with_rules(&velocity(2, "")).await;
    for _ in 0..3 {
        let other = authorization().to(ANA).currency("USD");
        server.leap().authorize(other).await.not_authorized("NonMatchingCurrencyAccount");
    }
    server.authorized().await;
    server.authorized().await;
    for _ in 0..3 {
        refused(&server, "ByVelocity").await;
    }
    let last = server.leap().authorize(authorization().to(ANA)).await.tracking();
    assert_eq!(server.operator().decision(&last).await["rules"][0]["counted"], 2);
}

#[tokio::test]
async fn a_credit_counts_no_second_time() {
    let server = with_rules(&velocity(2, "")).await;
    server.credited().await;
    server.authorized().await;
    refused(&server, "ByVelocity").await;
}

#[tokio::test]
async fn an_unused_authorization_gives_its_limits_back_at_its_deadline_and_not_before() {
    let mut server = Server::with().policy("authorization_ttl", "2h").rules(&velocity(1, "")).with_ana().await;
    server.authorized().await;
    server.advance_by(Span(Span::seconds(7_200).0 - 1));
    refused(&server, "ByVelocity").await;
    server.advance_by(Span(1));
    server.authorized().await;
}

#[tokio::test]
async fn a_shorter_deadline_set_later_does_not_wait_for_a_longer_one_set_before() {
    let with_deadline = |deadline| Server::with().policy("authorization_ttl", deadline).rules(&velocity(2, ""));
    let server = with_deadline("3h").with_ana().await;
    server.authorized().await;
    let mut server = server.restart_with(with_deadline("1h")).await;
    server.advance("1s");
    server.authorized().await;
    refused(&server, "ByVelocity").await;
    server.advance("1h");
    server.authorized().await;
    refused(&server, "ByVelocity").await;
}

#[tokio::test]
async fn a_used_authorization_counts_beyond_its_deadline() {
    let mut server = Server::with().policy("authorization_ttl", "2h").rules(&velocity(1, "")).with_ana().await;
    server.credited().await;
    server.advance("3h");
    refused(&server, "ByVelocity").await;
}

#[tokio::test]
async fn on_expiry_keep_counts_what_expired_or_was_voided_and_restore_does_not() {
    for (on_expiry, counts) in [("keep", true), ("restore", false)] {
        let rules = velocity(2, &format!("on_expiry = \"{on_expiry}\""));
        let mut server = Server::with().policy("authorization_ttl", "1h").rules(&rules).with_ana().await;
        server.authorized().await;
        server.advance("1h");
        let voided = server.authorized().await;
        server.operator().void(&voided).await.ok();
        let answer = server.leap().authorize(authorization().to(ANA)).await;
        assert_eq!(answer["Authorized"], !counts, "{on_expiry}");
    }
}

#[tokio::test]
async fn on_reversal_also_governs_a_settlement_that_failed() {
    for (on_reversal, counts) in [("keep", true), ("restore", false)] {
        let rules = velocity(1, &format!("on_reversal = \"{on_reversal}\""));
        let server = Server::with().policy("settlement", "confirmed").rules(&rules).with_ana().await;
        let (_, credited) = server.credited().await;
        server.operator().settle(&credited, "Failed").await.ok();
        let answer = server.leap().authorize(authorization().to(ANA)).await;
        assert_eq!(answer["Authorized"], !counts, "{on_reversal}");
    }
}

#[tokio::test]
async fn a_refused_credit_always_gives_back() {
    let server = with_rules(&velocity(1, "on_expiry = \"keep\"\non_reversal = \"keep\"")).await;
    let authorized = server.authorized().await;
    server.operator().block(ANA, "Blocked").await;
    server.leap().credit(credit(ANA, &authorized)).await.not_credited("AccountBlocked");
    server.operator().unblock(ANA).await;
    server.authorized().await;
}

#[tokio::test]
async fn a_sender_without_a_phone_is_counted_by_email() {
    let server = with_rules(&velocity(1, "per = \"sender\"")).await;
    let by_email = |email: &str| authorization().to(ANA).sender(luis().without("PhoneNumber").email(email));
    server.leap().authorize(by_email("luis@example.com")).await.authorized();
    server.leap().authorize(by_email("LUIS@example.com")).await.not_authorized("ByVelocity");
    server.leap().authorize(by_email("other@example.com")).await.authorized();
}

#[tokio::test]
async fn a_sender_whose_call_expired_or_was_reversed_gets_the_limit_back() {
    let mut server =
        Server::with().policy("authorization_ttl", "1h").rules(&velocity(1, "per = \"sender\"")).with_ana().await;
    let stranger = server.open(account("4000000000000003").holder(somebody(1))).await;
    server.authorized().await;
    server.advance("1h");
    let authorized = server.leap().authorize(authorization().to(&stranger)).await.authorized();
    let credited = server.leap().credit(credit(&stranger, &authorized)).await.done();
    refused(&server, "ByVelocity").await;
    server.leap().reverse(reversal(&stranger, &credited)).await.done();
    server.authorized().await;
}

#[tokio::test]
async fn sums_are_per_currency_and_numbers_over_all_currencies() {
    let server = with_rules(&[sum("per = \"receiver\""), velocity(3, "per = \"receiver\"")].concat()).await;
    let dollars = server.open(account("4000000000000002").currency("USD")).await;
    let to_dollars = || authorization().to(&dollars).currency("USD");
    server.leap().authorize(authorization().to(ANA).amount("250.00")).await.authorized();
    server.leap().authorize(to_dollars().amount("240.00")).await.authorized();
    server.leap().authorize(to_dollars().amount("11.00")).await.not_authorized("ByAccumulateAmountLimit");
    server.leap().authorize(to_dollars().amount("10.00")).await.authorized();
    server.leap().authorize(to_dollars().amount("0.01")).await.not_authorized("ByAccumulateAmountLimit");
    let last = server.leap().authorize(authorization().to(ANA)).await.tracking();
    let rules = server.operator().decision(&last).await["rules"].clone();
    assert_eq!((&rules[0]["counted"], &rules[1]["counted"]), (&json!("250.00"), &json!(3)));
}

/// A server at `start` (UTC) with a limit of one per `period` of `zone`, used up.
async fn used_up(period: &str, zone: &str, start: &str) -> Server {
    let rule = format!(
        "[[rules]]\nid = \"one\"\ntype = \"velocity\"\nmax = 1\n\
         window = {{ calendar = \"{period}\", time_zone = \"{zone}\" }}\n"
    );
    let server = starting(Server::with().rules(&rule), start).with_ana().await;
    server.credited().await;
    server
}

fn starting(setup: Setup, start: &str) -> Setup {
    let moment: chrono::DateTime<chrono::Utc> = start.parse().unwrap();
    setup.starting_at(Timestamp(moment.timestamp_micros()))
}

/// The limit frees up exactly `span` after the server's start.
async fn frees_up_after(mut server: Server, span: Span) {
    server.advance_by(Span(span.0 - 1));
    refused(&server, "ByVelocity").await;
    server.advance_by(Span(1));
    server.authorized().await;
}

#[tokio::test]
async fn a_calendar_day_ends_at_midnight_in_the_rules_zone() {
    // 23:00 in Mexico City, six hours behind UTC, where it is another day already.
    let server = used_up("day", "America/Mexico_City", "2026-03-11T05:00:00Z").await;
    frees_up_after(server, Span::seconds(3_600)).await;
}

#[tokio::test]
async fn weeks_begin_on_monday_months_on_the_first_and_years_in_january() {
    for (period, start) in [
        // Sunday, and the last days of a month and a year, one hour before midnight in Mexico City.
        ("week", "2026-03-16T05:00:00Z"),
        ("month", "2026-04-01T05:00:00Z"),
        ("year", "2027-01-01T05:00:00Z"),
    ] {
        frees_up_after(used_up(period, "America/Mexico_City", start).await, Span::seconds(3_600)).await;
    }
}

#[tokio::test]
async fn days_of_23_and_of_25_hours_are_one_day() {
    // Madrid's midnights before the clocks go forward and back.
    for (start, hours) in [("2026-03-28T23:00:00Z", 23), ("2026-10-24T22:00:00Z", 25)] {
        frees_up_after(used_up("day", "Europe/Madrid", start).await, Span::seconds(hours * 3_600)).await;
    }
}

#[tokio::test]
async fn a_decision_tells_a_calendar_windows_bounds_in_its_zone() {
    let server = used_up("month", "America/Mexico_City", "2026-03-11T05:00:00Z").await;
    let last = server.leap().authorize(authorization().to(ANA)).await.not_authorized("ByVelocity");
    let window = server.operator().decision(&last).await["rules"][0]["window"].clone();
    assert_eq!((&window["name"], &window["timeZone"]), (&json!("calendar month"), &json!("America/Mexico_City")));
    assert_eq!((&window["from"], &window["fromIncluded"]), (&json!("2026-03-01T06:00:00.000000Z"), &json!(true)));
}

#[tokio::test]
async fn a_clock_turned_back_frees_no_limit_and_everything_is_dated_after_the_last_event() {
    let mut server = with_rules(&velocity(1, "")).await;
    server.credited().await;
    server.advance_by(Span(-1_000_000));
    let last = server.leap().authorize(authorization().to(ANA)).await.not_authorized("ByVelocity");
    let decision = server.operator().decision(&last).await;
    assert_eq!(decision["at"], "2026-03-10T18:00:00.000002Z", "the third on this account");
    assert_eq!(decision["receivedAt"], "2026-03-10T17:59:59.000000Z");
}

#[tokio::test]
async fn a_refused_credit_or_reversal_is_dated_after_the_last_event_as_well() {
    let mut server = Server::start().await;
    server.authorized().await;
    server.advance_by(Span(-1_500_000));
    let unknown = "01a1fcc3-6f82-73c9-858d-b155c11e5f97";
    let refused = server.leap().credit(credit(ANA, unknown)).await.not_credited("InvalidReferenceId");
    assert_eq!(server.operator().decision(&refused).await["at"], "2026-03-10T18:00:00.000001Z");
    let refused = server.leap().reverse(reversal(ANA, unknown)).await;
    let refused = refused["TrackingIdentifier"].as_str().unwrap();
    assert_eq!(server.operator().decision(refused).await["at"], "2026-03-10T18:00:00.000002Z");
}

#[tokio::test]
async fn a_rule_by_receiver_tells_members_of_a_family_apart() {
    let server = with_rules(&velocity(1, "per = \"receiver\"")).await;
    let sister = server.open(account("4000000000000002").holder(person("Eva", "López", "+525555123456"))).await;
    server.leap().authorize(authorization().receiver(ana())).await.authorized();
    server.leap().authorize(authorization().to(&sister)).await.authorized();
    refused(&server, "ByVelocity").await;
}

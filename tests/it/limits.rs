//! Rules over HTTP: what is counted, for whom, in which window, and what gives it back.

use vna_partner::domain::Timestamp;

use crate::support::{
    ANA, Answer, Body, START, Server, Setup, account, ana, authorization, credit, luis, reversal, somebody,
};

/// Noon on 2026-03-31 in Mexico City, which is UTC-6 all year.
const LAST_OF_MARCH: Timestamp = Timestamp(1_774_980_000_000_000);

fn rule(lines: &str) -> String {
    format!("[[rules]]\nid = \"the-rule\"\n{lines}\n")
}

fn two_a_day(more: &str) -> Setup {
    Server::with().rules(&rule(&format!("type = \"velocity\"\nmax = 2\nwindow = {{ rolling = \"24h\" }}\n{more}")))
}

fn thousand_a_month(more: &str) -> Setup {
    let window = "{ calendar = \"month\", time_zone = \"America/Mexico_City\" }";
    let lines = format!("type = \"accumulated\"\nmax = {{ MXN = \"1000.00\" }}\nwindow = {window}\n{more}");
    Server::with().rules(&rule(&lines))
}

async fn with_ana(setup: Setup) -> Server {
    let server = setup.start().await;
    server.open(account(ANA)).await;
    server
}

async fn authorize(server: &Server, body: Body) -> Answer {
    server.leap().authorize(body).await
}

fn to_ana() -> Body {
    authorization().to(ANA)
}

#[tokio::test]
async fn an_amount_may_reach_its_limit_and_not_exceed_it() {
    let server = with_ana(Server::with().rules(&rule("type = \"amount\"\nmax = { MXN = \"100.00\" }"))).await;
    authorize(&server, to_ana().amount("100.00")).await.authorized();
    authorize(&server, to_ana().amount("100.01")).await.not_authorized("ByAmountLimit");
}

#[tokio::test]
async fn a_currency_that_a_limit_does_not_name_is_refused() {
    let server =
        Server::with().rules(&rule("type = \"amount\"\nmax = { MXN = \"1.00\", EUR = \"unlimited\" }")).start().await;
    let dollars = server.open(account("4000000000000001").currency("USD")).await;
    let euros = server.open(account("4000000000000002").currency("EUR")).await;
    authorize(&server, authorization().to(&dollars).currency("USD")).await.not_authorized("InvalidCurrency");
    authorize(&server, authorization().to(&euros).currency("EUR").amount("1e9")).await.authorized();
}

#[tokio::test]
async fn the_one_beyond_the_velocity_limit_is_refused_and_refused_attempts_count_nowhere() {
    let server = with_ana(two_a_day("")).await;
    for _ in 0..2 {
        authorize(&server, to_ana()).await.authorized();
    }
    for _ in 0..3 {
        let refused = authorize(&server, to_ana()).await.not_authorized("ByVelocity");
        assert_eq!(server.operator().decision(&refused).await["rules"][0]["counted"], 2);
    }
}

#[tokio::test]
async fn a_rolling_window_begins_after_its_start_to_the_microsecond() {
    let mut server = with_ana(two_a_day("on_expiry = \"keep\"")).await;
    for _ in 0..2 {
        authorize(&server, to_ana()).await.authorized();
    }
    server.advance("86399s");
    server.advance_by(vna_partner::domain::Span(999_999));
    authorize(&server, to_ana()).await.not_authorized("ByVelocity");
    server.advance_by(vna_partner::domain::Span(1));
    authorize(&server, to_ana()).await.authorized();
}

#[tokio::test]
async fn a_calendar_month_ends_at_midnight_where_the_rule_lives() {
    let mut server = with_ana(thousand_a_month("on_expiry = \"keep\"").starting_at(LAST_OF_MARCH)).await;
    authorize(&server, to_ana().amount("1000")).await.authorized();
    server.advance("43199s");
    authorize(&server, to_ana().amount("0.01")).await.not_authorized("ByAccumulateAmountLimit");
    server.advance("1s");
    assert_eq!(server.now().to_string(), "2026-04-01T06:00:00.000000Z");
    authorize(&server, to_ana().amount("1000")).await.authorized();
}

#[tokio::test]
async fn an_authorization_reserves_its_limits_until_it_expires() {
    let mut server = with_ana(thousand_a_month("")).await;
    authorize(&server, to_ana().amount("1000")).await.authorized();
    server.advance("86399s");
    authorize(&server, to_ana().amount("0.01")).await.not_authorized("ByAccumulateAmountLimit");
    server.advance("1s");
    authorize(&server, to_ana().amount("1000")).await.authorized();
}

#[tokio::test]
async fn what_on_expiry_keeps_an_expired_authorization_keeps() {
    let mut server = with_ana(thousand_a_month("on_expiry = \"keep\"")).await;
    authorize(&server, to_ana().amount("1000")).await.authorized();
    server.advance("2d");
    authorize(&server, to_ana().amount("0.01")).await.not_authorized("ByAccumulateAmountLimit");
}

#[tokio::test]
async fn a_reversal_gives_back_what_it_counted_unless_the_rule_keeps_it() {
    for (on_reversal, gives_back) in [("restore", true), ("keep", false)] {
        let server = with_ana(thousand_a_month(&format!("on_reversal = \"{on_reversal}\""))).await;
        let authorized = authorize(&server, to_ana().amount("1000")).await.authorized();
        let credited = server.leap().credit(credit(ANA, &authorized)).await.done();
        server.leap().reverse(reversal(ANA, &credited)).await.done();
        assert_eq!(authorize(&server, to_ana().amount("1000")).await["Authorized"], gives_back, "{on_reversal}");
    }
}

#[tokio::test]
async fn reversing_last_months_credit_frees_nothing_today() {
    let mut server = with_ana(thousand_a_month("").starting_at(LAST_OF_MARCH)).await;
    let authorized = authorize(&server, to_ana().amount("1000")).await.authorized();
    let credited = server.leap().credit(credit(ANA, &authorized)).await.done();
    server.advance("1d");
    authorize(&server, to_ana().amount("1000")).await.authorized();
    server.leap().reverse(reversal(ANA, &credited)).await.done();
    authorize(&server, to_ana().amount("0.01")).await.not_authorized("ByAccumulateAmountLimit");
}

#[tokio::test]
async fn a_limit_per_account_counts_each_account_alone() {
    let server = with_ana(two_a_day("")).await;
    let other = server.open(account("4000000000000002")).await;
    for _ in 0..2 {
        authorize(&server, to_ana()).await.authorized();
        authorize(&server, authorization().to(&other)).await.authorized();
    }
    authorize(&server, to_ana()).await.not_authorized("ByVelocity");
}

#[tokio::test]
async fn a_limit_per_receiver_counts_over_all_accounts_of_a_person() {
    let server = with_ana(two_a_day("per = \"receiver\"")).await;
    let same_person = server.open(account("4000000000000002").currency("USD")).await;
    let stranger = server.open(account("4000000000000003").holder(somebody(1))).await;
    authorize(&server, to_ana()).await.authorized();
    authorize(&server, authorization().to(&same_person).currency("USD")).await.authorized();
    authorize(&server, to_ana()).await.not_authorized("ByVelocity");
    authorize(&server, authorization().to(&stranger)).await.authorized();
}

#[tokio::test]
async fn a_limit_per_sender_knows_a_sender_by_phone_and_birth_date() {
    let server = with_ana(two_a_day("per = \"sender\"")).await;
    let stranger = server.open(account("4000000000000003").holder(somebody(1))).await;
    authorize(&server, to_ana()).await.authorized();
    let same = luis().with("FirstName", "L.").with("PhoneNumber", "(312) 555-0142");
    authorize(&server, authorization().to(&stranger).sender(same)).await.authorized();
    authorize(&server, to_ana()).await.not_authorized("ByVelocity");
    authorize(&server, to_ana().sender(luis().born("1984-07-31"))).await.authorized();
}

#[tokio::test]
async fn a_rule_for_tiers_judges_those_alone_and_counts_every_tier() {
    let server = with_ana(two_a_day("tiers = [\"gold\"]")).await;
    for _ in 0..3 {
        authorize(&server, to_ana()).await.authorized();
    }
    let body = serde_json::json!({"tier": "gold", "reason": "a test"});
    server.operator().post(&format!("/admin/accounts/{ANA}/tier"), body).await.ok();
    authorize(&server, to_ana()).await.not_authorized("ByVelocity");
}

#[tokio::test]
async fn a_shadow_rule_is_recorded_and_refuses_nothing() {
    let server = with_ana(two_a_day("mode = \"shadow\"")).await;
    for _ in 0..2 {
        authorize(&server, to_ana()).await.authorized();
    }
    let passed = authorize(&server, to_ana()).await.authorized();
    let finding = &server.operator().decision(&passed).await["rules"][0];
    assert_eq!((&finding["verdict"], &finding["shadow"]), (&"Refused".into(), &true.into()));
}

#[tokio::test]
async fn a_rule_that_is_off_refuses_nothing() {
    let server = with_ana(two_a_day("mode = \"off\"")).await;
    for _ in 0..3 {
        authorize(&server, to_ana()).await.authorized();
    }
}

#[tokio::test]
async fn the_first_rule_that_refuses_gives_the_reason_and_all_are_shown() {
    let rules = format!(
        "{}{}",
        rule("type = \"amount\"\nmax = { MXN = \"1.00\" }\nreason = \"InvalidAmount\""),
        rule("type = \"velocity\"\nmax = 0\nwindow = { rolling = \"1h\" }").replace("the-rule", "second")
    );
    let server = with_ana(Server::with().rules(&rules)).await;
    let refused = authorize(&server, to_ana()).await.not_authorized("InvalidAmount");
    let findings = server.operator().decision(&refused).await["rules"].as_array().unwrap().clone();
    let verdicts: Vec<_> = findings.iter().map(|finding| finding["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["Refused", "Refused"]);
}

#[tokio::test]
async fn the_built_in_rules_refuse_a_large_remittance_and_the_eleventh_of_a_day() {
    let server = with_ana(Server::with().built_in_rules()).await;
    authorize(&server, to_ana().amount("20000.01")).await.not_authorized("ByAmountLimit");
    for _ in 0..10 {
        authorize(&server, to_ana()).await.authorized();
    }
    authorize(&server, to_ana()).await.not_authorized("ByVelocity");
}

#[tokio::test]
async fn limits_hold_over_a_restart_and_under_changed_rules() {
    let server = with_ana(two_a_day("")).await;
    for _ in 0..2 {
        authorize(&server, to_ana()).await.authorized();
    }
    let server = server.restart().await;
    authorize(&server, to_ana()).await.not_authorized("ByVelocity");
    let server = server.restart_with(two_a_day("").rules(&rule("type = \"amount\"\nmax = { MXN = \"50.00\" }"))).await;
    authorize(&server, to_ana()).await.not_authorized("ByAmountLimit");
    authorize(&server, to_ana().amount("50").receiver(ana())).await.authorized();
    assert_eq!(server.now(), START);
}

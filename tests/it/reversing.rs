//! ReverseCreditFunds: decision 9, sentence by sentence. What it gives back to limits is in [`super::limits`].

use serde_json::{Value, json};

use crate::support::{ANA, Answer, Server, Setup, account, credit, reversal, somebody, status};

/// A server on which 100.00 MXN are credited to Ana, and that credit.
async fn credited(setup: Setup) -> (Server, String) {
    let server = setup.with_ana().await;
    let (_, credited) = server.credited().await;
    (server, credited)
}

async fn reverse(server: &Server, credit: &str) -> Answer {
    server.leap().reverse(reversal(ANA, credit)).await
}

async fn status_of(server: &Server, credit: &str) -> Value {
    server.leap().status(status(ANA, credit)).await.ok()["CreditStatus"].clone()
}

/// Ana's balance, and what she owes.
async fn stands(server: &Server) -> (String, String) {
    let shown = server.operator().account(ANA).await;
    (shown["balance"].as_str().unwrap().to_owned(), shown["receivable"].as_str().unwrap().to_owned())
}

fn money(balance: &str, receivable: &str) -> (String, String) {
    (balance.to_owned(), receivable.to_owned())
}

#[tokio::test]
async fn reversing_twice_moves_money_once_and_gets_the_first_answer() {
    let (server, credited) = credited(Server::with()).await;
    let first = reverse(&server, &credited).await.success();
    assert_eq!(reverse(&server, &credited).await.text, first.text);
    assert_eq!(server.balance().await, "0.00");
    assert_eq!(status_of(&server, &credited).await, "Failed");
    let shown = server.operator().credit(&credited).await;
    assert_eq!((&shown["state"], &shown["reversalTrackingIdentifier"]), (&json!("Reversed"), &json!(first.tracking())));
}

#[tokio::test]
async fn a_reversal_is_total_and_a_new_entry_that_undoes_the_old() {
    let (server, credited) = credited(Server::with()).await;
    server.credited().await;
    let reversed = reverse(&server, &credited).await.done();
    let lines = server.operator().list(&format!("/admin/accounts/{ANA}/statement")).await;
    let told: Vec<_> = lines.iter().map(|line| (&line["kind"], &line["amount"])).collect();
    let (taken, given) = (json!("-100.00"), json!("100.00"));
    let (reversal, credit) = (json!("Reversal"), json!("Credit"));
    assert_eq!(told, [(&reversal, &taken), (&credit, &given), (&credit, &given)]);
    assert_eq!((&lines[0]["entry"], &lines[0]["creditTrackingNumber"]), (&json!(reversed), &json!(credited)));
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
async fn a_retry_of_a_reversal_comes_before_any_check_of_state() {
    let (server, credited) = credited(Server::with()).await;
    let first = reverse(&server, &credited).await.success();
    server.operator().block(ANA, "BlockedByLaw").await;
    assert_eq!(reverse(&server, &credited).await.text, first.text);
    let server = server.restart_with(Server::with().policy("reversals", "false")).await;
    assert_eq!(reverse(&server, &credited).await.text, first.text);
}

#[tokio::test]
async fn a_refused_reversal_is_judged_afresh() {
    let (server, credited) = credited(Server::with()).await;
    server.operator().block(ANA, "BlockedByGovernment").await;
    let refused = reverse(&server, &credited).await.failure();
    assert_eq!(status_of(&server, &credited).await, "Approved");
    server.operator().unblock(ANA).await;
    let done = reverse(&server, &credited).await.done();
    assert_ne!(done, refused.tracking());
    assert_eq!(server.balance().await, "0.00");
}

#[tokio::test]
async fn crediting_after_a_reversal_names_the_reversal() {
    let server = Server::start().await;
    let (authorized, credited) = server.credited().await;
    let reversed = reverse(&server, &credited).await.done();
    let answer = server.leap().credit(credit(ANA, &authorized)).await;
    assert!(answer.text_of("ResponseDescription").contains(&reversed), "{}", answer.text);
    assert_eq!(answer.not_credited("NotPreviouslyValidated"), credited, "its own identifier: it is final");
    assert_eq!(server.balance().await, "0.00");
}

#[tokio::test]
async fn a_wrong_account_or_an_unknown_number_is_no_success_and_says_why() {
    let (server, credited) = credited(Server::with()).await;
    let other = server.open(account("4000000000000002").holder(somebody(1))).await;
    let authorized = server.authorized().await;
    for (to, number) in [
        (other.as_str(), credited.as_str()),
        ("4999999999999999", &credited),
        (ANA, "019a9f40-12ab-7f03-8e21-9a4c5d6b7e83"),
        (ANA, "x"),
        (ANA, &authorized),
    ] {
        let answer = server.leap().reverse(reversal(to, number)).await.failure();
        assert!(answer.json.get("NonReverseReason").is_none(), "{}", answer.text);
        assert_eq!(server.operator().decision(&answer.tracking()).await["approved"], false);
    }
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
async fn missing_fields_are_named() {
    let (server, credited) = credited(Server::with()).await;
    for field in ["AccountIdentifier", "CreditTrackingNumber"] {
        let call = server.leap().call("/ReverseCreditFunds").body(reversal(ANA, &credited).without(field));
        let answer = call.off_contract().send().await.failure();
        assert!(answer.text_of("ResponseDescription").contains(field), "{}", answer.text);
    }
}

#[tokio::test]
async fn spent_money_is_not_reversed_where_on_shortfall_is_refuse() {
    let (server, credited) = credited(Server::with().policy("on_shortfall", "refuse")).await;
    server.operator().debit(ANA, "0.01").await;
    let answer = reverse(&server, &credited).await.failure();
    assert_eq!(answer["ResponseDescription"], "the money is already spent");
    assert_eq!(stands(&server).await, money("99.99", "0.00"));
    assert_eq!(status_of(&server, &credited).await, "Approved");
    // Afresh: with new money there it goes through.
    server.credited().await;
    reverse(&server, &credited).await.done();
    assert_eq!(stands(&server).await, money("99.99", "0.00"));
}

#[tokio::test]
async fn spent_money_makes_the_balance_negative_where_on_shortfall_says_so() {
    let (server, credited) = credited(Server::with().policy("on_shortfall", "negative")).await;
    server.operator().debit(ANA, "70.00").await;
    reverse(&server, &credited).await.done();
    assert_eq!(stands(&server).await, money("-70.00", "0.00"));
    server.credited().await;
    assert_eq!(stands(&server).await, money("30.00", "0.00"));
}

#[tokio::test]
async fn spent_money_is_owed_where_on_shortfall_is_receivable() {
    let (server, credited) = credited(Server::with().policy("on_shortfall", "receivable")).await;
    server.operator().debit(ANA, "70.00").await;
    reverse(&server, &credited).await.done();
    assert_eq!(stands(&server).await, money("0.00", "70.00"));
    let path = format!("/admin/accounts/{ANA}/close");
    server.operator().post(&path, json!({"reason": "owes"})).await.expect_status(409);
}

#[tokio::test]
async fn every_shortfall_setting_takes_what_is_there_in_full() {
    for on_shortfall in ["refuse", "negative", "receivable"] {
        let (server, credited) = credited(Server::with().policy("on_shortfall", on_shortfall)).await;
        reverse(&server, &credited).await.done();
        assert_eq!(stands(&server).await, money("0.00", "0.00"));
    }
}

#[tokio::test]
async fn an_account_blocked_by_law_or_government_is_not_debited_and_one_blocked_by_the_partner_is() {
    for (blocked, reversed) in [("BlockedByLaw", false), ("BlockedByGovernment", false), ("Blocked", true)] {
        let (server, credited) = credited(Server::with()).await;
        server.operator().block(ANA, blocked).await;
        assert_eq!(reverse(&server, &credited).await.ok()["Success"], reversed, "{blocked}");
        assert_eq!(server.balance().await, if reversed { "0.00" } else { "100.00" });
    }
}

#[tokio::test]
async fn a_pending_credit_of_an_account_blocked_by_law_stays_where_it_is() {
    let (server, credited) = credited(Server::with().policy("settlement", "confirmed")).await;
    server.operator().block(ANA, "BlockedByLaw").await;
    reverse(&server, &credited).await.failure();
    assert_eq!(server.operator().account(ANA).await["pending"], "100.00");
}

#[tokio::test]
async fn reversals_false_is_not_supported() {
    let (server, credited) = credited(Server::with().policy("reversals", "false")).await;
    for number in [credited.as_str(), "x"] {
        let answer = reverse(&server, number).await.failure();
        assert_eq!(answer["NonReverseReason"], "NotSupported");
    }
    assert_eq!(server.balance().await, "100.00");
    assert_eq!(status_of(&server, &credited).await, "Approved");
}

#[tokio::test]
async fn a_reversal_is_recorded_with_its_money_and_its_credit() {
    let (server, credited) = credited(Server::with()).await;
    let reversed = reverse(&server, &credited).await.done();
    let decision = server.operator().decision(&reversed).await;
    assert_eq!((&decision["kind"], &decision["approved"]), (&json!("Reversal"), &json!(true)));
    assert_eq!((&decision["amount"], &decision["reference"]), (&json!("100.00"), &json!(credited)));
    let unknown = reverse(&server, "x").await.failure().tracking();
    assert_eq!(server.operator().decision(&unknown).await["accountIdentifier"], ANA);
}

#[tokio::test]
async fn what_was_credited_again_is_another_credit() {
    let (server, first) = credited(Server::with()).await;
    reverse(&server, &first).await.done();
    let (_, second) = server.credited().await;
    assert_eq!(
        (status_of(&server, &first).await, status_of(&server, &second).await),
        (json!("Failed"), json!("Approved"))
    );
    assert_eq!(server.balance().await, "100.00");
}

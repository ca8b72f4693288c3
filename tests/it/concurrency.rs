//! Many callers at once: everything happens once, and no limit is overshot.

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::json;

use crate::support::{
    ANA, Browser, Leap, Server, account, ana, authorization, credit, enrolment, new_account, reversal, somebody,
    unreferenced_credit,
};

pub const FIVE_A_DAY: &str = r#"
[[rules]]
id = "five-a-day"
type = "velocity"
max = 5
window = { rolling = "24h" }
"#;

pub const FIVE_HUNDRED_A_DAY: &str = r#"
[[rules]]
id = "five-hundred-a-day"
type = "accumulated"
max = { MXN = "500.00" }
window = { rolling = "24h" }
per = "sender"
"#;

/// The call, from this many callers at once.
pub async fn at_once<T>(callers: usize, call: impl AsyncFn(usize) -> T) -> Vec<T> {
    join_all((0..callers).map(|caller| call(caller))).await
}

/// What all of them were told.
#[track_caller]
pub fn the_same(answers: Vec<String>) -> String {
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    answers.into_iter().next().unwrap()
}

async fn authorized(leap: &Leap) -> String {
    leap.authorize(authorization().to(ANA)).await.authorized()
}

#[tokio::test]
async fn sixty_four_callers_credit_one_authorization_once() {
    let server = Server::start().await;
    let leap = server.leap();
    let authorized = authorized(&leap).await;
    let answers = at_once(64, async |_| leap.credit(credit(ANA, &authorized)).await.done()).await;
    let credited = the_same(answers);
    assert_eq!(server.operator().balance(ANA).await, "100.00");
    let credits = server.operator().list("/admin/credits").await;
    assert_eq!((credits.len(), &credits[0]["trackingIdentifier"]), (1, &json!(credited)));
}

#[tokio::test]
async fn forty_callers_get_five_of_a_limit_of_five() {
    for rules in [FIVE_A_DAY, FIVE_HUNDRED_A_DAY] {
        let server = Server::with().rules(rules).start().await;
        server.open(account(ANA)).await;
        let leap = server.leap();
        let answers = at_once(40, async |_| leap.authorize(authorization().to(ANA)).await.ok()).await;
        assert_eq!(answers.iter().filter(|answer| answer["Authorized"] == true).count(), 5);
        assert_eq!(server.operator().list("/admin/authorizations?state=Open").await.len(), 5);
    }
}

#[tokio::test]
async fn forty_credits_without_a_reference_use_up_each_of_five_authorizations_once() {
    let server = Server::start().await;
    let leap = server.leap();
    at_once(5, async |_| authorized(&leap).await).await;
    // Calls under different keys are never taken for one another's retries.
    let answers = at_once(40, async |caller: usize| {
        let call = leap.call("/CreditFunds").body(unreferenced_credit(ANA));
        call.idempotency_key(&format!("caller-{caller}")).send().await.ok()
    });
    assert_eq!(answers.await.iter().filter(|answer| answer["Success"] == true).count(), 5);
    assert_eq!(server.operator().balance(ANA).await, "500.00");
}

#[tokio::test]
async fn credits_without_a_reference_at_once_are_taken_for_retries_of_one() {
    let server = Server::start().await;
    let leap = server.leap();
    at_once(2, async |_| authorized(&leap).await).await;
    the_same(at_once(16, async |_| leap.credit(unreferenced_credit(ANA)).await.done()).await);
    assert_eq!(server.operator().balance(ANA).await, "100.00");
    assert_eq!(server.operator().list("/admin/ambiguous-credits").await.len(), 15);
}

#[tokio::test]
async fn reversals_at_once_move_the_money_back_once() {
    let server = Server::start().await;
    let leap = server.leap();
    let credited = leap.credit(credit(ANA, &authorized(&leap).await)).await.done();
    the_same(at_once(16, async |_| leap.reverse(reversal(ANA, &credited)).await.done()).await);
    assert_eq!(server.operator().balance(ANA).await, "0.00");
    assert_eq!(server.operator().list("/admin/reversals").await.len(), 1);
}

#[tokio::test]
async fn create_accounts_at_once_open_one_account() {
    let server = Server::with().start().await;
    let leap = server.leap();
    let opened =
        async |_| leap.create_account(new_account(ana())).await.success().text_of("AccountIdentifier").to_owned();
    the_same(at_once(16, opened).await);
    assert_eq!(server.operator().list("/admin/accounts").await.len(), 1);
}

#[tokio::test]
async fn the_page_and_create_account_at_once_open_one_account() {
    let server = Server::with().policy("enrolment_currency", "MXN").start().await;
    let leap = server.leap();
    let url = leap.enrolment_url(enrolment(ana())).await.success().text_of("RegistrationUrl").to_owned();
    let (browser, body) = (Browser::new(), new_account(ana()));
    let (page, created) = join(browser.confirm(&url, ""), leap.create_account(body)).await;
    let id = created.success().text_of("AccountIdentifier").to_owned();
    assert!(page.ok().text.contains(&id));
    assert_eq!(server.operator().list("/admin/accounts").await.len(), 1);
}

#[tokio::test]
async fn callers_with_one_idempotency_key_get_one_answer() {
    let server = Server::start().await;
    let leap = server.leap();
    let call = async |_| {
        leap.call("/TxAuthorization").idempotency_key("one").body(authorization().to(ANA)).send().await.ok().text
    };
    the_same(at_once(32, call).await);
    assert_eq!(server.operator().list("/admin/authorizations").await.len(), 1);
}

#[tokio::test]
async fn of_different_bodies_under_one_key_one_is_carried_out() {
    let server = Server::start().await;
    let leap = server.leap();
    let answers = at_once(16, async |caller: usize| {
        let body = authorization().to(ANA).amount(&format!("{}.00", caller + 1));
        leap.call("/TxAuthorization").idempotency_key("one").body(body).send().await
    });
    let statuses: Vec<u16> = answers.await.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|&&status| status == 409).count(), 15, "{statuses:?}");
    assert_eq!(server.operator().list("/admin/authorizations").await.len(), 1);
}

#[tokio::test]
async fn debits_at_once_never_take_more_than_there_is() {
    let server = Server::start().await;
    let leap = server.leap();
    leap.credit(credit(ANA, &authorized(&leap).await)).await.done();
    let operator = server.operator();
    let answers = at_once(16, async |caller: usize| {
        let call = operator.request(Method::POST, &format!("/admin/accounts/{ANA}/debits"));
        let call = call.idempotency_key(&caller.to_string());
        call.body(&json!({"amount": "30.00", "reason": "paid out"})).send().await.status
    });
    assert_eq!(answers.await.iter().filter(|&&status| status == 200).count(), 3);
    assert_eq!(operator.balance(ANA).await, "10.00");
}

#[tokio::test]
async fn of_a_credit_and_a_void_at_once_one_wins_and_the_other_is_told() {
    let server = Server::start().await;
    let (leap, operator) = (server.leap(), server.operator());
    let mut credited = 0;
    for _ in 0..8 {
        let authorized = authorized(&leap).await;
        let (credit, void) = join(leap.credit(credit(ANA, &authorized)), operator.void(&authorized)).await;
        match credit.ok()["Success"].as_bool() {
            Some(true) => {
                credited += 1;
                void.error(409, "AUTHORIZATION_NOT_OPEN");
            }
            _ => assert_eq!(void.data()["state"], "Voided"),
        }
    }
    assert_eq!(operator.balance(ANA).await, format!("{}.00", credited * 100));
}

#[tokio::test]
async fn of_a_settlement_and_a_reversal_at_once_the_money_moves_by_the_first() {
    let server = Server::with().policy("settlement", "confirmed").start().await;
    server.open(account(ANA)).await;
    let (leap, operator) = (server.leap(), server.operator());
    for _ in 0..8 {
        let credited = leap.credit(credit(ANA, &authorized(&leap).await)).await.done();
        let (settled, reversed) =
            join(operator.settle(&credited, "Approved"), leap.reverse(reversal(ANA, &credited))).await;
        reversed.done();
        assert!(settled.status == 200 || settled.status == 409, "{}", settled.text);
    }
    let shown = operator.account(ANA).await;
    assert_eq!((&shown["balance"], &shown["pending"]), (&json!("0.00"), &json!("0.00")));
}

#[tokio::test]
async fn refused_calls_leave_their_neighbours_in_the_batch_alone() {
    let server = Server::start().await;
    let leap = server.leap();
    let answers = at_once(60, async |caller: usize| match caller % 4 {
        0 => leap.authorize(authorization().to("4999999999999999")).await,
        1 => leap.authorize(authorization().to(ANA).currency("USD")).await,
        2 => leap.credit(credit(ANA, "unknown")).await,
        _ => leap.authorize(authorization().to(ANA)).await,
    });
    for (caller, answer) in answers.await.into_iter().enumerate() {
        match caller % 4 {
            0 => answer.not_authorized("InvalidAccount"),
            1 => answer.not_authorized("NonMatchingCurrencyAccount"),
            2 => answer.not_credited("InvalidReferenceId"),
            _ => answer.authorized(),
        };
    }
    assert_eq!(server.operator().list("/admin/authorizations?state=Open&limit=100").await.len(), 15);
}

/// Every remittance is authorized, credited by two callers at once, and one in three is reversed.
#[tokio::test]
async fn after_mixed_traffic_every_balance_is_what_was_answered() {
    const ACCOUNTS: [&str; 3] = ["4000000000000001", "4000000000000002", "4000000000000003"];
    let server = Server::with().start().await;
    for (number, id) in (0..).zip(ACCOUNTS) {
        server.open(account(id).holder(somebody(number))).await;
    }
    let (leap, operator) = (server.leap(), server.operator());
    at_once(10, async |caller: usize| {
        for remittance in 0..12 {
            remit(&leap, ACCOUNTS[(caller + remittance) % 3], remittance % 3 == 0).await;
        }
    })
    .await;
    for id in ACCOUNTS {
        // 40 remittances of 100.00 each; which ones are reversed depends on neither account nor caller alone.
        let credits = operator.list(&format!("/admin/credits?account={id}&limit=100")).await;
        let reversals = operator.list(&format!("/admin/reversals?account={id}&limit=100")).await;
        assert_eq!(credits.len(), 40);
        assert_eq!(operator.balance(id).await, format!("{}00.00", 40 - reversals.len()));
    }
    assert_eq!(operator.list("/admin/reversals?limit=100").await.len(), 40);
}

async fn remit(leap: &Leap, account: &str, reversed: bool) {
    let authorized = leap.authorize(authorization().to(account)).await.authorized();
    let both = at_once(2, async |_| leap.credit(credit(account, &authorized)).await.done()).await;
    let credited = the_same(both);
    if reversed {
        leap.reverse(reversal(account, &credited)).await.done();
    }
}

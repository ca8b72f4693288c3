//! Many callers at each of several servers on one database: what holds for one server's callers holds for all of them.

use std::cell::Cell;

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};

use crate::concurrency::{FIVE_A_DAY, FIVE_HUNDRED_A_DAY, at_once, the_same};
use crate::support::{
    ANA, Answer, Browser, Leap, Operator, Server, Setup, ana, authorization, credit, enrolment, new_account, reversal,
    somebody, unreferenced_credit,
};

const SERVERS: usize = 4;
const CALLERS_EACH: usize = 64;
const CALLERS: usize = SERVERS * CALLERS_EACH;

/// Servers on one database, with Leap and an operator at each of them.
struct Fleet {
    servers: Vec<Server>,
    leaps: Vec<Leap>,
    operators: Vec<Operator>,
}

impl Fleet {
    /// With Ana's account in MXN.
    async fn with(setup: Setup) -> Self {
        Self::beside(setup.with_ana().await).await
    }

    async fn beside(first: Server) -> Self {
        let mut servers = vec![first];
        for _ in 1..SERVERS {
            servers.push(servers[0].beside().await);
        }
        let leaps = servers.iter().map(Server::leap).collect();
        let operators = servers.iter().map(Server::operator).collect();
        Self { servers, leaps, operators }
    }

    /// Leap at the server that this caller calls.
    fn leap(&self, caller: usize) -> &Leap {
        &self.leaps[caller % SERVERS]
    }

    fn operator(&self, caller: usize) -> &Operator {
        &self.operators[caller % SERVERS]
    }

    async fn authorized(&self, caller: usize) -> String {
        self.leap(caller).authorize(authorization().to(ANA)).await.authorized()
    }
}

#[tokio::test]
async fn callers_of_four_servers_credit_one_authorization_once() {
    let fleet = Fleet::with(Server::with()).await;
    let authorized = fleet.authorized(0).await;
    let credited = at_once(CALLERS, async |caller| fleet.leap(caller).credit(credit(ANA, &authorized)).await.done());
    let credited = the_same(credited.await);
    let credits = fleet.operator(1).list("/admin/credits").await;
    assert_eq!((credits.len(), &credits[0]["trackingIdentifier"]), (1, &json!(credited)));
    assert_eq!(fleet.operator(2).balance(ANA).await, "100.00");
}

#[tokio::test]
async fn callers_of_four_servers_get_five_of_a_limit_of_five() {
    for rules in [FIVE_A_DAY, FIVE_HUNDRED_A_DAY] {
        let fleet = Fleet::with(Server::with().rules(rules)).await;
        let answers = at_once(CALLERS, async |caller| fleet.leap(caller).authorize(authorization().to(ANA)).await.ok());
        assert_eq!(answers.await.iter().filter(|answer| answer["Authorized"] == true).count(), 5);
        assert_eq!(fleet.operator(3).list("/admin/authorizations?state=Open").await.len(), 5);
    }
}

/// Who calls after the block was answered, wherever, meets it; and so after it is lifted.
#[tokio::test]
async fn a_block_holds_on_every_server_from_the_moment_it_is_answered() {
    let fleet = Fleet::with(Server::with()).await;
    let (answered, is_blocked) = (Cell::new(0), Cell::new(false));
    let traffic = at_once(CALLERS, async |caller: usize| {
        loop {
            let was_blocked = is_blocked.get();
            let answer = fleet.leap(caller).authorize(authorization().to(ANA)).await.ok();
            answered.set(answered.get() + 1);
            if was_blocked {
                answer.not_authorized("AccountBlockedByLaw");
                return;
            }
            if answer["Authorized"] == true {
                let answer = fleet.leap(caller + 1).credit(credit(ANA, &answer.tracking())).await;
                assert!(answer["Success"] == true || answer["NonCreditReason"] == "AccountBlockedByLaw");
            }
        }
    });
    let block = async {
        // In the midst of the traffic: when every caller may have been answered once.
        while answered.get() < CALLERS {
            tokio::task::yield_now().await;
        }
        fleet.operator(0).block(ANA, "BlockedByLaw").await;
        is_blocked.set(true);
    };
    join(traffic, block).await;
    fleet.operator(1).unblock(ANA).await;
    at_once(SERVERS, async |caller| fleet.authorized(caller).await).await;
}

#[tokio::test]
async fn callers_of_four_servers_open_one_account_for_one_person() {
    let fleet = Fleet::beside(Server::with().start().await).await;
    let opened = at_once(CALLERS, async |caller| {
        let answer = fleet.leap(caller).create_account(new_account(ana())).await.success();
        answer.text_of("AccountIdentifier").to_owned()
    });
    the_same(opened.await);
    assert_eq!(fleet.operator(1).list("/admin/accounts").await.len(), 1);
}

/// The page, CreateAccount, and a person whose phone another one has as well.
#[tokio::test]
async fn enrolments_and_create_accounts_on_four_servers_open_one_account_for_each_person() {
    let fleet = Fleet::beside(Server::with().policy("enrolment_currency", "MXN").start().await).await;
    let sister = ana().with("FirstName", "Eva").born("1992-02-02");
    let link = fleet.leap(0).enrolment_url(enrolment(ana())).await.success().text_of("RegistrationUrl").to_owned();
    let browser = Browser::new();
    let statuses = at_once(CALLERS_EACH, async |caller: usize| match caller / SERVERS % 3 {
        0 => {
            let here = link.replace(&fleet.servers[0].url(), &fleet.servers[caller % SERVERS].url());
            browser.confirm(&here, "").await.status
        }
        1 => fleet.leap(caller).create_account(new_account(ana())).await.success().status,
        _ => fleet.leap(caller).create_account(new_account(sister.clone())).await.success().status,
    });
    let (fine, used): (Vec<u16>, Vec<u16>) = statuses.await.iter().partition(|&&status| status == 200);
    // A link is good once, and a third of the callers follow it: whoever has read it in time loses the race (409), whoever
    // comes later finds it used (410).
    assert_eq!((fine.len(), used.len()), (CALLERS_EACH - 23, 23));
    assert!(used.iter().all(|status| [409, 410].contains(status)), "{used:?}");
    assert_eq!(fleet.operator(1).list("/admin/accounts").await.len(), 2);
}

#[tokio::test]
async fn servers_that_seed_the_same_accounts_at_once_open_each_once() {
    let rows: Vec<Value> = (0..20)
        .map(|number| {
            json!({"AccountIdentifier": format!("40000000000000{number:02}"), "Currency": "MXN",
                "OpeningBalance": "10.00", "PersonalData": Value::from(somebody(number))})
        })
        .collect();
    let first = Server::with().start().await;
    let leap = first.leap();
    let seeding = join_all((1..SERVERS).map(|_| first.beside_with(|setup| setup.seed(&json!(rows)))));
    // The twenty people call meanwhile. Whoever comes before the seed has an account of another identifier.
    let calls = at_once(20, async |number: usize| {
        let body = new_account(somebody(u32::try_from(number).unwrap()));
        leap.create_account(body).await.success().text_of("AccountIdentifier").to_owned()
    });
    let (servers, called) = join(seeding, calls).await;
    let operator = servers[0].operator();
    let came_before = called.iter().filter(|id| !id.starts_with("40000000000000")).count();
    assert_eq!(operator.list("/admin/accounts?limit=100").await.len(), 20 + came_before);
    for row in &rows {
        assert_eq!(operator.balance(row["AccountIdentifier"].as_str().unwrap()).await, "10.00");
    }
}

#[tokio::test]
async fn one_idempotency_key_on_four_servers_has_one_answer_and_moves_money_once() {
    let fleet = Fleet::with(Server::with()).await;
    for caller in 0..SERVERS {
        fleet.authorized(caller).await;
    }
    // Without the key, each of these would be taken for a retry; with different keys, each would be a credit.
    let answers = at_once(CALLERS, async |caller| {
        let call = fleet.leap(caller).call("/CreditFunds").body(unreferenced_credit(ANA));
        call.idempotency_key("one").send().await.ok().text
    });
    the_same(answers.await);
    assert_eq!(fleet.operator(0).balance(ANA).await, "100.00");
    assert_eq!(fleet.operator(1).list("/admin/ambiguous-credits").await.len(), 0);
    // A debit is once, too.
    let answers = at_once(CALLERS, async |caller| debit(fleet.operator(caller), "one", "30.00").await.ok().text);
    the_same(answers.await);
    assert_eq!(fleet.operator(2).balance(ANA).await, "70.00");
}

#[tokio::test]
async fn of_different_bodies_under_one_key_on_four_servers_one_is_carried_out() {
    let fleet = Fleet::with(Server::with()).await;
    let answers = at_once(CALLERS_EACH, async |caller: usize| {
        let body = authorization().to(ANA).amount(&format!("{}.00", caller + 1));
        fleet.leap(caller).call("/TxAuthorization").idempotency_key("one").body(body).send().await.status
    });
    let statuses = answers.await;
    assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|&&status| status == 409).count(), CALLERS_EACH - 1, "{statuses:?}");
    assert_eq!(fleet.operator(0).list("/admin/authorizations").await.len(), 1);
}

#[tokio::test]
async fn credits_without_a_reference_on_four_servers_use_up_each_authorization_once() {
    let fleet = Fleet::with(Server::with()).await;
    at_once(7, async |caller| fleet.authorized(caller).await).await;
    let answers = at_once(CALLERS, async |caller| {
        let call = fleet.leap(caller).call("/CreditFunds").body(unreferenced_credit(ANA));
        call.idempotency_key(&format!("caller-{caller}")).send().await.ok()
    });
    let mut credited: Vec<String> =
        answers.await.iter().filter(|answer| answer["Success"] == true).map(Answer::tracking).collect();
    credited.sort();
    credited.dedup();
    assert_eq!(credited.len(), 7);
    assert_eq!(fleet.operator(3).balance(ANA).await, "700.00");
}

#[tokio::test]
async fn a_credit_both_with_and_without_its_reference_on_four_servers_is_one() {
    let fleet = Fleet::with(Server::with()).await;
    let authorized = fleet.authorized(0).await;
    let answers = at_once(CALLERS_EACH, async |caller: usize| match caller / SERVERS % 2 {
        0 => fleet.leap(caller).credit(credit(ANA, &authorized)).await,
        _ => fleet.leap(caller).credit(unreferenced_credit(ANA)).await,
    });
    let answers = answers.await;
    let credited = answers.into_iter().filter(|answer| answer["Success"] == true).map(|answer| answer.done());
    the_same(credited.collect());
    assert_eq!(fleet.operator(1).balance(ANA).await, "100.00");
}

#[tokio::test]
async fn reversals_on_four_servers_move_the_money_back_once() {
    let fleet = Fleet::with(Server::with()).await;
    let credited = fleet.leap(0).credit(credit(ANA, &fleet.authorized(1).await)).await.done();
    let reversed = at_once(CALLERS, async |caller| fleet.leap(caller).reverse(reversal(ANA, &credited)).await.done());
    the_same(reversed.await);
    assert_eq!(fleet.operator(0).balance(ANA).await, "0.00");
    assert_eq!(fleet.operator(1).list("/admin/reversals").await.len(), 1);
}

#[tokio::test]
async fn debits_on_four_servers_never_take_more_than_there_is() {
    let fleet = Fleet::with(Server::with()).await;
    fleet.leap(0).credit(credit(ANA, &fleet.authorized(1).await)).await.done();
    let answers = at_once(CALLERS_EACH, async |caller: usize| {
        debit(fleet.operator(caller), &caller.to_string(), "30.00").await.status
    });
    assert_eq!(answers.await.iter().filter(|&&status| status == 200).count(), 3);
    assert_eq!(fleet.operator(2).balance(ANA).await, "10.00");
}

#[tokio::test]
async fn of_a_credit_a_void_and_a_block_on_different_servers_each_answer_is_true() {
    let fleet = Fleet::with(Server::with()).await;
    let mut credited = 0;
    for round in 0..8 {
        let authorized = fleet.authorized(round).await;
        let block = async {
            if round % 2 == 0 {
                fleet.operator(round + 2).block(ANA, "Blocked").await;
            }
        };
        let credit = fleet.leap(round).credit(credit(ANA, &authorized));
        let ((credit, void), ()) = join(join(credit, fleet.operator(round + 1).void(&authorized)), block).await;
        match (credit.ok()["Success"].as_bool(), void.status) {
            (Some(true), 409) => credited += 1,
            (Some(false), 200 | 409) => {}
            told => panic!("{told:?}"),
        }
        assert_eq!(fleet.operator(round).balance(ANA).await, format!("{}.00", credited * 100));
        if round % 2 == 0 {
            fleet.operator(round + 3).unblock(ANA).await;
        }
    }
}

async fn debit(operator: &Operator, key: &str, amount: &str) -> Answer {
    let call = operator.request(Method::POST, &format!("/admin/accounts/{ANA}/debits")).idempotency_key(key);
    call.body(&json!({"amount": amount, "reason": "paid out"})).send().await
}

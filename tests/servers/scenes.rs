//! What callers do: each scene is a story of one remittance or one account, told to two servers at once wherever both
//! could act on it.
//!
//! Amounts keep scenes apart that must not take each other's authorizations: whoever credits without a reference takes
//! the oldest of its amount.

use futures_util::future::join;
use serde_json::{Value, json};
use vna_partner::clock::fresh_id;

use crate::caller::{Answer, Caller};
use crate::fleet::{ACCOUNTS, HOLDERS};

/// Pesos that only credits with a reference are of, only credits without one, and both.
const REFERENCED: i64 = 1;
const UNREFERENCED: i64 = 2;
const MIXED: i64 = 3;

/// Refusals that belong to the traffic.
const AUTHORIZATION_REFUSALS: [&str; 3] = ["ByVelocity", "ByAccumulateAmountLimit", "AccountBlocked"];
const CREDIT_REFUSALS: [&str; 4] =
    ["ByVelocity", "ByAccumulateAmountLimit", "AccountBlocked", "NotPreviouslyValidated"];

/// The `number`th of many people. The first few have wallets from the beginning.
pub fn person(number: usize) -> Value {
    json!({"PhoneNumber": format!("+5255{:08}", 40_000_000 + number), "FirstName": "Ana",
        "LastName": format!("López {number}"), "Gender": "None", "BirthDate": "1990-01-31",
        "Address": {"Address1": "Calle Durango 12", "ZipCode": "06700", "City": "Ciudad de México", "CountryCode": "MX",
        "StateCode": "CMX"}})
}

/// One scene, by chance.
pub async fn play(caller: &mut Caller) {
    match caller.one_of(&[0, 0, 0, 1, 1, 2, 3, 4, 5, 6]) {
        0 => credit_settle_and_reverse(caller).await,
        1 => credit_without_reference(caller).await,
        2 => credit_with_and_without_reference(caller).await,
        3 => credit_or_void(caller).await,
        4 => authorize_without_account(caller).await,
        5 => debit(caller).await,
        _ => create_account(caller).await,
    }
}

/// A credit that is asked for twice is one; settled and reversed at once, it is what the last of the two says.
async fn credit_settle_and_reverse(caller: &mut Caller) {
    let [here, there] = caller.two_servers();
    let Some((account, authorization)) = authorize(caller, REFERENCED).await else { return };
    let body = referenced(account, &authorization);
    let (first, again) =
        join(caller.leap(here, "CreditFunds", &body, None), caller.leap(there, "CreditFunds", &body, None)).await;
    assert_eq!((first.is_success(), first.tracking()), (again.is_success(), again.tracking()), "{}", again.text);
    let Some(credit) = credited(caller, &first, account, REFERENCED) else { return };
    let (settles, reverses) = (caller.percent(80), caller.percent(50));
    let outcome = if caller.percent(80) { ("Approved", "Approved") } else { ("Failed", "SettlementFailed") };
    let settlement = async { if settles { Some(settle(caller, there, &credit, outcome.0).await) } else { None } };
    let reversal = async { if reverses { Some(reverse(caller, here, account, &credit).await) } else { None } };
    let (settled, reversed) = join(settlement, reversal).await;
    let is_settled = settled.as_ref().is_some_and(|answer| answer.status == 200);
    let is_reversed = reversed.as_ref().is_some_and(Answer::is_success);
    assert!(is_settled || is_reversed || settled.is_none(), "a settlement was refused for nothing: {settled:?}");
    if is_settled {
        caller.told.settled.insert(credit.clone(), outcome.1);
    }
    if is_reversed {
        caller.told.reversed.insert(credit.clone());
        let again = reverse(caller, there, account, &credit).await;
        assert_eq!(Some(again.tracking()), reversed.as_ref().map(Answer::tracking), "reversed twice");
        assert!(!caller.leap(there, "CreditFunds", &body, None).await.is_success(), "credited after its reversal");
    }
    let body = json!({"AccountIdentifier": account, "CreditTrackingNumber": credit});
    let status = caller.leap(there, "GetCreditStatus", &body, None).await.json["CreditStatus"].clone();
    let expected = match (is_reversed, is_settled) {
        (true, _) => "Failed",
        (false, true) if outcome.0 == "Failed" => "Failed",
        (false, true) => "Approved",
        (false, false) => "InProgress",
    };
    assert_eq!(status, expected, "{credit}");
}

/// Two calls under one key are one; each key takes an authorization of its own.
async fn credit_without_reference(caller: &mut Caller) {
    let [here, there] = caller.two_servers();
    let Some((account, _)) = authorize(caller, UNREFERENCED).await else { return };
    let (body, key) = (unreferenced(account, UNREFERENCED), fresh_id().to_string());
    let (first, again) =
        join(caller.leap(here, "CreditFunds", &body, Some(&key)), caller.leap(there, "CreditFunds", &body, Some(&key)))
            .await;
    assert_eq!(first.text, again.text, "one key has two answers");
    if let Some(credit) = credited(caller, &first, account, UNREFERENCED)
        && settle(caller, here, &credit, "Approved").await.status == 200
    {
        caller.told.settled.insert(credit, "Approved");
    }
}

/// With and without the reference at once: nobody can say which takes which, only that none is taken twice.
async fn credit_with_and_without_reference(caller: &mut Caller) {
    let [here, there] = caller.two_servers();
    let Some((account, authorization)) = authorize(caller, MIXED).await else { return };
    let (with, without) = (referenced(account, &authorization), unreferenced(account, MIXED));
    // Without a key of its own it is mostly taken for a retry.
    let key = caller.percent(50).then(|| fresh_id().to_string());
    let key = key.as_deref();
    let (with, without) =
        join(caller.leap(here, "CreditFunds", &with, None), caller.leap(there, "CreditFunds", &without, key)).await;
    for answer in [with, without] {
        credited(caller, &answer, account, MIXED);
    }
}

/// Not both.
async fn credit_or_void(caller: &mut Caller) {
    let [here, there] = caller.two_servers();
    let Some((account, authorization)) = authorize(caller, REFERENCED).await else { return };
    let body = referenced(account, &authorization);
    let path = format!("authorizations/{authorization}/void");
    let (credit, void) =
        join(caller.leap(here, "CreditFunds", &body, None), caller.operate(there, &path, &json!({}))).await;
    let is_credited = credited(caller, &credit, account, REFERENCED).is_some();
    assert!(!(is_credited && void.status == 200), "{authorization} was credited and voided");
    let again = caller.leap(there, "CreditFunds", &body, None).await;
    assert_eq!(again.is_success(), is_credited, "{}", again.text);
}

/// Leap does not know the account: the holder's oldest, whatever the server.
async fn authorize_without_account(caller: &mut Caller) {
    let [here, _] = caller.two_servers();
    let holder = caller.one_of(&HOLDERS);
    let body = authorization(sender(caller), holder, Value::Null, REFERENCED);
    let answer = caller.leap(here, "TxAuthorization", &body, None).await;
    let oldest = HOLDERS.iter().position(|one| *one == holder).map(|place| ACCOUNTS[place]);
    assert_eq!(answer.json["AccountIdentifier"].as_str(), oldest, "{}", answer.text);
    approved(&answer);
}

/// Once per key, and never more than there is.
async fn debit(caller: &mut Caller) {
    let [here, there] = caller.two_servers();
    let (account, key) = (caller.one_of(&ACCOUNTS), fresh_id().to_string());
    let (path, body) = (format!("accounts/{account}/debits"), json!({"amount": "1.00"}));
    let (first, again) =
        join(caller.operate_once(here, &path, &body, &key), caller.operate_once(there, &path, &body, &key)).await;
    assert_eq!((first.status, &first.text), (again.status, &again.text), "one key has two answers");
    if first.status == 200 {
        caller.told.debited.insert(key, (account.to_owned(), 100));
    }
}

/// One account for one person, at whichever server.
async fn create_account(caller: &mut Caller) {
    let [here, there] = caller.two_servers();
    let number = if caller.percent(50) { caller.one_of(&HOLDERS) } else { 1_000 + fresh_number(caller) };
    let body = json!({"PersonalData": person(number), "PersonalDocuments": [], "Amount": 1, "Currency": "MXN",
        "ExchangeRate": 18.5});
    let (first, again) =
        join(caller.leap(here, "CreateAccount", &body, None), caller.leap(there, "CreateAccount", &body, None)).await;
    assert!(first.is_success(), "{}", first.text);
    assert_eq!(first.json["AccountIdentifier"], again.json["AccountIdentifier"], "two accounts for one person");
    caller.told.opened.extend(first.json["AccountIdentifier"].as_str().map(str::to_owned));
}

/// The officer's: what was answered on one server holds on the next.
pub async fn block_and_unblock(officer: &mut Caller, account: &str) {
    let [here, there] = officer.two_servers();
    let body = authorization(sender(officer), HOLDERS[3], json!(account), REFERENCED);
    let blocked = officer.operate(here, &format!("accounts/{account}/block"), &json!({"status": "Blocked"})).await;
    assert_eq!(blocked.status, 200, "{}", blocked.text);
    let answer = officer.leap(there, "TxAuthorization", &body, None).await;
    assert_eq!(answer.json["NonAuthorizedReason"], "AccountBlocked", "{}", answer.text);
    let unblocked = officer.operate(there, &format!("accounts/{account}/unblock"), &json!({})).await;
    assert_eq!(unblocked.status, 200, "{}", unblocked.text);
    let answer = officer.leap(here, "TxAuthorization", &body, None).await;
    assert_ne!(answer.json["NonAuthorizedReason"], "AccountBlocked", "{}", answer.text);
}

/// An approval to any of the accounts, from anybody: the account, and the TrackingIdentifier.
async fn authorize(caller: &mut Caller, pesos: i64) -> Option<(&'static str, String)> {
    let [here, _] = caller.two_servers();
    let place = caller.one_of(&[0, 1, 2, 3]);
    let body = authorization(sender(caller), HOLDERS[place], json!(ACCOUNTS[place]), pesos);
    let answer = caller.leap(here, "TxAuthorization", &body, None).await;
    approved(&answer).then(|| (ACCOUNTS[place], answer.tracking().to_owned()))
}

fn approved(answer: &Answer) -> bool {
    let reason = answer.json["NonAuthorizedReason"].as_str();
    let is_approved = answer.json["Authorized"] == true;
    assert!(is_approved || reason.is_some_and(|reason| AUTHORIZATION_REFUSALS.contains(&reason)), "{}", answer.text);
    is_approved
}

/// Remembers a credit that was told of; its TrackingIdentifier.
fn credited(caller: &mut Caller, answer: &Answer, account: &str, pesos: i64) -> Option<String> {
    if !answer.is_success() {
        let reason = answer.json["NonCreditReason"].as_str().unwrap();
        assert!(CREDIT_REFUSALS.contains(&reason), "{}", answer.text);
        return None;
    }
    caller.told.credited(answer.tracking(), account, pesos * 100);
    Some(answer.tracking().to_owned())
}

async fn settle(caller: &Caller, server: usize, credit: &str, outcome: &str) -> Answer {
    caller.operate(server, &format!("credits/{credit}/settle"), &json!({"outcome": outcome})).await
}

async fn reverse(caller: &Caller, server: usize, account: &str, credit: &str) -> Answer {
    let body = json!({"AccountIdentifier": account, "CreditTrackingNumber": credit});
    caller.leap(server, "ReverseCreditFunds", &body, None).await
}

/// One of few, so that each sends to every receiver.
fn sender(caller: &mut Caller) -> Value {
    person(100 + caller.one_of(&[0, 1, 2]))
}

fn fresh_number(caller: &mut Caller) -> usize {
    use rand::RngExt;
    caller.chance.random_range(0..10_000_000)
}

fn authorization(sender: Value, holder: usize, account: Value, pesos: i64) -> Value {
    json!({"SenderPersonalData": sender, "ReceiverPersonalData": person(holder), "AccountIdentifier": account,
        "Amount": pesos, "Currency": "MXN", "ExchangeRate": 18.5})
}

fn referenced(account: &str, authorization: &str) -> Value {
    json!({"AccountIdentifier": account, "AuthTrackingIdentifier": authorization})
}

fn unreferenced(account: &str, pesos: i64) -> Value {
    json!({"AccountIdentifier": account, "Amount": pesos, "Currency": "MXN", "ExchangeRate": 18.5})
}

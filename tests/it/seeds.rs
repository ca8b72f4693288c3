//! Accounts that are there before the server starts; and the demo's, one for each reason an account can cause.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Server, ana, authorization, somebody};

fn shipped(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(file)).unwrap()
}

/// A server with the demo's accounts and rules.
async fn demo() -> Server {
    let accounts: Value = serde_json::from_str(&shipped("demo.json")).unwrap();
    Server::with().rules(&shipped("demo-rules.toml")).seed(&accounts["accounts"]).start().await
}

#[tokio::test]
async fn a_seeded_account_has_its_status_tier_name_and_opening_balance() {
    let accounts = json!([
        {"AccountIdentifier": "4000000000007777", "Currency": "MXN", "PersonalData": Value::from(ana())},
        {"AccountIdentifier": "4000000000008888", "Currency": "USD", "Status": "BlockedByLaw", "Tier": "gold",
            "DisplayName": "GO-1", "OpeningBalance": "12.34", "PersonalData": Value::from(somebody(1)),
            "PersonalDocuments": [{"DocumentType": "INE_IFE", "Number": "1234567890123"}]},
    ]);
    let server = Server::with().seed(&accounts).start().await;
    let shown = server.operator().account("4000000000008888").await;
    for (field, expected) in [
        ("status", "BlockedByLaw"),
        ("tier", "gold"),
        ("displayName", "GO-1"),
        ("balance", "12.34"),
        ("currency", "USD"),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    let statement = server.operator().list("/admin/accounts/4000000000008888/statement").await;
    assert_eq!((&statement[0]["kind"], &statement[0]["amount"]), (&json!("Opening"), &json!("12.34")));
    let plain = server.operator().account("4000000000007777").await;
    assert_eq!((&plain["status"], &plain["balance"]), (&json!("Active"), &json!("0.00")));
}

#[tokio::test]
async fn the_demo_accounts_provoke_each_reason_that_an_account_can_cause() {
    let server = demo().await;
    let leap = server.leap();
    for (account, amount, reason) in [
        ("4000000000030017", "10.00", "AccountBlocked"),
        ("4000000000030025", "10.00", "AccountBlockedByLaw"),
        ("4000000000030033", "10.00", "AccountBlockedByGovernment"),
        ("4000000000030041", "10.00", "InvalidAccount"),
        ("4000000000030058", "10.00", "NonMatchingCurrencyAccount"),
        ("4000000000030066", "100.01", "ByAmountLimit"),
        ("4000000000030082", "500.01", "ByAccumulateAmountLimit"),
    ] {
        leap.authorize(authorization().to(account).amount(amount)).await.not_authorized(reason);
    }
    leap.authorize(authorization().to("4000000000030074")).await.authorized();
    leap.authorize(authorization().to("4000000000030074")).await.not_authorized("ByVelocity");
    leap.authorize(authorization().to("4000000000001234")).await.authorized();
}

//! GetCreateAccountUrl: the link, and the page behind it.

use crate::support::{Answer, Browser, Server, Setup, ana, authorization, enrolment, new_account, person};

/// A server whose new accounts are in MXN, so that the page has nothing to ask.
fn in_pesos() -> Setup {
    Server::with().policy("enrolment_currency", "MXN")
}

/// A fresh link for Ana.
async fn link(server: &Server) -> String {
    let answer = server.leap().enrolment_url(enrolment(ana())).await.success();
    answer.text_of("RegistrationUrl").to_owned()
}

/// Whether Leap finds an account of Ana's by her data.
async fn has_account(server: &Server) -> bool {
    !server.leap().authorize(authorization()).await.ok()["AccountIdentifier"].is_null()
}

fn title(page: &Answer) -> &str {
    let (_, rest) = page.text.split_once("<h1>").unwrap();
    rest.split_once("</h1>").unwrap().0
}

#[tokio::test]
async fn the_link_leads_to_this_server_under_its_public_url() {
    let server = Server::with().variable("VNA_PUBLIC_URL", "https://wallet.example.com/vna").start().await;
    assert!(link(&server).await.starts_with("https://wallet.example.com/vna/"));
    let server = Server::with().base_path("/v1").start().await;
    assert!(link(&server).await.starts_with(&server.url()));
}

#[tokio::test]
async fn the_person_sees_the_data_confirms_them_and_has_the_account() {
    let server = in_pesos().start().await;
    let body = enrolment(ana().email("ana@example.com")).document("INE_IFE", "1234567890123");
    let url = server.leap().enrolment_url(body).await.success().text_of("RegistrationUrl").to_owned();
    let page = Browser::new().open(&url).await.ok();
    for fact in ["Ana", "López", "+525555123456", "ana@example.com", "1990-01-31", "Calle Durango 12", "06700"] {
        assert!(page.text.contains(fact), "{fact} is missing in {}", page.text);
    }
    assert!(!page.text.contains("1234567890123"), "a document's number is shown in part only");
    assert!(!has_account(&server).await);
    let opened = Browser::new().confirm(&url, "").await.ok();
    let found = server.leap().authorize(authorization()).await;
    assert!(opened.text.contains(found.text_of("AccountIdentifier")), "{}", opened.text);
    found.authorized();
}

#[tokio::test]
async fn opening_the_link_does_not_use_it_up() {
    let server = in_pesos().start().await;
    let url = link(&server).await;
    for _ in 0..3 {
        Browser::new().open(&url).await.ok();
    }
    Browser::new().confirm(&url, "").await.ok();
}

#[tokio::test]
async fn a_link_opens_one_account() {
    let server = in_pesos().start().await;
    let url = link(&server).await;
    Browser::new().confirm(&url, "").await.ok();
    for page in [Browser::new().open(&url).await, Browser::new().confirm(&url, "").await] {
        assert_eq!(title(&page.expect_status(410)), "This link has been used");
    }
    assert_eq!(server.operator().list("/admin/accounts").await.len(), 1);
}

#[tokio::test]
async fn a_link_works_for_thirty_minutes() {
    let mut server = in_pesos().start().await;
    let (early, late) = (link(&server).await, link(&server).await);
    server.advance("1799s");
    Browser::new().confirm(&early, "").await.ok();
    server.advance("1s");
    for page in [Browser::new().open(&late).await, Browser::new().confirm(&late, "").await] {
        assert_eq!(title(&page.expect_status(410)), "This link has expired");
    }
}

#[tokio::test]
async fn an_invented_link_says_so() {
    let server = in_pesos().start().await;
    let url = link(&server).await;
    let shorter = &url[..url.len() - 1];
    for invented in [shorter, &format!("{url}0"), &format!("{}/enrol/x", server.url())] {
        for page in [Browser::new().open(invented).await, Browser::new().confirm(invented, "").await] {
            assert_eq!(title(&page.expect_status(404)), "This link is not valid");
        }
    }
}

#[tokio::test]
async fn every_link_is_another() {
    let server = in_pesos().start().await;
    assert_ne!(link(&server).await, link(&server).await);
}

#[tokio::test]
async fn two_links_of_one_person_lead_to_one_account() {
    let server = in_pesos().start().await;
    let (first, second) = (link(&server).await, link(&server).await);
    Browser::new().confirm(&first, "").await.ok();
    Browser::new().confirm(&second, "").await.ok();
    assert_eq!(server.operator().list("/admin/accounts").await.len(), 1);
}

#[tokio::test]
async fn the_page_asks_for_the_currency_where_the_partner_has_several() {
    let server = Server::with().policy("currencies", "MXN,USD").start().await;
    let url = link(&server).await;
    let page = Browser::new().open(&url).await.ok();
    assert!(page.text.contains("value=\"MXN\"") && page.text.contains("value=\"USD\""), "{}", page.text);
    assert!(!page.text.contains("value=\"EUR\""), "{}", page.text);
    for form in ["", "currency=", "currency=XXX"] {
        Browser::new().confirm(&url, form).await.expect_status(422);
    }
    Browser::new().confirm(&url, "currency=EUR").await.expect_status(409);
    Browser::new().confirm(&url, "currency=USD").await.ok();
    assert_eq!(server.operator().list("/admin/accounts?currency=USD").await.len(), 1);
}

#[tokio::test]
async fn the_only_currency_of_a_partner_is_not_asked_for() {
    let server = Server::with().policy("currencies", "USD").start().await;
    let url = link(&server).await;
    assert!(!Browser::new().open(&url).await.ok().text.contains("<select"));
    Browser::new().confirm(&url, "currency=MXN").await.ok();
    assert_eq!(server.operator().list("/admin/accounts?currency=USD").await.len(), 1);
}

#[tokio::test]
async fn what_leap_sends_is_shown_as_text_and_never_as_markup() {
    let server = in_pesos().start().await;
    let body = enrolment(person("<script>alert(1)</script>", "\"><img src=x>", "+525555123456"));
    let url = server.leap().enrolment_url(body).await.success().text_of("RegistrationUrl").to_owned();
    let page = Browser::new().open(&url).await.ok();
    assert!(!page.text.contains("<img") && page.text.contains("alert(1)"), "{}", page.text);
}

#[tokio::test]
async fn a_link_survives_a_restart() {
    // The store keeps the token's hash alone; the link is made of the signing key.
    let server = in_pesos().start().await;
    let url = link(&server).await;
    let path = url.strip_prefix(&server.url()).unwrap().to_owned();
    let server = server.restart().await;
    Browser::new().confirm(&format!("{}{path}", server.url()), "").await.ok();
    assert!(has_account(&server).await);
}

#[tokio::test]
async fn account_creation_says_which_way_is_open() {
    for (choice, dynamic, on_demand) in
        [("both", true, true), ("dynamic", true, false), ("on_demand", false, true), ("off", false, false)]
    {
        let server = in_pesos().policy("account_creation", choice).start().await;
        let url = server.leap().enrolment_url(enrolment(ana())).await.ok();
        assert_eq!(url["Success"], on_demand, "{choice}: {}", url.text);
        let created = server.leap().create_account(new_account(ana())).await.ok();
        assert_eq!(created["Success"], dynamic, "{choice}: {}", created.text);
    }
}

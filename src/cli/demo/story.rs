//! What the demo tells: one conversation between Leap and a partner, with everything that may go wrong in it.

use std::fmt::Write as _;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::leap::{Body, Exchange, Leap};
use super::people::{BLOCKED_BY_LAW, ONE_A_DAY, PERSON_BLOCKED, PERSON_ENROLLING, PERSON_NEW, PERSON_VELOCITY, SENDER};
use crate::cli::failure::Failure;
use crate::cli::{audit, explain, terminal};
use crate::clock::Clock;
use crate::domain::{AccountId, TrackingId};
use crate::store::Reads;

const HEADING: Style = AnsiColor::Cyan.on_default().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Tells the story against a running server and keeps count of what was not as told.
pub struct Story {
    leap: Leap,
    reads: Arc<dyn Reads>,
    clock: Clock,
    step: usize,
    surprises: usize,
}

impl Story {
    pub fn new(leap: Leap, reads: Arc<dyn Reads>, clock: Clock) -> Self {
        Self { leap, reads, clock, step: 0, surprises: 0 }
    }

    /// Tells it all. The number of answers that were not what the story says, and the account it opened.
    pub async fn tell(mut self) -> Result<Told, Failure> {
        let account = self.open_an_account().await?;
        self.offer_enrolment().await?;
        let credit = self.remit(&account).await?;
        self.refusals(&account).await?;
        self.reverse(&account, &credit).await?;
        self.audit().await?;
        Ok(Told { surprises: self.surprises, leap: self.leap })
    }

    async fn open_an_account(&mut self) -> Result<String, Failure> {
        self.heading("Leap asks for an account: the receiver has none yet")?;
        let body = Body::default()
            .json("PersonalData", PERSON_NEW)
            .json("PersonalDocuments", r#"[{"DocumentType":"INE_IFE","Number":"9876543210987"}]"#)
            .json("Amount", "1500.00")
            .text("Currency", "MXN")
            .json("ExchangeRate", "18.4512");
        let opened = self.call("/CreateAccount", &body).await?;
        self.expect(&opened, &[("/Success", json!(true))])?;
        Ok(text(&opened, "/AccountIdentifier"))
    }

    async fn offer_enrolment(&mut self) -> Result<(), Failure> {
        self.heading("Another receiver is to enrol by themselves: Leap gets a link to this server's own page")?;
        let body = Body::default().json("PersonalData", PERSON_ENROLLING);
        let offered = self.call("/GetCreateAccountUrl", &body).await?;
        self.expect(&offered, &[("/Success", json!(true))])
    }

    async fn remit(&mut self, account: &str) -> Result<String, Failure> {
        self.heading("May 1,500.00 MXN go there? The partner's rules decide, and the limits are reserved at once")?;
        let asked = self.call("/TxAuthorization", &authorization(account, PERSON_NEW, "1500.00")).await?;
        self.expect(&asked, &[("/Authorized", json!(true)), ("/AccountIdentifier", json!(account))])?;

        self.heading("Leap has moved the money: credit the account")?;
        let credit = Body::default()
            .text("AccountIdentifier", account)
            .text("AuthTrackingIdentifier", &text(&asked, "/TrackingIdentifier"));
        let credited = self.call("/CreditFunds", &credit).await?;
        self.expect(&credited, &[("/Success", json!(true))])?;
        self.expect_balance(account, "1500.00 MXN").await?;
        let tracking = text(&credited, "/TrackingIdentifier");

        self.heading("Where does that credit stand?")?;
        let status = self.call("/GetCreditStatus", &about(account, &tracking)).await?;
        self.expect(&status, &[("/CreditStatus", json!("Approved"))])?;

        self.heading(
            "Leap did not hear the answer and sends the same bytes again: the same answer, and the money once",
        )?;
        let again = self.call("/CreditFunds", &credit).await?;
        self.expect(&again, &[("/Success", json!(true)), ("/TrackingIdentifier", json!(tracking))])?;
        self.expect_balance(account, "1500.00 MXN").await?;
        Ok(tracking)
    }

    async fn refusals(&mut self, account: &str) -> Result<(), Failure> {
        self.heading("An account whose rule allows one remittance a day gets its first …")?;
        let first = self.call("/TxAuthorization", &authorization(ONE_A_DAY, PERSON_VELOCITY, "100.00")).await?;
        self.expect(&first, &[("/Authorized", json!(true))])?;

        self.heading("… and is refused the second: too many in the window")?;
        let second = self.call("/TxAuthorization", &authorization(ONE_A_DAY, PERSON_VELOCITY, "100.00")).await?;
        self.expect(&second, &[("/Authorized", json!(false)), ("/NonAuthorizedReason", json!("ByVelocity"))])?;
        self.explain(&second).await?;

        self.heading("25,000.00 MXN at once is more than the rules allow")?;
        let large = self.call("/TxAuthorization", &authorization(account, PERSON_NEW, "25000.00")).await?;
        self.expect(&large, &[("/Authorized", json!(false)), ("/NonAuthorizedReason", json!("ByAmountLimit"))])?;
        self.explain(&large).await?;

        self.heading("An account that a court has blocked takes nothing")?;
        let blocked = self.call("/TxAuthorization", &authorization(BLOCKED_BY_LAW, PERSON_BLOCKED, "100.00")).await?;
        self.expect(&blocked, &[("/Authorized", json!(false)), ("/NonAuthorizedReason", json!("AccountBlockedByLaw"))])
    }

    async fn reverse(&mut self, account: &str, credit: &str) -> Result<(), Failure> {
        self.heading("Something failed at Leap: take the credit back")?;
        let reversed = self.call("/ReverseCreditFunds", &about(account, credit)).await?;
        self.expect(&reversed, &[("/Success", json!(true))])?;
        self.expect_balance(account, "0.00 MXN").await?;

        self.heading("A reversed credit has failed, and says so")?;
        let status = self.call("/GetCreditStatus", &about(account, credit)).await?;
        self.expect(&status, &[("/CreditStatus", json!("Failed"))])
    }

    async fn audit(&mut self) -> Result<(), Failure> {
        self.heading("The books are recounted from their postings")?;
        let checks = self.reads.audit().await.map_err(Failure::refused)?;
        terminal::print(&indented(&audit::text(&checks)))?;
        if !audit::is_clean(&checks) {
            self.surprises += 1;
        }
        Ok(())
    }

    fn heading(&mut self, sentence: &str) -> Result<(), Failure> {
        self.step += 1;
        terminal::print(&format!("\n{HEADING}{}. {sentence}{HEADING:#}\n", self.step))
    }

    /// Sends a body and shows both sides of the exchange.
    async fn call(&mut self, path: &str, body: &Body) -> Result<Exchange, Failure> {
        let exchange = self.leap.call(path, body).await?;
        let mut shown = String::new();
        // Writing to a String cannot fail.
        _ = writeln!(shown, "  POST {}", exchange.path);
        _ = writeln!(shown, "  {DIM}X-Signature: {}{DIM:#}", exchange.signature);
        shown.push_str(&indented(&exchange.body));
        _ = writeln!(shown, "  {DIM}answer {}{DIM:#}  {}", exchange.status, exchange.answer_text.trim_end());
        terminal::print(&shown)?;
        Ok(exchange)
    }

    /// Holds an answer against the story.
    fn expect(&mut self, exchange: &Exchange, wanted: &[(&str, Value)]) -> Result<(), Failure> {
        let mut wrong: Vec<String> = wanted
            .iter()
            .filter(|(pointer, value)| exchange.answer.pointer(pointer) != Some(value))
            .map(|(pointer, value)| format!("{} is not {value}", pointer.trim_start_matches('/')))
            .collect();
        if exchange.status != 200 {
            wrong.push("the HTTP status is not 200".to_owned());
        }
        let said: Vec<String> =
            wanted.iter().map(|(pointer, value)| format!("{} {value}", pointer.trim_start_matches('/'))).collect();
        self.verdict(&said.join(", "), &wrong)
    }

    async fn expect_balance(&mut self, account: &str, wanted: &str) -> Result<(), Failure> {
        let found = self.reads.account(&AccountId::new(account)).await.map_err(Failure::refused)?;
        let balance = found.map(|(account, _)| account.balance().to_string()).unwrap_or_default();
        let wrong = if balance == wanted { vec![] } else { vec![format!("the balance is `{balance}`, not {wanted}")] };
        self.verdict(&format!("the account's balance is {wanted}"), &wrong)
    }

    fn verdict(&mut self, said: &str, wrong: &[String]) -> Result<(), Failure> {
        if wrong.is_empty() {
            return terminal::print(&format!("  {GOOD}as it should be:{GOOD:#} {said}\n"));
        }
        self.surprises += 1;
        terminal::print(&format!("  {BAD}not as it should be:{BAD:#} {}\n", wrong.join(", ")))
    }

    /// Shows why the answer was given, as `vna-partner explain` does.
    async fn explain(&mut self, exchange: &Exchange) -> Result<(), Failure> {
        let id = TrackingId::parse(&text(exchange, "/TrackingIdentifier"));
        let explained = match id {
            Some(id) => explain::text(self.reads.as_ref(), id, self.clock.now()).await?,
            None => None,
        };
        match explained {
            Some(explained) => {
                terminal::print(&format!("  {DIM}vna-partner explain:{DIM:#}\n{}", indented(&explained)))
            }
            None => self.verdict("", &["the decision was not recorded".to_owned()]),
        }
    }
}

/// How it went, and the caller for whoever goes on.
pub struct Told {
    /// Answers that were not what the story says.
    pub surprises: usize,
    pub leap: Leap,
}

/// TxAuthorization in the published form.
pub fn authorization(account: &str, receiver: &str, amount: &str) -> Body {
    Body::default()
        .json("SenderPersonalData", SENDER)
        .json("ReceiverPersonalData", receiver)
        .text("AccountIdentifier", account)
        .json("Amount", amount)
        .text("Currency", "MXN")
        .json("ExchangeRate", "18.4512")
}

/// The body that GetCreditStatus and ReverseCreditFunds share.
fn about(account: &str, credit: &str) -> Body {
    Body::default().text("AccountIdentifier", account).text("CreditTrackingNumber", credit)
}

fn text(exchange: &Exchange, pointer: &str) -> String {
    exchange.answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect()
}

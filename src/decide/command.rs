//! What the core can be asked to do. The edge has read every field; the core judges them in the contract's order.

use compact_str::CompactString;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use crate::domain::person::SenderKey;
use crate::domain::{
    AccountId, Body, Currency, Document, JsonNumber, PersonalData, Status, SubjectKey, Timestamp, TrackingId,
};

/// One command on its way through the queue, with everything that is not decided but given: its time and its ids.
#[derive(Debug, Clone)]
pub struct Request {
    /// The TrackingIdentifier of the answer, unless an earlier answer is given again; names every record it makes.
    pub id: TrackingId,
    /// Where a new account needs an identifier: the random number it is made of.
    pub random: u64,
    /// When the edge received it.
    pub received_at: Timestamp,
    pub idempotency: Option<IdempotencyClaim>,
    pub command: Command,
}

/// An `Idempotency-Key` with what it was sent with (decision 6).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyClaim {
    /// The full path, an alias replaced by its endpoint's own path.
    pub path: String,
    pub key: String,
    /// SHA-256 of the body, hexadecimal.
    pub body_hash: String,
}

/// The longest `Idempotency-Key`, in characters: longer ones would make the index pages of the store hold few of them. A
/// UUID has 36.
const LONGEST_KEY: usize = 255;

impl IdempotencyClaim {
    /// What a key is, for whoever sent another.
    pub const KEY_RULE: &str = "1 to 255 visible ASCII characters";

    pub fn new(path: String, key: String, body: &[u8]) -> Self {
        Self { path, key, body_hash: hex::encode(Sha256::digest(body)) }
    }

    /// Whether `text` follows [`Self::KEY_RULE`].
    pub fn is_key(text: &str) -> bool {
        (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    }
}

#[derive(Debug, Clone)]
pub enum Command {
    Authorize(AuthorizeCall),
    Credit(CreditCall),
    Reverse(ReverseCall),
    CreateAccount(CreateAccountCall),
    /// GetCreateAccountUrl: the link's token is already made, and only its hash comes here.
    OfferEnrolment(OfferEnrolmentCall),
    /// The person confirms on the enrolment page.
    Enrol {
        token_hash: String,
        currency: Option<Currency>,
    },
    /// An operator acts, over the admin API or the command line.
    Operate(Operation),
    /// One account of a seed file.
    Seed(SeedAccount),
    /// Gives back what is due on an idle subject.
    Sweep(SubjectKey),
    /// An answer that the edge gave by itself, kept for its `Idempotency-Key`.
    Remember(EdgeAnswer),
}

/// A field of a request as the edge read it. Null and (where the contract allows it) empty are absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field<T> {
    Absent,
    /// Present and not acceptable; the text says which field and why, and repeats nothing that was sent.
    Wrong(String),
    Given(T),
}

impl<T> Field<T> {
    pub fn given(&self) -> Option<&T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Wrong(_) => None,
        }
    }

    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    pub fn is_wrong(&self) -> bool {
        matches!(self, Self::Wrong(_))
    }
}

/// TxAuthorization.
#[derive(Debug, Clone)]
pub struct AuthorizeCall {
    pub account: Field<CompactString>,
    pub amount: Field<JsonNumber>,
    pub currency: Field<Currency>,
    pub exchange_rate: Field<Decimal>,
    /// As rules count them. A phone is costly to normalise, and a batch may be decided more than once.
    pub sender: Field<SenderKey>,
    pub receiver: Field<PersonalData>,
    /// The body, for the record.
    pub body: Body,
}

/// CreditFunds. In `amount`, `currency` and `exchange_rate` null, empty and 0 are absent (decision 7).
#[derive(Debug, Clone)]
pub struct CreditCall {
    pub account: Field<CompactString>,
    pub authorization: Field<CompactString>,
    pub amount: Field<JsonNumber>,
    pub currency: Field<Currency>,
    pub exchange_rate: Field<Decimal>,
    pub body: Body,
}

/// ReverseCreditFunds.
#[derive(Debug, Clone)]
pub struct ReverseCall {
    pub account: Field<CompactString>,
    pub credit: Field<CompactString>,
    pub body: Body,
}

/// CreateAccount. `Amount` and `ExchangeRate` belong to the remittance that waits and are only checked.
#[derive(Debug, Clone)]
pub struct CreateAccountCall {
    pub person: Field<PersonalData>,
    /// Absent is the same as empty.
    pub documents: Field<Vec<Document>>,
    pub amount: Field<JsonNumber>,
    pub currency: Field<Currency>,
    pub exchange_rate: Field<Decimal>,
}

/// GetCreateAccountUrl.
#[derive(Debug, Clone)]
pub struct OfferEnrolmentCall {
    pub person: Field<PersonalData>,
    pub documents: Field<Vec<Document>>,
    /// SHA-256 of the link's token, hexadecimal.
    pub token_hash: String,
}

/// What an operator does, and in whose name.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The admin key's name, or the user of the operating system.
    pub who: String,
    /// Empty only where an account is opened.
    pub why: String,
    pub action: Action,
}

#[derive(Debug, Clone)]
pub enum Action {
    OpenAccount(Box<NewAccount>),
    /// To one of the three blocked states.
    Block {
        account: AccountId,
        status: Status,
        case_number: Option<String>,
        review_date: Option<String>,
    },
    Unblock {
        account: AccountId,
    },
    Close {
        account: AccountId,
    },
    ChangeTier {
        account: AccountId,
        tier: CompactString,
    },
    /// Money leaves the wallet; the amount is in the account's currency.
    Debit {
        account: AccountId,
        amount: JsonNumber,
    },
    VoidAuthorization {
        authorization: TrackingId,
    },
    Settle {
        credit: TrackingId,
        approved: bool,
    },
    /// Credits the oldest match that is still unused.
    CreditAmbiguous {
        ambiguous: TrackingId,
    },
}

/// An account that an operator or a seed file asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// `None`: random digits with a check digit.
    pub id: Option<AccountId>,
    pub currency: Currency,
    pub tier: Option<CompactString>,
    pub display_name: Option<CompactString>,
    pub person: PersonalData,
    pub documents: Vec<Document>,
}

/// One account of a seed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedAccount {
    pub id: AccountId,
    pub account: NewAccount,
    /// `None` (also in `tier` and `display_name`): the default for a new account, anything for one that is there.
    pub status: Option<Status>,
    /// Minor units, zero or more; `None` as above.
    pub opening_balance: Option<i64>,
}

/// An answer as the edge gave it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EdgeAnswer {
    /// HTTP status.
    pub status: u16,
    pub code: String,
    pub message: String,
}

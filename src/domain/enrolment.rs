//! The link that GetCreateAccountUrl hands out.

use serde::{Deserialize, Serialize};

use super::ids::AccountId;
use super::person::{Document, PersonalData};
use super::time::Timestamp;

/// An enrolment that waits for its person. The token itself is known to the link alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// SHA-256 of the token, hexadecimal.
    pub token_hash: String,
    pub person: PersonalData,
    pub documents: Vec<Document>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// The account it led to: the link is used up.
    pub account: Option<AccountId>,
}

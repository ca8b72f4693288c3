//! The audit, so far as it is the same for every store. The claims themselves are SQL and each store's own.

use sha2::{Digest, Sha256};

/// One claim.
pub(super) struct Check {
    pub claim: &'static str,
    /// Counts the rows it is checked on.
    pub checked: &'static str,
    pub offenders: Offenders,
}

/// Finds the rows that break a claim, at most 100.
pub(super) enum Offenders {
    /// One column: the sentence.
    Rows(&'static str),
    /// A subject's kind and key, and what is wrong there.
    OfSubjects(&'static str),
}

/// A subject's name without personal data. A sender's key is a phone or email with a birth date: its first 32 bits of
/// SHA-256 tell senders apart and lead back to nobody.
pub(super) fn subject(kind: &str, key: &str) -> String {
    match kind {
        "sender" => format!("sender {}", hex::encode(&Sha256::digest(key)[..4])),
        _ => format!("{kind} {key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_named_by_a_hash_alone() {
        let named = subject("sender", "+525555123456|1990-01-31");
        assert_eq!(named.len(), "sender ".len() + 8);
        assert!(!named.contains("5555"));
        assert_eq!(subject("account", "4000"), "account 4000");
    }
}

//! Identifiers. They are made at the edge (`clock::fresh_id`) and only carried here.

use std::borrow::Borrow;
use std::fmt;

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// The contract's `AccountIdentifier`: the partner's name of one External Account Object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(CompactString);

impl AccountId {
    /// The identifier as it stands; callers have already refused an empty one.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(CompactString::new(text))
    }

    /// Sixteen digits: fifteen of `random` and a Luhn check digit (ISO/IEC 7812-1), the first one never zero.
    pub fn from_random(random: u64) -> Self {
        let body = 100_000_000_000_000 + random % 900_000_000_000_000;
        let digits = body.to_string();
        let sum: u32 = digits
            .bytes()
            .rev()
            .enumerate()
            .map(|(place, digit)| {
                let value = u32::from(digit - b'0');
                match place % 2 {
                    0 if value > 4 => value * 2 - 9,
                    0 => value * 2,
                    _ => value,
                }
            })
            .sum();
        Self(format_compact!("{digits}{}", (10 - sum % 10) % 10))
    }

    /// Whether a new account may be named so: it becomes a part of paths, so visible ASCII without `/ ? # % \`.
    pub fn may_name_an_account(text: &str) -> bool {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#%\\".contains(&byte))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last four characters that the contract allows in a `DisplayName`.
    pub fn last_four(&self) -> String {
        let usable: Vec<char> = self.0.chars().filter(char::is_ascii_alphanumeric).collect();
        usable[usable.len().saturating_sub(4)..].iter().collect()
    }
}

impl Borrow<str> for AccountId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The contract's `TrackingIdentifier`: time-ordered (UUIDv7), so that inserts stay on warm index pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrackingId(pub Uuid);

impl TrackingId {
    /// Reads an identifier in the one form this server issues, 36 characters with hyphens, in either case; any other
    /// text names nothing we made.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        // The parser takes braces, `urn:uuid:` and digits without hyphens, too; all of those have other lengths.
        (text.len() == Hyphenated::LENGTH).then(|| Uuid::try_parse(text).ok().map(Self)).flatten()
    }
}

impl fmt::Display for TrackingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A holder of accounts, given when an account is created or seeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonId(pub Uuid);

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_identifiers_have_sixteen_digits_and_pass_the_luhn_check() {
        for random in [0, 1, 42, u64::MAX] {
            let id = AccountId::from_random(random);
            assert_eq!(id.as_str().len(), 16);
            let sum: u32 = id
                .as_str()
                .bytes()
                .rev()
                .enumerate()
                .map(|(place, digit)| {
                    let value = u32::from(digit - b'0');
                    if place % 2 == 1 { value * 2 / 10 + value * 2 % 10 } else { value }
                })
                .sum();
            assert_eq!(sum % 10, 0, "{id}");
        }
    }

    #[test]
    fn a_tracking_identifier_is_read_in_the_form_it_is_issued_in_and_in_no_other() {
        let id = TrackingId(Uuid::from_u128(0x0190_a1b2_c3d4_7e5f_8a9b_0c1d_2e3f_4a5b));
        let issued = id.to_string();
        assert_eq!(TrackingId::parse(&issued), Some(id));
        assert_eq!(TrackingId::parse(&issued.to_uppercase()), Some(id));
        let bare = issued.replace('-', "");
        let others =
            [format!("{{{issued}}}"), format!("urn:uuid:{issued}"), format!("0000{bare}"), bare, String::new()];
        for other in others {
            assert_eq!(TrackingId::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn last_four_keeps_only_what_a_display_name_may_hold() {
        assert_eq!(AccountId::new("4000-12 34").last_four(), "1234");
        assert_eq!(AccountId::new("é7").last_four(), "7");
    }
}

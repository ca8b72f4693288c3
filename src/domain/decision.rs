//! Everything a decision was made from, kept so that it can be explained on the phone and replayed.

use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::currency::Currency;
use super::ids::{AccountId, TrackingId};
use super::reason::Reason;
use super::subject::SubjectKind;
use super::time::Timestamp;

/// Which call was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DecisionKind {
    Authorization,
    Credit,
    Reversal,
}

impl DecisionKind {
    pub const ALL: [Self; 3] = [Self::Authorization, Self::Credit, Self::Reversal];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorization => "Authorization",
            Self::Credit => "Credit",
            Self::Reversal => "Reversal",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One answer and why it was given.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Decision {
    /// The TrackingIdentifier that was answered.
    pub id: TrackingId,
    pub kind: DecisionKind,
    pub account: Option<AccountId>,
    /// Event time: the receive time, but always after the last event of every subject it names.
    pub at: Timestamp,
    pub received_at: Timestamp,
    pub approved: bool,
    pub reason: Option<Reason>,
    /// In plain words, for a person: what the reason alone does not say.
    pub note: Option<String>,
    /// The authorization, credit or reversal that the call named or was matched with.
    pub reference: Option<TrackingId>,
    /// Minor units.
    pub amount: Option<i64>,
    pub currency: Option<Currency>,
    pub exchange_rate: Option<Decimal>,
    /// Version of the rule set that judged it; `None` where no rule was run.
    pub rules_version: Option<CompactString>,
    /// Each rule in file order.
    pub findings: Vec<RuleFinding>,
    /// The request's body as it was received.
    pub request: Body,
}

/// A request's body: valid JSON, kept as it came. It holds personal data, so it never prints by accident. Cheap to clone.
#[derive(Clone)]
pub struct Body(Arc<str>);

impl Body {
    /// `json` has been read as JSON.
    pub fn new(json: &str) -> Self {
        Self(json.into())
    }

    /// A body that this server writes itself.
    pub fn of(value: &serde_json::Value) -> Self {
        Self(value.to_string().into())
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

impl Serialize for Body {
    /// As a text of its own, so that no database reformats it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map(|IgnoredAny| ()).map_err(D::Error::custom)?;
        Ok(Self(text.into()))
    }
}

/// What one rule found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Columns")]
pub struct RuleFinding {
    /// The rule's id in the file.
    pub rule: CompactString,
    /// Its type, as `velocity`.
    pub kind: CompactString,
    pub verdict: Verdict,
    /// The reason it gives where it refuses.
    pub reason: Reason,
    /// A shadow rule's refusal is recorded and does not count.
    pub shadow: bool,
    /// Whether `counted` and `limit` are money (minor units) or a number of transactions.
    pub unit: Unit,
    pub per: Option<SubjectKind>,
    /// `None` for a rule without a window.
    pub window: Option<FoundWindow>,
    /// What was counted before this transaction: transactions, or minor units.
    pub counted: Option<i64>,
    /// The most it allows, in the same unit; `None` where it is unlimited or the currency is not named.
    pub limit: Option<i64>,
    /// Why it was skipped, or anything else a person should know.
    pub note: Option<String>,
}

impl RuleFinding {
    /// What was left before this transaction, in its unit.
    pub fn left(&self) -> Option<i64> {
        self.limit.zip(self.counted).map(|(limit, counted)| limit.saturating_sub(counted))
    }
}

/// How it is stored: every call writes one for each rule, of which the names of columns would be the larger part.
type Columns = (
    CompactString,
    CompactString,
    Verdict,
    Reason,
    bool,
    Unit,
    Option<SubjectKind>,
    Option<(CompactString, Timestamp, CompactString)>,
    Option<i64>,
    Option<i64>,
    Option<String>,
);

impl From<Columns> for RuleFinding {
    fn from((rule, kind, verdict, reason, shadow, unit, per, window, counted, limit, note): Columns) -> Self {
        let window = window.map(|(name, from, time_zone)| FoundWindow { name, from, time_zone });
        Self { rule, kind, verdict, reason, shadow, unit, per, window, counted, limit, note }
    }
}

impl Serialize for RuleFinding {
    /// As [`Columns`], without a copy.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { rule, kind, verdict, reason, shadow, unit, per, window, counted, limit, note } = self;
        let window = window.as_ref().map(|FoundWindow { name, from, time_zone }| (name, from, time_zone));
        (rule, kind, verdict, reason, shadow, unit, per, window, counted, limit, note).serialize(serializer)
    }
}

/// The unit of a finding's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    MinorUnits,
    Transactions,
}

/// A window `(from, to]`, as a person would name it. It ends with the decision's own time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundWindow {
    /// As in the file: `rolling 24h`, `calendar month`.
    pub name: CompactString,
    /// Exclusive.
    pub from: Timestamp,
    pub time_zone: CompactString,
}

/// How a rule judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    Passed,
    Refused,
    /// Not applicable: another tier, no sender data, `mode = "off"`.
    Skipped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_stored_without_names_and_read_as_it_was() {
        let finding = RuleFinding {
            rule: "ten-a-day".into(),
            kind: "velocity".into(),
            verdict: Verdict::Refused,
            reason: Reason::ByVelocity,
            shadow: false,
            unit: Unit::Transactions,
            per: Some(SubjectKind::Account),
            window: Some(FoundWindow {
                name: "rolling 24h".into(),
                from: Timestamp(1_795_863_417_148_006),
                time_zone: "UTC".into(),
            }),
            counted: Some(10),
            limit: Some(10),
            note: None,
        };
        let stored = serde_json::to_string(&finding).unwrap();
        assert_eq!(
            stored,
            r#"["ten-a-day","velocity","Refused","ByVelocity",false,"transactions","account",["rolling 24h",1795863417148006,"UTC"],10,10,null]"#
        );
        assert_eq!(serde_json::from_str::<RuleFinding>(&stored).unwrap(), finding);
        assert_eq!(finding.left(), Some(0));
    }
}

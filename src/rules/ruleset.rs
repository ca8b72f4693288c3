//! An ordered list of rules: read from a file, and run over a case.

use std::fmt;

use compact_str::CompactString;
use sha2::{Digest, Sha256};

use super::file::read_rules;
use super::rule::{Count, Rule, RuleType, Ruling, Total};
use super::window::Window;
use super::{Case, Counters, TYPES};
use crate::domain::decision::Unit;
use crate::domain::policy::MissingSender;
use crate::domain::{Counted, Reason, RuleFinding, SubjectKind, Timestamp, Verdict};
use crate::toml_text::{Mistake, Source};

/// The rules that are used where no file is named.
const BUILT_IN: &str = include_str!("../../rules.default.toml");

pub(super) const MODES: [(&str, Mode); 3] = [("enforce", Mode::Enforce), ("shadow", Mode::Shadow), ("off", Mode::Off)];

pub(super) const ON_RELEASE: [(&str, OnRelease); 2] = [("restore", OnRelease::Restore), ("keep", OnRelease::Keep)];

/// The rules of one file.
#[derive(Debug)]
pub struct RuleSet {
    text: String,
    version: CompactString,
    rules: Vec<ListedRule>,
}

/// One rule of the list: what all rules have in common, and the judgement of its type.
#[derive(Debug)]
pub struct ListedRule {
    pub id: CompactString,
    /// Its type, as `velocity`.
    pub kind: &'static str,
    /// `None`: every tier.
    pub tiers: Option<Vec<String>>,
    pub mode: Mode,
    /// What it answers where it refuses.
    pub reason: Reason,
    /// `None` for a type that counts nothing.
    pub counting: Option<Counting>,
    pub(super) rule: Box<dyn Rule>,
}

/// How a rule counts past transactions.
#[derive(Debug)]
pub struct Counting {
    pub per: SubjectKind,
    pub window: Window,
    /// An authorization that expired or was voided.
    pub on_expiry: OnRelease,
    /// A credit that was reversed or whose settlement failed.
    pub on_reversal: OnRelease,
}

/// `mode` of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Enforce,
    /// Judged and recorded; its refusal does not count.
    Shadow,
    /// Not judged; its finding says so.
    Off,
}

/// `on_expiry` and `on_reversal` of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRelease {
    /// The transaction no longer counts.
    Restore,
    /// It counts on.
    Keep,
}

/// What the whole list says of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// One for each rule, in file order.
    pub findings: Vec<RuleFinding>,
    /// The reason of the first rule that refuses and is enforced.
    pub refusal: Option<Reason>,
}

/// Everything that is wrong with a rules file, by line; prints one mistake a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesError {
    pub mistakes: Vec<Mistake>,
}

impl std::error::Error for RulesError {}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            write!(f, "{}{mistake}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl RuleSet {
    /// Reads a rules file; `file_name` is only for the messages.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, RulesError> {
        Self::parse_types(text, file_name, TYPES)
    }

    /// The rules that are used where no file is named: `rules.default.toml`.
    #[expect(clippy::panic, reason = "the text is embedded, and a test reads it")]
    pub fn builtin() -> Self {
        Self::parse(BUILT_IN, "rules.default.toml")
            .unwrap_or_else(|error| panic!("the built-in rules are wrong: {error}"))
    }

    pub(super) fn parse_types(text: &str, file_name: &str, types: &[RuleType]) -> Result<Self, RulesError> {
        let source = Source { name: file_name, text };
        let mut mistakes = Vec::new();
        let rules = match source.parse() {
            Ok(table) => read_rules(source, table, types, &mut mistakes),
            Err(mistake) => {
                mistakes.push(mistake);
                Vec::new()
            }
        };
        if !mistakes.is_empty() {
            mistakes.sort();
            return Err(RulesError { mistakes });
        }
        let digest = hex::encode(Sha256::digest(text.as_bytes()));
        Ok(Self { text: text.to_owned(), version: digest[..12].into(), rules })
    }

    /// The first 12 hexadecimal digits of the SHA-256 of [`RuleSet::text`]: any change to the file makes a new version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The file as it was read, comments and all.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// In file order.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &ListedRule> {
        self.rules.iter()
    }

    /// Whether any rule that is not off counts by this kind of subject.
    pub fn counts_by(&self, kind: SubjectKind) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.mode != Mode::Off && rule.counting.as_ref().is_some_and(|counting| counting.per == kind))
    }

    /// Where the windows of all rules that are not off begin at `now`, and whose they are.
    pub fn window_starts(&self, now: Timestamp) -> impl Iterator<Item = (SubjectKind, Timestamp)> {
        let counting =
            self.rules.iter().filter(|rule| rule.mode != Mode::Off).filter_map(|rule| rule.counting.as_ref());
        counting.map(move |counting| (counting.per, counting.window.from(now)))
    }

    /// Judges a case by every rule, in file order.
    ///
    /// Where the books miss something, every rule has still asked for what it needs by the time the (first) error is
    /// passed on, so one more pass is enough, or two where a rule must first learn the subject's currencies.
    pub fn judge<E>(
        &self,
        case: &Case<'_>,
        missing_sender: MissingSender,
        counters: &mut impl Counters<E>,
    ) -> Result<Judgement, E> {
        let mut judgement = Judgement { findings: Vec::with_capacity(self.rules.len()), refusal: None };
        let mut missing = None;
        for rule in &self.rules {
            match rule.judge(case, missing_sender, counters) {
                Ok(finding) => {
                    if finding.verdict == Verdict::Refused && !finding.shadow {
                        judgement.refusal.get_or_insert(finding.reason);
                    }
                    judgement.findings.push(finding);
                }
                Err(error) => _ = missing.get_or_insert(error),
            }
        }
        missing.map_or(Ok(judgement), Err)
    }
}

impl ListedRule {
    /// The limit for a person: `10 transactions`, `20000.00 MXN`.
    pub fn limits(&self) -> String {
        self.rule.limits()
    }

    fn judge<E>(
        &self,
        case: &Case<'_>,
        missing_sender: MissingSender,
        counters: &mut impl Counters<E>,
    ) -> Result<RuleFinding, E> {
        if self.mode == Mode::Off {
            return Ok(self.skipped("the rule is switched off".to_owned()));
        }
        if self.tiers.as_ref().is_some_and(|tiers| !tiers.iter().any(|tier| tier == case.tier)) {
            return Ok(self.skipped(format!("the rule is not for tier `{}`", case.tier)));
        }
        let Some(counting) = &self.counting else { return Ok(self.finding(self.rule.judge(case, Total::default()))) };
        if counting.per == SubjectKind::Sender && !case.has_sender {
            let note = "the call names no sender to count by".to_owned();
            let mut finding = self.skipped(note);
            if missing_sender == MissingSender::Refuse {
                finding.verdict = Verdict::Refused;
                finding.reason = Reason::InvalidSenderData;
            }
            return Ok(finding);
        }
        let Some(count) = self.rule.count(case) else {
            return Ok(self.finding(self.rule.judge(case, Total::default())));
        };
        let from = counting.window.from(case.now);
        let currencies = match count {
            Count::OneCurrency(currency) => vec![currency],
            Count::EveryCurrency => counters.currencies(counting.per)?,
        };
        let mut total = Total::default();
        let mut missing = None;
        for currency in currencies {
            match counters.counted_since(counting.per, currency, from) {
                Ok(counted) => total = counting.add(total, counted),
                Err(error) => _ = missing.get_or_insert(error),
            }
        }
        if let Some(error) = missing {
            return Err(error);
        }
        let mut finding = self.finding(self.rule.judge(case, total));
        finding.window = Some(counting.window.found(from));
        Ok(finding)
    }

    fn finding(&self, ruling: Ruling) -> RuleFinding {
        RuleFinding {
            rule: self.id.clone(),
            kind: self.kind.into(),
            verdict: if ruling.refused { Verdict::Refused } else { Verdict::Passed },
            reason: ruling.reason.unwrap_or(self.reason),
            shadow: self.mode == Mode::Shadow,
            unit: ruling.unit,
            per: self.counting.as_ref().map(|counting| counting.per),
            window: None,
            counted: ruling.counted.map(narrow),
            limit: ruling.limit,
            note: ruling.note,
        }
    }

    fn skipped(&self, note: String) -> RuleFinding {
        let mut finding = self.finding(Ruling {
            refused: false,
            reason: None,
            counted: None,
            limit: None,
            unit: Unit::MinorUnits,
            note: Some(note),
        });
        finding.verdict = Verdict::Skipped;
        finding
    }
}

impl Counting {
    /// What still counts, by this rule's own choice of what expiry and reversal give back.
    fn add(&self, total: Total, counted: Counted) -> Total {
        let released = counted.released;
        let mut total = total.plus(counted.events).minus(released.always);
        if self.on_expiry == OnRelease::Restore {
            total = total.minus(released.expiry);
        }
        if self.on_reversal == OnRelease::Restore {
            total = total.minus(released.reversal);
        }
        total
    }
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        name_of(&MODES, self)
    }
}

impl OnRelease {
    pub fn as_str(self) -> &'static str {
        name_of(&ON_RELEASE, self)
    }
}

fn name_of<T: PartialEq>(named: &[(&'static str, T)], value: T) -> &'static str {
    named.iter().find(|(_, other)| *other == value).map_or("", |(name, _)| name)
}

/// A sum for the record; one past what the ledger can hold is only told as the most.
fn narrow(wide: i128) -> i64 {
    i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
}

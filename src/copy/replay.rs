//! The latest decisions, judged again from what is stored.
//!
//! A decision keeps what its rules found and the version of its rule set; the texts of the rules are kept beside. So where
//! rules were run they are run again: on the decision's amount, at its time, over the windows as each database has them
//! now, by the statement that a server loads them with. Source and copy must find the same, rule by rule.
//!
//! What was found then cannot always be found again. An event says that it was released, and not when, so what has been
//! given back since is off the windows now. Therefore each decision is judged twice: with all that is released by now
//! taken off, and with nothing taken off. What was counted then lies between the two. A call that no rule judged, as a
//! reversal, has nothing to be judged again; its record is compared with the other rows.

use std::collections::BTreeMap;

use compact_str::CompactString;

use super::CopyError;
use crate::decide::{Missing, State};
use crate::domain::policy::MissingSender;
use crate::domain::subject::Released;
use crate::domain::{
    Account, Authorization, Counted, Currency, Decision, DecisionKind, Event, Reason, RuleFinding, SeriesKey, Span,
    SubjectKey, SubjectKind, Tally, Timestamp, Verdict,
};
use crate::rules::{Case, Counters, RuleSet};
use crate::store::{Snapshot, StoreError};

/// How many decisions are judged again.
pub(super) const LATEST: i64 = 1_000;

/// Decisions whose windows are loaded together.
const PAGE: i64 = 100;

/// Accounts lead to persons, persons to series, series to windows: more rounds mean that something is not there.
const MOST_ROUNDS: usize = 8;

/// What became of the decisions that were judged again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    pub decisions: i64,
    /// Those that rules had judged.
    pub judged: i64,
    /// Those of them that come out to the last figure as they were recorded.
    pub as_recorded: i64,
    /// Those for which something that was counted then has been given back since.
    pub given_back_since: i64,
}

impl Replayed {
    /// Those that come out otherwise, in both databases alike: the account's tier was changed since, or another version
    /// of this program judged them.
    pub fn otherwise(&self) -> i64 {
        self.judged - self.as_recorded - self.given_back_since
    }
}

/// Judges the latest decisions on both databases; which of them come out differently.
pub(super) async fn replay(
    source: &mut dyn Snapshot,
    target: &mut dyn Snapshot,
    latest: i64,
) -> Result<(Replayed, Vec<String>), CopyError> {
    let (mut replayed, mut offenders) = (Replayed::default(), Vec::new());
    let (mut their_rules, mut our_rules) = (Rules::default(), Rules::default());
    while replayed.decisions < latest {
        let page = source.latest_decisions(PAGE, replayed.decisions).await.map_err(CopyError::Source)?;
        let ours = target.latest_decisions(PAGE, replayed.decisions).await.map_err(CopyError::Target)?;
        let their_judgements = judge(source, &mut their_rules, &page).await.map_err(CopyError::Source)?;
        let our_judgements = judge(target, &mut our_rules, &ours).await.map_err(CopyError::Target)?;
        for (place, (decision, their)) in page.iter().zip(&their_judgements).enumerate() {
            replayed.take(decision, their);
            match ours.get(place).zip(our_judgements.get(place)) {
                Some((our, _)) if our.id != decision.id => {
                    offenders.push(format!("decision {}: in the copy {} stands in its place", decision.id, our.id));
                }
                Some((_, judged)) if judged == their => {}
                Some((_, judged)) => offenders.push(format!("decision {}: {}", decision.id, their.unlike(judged))),
                None => offenders.push(format!("decision {}: it is missing", decision.id)),
            }
        }
        if page.is_empty() {
            break;
        }
    }
    Ok((replayed, offenders))
}

/// What a decision comes to now.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    /// No rule had judged it.
    Never,
    /// Each rule's finding with all that is released taken off, and with nothing taken off.
    Again { least: Vec<RuleFinding>, most: Vec<RuleFinding> },
    /// What it was judged by is not there any more.
    Impossible(String),
}

impl Judged {
    fn unlike(&self, ours: &Self) -> String {
        match (self, ours) {
            (Self::Again { least: theirs, .. }, Self::Again { least: ours, .. }) => {
                let rule = theirs.iter().zip(ours).find(|(their, our)| their != our).map(|(their, our)| {
                    format!(
                        "the rule `{}` counts {} in the source and {} in the copy",
                        their.rule,
                        told(their.counted),
                        told(our.counted)
                    )
                });
                rule.unwrap_or_else(|| "other events are in its windows".to_owned())
            }
            (_, Self::Impossible(why)) | (Self::Impossible(why), _) => why.clone(),
            _ => "rules judged it in one of the two only".to_owned(),
        }
    }
}

fn told(counted: Option<i64>) -> String {
    counted.map_or_else(|| "nothing".to_owned(), |counted| counted.to_string())
}

impl Replayed {
    fn take(&mut self, decision: &Decision, judged: &Judged) {
        self.decisions += 1;
        self.judged += i64::from(*judged != Judged::Never);
        if let Judged::Again { least, most } = judged {
            if *least == decision.findings {
                self.as_recorded += 1;
            } else if lies_between(&decision.findings, least, most) {
                self.given_back_since += 1;
            }
        }
    }
}

/// Whether each rule found then what lies between the least and the most that it can have found.
fn lies_between(then: &[RuleFinding], least: &[RuleFinding], most: &[RuleFinding]) -> bool {
    let fits = |((then, least), most): ((&RuleFinding, &RuleFinding), &RuleFinding)| {
        let same_rule = RuleFinding { counted: None, verdict: then.verdict, ..least.clone() }
            == RuleFinding { counted: None, ..then.clone() };
        let verdict = least.verdict != most.verdict || then.verdict == least.verdict;
        same_rule && verdict && least.counted <= then.counted && then.counted <= most.counted
    };
    then.len() == least.len() && then.iter().zip(least).zip(most).all(fits)
}

/// Rule sets by version; why one cannot be used otherwise.
type Rules = BTreeMap<CompactString, Result<RuleSet, String>>;

async fn judge(
    snapshot: &mut dyn Snapshot,
    rules: &mut Rules,
    decisions: &[Decision],
) -> Result<Vec<Judged>, StoreError> {
    for version in decisions.iter().filter_map(|decision| decision.rules_version.as_ref()) {
        if !rules.contains_key(version) {
            let text = snapshot.rules_text(version).await?;
            rules.insert(version.clone(), read_rules(version, text));
        }
    }
    let mut state = State::default();
    for _ in 0..MOST_ROUNDS {
        // All of them are tried, so that all they miss is loaded at once.
        let pass: Vec<Result<Judged, Missing>> =
            decisions.iter().map(|decision| judge_one(&mut state, rules, decision)).collect();
        if let Ok(judged) = pass.into_iter().collect() {
            return Ok(judged);
        }
        let wanted = state.take_wanted();
        let loaded = snapshot.load(&wanted).await?;
        state.absorb(wanted, loaded);
    }
    Err(StoreError::Corrupt("what decisions were made from does not come to an end".to_owned()))
}

fn read_rules(version: &str, text: Option<String>) -> Result<RuleSet, String> {
    let text = text.ok_or_else(|| format!("the rules of version {version} are not kept"))?;
    let rules = RuleSet::parse(&text, version).map_err(|_| format!("the rules of version {version} cannot be read"))?;
    if rules.version() == version { Ok(rules) } else { Err(format!("the rules of version {version} were altered")) }
}

fn judge_one(state: &mut State, rules: &Rules, decision: &Decision) -> Result<Judged, Missing> {
    let Some(version) = &decision.rules_version else { return Ok(Judged::Never) };
    let rules = match rules.get(version) {
        Some(Ok(rules)) => rules,
        Some(Err(why)) => return Ok(Judged::Impossible(why.clone())),
        None => return Ok(Judged::Impossible(format!("the rules of version {version} were not looked for"))),
    };
    let about = match decision.kind {
        DecisionKind::Authorization => Some(decision.id),
        _ => decision.reference,
    };
    let authorization = about.map_or(Ok(None), |id| state.authorization(id))?;
    let account = decision.account.as_ref().map_or(Ok(None), |id| state.account(id))?;
    let (Some(authorization), Some(account), Some(amount)) = (authorization, account, decision.amount) else {
        return Ok(Judged::Impossible("its authorization, its account or its amount is missing".to_owned()));
    };
    let counted = match decision.kind {
        DecisionKind::Authorization => authorization.counted.clone(),
        _ => state.credit(decision.id)?.map_or_else(Vec::new, |credit| credit.counted),
    };
    let own = state.events(&counted)?;
    let is_its_own =
        |event: &Event| event.authorization == authorization.id && event.amount == amount && event.at == decision.at;
    if own.len() != counted.len() || !own.iter().all(is_its_own) {
        return Ok(Judged::Impossible("it is not counted where it says".to_owned()));
    }
    let case = Case {
        now: decision.at,
        amount,
        currency: account.currency,
        tier: &account.tier,
        has_sender: authorization.sender.is_some(),
    };
    let missing_sender = missing_sender(decision);
    let (account, authorization, own) = (&account, &authorization, own.as_slice());
    let mut windows = Windows { state, account, authorization, own, case, take_off: true };
    let least = rules.judge(&case, missing_sender, &mut windows);
    windows.take_off = false;
    let most = rules.judge(&case, missing_sender, &mut windows);
    Ok(Judged::Again { least: least?.findings, most: most?.findings })
}

/// What the policy was, as far as it shows.
fn missing_sender(decision: &Decision) -> MissingSender {
    let refused = |finding: &RuleFinding| {
        finding.per == Some(SubjectKind::Sender)
            && finding.verdict == Verdict::Refused
            && finding.reason == Reason::InvalidSenderData
    };
    if decision.findings.iter().any(refused) { MissingSender::Refuse } else { MissingSender::Skip }
}

/// The windows before one decision, from what is stored now.
struct Windows<'a> {
    state: &'a mut State,
    account: &'a Account,
    authorization: &'a Authorization,
    /// What the decision itself has counted.
    own: &'a [Event],
    case: Case<'a>,
    /// Whether what is released by now is taken off.
    take_off: bool,
}

impl Windows<'_> {
    fn subject(&self, per: SubjectKind) -> Option<SubjectKey> {
        let key = match per {
            SubjectKind::Account => self.account.id.as_str().to_owned(),
            SubjectKind::Sender => self.authorization.sender.as_ref()?.as_str().to_owned(),
            SubjectKind::Receiver => self.account.person.to_string(),
        };
        Some(SubjectKey::new(per, key))
    }

    /// All that `series` had counted before the decision.
    ///
    /// Several events may have the very same time. Those before one that was counted have lower numbers; where nothing
    /// was counted none of them is the least that there was, and all of them the most.
    fn before(&mut self, series: &SeriesKey) -> Result<Counted, Missing> {
        let now = self.case.now;
        let Some(own) = self.own.iter().find(|event| event.series == *series) else {
            let before = self.state.prefix(series, if self.take_off { now.minus(Span(1)) } else { now })?;
            return Ok(before.counted);
        };
        let mut released = self.state.prefix(series, now)?.counted.released;
        if let Some(kind) = own.released {
            let of_kind = released.of_mut(kind);
            *of_kind = of_kind.minus(Tally::one(own.amount));
        }
        Ok(Counted { events: Tally { count: own.number - 1, amount: own.running - own.amount }, released })
    }
}

impl Counters<Missing> for Windows<'_> {
    fn counted_since(&mut self, per: SubjectKind, currency: Currency, from: Timestamp) -> Result<Counted, Missing> {
        let Some(subject) = self.subject(per) else { return Ok(Counted::default()) };
        let series = SeriesKey { subject, currency };
        // Both are asked for before either is found missing.
        let (start, end) = (self.state.prefix(&series, from), self.before(&series));
        let mut counted = end?.since(start?.counted);
        if !self.take_off {
            counted.released = Released::default();
        }
        Ok(counted)
    }

    fn currencies(&mut self, per: SubjectKind) -> Result<Vec<Currency>, Missing> {
        self.subject(per).map_or(Ok(Vec::new()), |subject| self.state.currencies_of(&subject))
    }
}

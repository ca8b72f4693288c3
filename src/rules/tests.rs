//! The whole list over books that are recounted from their events each time.

use proptest::prelude::*;

use super::rule::RuleType;
use super::*;
use crate::domain::decision::Unit;
use crate::domain::policy::MissingSender;
use crate::domain::{Reason, ReleaseKind, RuleFinding, Span, Tally, Verdict};

/// 21 November 2026, noon in UTC.
const NOON: Timestamp = Timestamp(1_795_262_400_000_000);
const HOUR: Span = Span::seconds(3_600);

/// One counted transaction.
#[derive(Debug, Clone, Copy)]
struct Past {
    per: SubjectKind,
    currency: Currency,
    at: Timestamp,
    amount: i64,
    released: Option<ReleaseKind>,
}

#[derive(Debug, Default)]
struct Books {
    past: Vec<Past>,
    /// Whether nothing is loaded yet.
    closed: bool,
    asked: usize,
}

/// The books are closed.
#[derive(Debug, PartialEq, Eq)]
struct Closed;

impl Counters<Closed> for Books {
    fn counted_since(&mut self, per: SubjectKind, currency: Currency, from: Timestamp) -> Result<Counted, Closed> {
        self.asked += 1;
        let mut counted = Counted::default();
        for past in self.past.iter().filter(|past| past.per == per && past.currency == currency && past.at > from) {
            counted.events = counted.events.plus(Tally::one(past.amount));
            if let Some(kind) = past.released {
                counted.released.reassign(past.amount, None, kind);
            }
        }
        if self.closed { Err(Closed) } else { Ok(counted) }
    }

    fn currencies(&mut self, per: SubjectKind) -> Result<Vec<Currency>, Closed> {
        let mut currencies: Vec<_> =
            self.past.iter().filter(|past| past.per == per).map(|past| past.currency).collect();
        currencies.sort();
        currencies.dedup();
        Ok(currencies)
    }
}

impl Books {
    fn of(past: impl IntoIterator<Item = Past>) -> Self {
        Self { past: past.into_iter().collect(), ..Self::default() }
    }
}

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn pesos(amount: i64, hours_ago: i64) -> Past {
    Past {
        per: SubjectKind::Account,
        currency: currency("MXN"),
        at: NOON.minus(Span(HOUR.0 * hours_ago)),
        amount,
        released: None,
    }
}

fn case(amount: i64, code: &str) -> Case<'static> {
    Case { now: NOON, amount, currency: currency(code), tier: "standard", has_sender: true }
}

fn rules(text: &str) -> RuleSet {
    RuleSet::parse(text, "rules.toml").unwrap()
}

/// One rule's text.
fn rule(id: &str, keys: &str) -> String {
    format!("[[rules]]\nid = \"{id}\"\n{keys}\n")
}

const THREE_A_DAY: &str = "type = \"velocity\"\nmax = 3\nwindow = { rolling = \"24h\" }";
const HUNDRED_A_DAY: &str = "type = \"accumulated\"\nmax = { MXN = \"100\" }\nwindow = { rolling = \"24h\" }";
const TEN_EACH: &str = "type = \"amount\"\nmax = { MXN = \"10\", USD = \"unlimited\" }";

fn judge(rules: &RuleSet, case: &Case<'_>, books: &mut Books) -> Judgement {
    rules.judge(case, MissingSender::Skip, books).unwrap()
}

/// What a list of one rule finds.
fn finding(keys: &str, case: &Case<'_>, past: impl IntoIterator<Item = Past>) -> RuleFinding {
    judge(&rules(&rule("one", keys)), case, &mut Books::of(past)).findings.remove(0)
}

#[test]
fn an_amount_at_the_limit_passes_and_one_above_is_refused() {
    assert_eq!(finding(TEN_EACH, &case(1_000, "MXN"), []).verdict, Verdict::Passed);
    let refused = finding(TEN_EACH, &case(1_001, "MXN"), []);
    assert_eq!((refused.verdict, refused.reason), (Verdict::Refused, Reason::ByAmountLimit));
    assert_eq!((refused.limit, refused.counted, refused.window), (Some(1_000), None, None));
}

#[test]
fn a_limit_does_not_fail_open_for_a_currency_it_does_not_name() {
    for keys in [TEN_EACH, HUNDRED_A_DAY] {
        let refused = finding(keys, &case(1, "EUR"), []);
        assert_eq!((refused.verdict, refused.reason), (Verdict::Refused, Reason::InvalidCurrency));
        assert_eq!(refused.note.as_deref(), Some("`max` does not name EUR"));
    }
    let unlimited = finding(TEN_EACH, &case(i64::MAX, "USD"), []);
    assert_eq!((unlimited.verdict, unlimited.limit), (Verdict::Passed, None));
}

#[test]
fn the_transaction_after_the_most_is_refused() {
    let three = [pesos(1, 1), pesos(1, 2), pesos(1, 3)];
    assert_eq!(finding(THREE_A_DAY, &case(1, "MXN"), three[..2].to_vec()).verdict, Verdict::Passed);
    let refused = finding(THREE_A_DAY, &case(1, "MXN"), three);
    assert_eq!((refused.verdict, refused.reason), (Verdict::Refused, Reason::ByVelocity));
    assert_eq!((refused.counted, refused.limit, refused.left()), (Some(3), Some(3), Some(0)));
    assert_eq!(refused.unit, Unit::Transactions);
}

#[test]
fn velocity_counts_every_currency_and_a_sum_only_its_own() {
    let dollars = Past { currency: currency("USD"), ..pesos(9_999, 1) };
    let past = [dollars, dollars, pesos(2_000, 1)];
    assert_eq!(finding(THREE_A_DAY, &case(1, "MXN"), past).verdict, Verdict::Refused);
    assert_eq!(finding(HUNDRED_A_DAY, &case(8_000, "MXN"), past).counted, Some(2_000));
}

#[test]
fn a_sum_may_reach_its_limit_and_not_exceed_it() {
    let past = [pesos(6_000, 1), pesos(3_000, 2)];
    assert_eq!(finding(HUNDRED_A_DAY, &case(1_000, "MXN"), past).verdict, Verdict::Passed);
    let refused = finding(HUNDRED_A_DAY, &case(1_001, "MXN"), past);
    assert_eq!((refused.verdict, refused.reason), (Verdict::Refused, Reason::ByAccumulateAmountLimit));
    assert_eq!((refused.counted, refused.limit, refused.left()), (Some(9_000), Some(10_000), Some(1_000)));
    let window = refused.window.unwrap();
    assert_eq!((window.name.as_str(), window.time_zone.as_str()), ("rolling 24h", "UTC"));
    assert_eq!(window.from, NOON.minus(Span(24 * HOUR.0)));
}

#[test]
fn an_event_at_the_start_of_a_rolling_window_no_longer_counts() {
    let at_start = pesos(500, 24);
    let just_inside = Past { at: at_start.at.plus(Span(1)), ..at_start };
    let counted = |past| finding(HUNDRED_A_DAY, &case(1, "MXN"), [past]).counted;
    assert_eq!((counted(at_start), counted(just_inside)), (Some(0), Some(500)));
}

#[test]
fn an_event_at_midnight_belongs_to_the_new_day() {
    let keys = "type = \"velocity\"\nmax = 3\nwindow = { calendar = \"day\", time_zone = \"America/Mexico_City\" }";
    // Midnight in Mexico City was six hours before noon in UTC.
    let midnight = pesos(1, 6);
    let just_before = Past { at: midnight.at.minus(Span(1)), ..midnight };
    let counted = |past| finding(keys, &case(1, "MXN"), [past]);
    assert_eq!(counted(midnight).counted, Some(1));
    let found = counted(just_before);
    assert_eq!((found.counted, found.window.unwrap().time_zone.as_str()), (Some(0), "America/Mexico_City"));
}

#[test]
fn what_is_given_back_no_longer_counts_unless_the_rule_keeps_it() {
    let released = |kind| [Past { released: Some(kind), ..pesos(700, 1) }, pesos(50, 2)];
    let counted = |keys: &str, kind| {
        finding(&format!("{HUNDRED_A_DAY}\n{keys}"), &case(1, "MXN"), released(kind)).counted.unwrap()
    };
    let keep_both = "on_expiry = \"keep\"\non_reversal = \"keep\"";
    for (keys, expiry, reversal) in [
        ("", 50, 50),
        ("on_expiry = \"keep\"", 750, 50),
        ("on_reversal = \"keep\"", 50, 750),
        (keep_both, 750, 750),
        ("on_expiry = \"restore\"\non_reversal = \"restore\"", 50, 50),
    ] {
        assert_eq!(counted(keys, ReleaseKind::Expiry), expiry, "{keys}");
        assert_eq!(counted(keys, ReleaseKind::Reversal), reversal, "{keys}");
        assert_eq!(counted(keys, ReleaseKind::Always), 50, "a refused credit always gives back");
    }
}

#[test]
fn the_first_refusing_rule_gives_the_reason_and_all_are_evaluated() {
    let list = rules(&[rule("a", TEN_EACH), rule("b", THREE_A_DAY), rule("c", HUNDRED_A_DAY)].concat());
    let mut books = Books::of([pesos(3_000, 1), pesos(3_000, 1), pesos(3_000, 1)]);
    let judgement = judge(&list, &case(1_001, "MXN"), &mut books);
    assert_eq!(judgement.refusal, Some(Reason::ByAmountLimit));
    let verdicts: Vec<_> = judgement.findings.iter().map(|found| (found.rule.as_str(), found.verdict)).collect();
    assert_eq!(verdicts, [("a", Verdict::Refused), ("b", Verdict::Refused), ("c", Verdict::Refused)]);
    assert_eq!(judge(&list, &case(1_000, "MXN"), &mut books).refusal, Some(Reason::ByVelocity));
}

#[test]
fn a_shadow_rule_is_judged_and_recorded_and_refuses_nothing() {
    let list = rules(&[rule("a", &format!("{TEN_EACH}\nmode = \"shadow\"")), rule("b", HUNDRED_A_DAY)].concat());
    let judgement = judge(&list, &case(1_001, "MXN"), &mut Books::default());
    assert_eq!(judgement.refusal, None);
    assert!(judgement.findings[0].shadow && judgement.findings[0].verdict == Verdict::Refused);
    let unnamed = judge(&list, &case(1, "EUR"), &mut Books::default());
    assert_eq!(unnamed.findings[0].reason, Reason::InvalidCurrency, "recorded");
    assert!(!unnamed.findings[1].shadow);
}

#[test]
fn a_rule_that_is_off_is_skipped_and_asks_for_nothing() {
    let list = rules(&rule("a", &format!("{THREE_A_DAY}\nper = \"sender\"\nmode = \"off\"")));
    let mut books = Books::default();
    let judgement = list.judge(&case(1, "MXN"), MissingSender::Refuse, &mut books).unwrap();
    assert_eq!((judgement.findings[0].verdict, judgement.refusal, books.asked), (Verdict::Skipped, None, 0));
    assert!(!list.counts_by(SubjectKind::Sender));
}

#[test]
fn a_rule_for_other_tiers_is_skipped() {
    let keys = format!("{TEN_EACH}\ntiers = [\"basic\", \"minor\"]");
    assert_eq!(finding(&keys, &case(9_999, "MXN"), []).verdict, Verdict::Skipped);
    let basic = Case { tier: "basic", ..case(9_999, "MXN") };
    assert_eq!(finding(&keys, &basic, []).verdict, Verdict::Refused);
}

#[test]
fn a_call_without_a_sender_is_skipped_or_refused_as_the_policy_says() {
    let no_sender = Case { has_sender: false, ..case(1, "MXN") };
    let judge_by = |keys: &str, policy| {
        let list = rules(&rule("a", &format!("{THREE_A_DAY}\nper = \"sender\"\n{keys}")));
        list.judge(&no_sender, policy, &mut Books::default()).unwrap()
    };
    let skipped = judge_by("", MissingSender::Skip);
    assert_eq!((skipped.findings[0].verdict, skipped.refusal), (Verdict::Skipped, None));
    assert!(skipped.findings[0].note.is_some());
    assert_eq!(judge_by("", MissingSender::Refuse).refusal, Some(Reason::InvalidSenderData));
    let shadow = judge_by("mode = \"shadow\"", MissingSender::Refuse);
    assert_eq!((shadow.findings[0].verdict, shadow.refusal), (Verdict::Refused, None));
    let other_tier = judge_by("tiers = [\"basic\"]", MissingSender::Refuse);
    assert_eq!(other_tier.refusal, None);
}

#[test]
fn each_rule_counts_by_its_own_subject() {
    let by_sender = Past { per: SubjectKind::Sender, ..pesos(400, 1) };
    let past = [by_sender, by_sender, pesos(100, 1)];
    for (per, counted) in [("account", 100), ("sender", 800), ("receiver", 0)] {
        let found = finding(&format!("{HUNDRED_A_DAY}\nper = \"{per}\""), &case(1, "MXN"), past);
        assert_eq!((found.counted, found.per.unwrap().as_str()), (Some(counted), per));
    }
    let list = rules(&rule("a", &format!("{HUNDRED_A_DAY}\nper = \"receiver\"\nmode = \"shadow\"")));
    assert!(list.counts_by(SubjectKind::Receiver) && !list.counts_by(SubjectKind::Account));
}

#[test]
fn a_rule_may_give_another_reason() {
    let refused = finding(&format!("{TEN_EACH}\nreason = \"AccountBlocked\""), &case(1_001, "MXN"), []);
    assert_eq!(refused.reason, Reason::AccountBlocked);
}

#[test]
fn sums_past_what_the_ledger_holds_refuse_and_do_not_overflow() {
    let most = "type = \"accumulated\"\nmax = { MXN = \"92233720368547758.07\" }\nwindow = { rolling = \"24h\" }";
    let refused = finding(most, &case(i64::MAX, "MXN"), [pesos(i64::MAX, 1)]);
    assert_eq!((refused.verdict, refused.left()), (Verdict::Refused, Some(0)));
    let most_often = format!("type = \"velocity\"\nmax = {}\nwindow = {{ rolling = \"24h\" }}", i64::MAX);
    assert_eq!(finding(&most_often, &case(i64::MAX, "MXN"), [pesos(i64::MAX, 1)]).verdict, Verdict::Passed);
}

#[test]
fn every_rule_asks_before_what_is_missing_is_passed_on() {
    let list = rules(&[rule("a", HUNDRED_A_DAY), rule("b", THREE_A_DAY), rule("c", TEN_EACH)].concat());
    let mut books =
        Books { closed: true, ..Books::of([pesos(1, 1), Past { currency: currency("USD"), ..pesos(1, 1) }]) };
    assert_eq!(list.judge(&case(1, "MXN"), MissingSender::Skip, &mut books), Err(Closed));
    assert_eq!(books.asked, 3, "one currency for the sum, two for the number");
}

#[test]
fn any_change_to_the_text_is_another_version() {
    let (text, built_in) = (rule("a", TEN_EACH), RuleSet::builtin());
    assert_eq!(rules(&text).version().len(), 12);
    assert_eq!(rules(&text).version(), rules(&text).version());
    assert_ne!(rules(&text).version(), rules(&format!("{text}# ten")).version());
    assert_eq!(RuleSet::parse(built_in.text(), "copy.toml").unwrap().version(), built_in.version());
}

#[test]
fn the_built_in_rules_limit_amount_number_and_sum_of_pesos_and_dollars() {
    let list = RuleSet::builtin();
    let kinds: Vec<_> = list.rules().map(|rule| rule.kind).collect();
    assert_eq!(kinds, ["amount", "velocity", "accumulated", "accumulated"]);
    assert!(list.rules().all(|rule| rule.mode == Mode::Enforce && rule.tiers.is_none()));
    let refusal = |amount, code: &str, past: Vec<Past>| judge(&list, &case(amount, code), &mut Books::of(past)).refusal;
    assert_eq!(refusal(2_000_000, "MXN", vec![]), None);
    assert_eq!(refusal(2_000_001, "MXN", vec![]), Some(Reason::ByAmountLimit));
    assert_eq!(refusal(100_001, "USD", vec![]), Some(Reason::ByAmountLimit));
    assert_eq!(refusal(1, "EUR", vec![]), Some(Reason::InvalidCurrency));
    assert_eq!(refusal(100, "MXN", vec![pesos(100, 1); 9]), None);
    assert_eq!(refusal(100, "MXN", vec![pesos(100, 1); 10]), Some(Reason::ByVelocity));
    assert_eq!(refusal(100_000, "MXN", vec![pesos(2_000_000, 1); 2]), Some(Reason::ByAccumulateAmountLimit));
}

#[test]
fn a_listed_rule_tells_what_it_limits() {
    let list = rules(&[rule("a", TEN_EACH), rule("b", THREE_A_DAY)].concat());
    let told: Vec<_> = list.rules().map(|rule| (rule.id.as_str(), rule.limits())).collect();
    assert_eq!(told, [("a", "10.00 MXN, unlimited USD".to_owned()), ("b", "3 transactions".to_owned())]);
    let counting = list.rules().nth(1).unwrap().counting.as_ref().unwrap();
    assert_eq!((counting.window.name().as_str(), counting.on_expiry.as_str()), ("rolling 24h", "restore"));
}

/// The example of docs/adding-a-rule.md, registered here alone.
mod example {
    use super::*;
    use crate::rules::newcomer;

    const WITH_NEWCOMER: [RuleType; 1] = [newcomer::TYPE];

    #[test]
    fn the_page_shows_the_file_that_is_compiled_here() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/adding-a-rule.md")).unwrap();
        let file = include_str!("newcomer.rs");
        assert!(page.contains(&format!("```rust\n{file}```")), "docs/adding-a-rule.md differs from newcomer.rs");
    }

    #[test]
    fn a_newcomer_may_receive_less_until_known() {
        let keys = "type = \"newcomer\"\nuntil = 2\nmax = { MXN = \"10\" }\nwindow = { rolling = \"90d\" }";
        let list = RuleSet::parse_types(&rule("a", keys), "rules.toml", &WITH_NEWCOMER).unwrap();
        let refusal = |past: Vec<Past>| judge(&list, &case(1_001, "MXN"), &mut Books::of(past)).refusal;
        assert_eq!(refusal(vec![pesos(1, 48)]), Some(Reason::ByAmountLimit));
        assert_eq!(refusal(vec![pesos(1, 48); 2]), None);
        assert_eq!(list.rules().next().unwrap().limits(), "10.00 MXN until 2 transactions");
        assert!(RuleSet::parse(&rule("a", keys), "rules.toml").is_err(), "no file in production can name it");
    }
}

fn any_release() -> impl Strategy<Value = Option<ReleaseKind>> {
    let kinds = ReleaseKind::ALL.into_iter().map(Some).chain([None]).collect::<Vec<_>>();
    prop::sample::select(kinds)
}

fn any_past() -> impl Strategy<Value = Past> {
    let per = prop::sample::select(vec![SubjectKind::Account, SubjectKind::Sender, SubjectKind::Receiver]);
    let codes = prop::sample::select(vec!["MXN", "USD"]);
    (per, codes, 0..72_i64 * 60, 1..5_000_i64, any_release()).prop_map(|(per, code, minutes_ago, amount, released)| {
        Past { per, currency: currency(code), at: NOON.minus(Span::seconds(60 * minutes_ago)), amount, released }
    })
}

proptest! {
    #[test]
    fn what_is_found_is_what_a_recount_of_the_events_gives(
        past in prop::collection::vec(any_past(), 0..60),
        amount in 1..5_000_i64,
        per in prop::sample::select(vec!["account", "sender", "receiver"]),
        on_expiry in prop::sample::select(vec!["restore", "keep"]),
        on_reversal in prop::sample::select(vec!["restore", "keep"]),
        (window, hours) in prop::sample::select(vec![
            ("{ rolling = \"24h\" }", 24),
            ("{ rolling = \"1h\" }", 1),
            // Noon in UTC is six in the morning of a Saturday in Mexico City.
            ("{ calendar = \"day\", time_zone = \"America/Mexico_City\" }", 6),
            ("{ calendar = \"week\", time_zone = \"America/Mexico_City\" }", 5 * 24 + 6),
        ]),
        max in 0..20_000_i64,
    ) {
        let common = format!("window = {window}\nper = \"{per}\"\non_expiry = \"{on_expiry}\"\non_reversal = \"{on_reversal}\"");
        let list = rules(&[
            rule("sum", &format!("type = \"accumulated\"\nmax = {{ MXN = \"{}.{:02}\" }}\n{common}", max / 100, max % 100)),
            rule("number", &format!("type = \"velocity\"\nmax = {}\n{common}", max / 1_000)),
        ].concat());
        let judgement = judge(&list, &case(amount, "MXN"), &mut Books::of(past.clone()));

        let is_calendar = window.contains("calendar");
        let start = NOON.minus(Span(HOUR.0 * hours));
        let counts = |event: &&Past| {
            let inside = event.at > start || (is_calendar && event.at == start);
            let kept = match event.released {
                None => true,
                Some(ReleaseKind::Always) => false,
                Some(ReleaseKind::Expiry) => on_expiry == "keep",
                Some(ReleaseKind::Reversal) => on_reversal == "keep",
            };
            inside && kept && event.per.as_str() == per
        };
        let number = past.iter().filter(counts).count() as i64;
        let sum: i64 = past.iter().filter(counts).filter(|event| event.currency.as_str() == "MXN").map(|event| event.amount).sum();
        let [by_sum, by_number] = &judgement.findings[..] else { panic!("two rules, two findings") };
        prop_assert_eq!((by_sum.counted, by_sum.left()), (Some(sum), Some(max - sum)));
        prop_assert_eq!(by_sum.verdict == Verdict::Refused, sum + amount > max);
        prop_assert_eq!((by_number.counted, by_number.limit), (Some(number), Some(max / 1_000)));
        prop_assert_eq!(by_number.verdict == Verdict::Refused, number + 1 > max / 1_000);
        let expected = match (sum + amount > max, number + 1 > max / 1_000) {
            (true, _) => Some(Reason::ByAccumulateAmountLimit),
            (false, true) => Some(Reason::ByVelocity),
            (false, false) => None,
        };
        prop_assert_eq!(judgement.refusal, expected);
    }
}

#[test]
fn every_example_of_the_page_on_rules_is_a_rules_file() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules.md")).unwrap();
    let examples: Vec<_> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 4);
    for example in examples {
        rules(example);
    }
}

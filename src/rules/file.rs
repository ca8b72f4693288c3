//! Reading a rules file: one `[[rules]]` table after another.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::Keys;
use super::rule::RuleType;
use super::ruleset::{Counting, ListedRule, MODES, Mode, ON_RELEASE, OnRelease};
use super::window::Window;
use crate::domain::{Reason, SubjectKind};
use crate::toml_text::{Mistake, Source};

/// More rules than any person could explain; each costs a read of the books.
const MOST_RULES: usize = 100;

/// Fits one column of `rules show` and one label of a metric.
const LONGEST_ID: usize = 64;

/// The reasons that TxAuthorization can answer, so that a rule can give (contract, TxAuthorization).
const GIVABLE: [(&str, Reason); 14] = {
    use Reason::*;
    [
        ("ByAmountLimit", ByAmountLimit),
        ("ByVelocity", ByVelocity),
        ("ByAccumulateAmountLimit", ByAccumulateAmountLimit),
        ("AccountBlocked", AccountBlocked),
        ("AccountBlockedByLaw", AccountBlockedByLaw),
        ("AccountBlockedByGovernment", AccountBlockedByGovernment),
        ("InvalidAccount", InvalidAccount),
        ("InvalidAmount", InvalidAmount),
        ("InvalidCurrency", InvalidCurrency),
        ("InvalidExchangeRate", InvalidExchangeRate),
        ("InvalidSenderData", InvalidSenderData),
        ("InvalidDestinationData", InvalidDestinationData),
        ("InvalidParameter", InvalidParameter),
        ("NonMatchingCurrencyAccount", NonMatchingCurrencyAccount),
    ]
};

const PER: [(&str, SubjectKind); 3] =
    [("account", SubjectKind::Account), ("sender", SubjectKind::Sender), ("receiver", SubjectKind::Receiver)];

/// Every rule of the file; what is wrong goes to `mistakes`.
pub(super) fn read_rules<'t>(
    source: Source<'t>,
    table: DeTable<'t>,
    types: &[RuleType],
    mistakes: &mut Vec<Mistake>,
) -> Vec<ListedRule> {
    let mut top = Keys::new(source, "the file", 0..0, table, mistakes);
    let list = top.take("rules");
    let list = match list.map(|list| (list.span(), list.into_inner())) {
        None => top.wrong_here("there is no rule; write `rules = []` if nothing is to be limited"),
        Some((_, DeValue::Array(items))) if items.len() <= MOST_RULES => Some(items),
        Some((place, DeValue::Array(_))) => top.wrong(&place, format!("there are more than {MOST_RULES} rules")),
        Some((place, _)) => top.wrong(&place, "`rules` must be a list of tables: begin each rule with [[rules]]"),
    };
    top.finish();
    let mut ids = BTreeMap::new();
    let items = list.into_iter().flatten();
    items.filter_map(|item| read_rule(source, item, types, &mut ids, mistakes)).collect()
}

/// One `[[rules]]` table. `ids` remembers the line of each id that was used.
fn read_rule<'t>(
    source: Source<'t>,
    item: Spanned<DeValue<'t>>,
    types: &[RuleType],
    ids: &mut BTreeMap<String, usize>,
    mistakes: &mut Vec<Mistake>,
) -> Option<ListedRule> {
    let place = item.span();
    let DeValue::Table(table) = item.into_inner() else {
        mistakes.push(source.mistake(&place, "a rule must be a table: begin it with [[rules]]"));
        return None;
    };
    let mut keys = Keys::new(source, "a rule", place, table, mistakes);
    let id = read_id(source, &mut keys, ids);
    if let Some(id) = &id {
        keys.call(format!("rule `{id}`"));
    }
    let named: Vec<_> = types.iter().map(|known| (known.name, known)).collect();
    // What else the table should hold depends on the type: without one, nothing more can be said of it.
    let of_type = keys.choice("type", &named)?;
    let rule = (of_type.read)(&mut keys);
    let counting = if of_type.counts { read_counting(&mut keys).map(Some) } else { Some(None) };
    let tiers = keys.texts("tiers");
    let mode = keys.choice_or("mode", &MODES, Mode::Enforce);
    let reason = keys.choice_or("reason", &GIVABLE, of_type.reason);
    keys.finish();
    Some(ListedRule {
        id: id?.into(),
        kind: of_type.name,
        tiers: tiers?,
        mode: mode?,
        reason: reason?,
        counting: counting?,
        rule: rule?,
    })
}

fn read_id(source: Source<'_>, keys: &mut Keys<'_, '_>, ids: &mut BTreeMap<String, usize>) -> Option<String> {
    let (place, id) = keys.required_text("id")?;
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if id.is_empty() || id.len() > LONGEST_ID || !id.bytes().all(is_id) {
        return keys.wrong(&place, "`id` must be 1 to 64 letters, digits, `.`, `_` or `-`");
    }
    let line = source.mistake(&place, "").line;
    match ids.get(&id) {
        Some(first) => keys.wrong(&place, format!("the id `{id}` is already used in line {first}")),
        None => {
            ids.insert(id.clone(), line);
            Some(id)
        }
    }
}

fn read_counting(keys: &mut Keys<'_, '_>) -> Option<Counting> {
    let window = Window::read(keys);
    let per = keys.choice_or("per", &PER, SubjectKind::Account);
    let on_expiry = keys.choice_or("on_expiry", &ON_RELEASE, OnRelease::Restore);
    let on_reversal = keys.choice_or("on_reversal", &ON_RELEASE, OnRelease::Restore);
    Some(Counting { per: per?, window: window?, on_expiry: on_expiry?, on_reversal: on_reversal? })
}

#[cfg(test)]
mod tests {
    use super::super::RuleSet;

    /// What is wrong with a file, without its name.
    fn mistakes(text: &str) -> Vec<String> {
        let error = RuleSet::parse(text, "r.toml").unwrap_err();
        let lines: Vec<_> = error.to_string().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), error.mistakes.len(), "one line each: {error}");
        lines.iter().map(|line| line.strip_prefix("r.toml:").unwrap().to_owned()).collect()
    }

    /// The only mistake of a file must be at `place` and say `problem`.
    #[track_caller]
    fn refused(text: &str, place: &str, problem: &str) {
        let found = mistakes(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("{place}: ")) && found[0].contains(problem), "{found:?}");
    }

    const AMOUNT: &str = "[[rules]]\nid = \"a\"\ntype = \"amount\"\nmax = { MXN = \"1\" }\n";
    const VELOCITY: &str = "[[rules]]\nid = \"v\"\ntype = \"velocity\"\nmax = 10\n";

    fn velocity(window: &str) -> String {
        format!("{VELOCITY}window = {window}\n")
    }

    fn amount(max: &str) -> String {
        format!("[[rules]]\nid = \"a\"\ntype = \"amount\"\nmax = {max}\n")
    }

    #[test]
    fn a_mistake_in_the_form_of_the_file_is_named() {
        refused("[[rules]]\nid = a\n", "2:6", "");
        refused("", "1:1", "write `rules = []`");
        refused("rules = 5\n", "1:9", "begin each rule with [[rules]]");
        refused("rules = [5]\n", "1:10", "begin it with [[rules]]");
        refused(&format!("{AMOUNT}[limits]\n"), "5:2", "unknown key `limits` in the file");
        refused(&format!("version = 1\n{AMOUNT}"), "1:1", "unknown key `version`");
        refused(&AMOUNT.repeat(101), "1:1", "more than 100 rules");
        assert!(RuleSet::parse("rules = []\n", "r.toml").unwrap().rules().next().is_none());
    }

    #[test]
    fn a_missing_or_unknown_key_is_named_with_its_rule() {
        refused("[[rules]]\ntype = \"amount\"\nmax = { MXN = \"1\" }\n", "1:1", "lacks `id`");
        refused("[[rules]]\nid = \"a\"\n", "1:1", "rule `a` lacks `type`");
        refused("[[rules]]\nid = \"a\"\ntype = \"amount\"\n", "1:1", "lacks `max`");
        refused("[[rules]]\nid = \"v\"\ntype = \"velocity\"\nwindow = { rolling = \"1h\" }\n", "1:1", "lacks `max`");
        refused(VELOCITY, "1:1", "lacks `window`");
        refused(&format!("{AMOUNT}color = \"red\"\n"), "5:1", "unknown key `color` in rule `a`");
        refused(&format!("{AMOUNT}window = {{ rolling = \"1h\" }}\n"), "5:1", "unknown key `window`");
        refused(&format!("{AMOUNT}per = \"account\"\n"), "5:1", "unknown key `per`");
        refused(&velocity("{ rolling = \"1h\", zone = \"UTC\" }"), "5:28", "unknown key `zone` in `window`");
    }

    #[test]
    fn a_wrong_value_is_named_with_those_that_are_right() {
        refused("[[rules]]\nid = \"a\"\ntype = \"ammount\"\nfoo = 1\n", "3:8", "amount, velocity, accumulated");
        refused("[[rules]]\nid = \"a\"\ntype = 5\n", "3:8", "must be a text");
        refused(&format!("{AMOUNT}mode = \"on\"\n"), "5:8", "enforce, shadow, off");
        refused(&format!("{AMOUNT}reason = \"ByMood\"\n"), "5:10", "ByVelocity");
        refused(&format!("{AMOUNT}reason = \"NotPreviouslyValidated\"\n"), "5:10", "it can be");
        refused(&format!("{AMOUNT}reason = \"None\"\n"), "5:10", "it can be");
        let counting = velocity("{ rolling = \"1h\" }");
        refused(&format!("{counting}per = \"person\"\n"), "6:7", "account, sender, receiver");
        refused(&format!("{counting}on_expiry = true\n"), "6:13", "must be a text");
        refused(&format!("{counting}on_reversal = \"give\"\n"), "6:15", "restore, keep");
        refused(&counting.replace("10", "\"10\""), "4:7", "whole number");
        refused(&counting.replace("10", "-1"), "4:7", "whole number");
        refused(&counting.replace("10", "1.5"), "4:7", "whole number");
        refused(&counting.replace("10", "99999999999999999999"), "4:7", "whole number");
    }

    #[test]
    fn ids_and_tiers_are_checked() {
        refused(&format!("{AMOUNT}\n{AMOUNT}"), "7:6", "already used in line 2");
        refused(&AMOUNT.replace("\"a\"", "\"\""), "2:6", "1 to 64");
        refused(&AMOUNT.replace("\"a\"", "\"a b\""), "2:6", "1 to 64");
        refused(&AMOUNT.replace("\"a\"", "7"), "2:6", "must be a text");
        for tiers in ["[]", "[\"\"]", "[1]", "\"standard\"", "[\"a\", 1]"] {
            refused(&format!("{AMOUNT}tiers = {tiers}\n"), "5:9", "list of texts");
        }
    }

    #[test]
    fn a_limit_that_is_no_amount_is_refused() {
        refused(&amount("{ MXX = \"1\" }"), "4:9", "`MXX` is not an active ISO 4217");
        refused(&amount("{ mxn = \"1\" }"), "4:9", "`mxn` is not an active ISO 4217");
        refused(&amount("{ MXN = 20000 }"), "4:15", "in quotes");
        refused(&amount("{ MXN = 20000.00 }"), "4:15", "in quotes");
        refused(&amount("{ MXN = \"1.001\" }"), "4:15", "too many decimals");
        refused(&amount("{ MXN = \"-1\" }"), "4:15", "not an amount");
        refused(&amount("{}"), "4:7", "names no currency");
        refused(&amount("\"20000\""), "4:7", "must be a table");
    }

    #[test]
    fn a_window_is_rolling_or_calendar_and_longer_than_nothing() {
        refused(&velocity("{ rolling = \"0h\" }"), "5:22", "longer than 0");
        refused(&velocity("{ rolling = \"-1h\" }"), "5:22", "not a duration");
        refused(&velocity("{ rolling = \"1w\" }"), "5:22", "not a duration");
        refused(&velocity("{ rolling = 24 }"), "5:22", "must be a text");
        refused(&velocity("{ rolling = \"1h\", calendar = \"day\" }"), "5:10", "both");
        refused(&velocity("{}"), "5:10", "either");
        refused(&velocity("{ time_zone = \"UTC\" }"), "5:10", "either");
        refused(&velocity("{ rolling = \"1h\", time_zone = \"UTC\" }"), "5:10", "belongs to `calendar`");
        refused(&velocity("{ calendar = \"day\" }"), "5:10", "lacks `time_zone`");
        refused(&velocity("{ calendar = \"days\", time_zone = \"UTC\" }"), "5:23", "day, week, month, year");
        refused(&velocity("{ calendar = \"day\", time_zone = \"Mexico\" }"), "5:42", "not a time zone");
        refused(&velocity("{ calendar = \"day\", time_zone = \"Etc/Unknown\" }"), "5:42", "not a time zone");
        refused(&velocity("{ calendar = \"day\", time_zone = \"\" }"), "5:42", "not a time zone");
        refused(&velocity("\"24h\""), "5:10", "must be a table");
    }

    #[test]
    fn all_mistakes_of_a_file_are_named_in_its_order() {
        let text = format!(
            "{}mode = \"x\"\n{}{VELOCITY}",
            amount("{ MXX = \"1\", MXN = 5 }"),
            velocity("{ rolling = \"0s\" }").replace("\"v\"", "\"w\"")
        );
        let lines: Vec<_> = mistakes(&text).iter().map(|line| line.split(':').next().unwrap().to_owned()).collect();
        assert_eq!(lines, ["4", "4", "5", "10", "11"]);
    }
}

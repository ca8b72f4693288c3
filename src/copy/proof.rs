//! The claims that make a copy a copy, each checked on both databases.

use std::collections::BTreeMap;

use super::contents::first_difference;
use super::replay::{LATEST, replay};
use super::{CopyError, Proof, Step, Watcher};
use crate::store::{AuditCheck, Figure, Snapshot, TABLES};

/// Differences that are told for one claim: who has seen these goes to look.
const MOST_TOLD: usize = 100;

const ROWS: &str = "each table has as many rows as in the source";
const CONTENTS: &str = "each row is the source's, column by column";
const BALANCES: &str = "the balances of each currency and book are the source's";
const COUNTERS: &str = "what is counted and released for each kind of subject is the source's";
const DECISIONS: &str = "the latest decisions, judged again by the rules of their time, come out as in the source";

/// Checks every claim, whatever became of those before.
pub(super) async fn prove(
    source: &mut dyn Snapshot,
    target: &mut dyn Snapshot,
    watcher: Watcher<'_>,
) -> Result<Proof, CopyError> {
    let same_rows = same_rows(source, target).await?;
    let rows = same_rows.checked;
    let mut checks = vec![same_rows];
    watcher(Step::Proving(CONTENTS));
    checks.push(same_contents(source, target, watcher).await?);
    watcher(Step::Proving(BALANCES));
    checks.push(same_figures(
        BALANCES,
        source.balances().await.map_err(CopyError::Source)?,
        target.balances().await.map_err(CopyError::Target)?,
    ));
    watcher(Step::Proving(COUNTERS));
    checks.push(same_figures(
        COUNTERS,
        source.counters().await.map_err(CopyError::Source)?,
        target.counters().await.map_err(CopyError::Target)?,
    ));
    watcher(Step::Proving(DECISIONS));
    let (replayed, mut offenders) = replay(source, target, LATEST).await?;
    offenders.truncate(MOST_TOLD);
    checks.push(AuditCheck { claim: DECISIONS, checked: replayed.decisions, offenders });
    watcher(Step::Proving("the audit"));
    checks.extend(target.audit().await.map_err(CopyError::Target)?);
    Ok(Proof { checks, rows, replayed })
}

async fn same_rows(source: &mut dyn Snapshot, target: &mut dyn Snapshot) -> Result<AuditCheck, CopyError> {
    let mut check = AuditCheck { claim: ROWS, checked: 0, offenders: Vec::new() };
    for table in TABLES {
        let theirs = source.count(table).await.map_err(CopyError::Source)?;
        let ours = target.count(table).await.map_err(CopyError::Target)?;
        check.checked += theirs;
        if theirs != ours {
            check.offenders.push(format!("{}: {theirs} in the source, {ours} in the copy", table.name));
        }
    }
    Ok(check)
}

async fn same_contents(
    source: &mut dyn Snapshot,
    target: &mut dyn Snapshot,
    watcher: Watcher<'_>,
) -> Result<AuditCheck, CopyError> {
    let mut check = AuditCheck { claim: CONTENTS, checked: 0, offenders: Vec::new() };
    for table in TABLES {
        check.checked += source.count(table).await.map_err(CopyError::Source)?;
        check.offenders.extend(first_difference(source, target, table, watcher).await?);
    }
    Ok(check)
}

fn same_figures(claim: &'static str, theirs: Vec<Figure>, ours: Vec<Figure>) -> AuditCheck {
    let by_name = |figures: Vec<Figure>| -> BTreeMap<String, String> {
        figures.into_iter().map(|figure| (figure.of, figure.figure)).collect()
    };
    let (theirs, ours) = (by_name(theirs), by_name(ours));
    let none = || "nothing".to_owned();
    let names = theirs.keys().chain(ours.keys().filter(|name| !theirs.contains_key(*name)));
    let offenders = names.filter(|name| theirs.get(*name) != ours.get(*name)).map(|name| {
        let [their, our] = [&theirs, &ours].map(|figures| figures.get(name).cloned().unwrap_or_else(none));
        format!("{name}: {their} in the source, {our} in the copy")
    });
    let checked = i64::try_from(theirs.len()).unwrap_or(i64::MAX);
    AuditCheck { claim, checked, offenders: offenders.take(MOST_TOLD).collect() }
}

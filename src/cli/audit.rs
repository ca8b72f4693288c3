//! `audit`: the books, recounted.

use std::fmt::Write;

use serde_json::json;

use super::arguments::Form;
use super::desk::{Desk, unreadable};
use super::failure::Failure;
use super::{shown, terminal};
use crate::clock::Clock;
use crate::config::Settings;
use crate::store::AuditCheck;

/// Recount the books and say what was checked; exit 1 and the offending rows where something is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  vna-partner audit || page-the-auditor

It reads beside a running server, from one moment's state of the database.")]
pub struct Audit {
    #[command(flatten)]
    form: Form,
}

pub async fn run(args: &Audit, settings: &Settings, clock: Clock) -> Result<(), Failure> {
    let desk = Desk::open(settings, clock).await?;
    let audited = desk.reads().audit().await;
    desk.close().await;
    let checks = audited.map_err(unreadable)?;
    if args.form.json {
        shown::json(&json!({ "checks": json_of(&checks) }))?;
    } else {
        terminal::print(&text(&checks))?;
    }
    if is_clean(&checks) { Ok(()) } else { Err(Failure::Shown) }
}

pub fn json_of(checks: &[AuditCheck]) -> Vec<serde_json::Value> {
    let json =
        |check: &AuditCheck| json!({"claim": check.claim, "checked": check.checked, "offenders": check.offenders});
    checks.iter().map(json).collect()
}

pub fn is_clean(checks: &[AuditCheck]) -> bool {
    checks.iter().all(AuditCheck::holds)
}

/// The checks, and whether the books are sound.
pub fn text(checks: &[AuditCheck]) -> String {
    let mut text = lines(checks);
    let wrong = checks.iter().filter(|check| !check.holds()).count();
    // Writing to a String cannot fail.
    _ = match wrong {
        0 => writeln!(text, "The books are sound: {}.", terminal::counted(checks.len(), "check")),
        _ => writeln!(text, "The books are NOT sound: {wrong} of {} failed.", terminal::counted(checks.len(), "check")),
    };
    text
}

/// Each check with what it looked at, and what breaks it.
pub fn lines(checks: &[AuditCheck]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for check in checks {
        let verdict = if check.offenders.is_empty() { "ok   " } else { "WRONG" };
        _ = writeln!(text, "{verdict}  {} ({} checked)", check.claim, check.checked);
        for offender in &check.offenders {
            _ = writeln!(text, "       {offender}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(offenders: &[&str]) -> AuditCheck {
        let offenders = offenders.iter().map(|row| (*row).to_owned()).collect();
        AuditCheck { claim: "postings sum to zero", checked: 7, offenders }
    }

    #[test]
    fn a_clean_audit_says_what_it_checked() {
        let text = text(&[check(&[])]);
        assert_eq!(text, "ok     postings sum to zero (7 checked)\nThe books are sound: 1 check.\n");
    }

    #[test]
    fn offending_rows_stand_below_their_check() {
        let checks = [check(&[]), check(&["entry 1 sums to 5"])];
        assert!(text(&checks).contains("WRONG  postings sum to zero (7 checked)\n       entry 1 sums to 5\n"));
        assert!(!is_clean(&checks));
    }
}

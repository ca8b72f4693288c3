//! `rules …`: whether a rules file is right, and what it says in plain words.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::failure::Failure;
use super::{input, terminal};
use crate::config::Settings;
use crate::rules::{ListedRule, RuleSet};
use crate::startup;

/// Rules: check a file, show what the rules are
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  vna-partner rules check rules.toml
  vna-partner rules show
  vna-partner rules show rules.toml")]
pub enum RulesCommand {
    /// Check a rules file: every mistake with its line; exit 1 where there is one
    Check(Check),
    /// Show the rules in order, in plain words
    Show(Show),
}

#[derive(Debug, clap::Args)]
pub struct Check {
    /// Rules file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct Show {
    /// Rules file [default: that of the settings, else the built-in rules]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub fn show(args: &Show, settings: &Settings) -> Result<(), Failure> {
    let path = args.file.as_deref().or(settings.rules.as_deref());
    let rules = startup::load_rules(path).map_err(Failure::misused)?;
    terminal::print(&text(&rules, path))
}

/// Needs no settings.
pub fn check(args: &Check) -> Result<(), Failure> {
    let name = args.file.display();
    let bytes = input::read(&args.file)?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::Refused(format!("{name} is not UTF-8")))?;
    match RuleSet::parse(&text, &name.to_string()) {
        Ok(rules) => terminal::print_line(&format!(
            "{name} is right: {}, version {}",
            terminal::counted(rules.rules().len(), "rule"),
            rules.version()
        )),
        Err(error) => {
            error.mistakes.iter().for_each(|mistake| terminal::complain(&mistake.to_string()));
            Err(Failure::Shown)
        }
    }
}

/// The first that refuses gives the reason, so the order is a part of what is shown.
fn text(rules: &RuleSet, path: Option<&Path>) -> String {
    let source = path.map_or_else(|| "the built-in rules".to_owned(), |path| path.display().to_string());
    let mut text = format!(
        "{source}, version {}: {}, in this order\n",
        rules.version(),
        terminal::counted(rules.rules().len(), "rule")
    );
    for (place, rule) in rules.rules().enumerate() {
        // Writing to a String cannot fail.
        _ = writeln!(text, "\n{}. {} ({}, {})", place + 1, rule.id, rule.kind, rule.mode.as_str());
        for line in sentences(rule) {
            _ = writeln!(text, "   {line}");
        }
    }
    text
}

fn sentences(rule: &ListedRule) -> Vec<String> {
    let mut lines = vec![format!("at most {}; more is refused as {}", rule.limits(), rule.reason)];
    if let Some(counting) = &rule.counting {
        let (window, zone) = (&counting.window, counting.window.time_zone());
        lines.push(format!("counted per {} in the window {} ({zone})", counting.per.as_str(), window.name()));
        lines.push(format!(
            "{} once an authorization ends unused, {} once a credit is reversed",
            kept(counting.on_expiry.as_str()),
            kept(counting.on_reversal.as_str())
        ));
    }
    lines.push(match &rule.tiers {
        None => "for accounts of every tier".to_owned(),
        Some(tiers) => format!("for accounts of tier {}", tiers.join(", ")),
    });
    lines
}

fn kept(choice: &str) -> &'static str {
    if choice == "keep" { "counts on" } else { "counts no more" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_shown_in_order_and_in_words() {
        let file = "[[rules]]
id = \"ten-a-day\"
type = \"velocity\"
max = 10
window = { calendar = \"day\", time_zone = \"America/Mexico_City\" }
tiers = [\"standard\", \"gold\"]
on_expiry = \"keep\"
mode = \"shadow\"
";
        let rules = RuleSet::parse(file, "rules.toml").unwrap();
        let shown = text(&rules, Some(Path::new("rules.toml")));
        let expected = format!(
            "rules.toml, version {}: 1 rule, in this order

1. ten-a-day (velocity, shadow)
   at most 10 transactions; more is refused as ByVelocity
   counted per account in the window calendar day (America/Mexico_City)
   counts on once an authorization ends unused, counts no more once a credit is reversed
   for accounts of tier standard, gold
",
            rules.version()
        );
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_demo_rules_are_right() {
        assert!(RuleSet::parse(include_str!("../../seeds/demo-rules.toml"), "demo-rules.toml").is_ok());
    }
}

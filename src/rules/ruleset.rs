//! An ordered list of rules.

/// The rules of one file.
#[derive(Debug, Default)]
pub struct RuleSet {}

//! An ordered list of rules.

use super::{Case, Counters};
use crate::domain::policy::MissingSender;
use crate::domain::{Reason, RuleFinding, SubjectKind};

/// The rules of one file.
#[derive(Debug, Default)]
pub struct RuleSet {
    version: String,
}

/// What all rules together say.
#[derive(Debug)]
pub struct Judgement {
    pub findings: Vec<RuleFinding>,
    pub refusal: Option<Reason>,
}

impl RuleSet {
    /// Whether any rule counts by this kind of subject.
    pub fn counts_by(&self, _kind: SubjectKind) -> bool {
        false
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    /// Runs every rule.
    pub fn judge<E>(
        &self,
        _case: &Case<'_>,
        _missing_sender: MissingSender,
        _counters: &mut impl Counters<E>,
    ) -> Result<Judgement, E> {
        Ok(Judgement { findings: Vec::new(), refusal: None })
    }
}

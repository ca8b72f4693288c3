//! What the heads of series told when they were last written: whether a window's start has to be looked for at all.
//!
//! A guess like the others ([`Wanted::for_requests`]): the head that the batch loads decides, and where it does not
//! tell after all, the batch is decided again with what was missing.
//!
//! [`Wanted::for_requests`]: super::Wanted::for_requests

use std::collections::HashMap;
use std::ops::Range;

use super::{Changes, PrefixKey};
use crate::domain::{Currency, SubjectKey, Timestamp};

/// How many subjects are remembered, some 200 bytes each; one more, and all are forgotten.
const AT_MOST: usize = 65_536;

/// By subject, the moments for which the heads of its series tell.
#[derive(Debug, Default)]
pub struct Recollection(HashMap<SubjectKey, Vec<(Currency, Range<Timestamp>)>>);

impl Recollection {
    /// Takes in the heads that a batch has written.
    pub fn learn(&mut self, changes: &Changes) {
        for (key, subject) in &changes.subjects {
            let told =
                subject.series.iter().flat_map(|(currency, head)| head.told().map(|moments| (*currency, moments)));
            if let Some(known) = self.0.get_mut(key) {
                known.clear();
                known.extend(told);
            } else {
                if self.0.len() >= AT_MOST {
                    self.0.clear();
                }
                self.0.insert(key.clone(), told.collect());
            }
        }
    }

    /// Whether the head is likely to tell this prefix: it is thought so of whoever is not known, because to look for what was
    /// told costs the batch more than to decide it twice.
    pub(super) fn tells(&self, prefix: &PrefixKey) -> bool {
        let of_series = |told: &&(Currency, Range<Timestamp>)| told.0 == prefix.series.currency;
        let told = self.0.get(&prefix.series.subject);
        told.is_none_or(|told| told.iter().filter(of_series).any(|(_, moments)| moments.contains(&prefix.upto)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::subject::{Prefix, Tally};
    use crate::domain::{Counted, Series, SeriesKey, Subject, SubjectKind, WindowStart};

    fn mxn() -> Currency {
        "MXN".parse().unwrap()
    }

    fn prefix(account: &str, upto: i64) -> PrefixKey {
        let series = SeriesKey { subject: SubjectKey::new(SubjectKind::Account, account), currency: mxn() };
        PrefixKey { series, upto: Timestamp(upto) }
    }

    /// Events at 10, 20, 30 and 40, a window counted from 25.
    fn written(account: &str) -> Changes {
        let mut head = Series::default();
        for at in [10, 20, 30, 40] {
            head.counted(Timestamp(at));
        }
        let counted = Counted { events: Tally { count: 2, amount: 0 }, ..Counted::default() };
        let before = Prefix { counted, next_at: Some(Timestamp(30)) };
        head.starts.push(WindowStart::new(Timestamp(25), before));
        let mut subject = Subject::new(SubjectKey::new(SubjectKind::Account, account));
        subject.series.insert(mxn(), head);
        let mut changes = Changes::default();
        changes.subjects.insert(subject.key.clone(), subject);
        changes
    }

    #[test]
    fn a_window_is_told_before_the_first_event_and_until_the_next_one_passes() {
        let mut recollection = Recollection::default();
        assert!(recollection.tells(&prefix("4000", 10)), "nothing is known of it yet");
        recollection.learn(&written("4000"));
        let told = [5, 9, 10, 24, 25, 29, 30, 45].map(|upto| recollection.tells(&prefix("4000", upto)));
        assert_eq!(told, [true, true, false, false, true, true, false, false]);
        assert!(recollection.tells(&prefix("4001", 10)));
    }

    #[test]
    fn more_than_it_may_remember_is_forgotten() {
        let mut recollection = Recollection::default();
        for account in 0..=AT_MOST {
            recollection.learn(&written(&account.to_string()));
        }
        assert!(recollection.tells(&prefix("0", 10)), "what was known of it is gone");
        assert!(!recollection.tells(&prefix(&AT_MOST.to_string(), 10)));
        assert_eq!(recollection.0.len(), 1);
    }
}

//! Which of the first lane's writers takes a command.
//!
//! Commands that name the same thing go to the same writer for as long as one of them is under way: they keep their
//! order, share commits, and do not meet as strangers who put each other back. Commands that meet all the same, over
//! something that shows only once it is loaded, are kept apart by their locks, as those of two servers are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::decide::{Context, Name, Request};

/// With this many commands under way at a writer, half of them a batch, another writer gets what is new. With fewer, the
/// shorter batches cost the database more than two at once gain (docs/adr/0010).
const ENOUGH: usize = 24;

/// Who has what. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(super) struct Division {
    writers: usize,
    under_way: Arc<Mutex<UnderWay>>,
}

struct UnderWay {
    /// How many commands each writer has.
    commands: Vec<usize>,
    named: HashMap<Name, Named>,
}

/// Something that commands under way name.
struct Named {
    writer: usize,
    commands: usize,
}

/// A command's place with a writer, until this is dropped.
pub(super) struct Place {
    pub writer: usize,
    names: Vec<Name>,
    division: Division,
}

impl Division {
    pub(super) fn among(writers: usize) -> Self {
        let under_way = UnderWay { commands: vec![0; writers], named: HashMap::new() };
        Self { writers, under_way: Arc::new(Mutex::new(under_way)) }
    }

    pub(super) fn place(&self, request: &Request, context: &Context) -> Place {
        // A lone writer takes everything, whatever it names.
        let names = if self.writers == 1 { Vec::new() } else { request.names(context) };
        let mut under_way = self.lock();
        let writer = under_way.writer_for(&names);
        under_way.commands[writer] += 1;
        for name in &names {
            under_way.named.entry(name.clone()).or_insert(Named { writer, commands: 0 }).commands += 1;
        }
        drop(under_way);
        Place { writer, names, division: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    /// The one that has its like; else the first that has not enough, else the one that has fewest.
    fn writer_for(&self, names: &[Name]) -> usize {
        let beside_its_like = || names.iter().find_map(|name| self.named.get(name)).map(|named| named.writer);
        let not_enough = || self.commands.iter().position(|commands| *commands < ENOUGH);
        let fewest = || (0..self.commands.len()).min_by_key(|writer| self.commands[*writer]);
        beside_its_like().or_else(not_enough).or_else(fewest).unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = self.division.lock();
        under_way.commands[self.writer] -= 1;
        for name in &self.names {
            if let Some(named) = under_way.named.get_mut(name) {
                named.commands -= 1;
                if named.commands == 0 {
                    under_way.named.remove(name);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::decide::Command;
    use crate::domain::{Policy, SubjectKey, SubjectKind};
    use crate::rules::RuleSet;

    struct Bank {
        division: Division,
        context: Context,
    }

    impl Bank {
        fn with(writers: usize) -> Self {
            let rules = RuleSet::parse("rules = []", "rules.toml").unwrap();
            let context = Context { policy: Policy::default(), rules, display_prefix: "MC".to_owned() };
            Self { division: Division::among(writers), context }
        }

        /// A command on `account`.
        fn place(&self, account: &str) -> Place {
            let command = Command::Sweep(SubjectKey::new(SubjectKind::Account, account));
            self.division.place(&Clock::system().receive(command, None), &self.context)
        }

        /// So many commands, each on an account of its own.
        fn strangers(&self, commands: usize) -> Vec<Place> {
            (0..commands).map(|number| self.place(&format!("stranger {number}"))).collect()
        }
    }

    #[test]
    fn a_few_share_one_writer_and_many_are_spread() {
        let bank = Bank::with(2);
        let few = bank.strangers(ENOUGH);
        assert!(few.iter().all(|place| place.writer == 0));
        let more: Vec<_> = (0..ENOUGH).map(|number| bank.place(&format!("another {number}"))).collect();
        assert!(more.iter().all(|place| place.writer == 1));
        drop(few);
        assert_eq!(bank.place("after them").writer, 0);
    }

    #[test]
    fn where_all_have_enough_the_one_with_fewest_is_next() {
        let bank = Bank::with(3);
        let places = bank.strangers(3 * ENOUGH + 30);
        let at = |writer: usize| places.iter().filter(|place| place.writer == writer).count();
        assert_eq!([at(0), at(1), at(2)], [ENOUGH + 10; 3]);
    }

    #[test]
    fn an_account_stays_with_its_writer_while_one_of_its_commands_is_under_way() {
        let bank = Bank::with(2);
        let mut others = bank.strangers(ENOUGH);
        let first = bank.place("A");
        assert_eq!(first.writer, 1);
        others.clear();
        let second = bank.place("A");
        drop(first);
        assert_eq!((second.writer, bank.place("A").writer, bank.place("B").writer), (1, 1, 0));
        drop(second);
        assert_eq!(bank.place("A").writer, 0, "nothing of it is under way");
    }

    #[test]
    fn nothing_is_kept_of_what_has_ended() {
        let bank = Bank::with(1);
        let places = bank.strangers(3 * ENOUGH);
        assert!(places.iter().all(|place| place.writer == 0));
        drop(places);
        assert!(bank.division.lock().named.is_empty());
        assert_eq!(bank.division.lock().commands, [0]);
    }
}

//! What callers were told, and what the books must hold for all of it to be true.

use std::collections::{BTreeMap, BTreeSet};

/// Minor units: those that are available, and those that wait for their settlement.
pub type Balance = (i64, i64);

/// Everything that some callers were told. Whoever heard a 503 came again, so nothing is uncertain.
#[derive(Debug, Default)]
pub struct Told {
    /// How many were made, 503s and all.
    pub calls: u64,
    /// How many of them were 503s.
    pub refused: u64,
    /// Account and amount of each credit, in minor units.
    pub credits: BTreeMap<String, (String, i64)>,
    pub reversed: BTreeSet<String>,
    /// What each credit was settled to: the state that it then has.
    pub settled: BTreeMap<String, &'static str>,
    /// Account and amount by key.
    pub debited: BTreeMap<String, (String, i64)>,
    pub opened: BTreeSet<String>,
}

impl Told {
    /// A credit was told of, perhaps not for the first time.
    pub fn credited(&mut self, id: &str, account: &str, amount: i64) {
        let credit = (account.to_owned(), amount);
        let known = self.credits.entry(id.to_owned()).or_insert_with(|| credit.clone());
        assert_eq!(*known, credit, "{id}");
    }

    pub fn and(mut self, other: Self) -> Self {
        self.calls += other.calls;
        self.refused += other.refused;
        for (id, (account, amount)) in other.credits {
            self.credited(&id, &account, amount);
        }
        for (id, state) in other.settled {
            let first = self.settled.insert(id.clone(), state);
            assert_eq!(first, None, "{id} was settled twice");
        }
        self.reversed.extend(other.reversed);
        self.debited.extend(other.debited);
        self.opened.extend(other.opened);
        self
    }

    /// Holds the stored credits (id, account, amount, state) to what was told of them; what each account must then have.
    pub fn hold(&self, stored: &[(String, String, i64, String)]) -> BTreeMap<String, Balance> {
        let mut balances: BTreeMap<String, Balance> = BTreeMap::new();
        for (id, account, amount, state) in stored {
            let told = self.credits.get(id).unwrap_or_else(|| panic!("nobody was told of {id}"));
            assert_eq!(*told, (account.clone(), *amount), "{id}");
            let expected = if self.reversed.contains(id) {
                "Reversed"
            } else {
                self.settled.get(id).copied().unwrap_or("InProgress")
            };
            assert_eq!(state, expected, "{id}");
            let balance = balances.entry(account.clone()).or_default();
            match expected {
                "Approved" => balance.0 += amount,
                "InProgress" => balance.1 += amount,
                _ => {}
            }
        }
        assert_eq!(stored.len(), self.credits.len(), "a credit that was answered is not there");
        for (account, amount) in self.debited.values() {
            balances.entry(account.clone()).or_default().0 -= amount;
        }
        balances
    }
}

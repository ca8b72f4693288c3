//! Subjects, series and events: what limits are counted from, as loaded and as changed by the batch.

use std::collections::{BTreeSet, HashMap};

use super::{Missing, Release, State};
use crate::decide::changes::NodeKey;
use crate::decide::lock::Lock;
use crate::decide::wanted::{DueRange, PrefixEnd, PrefixEvent, PrefixKey};
use crate::domain::subject::{Earliest, Open, Released, tree};
use crate::domain::{
    AuthorizationState, Counted, Currency, Event, EventRef, Prefix, ReleaseKind, Series, SeriesKey, Span, Subject,
    SubjectKey, SubjectKind, Tally, Timestamp, TrackingId, WindowStart,
};

impl State {
    /// When a command on `subjects` that was received at `received_at` happens: then, but always after the last event of
    /// any of them, so that the order of times is the order of commits, whatever the clocks of several servers show. Locks
    /// them first.
    ///
    /// # Errors
    /// [`Missing`] where one is not loaded or not locked.
    pub fn event_time(
        &mut self,
        subjects: &BTreeSet<SubjectKey>,
        received_at: Timestamp,
    ) -> Result<Timestamp, Missing> {
        let locked = self.lock(subjects.iter().map(Lock::from));
        let unknown: Vec<_> = subjects.iter().filter(|key| !self.is_known(key)).cloned().collect();
        if !unknown.is_empty() {
            self.wanted.subjects.extend(unknown);
            return Err(Missing);
        }
        locked?;
        let earliest = |subject: &Subject| {
            let is_its_own = self.dated.contains(&subject.key);
            if is_its_own { subject.last_event_at } else { subject.last_event_at.plus(Span(1)) }
        };
        let subjects = subjects.iter().filter_map(|key| self.subject(key));
        Ok(subjects.map(earliest).max().unwrap_or(received_at).max(received_at))
    }

    /// Dates every one of `subjects`: whatever else happens on them happens after `now`.
    pub fn touch(&mut self, subjects: &BTreeSet<SubjectKey>, now: Timestamp) {
        for key in subjects {
            self.changed_subject(key).last_event_at = now;
            self.dated.insert(key.clone());
        }
    }

    /// What is kept of a subject, as the batch will write it.
    pub(super) fn changed_subject(&mut self, key: &SubjectKey) -> &mut Subject {
        let loaded = &self.subjects;
        let changed = self.overlay.changes.subjects.entry(key.clone());
        changed.or_insert_with(|| loaded.get(key).cloned().unwrap_or_else(|| Subject::new(key.clone())))
    }

    /// Whether it was loaded, by itself or with its holder, or is not there.
    fn is_known(&self, key: &SubjectKey) -> bool {
        self.subject(key).is_some() || self.known.subjects.contains(key)
    }

    fn subject(&self, key: &SubjectKey) -> Option<&Subject> {
        self.overlay.changes.subjects.get(key).or_else(|| self.subjects.get(key))
    }

    /// Events of `subject` that are due at or before `now` and not given back yet, the earliest deadline first.
    pub fn due(&mut self, subject: &SubjectKey, now: Timestamp) -> Result<Vec<Event>, Missing> {
        self.require_subject(subject)?;
        let due = due_series(self.subject(subject), now);
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let mut complete = true;
        for (series, _) in due {
            let Some(open) = head_of(&self.subjects, &series).and_then(|head| head.open) else { continue };
            let range = DueRange { from: open.since.at, until: self.horizon.max(now) };
            if !self.known.due.get(&series).is_some_and(|known| known.covers(range)) {
                self.wanted.due.insert(series, range);
                complete = false;
            }
        }
        if !complete {
            return Err(Missing);
        }
        let mut due = self.waiting(subject)?;
        due.retain(|(_, since)| since.due_at <= now);
        due.sort_by_key(|(event, since)| (since.due_at, event.series.currency, event.number));
        Ok(due.into_iter().map(|(event, _)| event).collect())
    }

    /// Looks when the next of `subject` is due, once all that was due at `now` has been given back.
    pub fn find_next_due(&mut self, subject: &SubjectKey, now: Timestamp) -> Result<(), Missing> {
        let due = due_series(self.subject(subject), now);
        if due.is_empty() {
            return Ok(());
        }
        let waiting = self.waiting(subject)?;
        for (series, open) in due {
            let known = waiting.iter().filter(|(event, _)| event.series == series).map(|(_, since)| *since);
            let later = self.due_later.get(&series).copied();
            if let Some(since) = known.chain(later).reduce(Earliest::or_earlier)
                && let Some(head) = self.changed_subject(subject).series.get_mut(&series.currency)
            {
                head.open = Some(Open { since, ..open });
            }
        }
        Ok(())
    }

    /// All events of `subject` that were loaded or made and still wait, each with what it adds to the open ones.
    fn waiting(&mut self, subject: &SubjectKey) -> Result<Vec<(Event, Earliest)>, Missing> {
        let loaded = self.with_deadline.get(subject).into_iter().flatten();
        let made_now = self.overlay.changes.events.range(first_of(subject)..).map(|(place, _)| place);
        let places: BTreeSet<&EventRef> =
            loaded.chain(made_now.take_while(|place| place.series.subject == *subject)).collect();
        let events: Vec<Event> = places.into_iter().filter_map(|place| self.loaded_event(place)).cloned().collect();
        let mut waiting = Vec::with_capacity(events.len());
        // Each of those that are missing is asked for, in one round: an account may have any number.
        let mut complete = true;
        for event in events {
            let Some(due_at) = event.due_at else { continue };
            let waits = match subject.kind {
                SubjectKind::Account => self.is_open(event.authorization),
                SubjectKind::Sender | SubjectKind::Receiver => Ok(true),
            };
            match waits {
                Ok(true) => {
                    let since = Earliest { at: event.at, due_at };
                    waiting.push((event, since));
                }
                Ok(false) => {}
                Err(Missing) => complete = false,
            }
        }
        if complete { Ok(waiting) } else { Err(Missing) }
    }

    fn is_open(&mut self, authorization: TrackingId) -> Result<bool, Missing> {
        let found = self.authorization(authorization)?;
        Ok(found.is_some_and(|found| found.state == AuthorizationState::Open))
    }

    /// The head of a series; its subject has been dated by now.
    pub fn series(&mut self, key: &SeriesKey) -> Result<Series, Missing> {
        self.require_subject(&key.subject)?;
        let head = self.subject(&key.subject).and_then(|subject| subject.series.get(&key.currency));
        Ok(head.cloned().unwrap_or_default())
    }

    /// The currencies in which `subject` was ever counted.
    pub fn currencies_of(&mut self, subject: &SubjectKey) -> Result<Vec<Currency>, Missing> {
        self.require_subject(subject)?;
        Ok(self.subject(subject).into_iter().flat_map(|subject| subject.series.keys().copied()).collect())
    }

    fn require_subject(&mut self, subject: &SubjectKey) -> Result<(), Missing> {
        if self.is_known(subject) {
            return Ok(());
        }
        self.wanted.subjects.insert(subject.clone());
        Err(Missing)
    }

    /// Everything that `series` had counted up to and including `upto`.
    pub fn prefix(&mut self, series: &SeriesKey, upto: Timestamp) -> Result<Prefix, Missing> {
        self.require_subject(&series.subject)?;
        let stored_events = head_of(&self.subjects, series).map_or(0, |head| head.events);
        let Prefix { mut counted, mut next_at } = self.stored_prefix(series, upto)?;
        // Others were counted before, and the batch has given them back or settled them.
        let is_new = |event: &&Event| event.series == *series && event.number > stored_events;
        let end = EventRef { series: series.clone(), at: upto, number: i64::MAX };
        let mut made_before = self.overlay.changes.events.range(..&end).map(|(_, event)| event);
        if let Some(last) = made_before.next_back().filter(is_new) {
            counted.events = Tally { count: last.number, amount: last.running };
        }
        let made_after = self.overlay.changes.events.range(&end..).map(|(_, event)| event);
        let mut of_series = made_after.take_while(|event| event.series == *series);
        next_at = next_at.or_else(|| of_series.find(is_new).map(|event| event.at));
        for release in self.overlay.releases.get(series).into_iter().flatten() {
            if release.number <= counted.events.count {
                counted.released.reassign(release.amount, release.from, release.to);
            }
        }
        Ok(Prefix { counted, next_at })
    }

    /// The same, before the batch.
    fn stored_prefix(&mut self, series: &SeriesKey, upto: Timestamp) -> Result<Prefix, Missing> {
        let Some(stored) = head_of(&self.subjects, series) else { return Ok(Prefix::default()) };
        if let Some(told) = stored.prefix(upto) {
            return Ok(told);
        }
        let nothing = Prefix { counted: Counted::default(), next_at: stored.first_at };
        let key = PrefixKey { series: series.clone(), upto };
        let Some(PrefixEnd { last, next_at }) = self.prefixes.get(&key) else {
            if self.known.prefixes.contains(&key) {
                return Ok(nothing);
            }
            self.wanted.prefixes.insert(key);
            return Err(Missing);
        };
        let Some(end) = last.first() else { return Ok(nothing) };
        let events = Tally { count: end.number, amount: end.running };
        let told = |released| Ok(Prefix { counted: Counted { events, released }, next_at: *next_at });
        if let Some(released) = released_before(stored, last) {
            return told(released);
        }
        let end = EventRef { series: series.clone(), at: end.at, number: end.number };
        match self.released_after.get(&end) {
            Some(after) => told(stored.released.minus(*after)),
            None if self.known.released_after.contains(&end) => told(stored.released),
            None => {
                self.wanted.released_after.insert(end);
                Err(Missing)
            }
        }
    }

    /// Keeps where the windows begin that `series` was just counted over; its subject has been dated by now.
    pub fn keep_starts(&mut self, series: &SeriesKey, starts: Vec<WindowStart>) {
        if let Some(head) = self.changed_subject(&series.subject).series.get_mut(&series.currency) {
            head.starts = starts;
        }
    }

    /// Counts one transaction. The caller has made sure that the running sum fits.
    pub fn count(&mut self, head: Series, event: Event) -> EventRef {
        let place = event.place();
        self.changed_subject(&event.series.subject).series.insert(event.series.currency, head);
        self.overlay.changes.counted.insert(place.clone());
        self.overlay.changes.events.insert(place.clone(), event);
        place
    }

    fn loaded_event(&self, place: &EventRef) -> Option<&Event> {
        self.overlay.changes.events.get(place).or_else(|| self.events.get(place))
    }

    /// The events at `places`, all of them asked for at once.
    pub fn events(&mut self, places: &[EventRef]) -> Result<Vec<Event>, Missing> {
        let unknown: Vec<EventRef> =
            places.iter().filter(|place| self.loaded_event(place).is_none()).cloned().collect();
        if unknown.iter().any(|place| !self.known.events.contains(place)) {
            self.wanted.events.extend(unknown);
            return Err(Missing);
        }
        Ok(places.iter().filter_map(|place| self.loaded_event(place)).cloned().collect())
    }

    /// Ends an event's wait: its authorization was used or has ended.
    pub fn close(&mut self, mut event: Event) -> Result<(), Missing> {
        // An account's waits no more since its authorization is not open any more.
        if event.due_at.take().is_some() && event.series.subject.kind != SubjectKind::Account {
            self.one_less_open(&event.series)?;
        }
        self.overlay.changes.events.insert(event.place(), event);
        Ok(())
    }

    /// One event of `series` that waited does not any more.
    pub(super) fn one_less_open(&mut self, series: &SeriesKey) -> Result<(), Missing> {
        self.require_subject(&series.subject)?;
        if let Some(head) = self.changed_subject(&series.subject).series.get_mut(&series.currency) {
            head.closed();
        }
        Ok(())
    }

    /// Gives an event back, or moves it from one kind of release to another. It waits no more.
    pub fn release(&mut self, mut event: Event, kind: ReleaseKind) -> Result<(), Missing> {
        let mut head = self.series(&event.series)?;
        let tally = Tally::one(event.amount);
        let from = event.released;
        if from != Some(kind) {
            head.released.reassign(event.amount, from, kind);
            for start in head.starts.iter_mut().filter(|start| event.number <= start.events) {
                start.released.reassign(event.amount, from, kind);
            }
            if let Some(from) = from {
                self.add_to_tree(&event, from, Tally::default().minus(tally));
            }
            self.add_to_tree(&event, kind, tally);
            let release = Release { number: event.number, amount: event.amount, from, to: kind };
            self.overlay.releases.entry(event.series.clone()).or_default().push(release);
            self.changed_subject(&event.series.subject).series.insert(event.series.currency, head);
        }
        event.released = Some(kind);
        self.close(event)
    }

    fn add_to_tree(&mut self, event: &Event, released: ReleaseKind, tally: Tally) {
        for level in 1..=tree::LEVELS {
            let block = tree::block_of(event.number, level);
            let node = NodeKey { series: event.series.clone(), level, block, released };
            let sum = self.overlay.changes.release_nodes.entry(node).or_default();
            *sum = sum.plus(tally);
        }
    }
}

/// The head of a series as it was loaded, if it has any event.
fn head_of<'a>(loaded: &'a HashMap<SubjectKey, Subject>, key: &SeriesKey) -> Option<&'a Series> {
    loaded.get(&key.subject)?.series.get(&key.currency).filter(|head| head.events > 0)
}

/// How much was released of a prefix, where its `last` events tell: nothing ever was, or they reach back to the start of
/// a window that was counted before, or to the first event of all.
fn released_before(series: &Series, last: &[PrefixEvent]) -> Option<Released> {
    let (end, first) = (last.first()?.number, last.last()?.number);
    if series.released.is_nothing() {
        return Some(Released::default());
    }
    let kept = series.starts.iter().filter(|start| first - 1 <= start.events && start.events <= end);
    let (from, mut released) = match kept.max_by_key(|start| start.events) {
        Some(start) => (start.events, start.released),
        None if first == 1 => (0, Released::default()),
        None => return None,
    };
    for event in last.iter().filter(|event| event.number > from) {
        if let Some(kind) = event.released {
            released.reassign(event.amount, None, kind);
        }
    }
    Some(released)
}

/// The series of a subject that may have something due at `now`.
fn due_series(subject: Option<&Subject>, now: Timestamp) -> Vec<(SeriesKey, Open)> {
    let Some(subject) = subject else { return Vec::new() };
    let open = subject.series.iter().filter_map(|(currency, head)| head.open.map(|open| (*currency, open)));
    let due = open.filter(|(_, open)| open.since.due_at <= now);
    due.map(|(currency, open)| (SeriesKey { subject: subject.key.clone(), currency }, open)).collect()
}

/// The smallest place that an event of `subject` can have.
fn first_of(subject: &SubjectKey) -> EventRef {
    let series = SeriesKey { subject: subject.clone(), currency: Currency::FIRST };
    EventRef { series, at: Timestamp::default(), number: 0 }
}

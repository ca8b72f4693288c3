//! Two lanes. The first takes all that waits in its queues, with a writer for each, and waits for nobody (a batch without
//! locks, for some milliseconds: `docs/adr/0026`). What names something that others hold goes to the second, one writer,
//! which tries again, in order, until it is free or three seconds are over; whatever comes later and names the same goes
//! behind it. So a row that somebody holds delays its own commands only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::execute::{HELD_AT_MOST, TRY_AGAIN_AFTER};
use super::writer::{Late, Writer};
use super::{Limits, Room, SubmitError, Waiting};
use crate::decide::Lock;
use crate::telemetry;

/// What the second lane waits for, each lock with the number of commands that name it.
#[derive(Clone, Default)]
struct Awaited(Arc<Mutex<BTreeMap<Lock, usize>>>);

impl Awaited {
    fn locks(&self) -> BTreeSet<Lock> {
        self.lock().keys().cloned().collect()
    }

    fn add(&self, locks: &BTreeSet<Lock>) {
        let mut awaited = self.lock();
        for lock in locks {
            *awaited.entry(lock.clone()).or_default() += 1;
        }
    }

    fn remove(&self, locks: &BTreeSet<Lock>) {
        let mut awaited = self.lock();
        for lock in locks {
            if let Some(commands) = awaited.get_mut(lock) {
                *commands -= 1;
                if *commands == 0 {
                    awaited.remove(lock);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Lock, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command in the second lane.
struct Held {
    waiting: Waiting,
    behind: BTreeSet<Lock>,
    until: Instant,
}

/// Runs both lanes until the queues are closed and everybody in them was answered. The first lane has a writer for each
/// of `queues`.
pub(super) async fn run(
    writer: Writer,
    queues: Vec<mpsc::UnboundedReceiver<Waiting>>,
    room: Room,
    limits: Limits,
    stopping: watch::Receiver<bool>,
) {
    let awaited = Awaited::default();
    let answers = writer.answers.clone();
    let (put_back, held) = mpsc::channel(limits.queue);
    // A batch that blocks is alone, and waits for nobody: then nothing comes here.
    let second = tokio::spawn(Second { writer: writer.clone(), awaited: awaited.clone(), limits }.run(held));
    let first = First { writer, awaited, limits, room, put_back };
    let start = |queue| {
        let (first, stopping) = (first.clone(), stopping.clone());
        first.writer.clone().start(move |writer| First { writer, ..first }.run(queue, stopping))
    };
    let mut tasks: Vec<_> = queues.into_iter().map(start).collect();
    drop(first);
    tasks.push(second);
    for task in tasks {
        if let Err(error) = task.await {
            tracing::error!(%error, "a lane did not end in order");
        }
    }
    answers.close();
    answers.wait().await;
}

#[derive(Clone)]
struct First {
    writer: Writer,
    awaited: Awaited,
    limits: Limits,
    room: Room,
    put_back: mpsc::Sender<Held>,
}

impl First {
    async fn run(self, mut queue: mpsc::UnboundedReceiver<Waiting>, mut stopping: watch::Receiver<bool>) {
        let mut waiting = Vec::with_capacity(self.limits.batch);
        loop {
            tokio::select! {
                biased;
                // Either branch may be dropped half-way: taking from a queue and watching a flag lose nothing.
                _ = stopping.wait_for(|stop| *stop), if !queue.is_closed() => {
                    queue.close();
                    continue;
                }
                taken = queue.recv_many(&mut waiting, self.limits.batch) => {
                    if taken == 0 {
                        return;
                    }
                }
            }
            self.room.leave(waiting.len());
            let new = std::mem::take(&mut waiting);
            let late = self.writer.carry_out(new, None, &self.awaited.locks()).await;
            late.into_iter().for_each(|late| self.put_back(late));
        }
    }

    fn put_back(&self, late: Late) {
        let Late { waiting, behind, .. } = late;
        self.awaited.add(&behind);
        let held = Held { waiting, behind, until: Instant::now() + HELD_AT_MOST };
        if let Err(refused) = self.put_back.try_send(held) {
            let held = refused.into_inner();
            self.awaited.remove(&held.behind);
            // Whoever hung up does not hear it.
            drop(held.waiting.answer.send(Err(SubmitError::Overloaded)));
        }
    }
}

struct Second {
    writer: Writer,
    awaited: Awaited,
    limits: Limits,
}

impl Second {
    async fn run(self, mut put_back: mpsc::Receiver<Held>) {
        let mut held = Vec::new();
        while !held.is_empty() || put_back.recv_many(&mut held, self.limits.queue).await > 0 {
            while let Ok(one) = put_back.try_recv() {
                held.push(one);
            }
            let before = held.len();
            held = self.try_again(held).await;
            metrics::gauge!(telemetry::COMMANDS_HELD).set(u32::try_from(held.len()).unwrap_or(u32::MAX));
            if held.len() == before {
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
            }
        }
    }

    /// Tries all in order; those that are still held.
    async fn try_again(&self, held: Vec<Held>) -> Vec<Held> {
        let now = Instant::now();
        let (over, held): (Vec<Held>, Vec<Held>) = held.into_iter().partition(|one| one.until <= now);
        over.into_iter().for_each(|one| self.give_up(one));
        let mut still_held = Vec::new();
        let mut awaited = BTreeSet::new();
        let mut held = held.into_iter().peekable();
        while held.peek().is_some() {
            let (waiting, kept): (Vec<Waiting>, Vec<(BTreeSet<Lock>, Instant)>) =
                held.by_ref().take(self.limits.batch).map(|one| (one.waiting, (one.behind, one.until))).unzip();
            let stuck = self.writer.stuck.locks();
            let expected =
                kept.iter().map(|(behind, _)| behind).filter(|behind| behind.is_disjoint(&stuck)).flatten().cloned();
            let expected = expected.collect();
            let mut late = self.writer.carry_out(waiting, Some(&expected), &awaited).await.into_iter().peekable();
            for (place, (behind, until)) in kept.into_iter().enumerate() {
                if let Some(late) = late.next_if(|late| late.place == place) {
                    self.awaited.add(&late.behind);
                    awaited.extend(late.behind.iter().cloned());
                    still_held.push(Held { waiting: late.waiting, behind: late.behind, until });
                }
                self.awaited.remove(&behind);
            }
        }
        still_held
    }

    fn give_up(&self, held: Held) {
        let Held { waiting, behind, .. } = held;
        self.awaited.remove(&behind);
        let command = waiting.request.id;
        waiting.caller.in_scope(|| {
            tracing::error!(%command, "a command was not carried out: others held what it names for three seconds");
        });
        // Whoever hung up does not hear it.
        drop(waiting.answer.send(Err(SubmitError::Held)));
    }
}

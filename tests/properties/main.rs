//! Invariants of the core and the engine over generated sequences of commands, on a real database.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bench;
mod limits;
mod story;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use vna_partner::decide::command::Action;
use vna_partner::decide::outcome::OperationAnswer;
use vna_partner::decide::{Command, Outcome, Request};
use vna_partner::domain::policy::{LateCredit, OnShortfall, Settlement};
use vna_partner::domain::{AccountId, CreditState, Decision, Policy, Span, SubjectKey, Timestamp, TrackingId};
use vna_partner::store::{AuthorizationFilter, CreditFilter, DeadlinePlace, Page};

use bench::{Bench, second};
use limits::{GivenBack, NaiveLimits, RULES};
use story::{ACCOUNTS, TimedStep, step};

/// Short deadlines, so that stories of a few minutes see authorizations expire and credits come late.
fn policy() -> Policy {
    Policy {
        authorization_ttl: Span::seconds(60),
        late_credit_window: Span::seconds(120),
        unreferenced_retry_window: Span::seconds(30),
        on_shortfall: OnShortfall::Negative,
        ..Policy::default()
    }
}

fn policies() -> impl Strategy<Value = Policy> {
    let late = prop_oneof![Just(LateCredit::Recheck), Just(LateCredit::Refuse), Just(LateCredit::Accept)];
    let settlement = prop_oneof![Just(Settlement::Immediate), Just(Settlement::Confirmed)];
    let shortfall = prop_oneof![Just(OnShortfall::Refuse), Just(OnShortfall::Negative), Just(OnShortfall::Receivable)];
    (late, settlement, shortfall).prop_map(|(late_credit, settlement, on_shortfall)| Policy {
        late_credit,
        settlement,
        on_shortfall,
        ..policy()
    })
}

/// Runs a property on generated cases; each case gets a runtime of its own.
fn check<T: std::fmt::Debug>(cases: u32, strategy: impl Strategy<Value = T>, property: impl AsyncFn(T)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let run = TestRunner::new(config).run(&strategy, |case| {
        runtime.block_on(property(case));
        Ok(())
    });
    if let Err(failure) = run {
        panic!("{failure}");
    }
}

fn steps(most: usize, seconds: std::ops::Range<i64>) -> impl Strategy<Value = Vec<TimedStep>> {
    proptest::collection::vec((seconds, step()), 1..most)
}

#[test]
fn a_batch_comes_to_what_its_commands_come_to_one_by_one() {
    let case = (policies(), steps(60, -20..30), proptest::collection::vec(1..12_usize, 60));
    check(48, case, async |(policy, steps, sizes)| {
        let requests = story::requests(&steps);
        let alone = Bench::new(policy.clone(), RULES).await;
        let together = Bench::new(policy, RULES).await;
        let mut outcomes_alone = Vec::new();
        for request in &requests {
            outcomes_alone.push(alone.one(request.clone()).await);
        }
        let (mut outcomes_together, mut rest) = (Vec::new(), requests.as_slice());
        for size in sizes.iter().cycle() {
            let (batch, later) = rest.split_at((*size).min(rest.len()));
            outcomes_together.extend(together.batch(batch).await);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        assert_eq!(outcomes_alone, outcomes_together);
        assert_eq!(alone.dump().await, together.dump().await);
    });
}

/// One server, whose idea of what was written last holds, or two, each with its own, and a command line beside them.
#[test]
fn servers_in_turn_come_to_what_one_comes_to_alone() {
    let turns = (1..4_usize).prop_flat_map(|who| proptest::collection::vec(0..who, 60));
    // What counts by sender always takes locks.
    let rules = any::<bool>()
        .prop_map(|by_sender| if by_sender { RULES.to_owned() } else { RULES.replace("sender", "account") });
    check(40, (policies(), rules, steps(60, -20..30), turns), async |(policy, rules, steps, turns)| {
        let alone = Bench::new(policy.clone(), &rules).await;
        let shared = Bench::new(policy.clone(), &rules).await;
        let context = Arc::new(bench::context(policy, &rules));
        let servers = [shared.serve(&context).await, shared.serve(&context).await];
        for (request, turn) in story::requests(&steps).into_iter().zip(turns) {
            let outcome = match servers.get(turn) {
                Some((engine, _)) => engine.submit(request.clone()).await.unwrap(),
                None => shared.one(request.clone()).await,
            };
            assert_eq!(outcome, alone.one(request).await);
        }
        for (_, running) in servers {
            running.stop().await;
        }
        assert_eq!(shared.dump().await, alone.dump().await);
        shared.assert_books_are_sound().await;
    });
}

#[test]
fn the_books_are_sound_after_any_sequence() {
    check(48, (policies(), steps(80, -20..30)), async |(policy, steps)| {
        let bench = Bench::new(policy, RULES).await;
        for batch in story::requests(&steps).chunks(7) {
            bench.batch(batch).await;
        }
        bench.assert_books_are_sound().await;
    });
}

#[test]
fn no_sequence_credits_an_authorization_twice() {
    check(48, (policies(), steps(80, -20..30)), async |(policy, steps)| {
        let bench = Bench::new(policy, RULES).await;
        for batch in story::requests(&steps).chunks(5) {
            bench.batch(batch).await;
        }
        let page = Page { limit: 100, offset: 0 };
        let credits = bench.store.credits(&CreditFilter::default(), page).await.unwrap().items;
        let authorizations = bench.store.authorizations(&AuthorizationFilter::default(), page).await.unwrap().items;
        let mut used = HashSet::new();
        for credit in credits.iter().filter(|credit| credit.state != CreditState::Refused) {
            assert!(used.insert(credit.authorization), "credited twice: {credit:?}");
            let authorization = authorizations.iter().find(|one| one.id == credit.authorization).unwrap();
            assert_eq!(authorization.amount, credit.amount);
            assert_eq!(authorization.account.as_ref(), Some(&credit.account));
        }
        for account in ACCOUNTS {
            let (account, _) = bench.store.account(&AccountId::new(account)).await.unwrap().unwrap();
            let approved: i64 = authorizations
                .iter()
                .filter(|one| one.account.as_ref() == Some(&account.id) && !one.counted.is_empty())
                .map(|one| one.amount)
                .sum();
            assert!(account.balance + account.pending <= approved, "more came in than was ever authorized");
        }
    });
}

/// One server sweeps before every command, the other never did.
#[test]
fn no_answer_and_no_record_depends_on_when_a_sweep_ran() {
    check(20, (policies(), steps(60, 0..40)), async |(policy, steps)| {
        let swept = Bench::new(policy.clone(), RULES).await;
        let left_alone = Bench::new(policy, RULES).await;
        for request in story::requests(&steps) {
            sweep(&swept, request.received_at).await;
            assert_eq!(swept.one(request.clone()).await, left_alone.one(request).await);
        }
        for bench in [&swept, &left_alone] {
            sweep(bench, second(1_000_000)).await;
        }
        assert_eq!(swept.dump().await, left_alone.dump().await);
    });
}

async fn sweep(bench: &Bench, upto: Timestamp) {
    let from_the_first = DeadlinePlace::before(Timestamp(0));
    let accounts = bench.store.overdue_accounts(from_the_first, upto, 1_000).await.unwrap().accounts;
    let others = bench.store.overdue_others(upto, 1_000).await.unwrap();
    for subject in accounts.iter().map(|(_, account)| SubjectKey::account(account)).chain(others) {
        bench.one(bench::request(upto, Command::Sweep(subject))).await;
    }
}

#[test]
fn every_verdict_is_the_one_of_a_naive_recount() {
    // Deadlines that are set anew while authorizations are open: a later one may then be due before an earlier one.
    let deadlines = proptest::collection::vec(prop_oneof![Just(60), Just(20), Just(100)], 80);
    check(64, (steps(80, 0..40), deadlines), async |(steps, deadlines)| {
        let mut bench = Bench::new(policy(), RULES).await;
        let mut twin = Twin::default();
        for (request, seconds) in story::requests(&steps).into_iter().zip(deadlines) {
            bench.context.policy.authorization_ttl = Span::seconds(seconds);
            let outcome = bench.one(request.clone()).await;
            twin.follow(&bench, &request, &outcome).await;
        }
    });
}

/// Windows of a history that is longer than a block of blocks of the release tree (32 x 32 events).
#[test]
fn windows_of_a_long_history_are_counted_exactly() {
    const EVENTS: i64 = 2_400;
    let windows = [1, 31, 32, 33, 500, 1_023, 1_024, 1_025, 1_700, 2_399, 9_000];
    let rules: String = windows
        .iter()
        .map(|seconds| {
            format!(
                "[[rules]]\nid = 'w{seconds}'\ntype = 'accumulated'\nmax = {{ MXN = '1000000000.00' }}\n\
                 window = {{ rolling = '{seconds}s' }}\non_reversal = 'keep'\n"
            )
        })
        .collect();
    check(3, any::<u64>(), async |seed| {
        let mut chance = SmallRng::seed_from_u64(seed);
        let amounts: Vec<i64> = (0..EVENTS).map(|_| chance.random_range(1..500)).collect();
        let released: Vec<Option<bool>> =
            (0..EVENTS).map(|_| chance.random::<bool>().then(|| chance.random())).collect();
        let policy = Policy { authorization_ttl: Span::seconds(90_000), ..policy() };
        let bench = Bench::new(policy, &rules).await;
        bench.one(bench::request(second(0), bench::seed("A", "+525555123456"))).await;
        let opened: Vec<Request> = (1..)
            .zip(&amounts)
            .map(|(at, amount)| bench::request(second(at), bench::authorize("A", *amount, "+12025550143")))
            .collect();
        for batch in opened.chunks(256) {
            bench.batch(batch).await;
        }
        // Voided ones are given back, reversed ones are kept: in an order that is not the events' own.
        let end = second(EVENTS);
        let mut endings = Vec::new();
        for (place, ending) in released.iter().enumerate().rev() {
            let authorization = opened[place].id;
            match ending {
                Some(true) => {
                    let void = Action::VoidAuthorization { authorization };
                    endings.push(bench::request(end, bench::operate(void)));
                }
                Some(false) => {
                    let credit = bench::request(end, bench::credit("A", authorization));
                    let reversal = bench::request(end, bench::reverse("A", credit.id));
                    endings.extend([credit, reversal]);
                }
                None => {}
            }
        }
        for batch in endings.chunks(199) {
            bench.batch(batch).await;
        }
        let asked = bench::request(end, bench::authorize("A", 1, "+12025550143"));
        bench.one(asked.clone()).await;
        let decision = bench.store.decision(asked.id).await.unwrap().unwrap();
        assert_eq!(decision.findings.len(), windows.len());
        for (seconds, finding) in windows.iter().zip(&decision.findings) {
            let inside = (1..)
                .zip(&amounts)
                .zip(&released)
                .filter(|((at, _), ending)| *at > EVENTS - seconds && **ending != Some(true));
            let expected: i64 = inside.map(|((_, amount), _)| amount).sum();
            assert_eq!(finding.counted, Some(expected), "in {seconds} seconds");
        }
        bench.assert_books_are_sound().await;
    });
}

/// Follows the server's answers and predicts every verdict that a limit decides.
#[derive(Default)]
struct Twin {
    limits: NaiveLimits,
    authorized: HashMap<TrackingId, (usize, usize, i64)>,
    blocked: HashSet<String>,
    /// The key under which a credit is counted: its authorization's, or its own where it came late.
    counted_as: HashMap<TrackingId, TrackingId>,
    last_event: HashMap<AccountId, Timestamp>,
}

impl Twin {
    async fn follow(&mut self, bench: &Bench, request: &Request, outcome: &Outcome) {
        let mut now = request.received_at;
        if let Some(decision) = bench.store.decision(request.id).await.unwrap() {
            now = decision.at;
            self.assert_dated_in_order(request, &decision);
        }
        match (&request.command, outcome) {
            (Command::Authorize(call), Outcome::Authorization(answer)) => {
                let account = index(call.account.given().unwrap());
                let sender = usize::from(!call.sender.given().unwrap().as_str().starts_with("+12025550143"));
                let amount = call.amount.given().unwrap().scaled(2).unwrap();
                if self.blocked.contains(ACCOUNTS[account]) {
                    assert!(!answer.authorized);
                    return;
                }
                assert_eq!(answer.authorized, self.limits.allows(account, sender, now, amount), "{request:?}");
                if answer.authorized {
                    let ttl = bench.context.policy.authorization_ttl;
                    self.limits.count(request.id, account, sender, now, amount, Some(ttl));
                    self.authorized.insert(request.id, (account, sender, amount));
                }
            }
            (Command::Credit(_), Outcome::Credit(answer)) if answer.tracking == request.id => {
                let credit = bench.store.credit(request.id).await.unwrap();
                if let Some(credit) = credit {
                    self.follow_credit(request, credit.authorization, answer.success, now);
                }
            }
            (Command::Operate(operation), Outcome::Operation(answer)) => match (&operation.action, answer) {
                (Action::Block { account, .. }, OperationAnswer::Changed(_)) => {
                    self.blocked.insert(account.to_string());
                }
                (Action::Unblock { account }, OperationAnswer::Changed(_)) => {
                    self.blocked.remove(account.as_str());
                }
                (Action::VoidAuthorization { authorization }, OperationAnswer::Voided(_)) => {
                    self.limits.give_back(*authorization, GivenBack::Expiry);
                }
                (Action::CreditAmbiguous { .. }, OperationAnswer::Credited { credit, .. }) => {
                    self.follow_credit(request, credit.authorization, true, credit.at);
                }
                _ => {}
            },
            (Command::Reverse(_), Outcome::Reversal(answer)) if answer.success && answer.tracking == request.id => {
                let page = Page { limit: 1, offset: 0 };
                let latest = bench.store.reversals(&Default::default(), page).await.unwrap().items.pop().unwrap();
                self.limits.give_back(self.counted_as[&latest.credit], GivenBack::Reversal);
            }
            _ => {}
        }
    }

    /// Everything on an account is dated after all that happened there before, and not much later than it was received.
    fn assert_dated_in_order(&mut self, request: &Request, decision: &Decision) {
        let at = decision.at;
        let Some(account) = &decision.account else { return };
        let last = self.last_event.insert(account.clone(), at);
        assert!(last.is_none_or(|last| last < at), "{request:?} is dated at {at}, after {last:?}");
        assert!((0..1_000).contains(&at.since(request.received_at).0), "{request:?} is dated at {at}");
    }

    fn follow_credit(&mut self, request: &Request, authorization: TrackingId, success: bool, now: Timestamp) {
        let (account, sender, amount) = self.authorized[&authorization];
        let late = self.limits.is_expired(authorization, now);
        if !late && success {
            self.limits.use_up(authorization);
            self.counted_as.insert(request.id, authorization);
            return;
        }
        self.limits.give_back(authorization, GivenBack::Always);
        if late && !self.blocked.contains(ACCOUNTS[account]) {
            let allowed = self.limits.allows(account, sender, now, amount);
            assert!(allowed || !success, "a late credit overshot a limit: {request:?}");
        }
        if success {
            self.limits.count(request.id, account, sender, now, amount, None);
            self.counted_as.insert(request.id, request.id);
        }
    }
}

fn index(account: &str) -> usize {
    ACCOUNTS.iter().position(|known| *known == account).unwrap()
}

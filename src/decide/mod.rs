//! The verbs, pure: given the loaded state, a command and the rule set, what to answer and what to write.
//!
//! Every command follows one shape: read what it names, date it ([`subjects::enter`]), refuse in order of precedence,
//! and only then change the state. A refusal is an outcome like any other and is recorded; the only way not to come to
//! an outcome is [`Missing`], after which the batch is decided again with more loaded. There is no clock, no chance, no
//! I/O and no database here, so any decision can be replayed.

pub mod command;
pub mod outcome;

mod authorize;
mod changes;
mod create_account;
mod credit;
mod crediting;
mod enrol;
mod fields;
mod hints;
mod lock;
mod operate;
mod posting;
mod recollection;
mod reverse;
mod seed;
mod state;
mod subjects;
mod unreferenced;
mod wanted;

use crate::domain::{Policy, Span};
use crate::rules::RuleSet;

pub use changes::{Changes, NodeKey};
pub use command::{Command, Request};
pub use hints::Name;
pub use lock::{Lock, LockKind, Locked, PutBack};
pub use outcome::Outcome;
pub use recollection::Recollection;
pub use state::{Missing, State};
pub use wanted::{
    CANDIDATES, DueRange, IdempotencyKey, IdempotencyRecord, Loaded, PREFIX_EVENTS, PrefixEnd, PrefixEvent, PrefixKey,
    UnreferencedKey, UnusedKey, Wanted,
};

/// How long a first answer is kept for its `Idempotency-Key` (decision 6).
pub const IDEMPOTENCY_KEPT: Span = Span::seconds(7 * 86_400);

/// What the partner has chosen: the same for every command of a server's life.
#[derive(Debug)]
pub struct Context {
    pub policy: Policy,
    pub rules: RuleSet,
    /// What display names begin with: `MC` gives `MC-1234`.
    pub display_prefix: String,
}

/// Decides `requests` in order. The state then holds what to write. A request that names what others hold is put back,
/// and so is each later one that names what it names; the rest is decided without them.
///
/// # Errors
/// [`Missing`] where something is not loaded or not locked; all that could be told to be missing is then wanted, of every
/// request.
pub fn decide_batch(
    context: &Context,
    state: &mut State,
    requests: &[Request],
) -> Result<Vec<Result<Outcome, PutBack>>, Missing> {
    loop {
        state.start_over();
        let mut outcomes = Vec::with_capacity(requests.len());
        let mut put_back = false;
        for (place, request) in requests.iter().enumerate() {
            match state.begin_command(place) {
                Err(earlier) => outcomes.push(Err(earlier)),
                Ok(()) => match decide(context, state, request) {
                    Ok(outcome) => outcomes.push(Ok(outcome)),
                    Err(Missing) => put_back |= state.put_back(),
                },
            }
        }
        if !put_back {
            return if outcomes.len() == requests.len() { Ok(outcomes) } else { Err(Missing) };
        }
        // What was put back may have left traces of a half-made decision.
    }
}

/// Decides one request.
fn decide(context: &Context, state: &mut State, request: &Request) -> Result<Outcome, Missing> {
    let Some(claim) = &request.idempotency else {
        return carry_out(context, state, request);
    };
    let key = IdempotencyKey { path: claim.path.clone(), key: claim.key.clone() };
    if let Some(first) = state.idempotency(&key)?
        && request.received_at.since(first.at) < IDEMPOTENCY_KEPT
    {
        return Ok(if first.body_hash == claim.body_hash { first.outcome } else { Outcome::KeyReused });
    }
    let outcome = carry_out(context, state, request)?;
    state.put_idempotency(IdempotencyRecord {
        key,
        body_hash: claim.body_hash.clone(),
        outcome: outcome.clone(),
        at: request.received_at,
    });
    Ok(outcome)
}

fn carry_out(context: &Context, state: &mut State, request: &Request) -> Result<Outcome, Missing> {
    match &request.command {
        Command::Authorize(call) => authorize::authorize(context, state, request, call).map(Outcome::Authorization),
        Command::Credit(call) => credit::credit(context, state, request, call).map(Outcome::Credit),
        Command::Reverse(call) => reverse::reverse(context, state, request, call).map(Outcome::Reversal),
        Command::CreateAccount(call) => {
            create_account::create_account(context, state, request, call).map(Outcome::Account)
        }
        Command::OfferEnrolment(call) => Ok(Outcome::Enrolment(enrol::offer(context, state, request, call))),
        Command::Enrol { token_hash, currency } => {
            enrol::enrol(context, state, request, token_hash, *currency).map(Outcome::Account)
        }
        Command::Operate(operation) => operate::operate(context, state, request, operation).map(Outcome::Operation),
        Command::Seed(account) => seed::seed(context, state, request, account).map(Outcome::Seeded),
        Command::Sweep(subject) => subjects::sweep(state, subject, request.received_at),
        Command::Remember(answer) => Ok(Outcome::Edge(answer.clone())),
    }
}

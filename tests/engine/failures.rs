//! What a store or the core can fail at, and what it costs whom.

use serde_json::Value;
use tracing::Instrument;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use vna_partner::commit::SubmitError;
use vna_partner::decide::Request;
use vna_partner::domain::AccountId;
use vna_partner::telemetry::{JsonLines, Output};

use crate::bench::{authorize, credit, request, second};
use crate::troubled::Trouble;
use crate::{ACCOUNT, Bank, SENDER, an_authorization, authorized};

const FOUR_A_DAY: &str = "[[rules]]\nid = 'few'\ntype = 'velocity'\nmax = 4\nwindow = { rolling = '24h' }";

fn authorizations(number: usize) -> Vec<Request> {
    (0..number).map(|_| an_authorization()).collect()
}

#[tokio::test]
async fn a_store_that_is_away_is_unavailable_and_writes_nothing() {
    let bank = Bank::open("rules = []").await;
    bank.store.set(Trouble::Away);
    let request = an_authorization();
    assert_eq!(bank.engine.submit(request.clone()).await, Err(SubmitError::Unavailable));
    assert!(!bank.has(request.id).await);
    bank.store.set(Trouble::None);
    assert!(authorized(&bank.engine.submit(request).await), "it serves again once the store does");
    bank.close().await;
}

#[tokio::test]
async fn a_commit_that_is_not_known_to_be_on_the_disk_is_unavailable() {
    let bank = Bank::open("rules = []").await;
    bank.store.set(Trouble::LosesTheDisk);
    let authorization = an_authorization();
    assert_eq!(bank.engine.submit(authorization.clone()).await, Err(SubmitError::Unavailable));
    bank.store.set(Trouble::None);
    assert!(bank.has(authorization.id).await, "it was written all the same, and nobody was told of it");
    assert!(authorized(&bank.engine.submit(an_authorization()).await));
    bank.close().await;
}

#[tokio::test]
async fn only_the_guilty_command_of_a_batch_fails() {
    for guilty in [0, 4, 10] {
        let bank = Bank::open("rules = []").await;
        let requests = authorizations(11);
        bank.store.set(Trouble::Refuses(requests[guilty].id));
        let answers = bank.as_one_batch(requests.clone()).await;
        for (index, (request, answer)) in requests.iter().zip(&answers).enumerate() {
            if index == guilty {
                assert_eq!(*answer, Err(SubmitError::Failed));
            } else {
                assert!(authorized(answer), "{index}");
            }
            assert_eq!(bank.has(request.id).await, index != guilty, "{index}");
        }
        bank.close().await;
    }
}

#[tokio::test]
async fn a_command_that_was_not_committed_has_a_log_line_in_its_callers_span() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let (output, _flush) = Output::start(log.reopen().unwrap()).unwrap();
    let lines = tracing_subscriber::registry().with(LevelFilter::INFO).with(JsonLines::to(output));
    // Of the whole process: what the other tests' threads log is in it as well, under other commands' ids.
    tracing::subscriber::set_global_default(lines).unwrap();
    let bank = Bank::open("rules = []").await;
    let (guilty, away) = (an_authorization(), an_authorization());
    bank.store.set(Trouble::Refuses(guilty.id));
    let submitted = bank.engine.submit(guilty.clone()).instrument(tracing::info_span!("request", request_id = "first"));
    assert_eq!(submitted.await, Err(SubmitError::Failed));
    bank.store.set(Trouble::Away);
    let submitted = bank.engine.submit(away.clone()).instrument(tracing::info_span!("request", request_id = "second"));
    assert_eq!(submitted.await, Err(SubmitError::Unavailable));
    bank.close().await;
    let text = std::fs::read_to_string(log.path()).unwrap();
    for (id, request_id) in [(guilty.id, "first"), (away.id, "second")] {
        let id = id.to_string();
        let about = text.lines().filter(|line| line.contains(&id));
        let lines = about.map(|line| serde_json::from_str(line).unwrap());
        let found: Vec<Value> = lines.filter(|line: &Value| line["command"] == id).collect();
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0]["request_id"], request_id);
    }
}

#[tokio::test]
async fn a_batch_that_is_split_keeps_the_order_of_the_queue() {
    let bank = Bank::open(FOUR_A_DAY).await;
    let requests = authorizations(6);
    bank.store.set(Trouble::Refuses(requests[1].id));
    let answers = bank.as_one_batch(requests).await;
    // One was authorized before the batch; the guilty one counts nowhere.
    let verdicts: Vec<bool> = [0, 2, 3, 4, 5].iter().map(|&index| authorized(&answers[index])).collect();
    assert_eq!(verdicts, [true, true, true, false, false]);
    bank.close().await;
}

#[tokio::test]
async fn a_refused_command_leaves_its_neighbours_alone() {
    let bank = Bank::open("rules = []").await;
    let mut requests = authorizations(5);
    requests[2] = request(second(1), authorize("nobody", 100, SENDER));
    let answers = bank.as_one_batch(requests).await;
    let verdicts: Vec<bool> = answers.iter().map(authorized).collect();
    assert_eq!(verdicts, [true, true, false, true, true]);
    bank.close().await;
}

#[tokio::test]
async fn a_panic_in_the_core_or_the_store_costs_its_own_command_and_no_other() {
    for trouble in [Trouble::Spoils(AccountId::new("B")), Trouble::Panics(AccountId::new("B"))] {
        let bank = Bank::open("rules = []").await;
        assert!(authorized(&bank.engine.submit(request(second(1), authorize("B", 100, SENDER))).await));
        let mut requests = authorizations(5);
        requests[3] = request(second(1), authorize("B", 100, SENDER));
        bank.store.set(trouble);
        let answers = bank.as_one_batch(requests).await;
        assert_eq!(answers[3], Err(SubmitError::Failed));
        for index in [0, 1, 2, 4] {
            assert!(authorized(&answers[index]), "{index}");
        }
        bank.store.set(Trouble::None);
        assert!(authorized(&bank.engine.submit(an_authorization()).await), "the writer lives on");
        bank.close().await;
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_answered_as_what_it_is() {
    for trouble in [Trouble::LosesAnswers, Trouble::LosesAnswersAndOneQuestion] {
        let bank = Bank::open("rules = []").await;
        let authorization = an_authorization();
        assert!(authorized(&bank.engine.submit(authorization.clone()).await));
        bank.store.set(trouble);
        let first = request(second(2), credit(ACCOUNT, authorization.id));
        let answered = bank.engine.submit(first.clone()).await;
        assert!(answered.is_ok() && bank.has(first.id).await);
        bank.store.set(Trouble::None);
        let retry = bank.engine.submit(request(second(3), credit(ACCOUNT, authorization.id))).await;
        assert_eq!(retry, answered, "it happened once");
        bank.close().await;
    }
}

#[tokio::test]
async fn a_commit_that_was_lost_is_never_answered_as_done() {
    let bank = Bank::open("rules = []").await;
    bank.store.set(Trouble::LosesCommits);
    let requests = authorizations(3);
    let answers = bank.as_one_batch(requests.clone()).await;
    for (request, answer) in requests.iter().zip(answers) {
        assert_eq!(answer, Err(SubmitError::Unavailable));
        assert!(!bank.has(request.id).await);
    }
    bank.store.set(Trouble::None);
    assert!(authorized(&bank.engine.submit(requests[0].clone()).await));
    bank.close().await;
}

//! GetCreditStatus: where a credit stands. It reads and writes nothing, so it never waits in the queue (decision 10).

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::super::signature::SignedBody;
use super::super::wire::{answers::GetCreditStatusAnswer, requests};
use super::super::{AppState, HttpError};
use super::answer;
use crate::domain::TrackingId;

/// The endpoint's name, which is its path.
pub const NAME: &str = "GetCreditStatus";

pub async fn handle(state: Data<AppState>, body: SignedBody) -> Result<HttpResponse, HttpError> {
    state.check_clock()?;
    let call = requests::credit_status(&body.document()?).map_err(HttpError::invalid)?;
    let credit = match TrackingId::parse(&call.credit) {
        Some(id) => state.reads.credit(id).await?,
        None => None,
    };
    if credit.as_ref().is_some_and(|credit| credit.account.as_str() != call.account) {
        return Err(HttpError::invalid("this CreditTrackingNumber is another account's"));
    }
    let state_of_credit = credit.map(|credit| credit.state);
    Ok(answer(GetCreditStatusAnswer::new(state_of_credit, state.settings.policy.credit_status)))
}

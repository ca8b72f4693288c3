//! `/admin/ambiguous-credits`: calls that were a retry or a second remittance, for an operator to tell (decision 8).

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::form::Form;
use super::parameters::{Parameters, choice};
use super::{Asked, Operator, act, answer, tracking_id, unexpected};
use crate::decide::command::Action;
use crate::decide::outcome::OperationAnswer;
use crate::domain::AmbiguousState;
use crate::http::body::PlainBody;
use crate::http::{AppState, HttpError};
use crate::store::AmbiguousFilter;
use crate::views::{AmbiguousCreditView, CreditedView};

pub async fn list(_: Operator, state: Data<AppState>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let parameters = Parameters::of_list(&request, &["account", "state"])?;
    let page = parameters.page()?;
    let states = choice([AmbiguousState::Waiting, AmbiguousState::Credited].map(AmbiguousState::as_str));
    let filter = AmbiguousFilter {
        account: parameters.account(),
        state: parameters.one_of("state", AmbiguousState::parse, &states)?,
    };
    Ok(super::list::<AmbiguousCreditView, _>(&state.reads.ambiguous_credits(&filter, page).await?, page))
}

/// It was a second remittance: credits the oldest match that is still unused.
pub async fn credit(
    operator: Operator,
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
    body: PlainBody,
) -> Result<HttpResponse, HttpError> {
    let credited = act(&state, operator, &request, &body, "AMBIGUOUS_CREDIT_CONFLICT", |object| {
        let form = Form::read(object, &["reason"])?;
        let action = Action::CreditAmbiguous { ambiguous: tracking_id(&id, "ambiguous credit")? };
        Ok(Asked { why: form.reason()?, action })
    });
    match credited.await? {
        OperationAnswer::Credited { ambiguous, credit } => Ok(answer(CreditedView::new(&ambiguous, &credit))),
        _ => Err(unexpected()),
    }
}

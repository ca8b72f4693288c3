//! `/admin/credits`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::form::Form;
use super::parameters::{Parameters, choice};
use super::{Asked, Operator, act, answer, no_such, tracking_id, unexpected};
use crate::decide::command::Action;
use crate::decide::outcome::OperationAnswer;
use crate::domain::CreditState;
use crate::http::body::PlainBody;
use crate::http::{AppState, HttpError};
use crate::store::CreditFilter;
use crate::views::CreditView;

/// `state=InProgress` lists those that wait to be settled.
pub async fn list(_: Operator, state: Data<AppState>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let parameters = Parameters::of_list(&request, &["account", "state"])?;
    let page = parameters.page()?;
    let states = choice(CreditState::ALL.map(CreditState::as_str));
    let filter =
        CreditFilter { account: parameters.account(), state: parameters.one_of("state", CreditState::parse, &states)? };
    Ok(super::list::<CreditView, _>(&state.reads.credits(&filter, page).await?, page))
}

pub async fn show(
    _: Operator,
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, HttpError> {
    Parameters::read(&request, &[])?;
    let found = state.reads.credit(tracking_id(&id, "credit")?).await?;
    Ok(answer(CreditView::from(&found.ok_or_else(|| no_such("credit"))?)))
}

/// What the partner's core says of a credit that waits (decision 10).
pub async fn settle(
    operator: Operator,
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
    body: PlainBody,
) -> Result<HttpResponse, HttpError> {
    let settled = act(&state, operator, &request, &body, "CREDIT_NOT_IN_PROGRESS", |object| {
        let form = Form::read(object, &["outcome", "reason"])?;
        let parse = |text: &str| match text {
            "Approved" => Some(true),
            "Failed" => Some(false),
            _ => None,
        };
        let approved = form.one_of("outcome", parse, "Approved or Failed")?;
        let action = Action::Settle { credit: tracking_id(&id, "credit")?, approved };
        Ok(Asked { why: form.reason()?, action })
    });
    match settled.await? {
        OperationAnswer::Settled(credit) => Ok(answer(CreditView::from(&credit))),
        _ => Err(unexpected()),
    }
}

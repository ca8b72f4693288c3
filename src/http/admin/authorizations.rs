//! `/admin/authorizations`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::form::Form;
use super::parameters::{Parameters, choice};
use super::{Asked, Operator, act, answer, no_such, tracking_id, unexpected};
use crate::decide::command::Action;
use crate::decide::outcome::OperationAnswer;
use crate::domain::AuthorizationState;
use crate::http::body::PlainBody;
use crate::http::{AppState, HttpError};
use crate::store::AuthorizationFilter;
use crate::views::AuthorizationView;

pub async fn list(_: Operator, state: Data<AppState>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let parameters = Parameters::of_list(&request, &["account", "state"])?;
    let page = parameters.page()?;
    let states = choice(AuthorizationState::ALL.map(AuthorizationState::as_str));
    let filter = AuthorizationFilter {
        account: parameters.account(),
        state: parameters.one_of("state", AuthorizationState::parse, &states)?,
        ..AuthorizationFilter::default()
    };
    Ok(super::list::<AuthorizationView, _>(&state.reads.authorizations(&filter, page).await?, page))
}

pub async fn show(
    _: Operator,
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, HttpError> {
    Parameters::read(&request, &[])?;
    let found = state.reads.authorization(tracking_id(&id, "authorization")?).await?;
    Ok(answer(AuthorizationView::from(&found.ok_or_else(|| no_such("authorization"))?)))
}

/// Takes an unused authorization back; its limits are free at once.
pub async fn void(
    operator: Operator,
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
    body: PlainBody,
) -> Result<HttpResponse, HttpError> {
    let voided = act(&state, operator, &request, &body, "AUTHORIZATION_NOT_OPEN", |object| {
        let form = Form::read(object, &["reason"])?;
        let action = Action::VoidAuthorization { authorization: tracking_id(&id, "authorization")? };
        Ok(Asked { why: form.reason()?, action })
    });
    match voided.await? {
        OperationAnswer::Voided(authorization) => Ok(answer(AuthorizationView::from(&authorization))),
        _ => Err(unexpected()),
    }
}

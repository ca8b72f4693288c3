//! `/admin/rules`: the rule set that judges now.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::parameters::Parameters;
use super::{Operator, answer};
use crate::http::{AppState, HttpError};
use crate::views::RulesView;

pub async fn show(_: Operator, state: Data<AppState>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    Parameters::read(&request, &[])?;
    let rules = &state.engine.context().rules;
    Ok(answer(RulesView { version: rules.version(), text: rules.text() }))
}

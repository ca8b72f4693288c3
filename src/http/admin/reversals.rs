//! `/admin/reversals`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::Operator;
use super::parameters::Parameters;
use crate::http::{AppState, HttpError};
use crate::store::ReversalFilter;
use crate::views::ReversalView;

pub async fn list(_: Operator, state: Data<AppState>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let parameters = Parameters::of_list(&request, &["account"])?;
    let page = parameters.page()?;
    let filter = ReversalFilter { account: parameters.account() };
    Ok(super::list::<ReversalView, _>(&state.reads.reversals(&filter, page).await?, page))
}

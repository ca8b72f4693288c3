//! `/admin/decisions`: every answer that Leap was given, and why.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::parameters::{Parameters, choice};
use super::{Operator, answer, no_such, tracking_id};
use crate::domain::{DecisionKind, Reason};
use crate::explain::open_twins;
use crate::http::{AppState, HttpError};
use crate::store::DecisionFilter;
use crate::views::{DecisionDetail, DecisionView};

pub async fn list(_: Operator, state: Data<AppState>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let parameters = Parameters::of_list(&request, &["account", "kind", "approved", "reason"])?;
    let page = parameters.page()?;
    let kinds = choice(DecisionKind::ALL.map(DecisionKind::as_str));
    let reason = parameters.one_of("reason", Reason::parse, "a reason in the contract's spelling")?;
    let filter = DecisionFilter {
        account: parameters.account(),
        kind: parameters.one_of("kind", DecisionKind::parse, &kinds)?,
        approved: parameters.one_of("approved", |text| text.parse().ok(), "true or false")?,
        reason,
    };
    Ok(super::list::<DecisionView, _>(&state.reads.decisions(&filter, page).await?, page))
}

pub async fn show(
    _: Operator,
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, HttpError> {
    Parameters::read(&request, &[])?;
    let found = state.reads.decision(tracking_id(&id, "decision")?).await?;
    let decision = found.ok_or_else(|| no_such("decision"))?;
    let twins = open_twins(state.reads.as_ref(), &decision, state.clock.now()).await?;
    Ok(answer(DecisionDetail::new(&decision, &twins)))
}

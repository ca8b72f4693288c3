//! `/admin/accounts`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::form::Form;
use super::parameters::{Parameters, choice};
use super::{Asked, Operator, act, answer, created, no_such, unexpected};
use crate::decide::command::{Action, NewAccount};
use crate::decide::outcome::OperationAnswer;
use crate::domain::account::is_display_name;
use crate::domain::{AccountId, Status};
use crate::http::body::PlainBody;
use crate::http::{AppState, HttpError, idempotency};
use crate::store::{AccountFilter, ChangeFilter};
use crate::views::{AccountDetail, AccountView, ChangeView, DebitView, StatementLineView};

/// The code of a 409: the account's status, or what it holds, forbids it.
const STATUS_FORBIDS: &str = "ACCOUNT_STATE_CONFLICT";

pub async fn list(_: Operator, state: Data<AppState>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let parameters = Parameters::of_list(&request, &["status", "currency", "tier"])?;
    let page = parameters.page()?;
    let filter = AccountFilter {
        status: parameters.one_of("status", Status::parse, &choice(Status::ALL.map(Status::as_str)))?,
        currency: parameters.one_of("currency", |code| code.parse().ok(), "an active ISO 4217 code")?,
        tier: parameters.text("tier"),
    };
    Ok(super::list::<AccountView, _>(&state.reads.accounts(&filter, page).await?, page))
}

pub async fn show(
    _: Operator,
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, HttpError> {
    Parameters::read(&request, &[])?;
    let found = state.reads.account(&AccountId::new(id.into_inner())).await?;
    let (account, person) = found.ok_or_else(|| no_such("account"))?;
    Ok(answer(AccountDetail::new(&account, &person)))
}

pub async fn open(
    operator: Operator,
    state: Data<AppState>,
    request: HttpRequest,
    body: PlainBody,
) -> Result<HttpResponse, HttpError> {
    let opened = act(&state, operator, &request, &body, "ACCOUNT_CONFLICT", |object| {
        let known = ["accountIdentifier", "currency", "tier", "displayName", "personalData", "personalDocuments"];
        let form = Form::read(object, &known)?;
        let display_name = form.note("displayName")?;
        if display_name.as_deref().is_some_and(|name| !is_display_name(name)) {
            return Err(HttpError::invalid("displayName must be 1 to 10 of A-Z, a-z, 0-9 and -"));
        }
        let account = NewAccount {
            id: form.account_identifier()?.map(AccountId::new),
            currency: form.currency()?,
            tier: form.tier()?,
            display_name: display_name.map(Into::into),
            person: form.person()?,
            documents: form.documents()?,
        };
        Ok(Asked { why: String::new(), action: Action::OpenAccount(Box::new(account)) })
    });
    match opened.await? {
        OperationAnswer::Opened(account) => Ok(created(AccountView::from(&account))),
        _ => Err(unexpected()),
    }
}

pub async fn block(
    operator: Operator,
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
    body: PlainBody,
) -> Result<HttpResponse, HttpError> {
    let blocked = act(&state, operator, &request, &body, STATUS_FORBIDS, |object| {
        let form = Form::read(object, &["status", "reason", "caseNumber", "reviewDate"])?;
        let blocks = [Status::Blocked, Status::BlockedByLaw, Status::BlockedByGovernment];
        let parse = |text: &str| blocks.into_iter().find(|status| status.as_str() == text);
        let action = Action::Block {
            account: AccountId::new(id.into_inner()),
            status: form.one_of("status", parse, &choice(blocks.map(Status::as_str)))?,
            case_number: form.note("caseNumber")?,
            review_date: form.date("reviewDate")?,
        };
        Ok(Asked { why: form.reason()?, action })
    });
    changed(blocked.await?)
}

pub async fn unblock(
    operator: Operator,
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
    body: PlainBody,
) -> Result<HttpResponse, HttpError> {
    let unblocked = act(&state, operator, &request, &body, STATUS_FORBIDS, |object| {
        let form = Form::read(object, &["reason"])?;
        Ok(Asked { why: form.reason()?, action: Action::Unblock { account: AccountId::new(id.into_inner()) } })
    });
    changed(unblocked.await?)
}

pub async fn close(
    operator: Operator,
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
    body: PlainBody,
) -> Result<HttpResponse, HttpError> {
    let closed = act(&state, operator, &request, &body, STATUS_FORBIDS, |object| {
        let form = Form::read(object, &["reason"])?;
        Ok(Asked { why: form.reason()?, action: Action::Close { account: AccountId::new(id.into_inner()) } })
    });
    changed(closed.await?)
}

pub async fn change_tier(
    operator: Operator,
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
    body: PlainBody,
) -> Result<HttpResponse, HttpError> {
    let moved = act(&state, operator, &request, &body, STATUS_FORBIDS, |object| {
        let form = Form::read(object, &["tier", "reason"])?;
        let action = Action::ChangeTier { account: AccountId::new(id.into_inner()), tier: form.required_tier()? };
        Ok(Asked { why: form.reason()?, action })
    });
    changed(moved.await?)
}

fn changed(answered: OperationAnswer) -> Result<HttpResponse, HttpError> {
    match answered {
        OperationAnswer::Changed(account) => Ok(answer(AccountView::from(&account))),
        _ => Err(unexpected()),
    }
}

/// Money leaves the wallet; without a key a retry would take it twice (decision 12).
pub async fn debit(
    operator: Operator,
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
    body: PlainBody,
) -> Result<HttpResponse, HttpError> {
    if !request.headers().contains_key(idempotency::HEADER) {
        return Err(HttpError::invalid("a debit needs an Idempotency-Key"));
    }
    let debited = act(&state, operator, &request, &body, "DEBIT_REFUSED", |object| {
        let form = Form::read(object, &["amount", "reason"])?;
        let action = Action::Debit { account: AccountId::new(id.into_inner()), amount: form.amount()? };
        Ok(Asked { why: form.reason()?, action })
    });
    match debited.await? {
        OperationAnswer::Debited { entry, money, account } => Ok(answer(DebitView::new(entry, money, &account))),
        _ => Err(unexpected()),
    }
}

pub async fn statement(
    _: Operator,
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, HttpError> {
    let page = Parameters::of_list(&request, &[])?.page()?;
    let account = existing(&state, id.into_inner()).await?;
    Ok(super::list::<StatementLineView, _>(&state.reads.statement(&account, page).await?, page))
}

pub async fn changes(
    _: Operator,
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, HttpError> {
    let page = Parameters::of_list(&request, &[])?.page()?;
    let filter = ChangeFilter { account: Some(existing(&state, id.into_inner()).await?) };
    Ok(super::list::<ChangeView, _>(&state.reads.changes(&filter, page).await?, page))
}

/// An empty list would say that an account that does not exist has done nothing.
async fn existing(state: &AppState, id: String) -> Result<AccountId, HttpError> {
    let account = AccountId::new(id);
    match state.reads.account(&account).await? {
        Some(_) => Ok(account),
        None => Err(no_such("account")),
    }
}

//! GetCreateAccountUrl and the page behind its link: the person sees what Leap sent, confirms, and gets the account.

use super::command::{Field, OfferEnrolmentCall};
use super::create_account::{find_or_open, refused};
use super::outcome::{AccountAnswer, EnrolmentAnswer};
use super::{Context, Missing, Request, State, fields};
use crate::domain::{Currency, Enrolment, Reason, Span};

/// How long a link may be used: long enough to fill in a page, short enough to be worthless when found.
pub const LINK_LIFE: Span = Span::seconds(30 * 60);

pub fn offer(context: &Context, state: &mut State, request: &Request, call: &OfferEnrolmentCall) -> EnrolmentAnswer {
    let refused = |description: String| EnrolmentAnswer { tracking: request.id, success: false, description };
    if !context.policy.account_creation.allows_on_demand() {
        return refused("this partner does not enrol by link".to_owned());
    }
    let person = match fields::required(&call.person, "PersonalData", Reason::InvalidDestinationData) {
        Ok(person) => person.clone(),
        Err(wrong) => return refused(wrong.note),
    };
    let documents = match &call.documents {
        Field::Given(documents) => documents.clone(),
        Field::Absent => Vec::new(),
        Field::Wrong(note) => return refused(note.clone()),
    };
    state.put_enrolment(Enrolment {
        token_hash: call.token_hash.clone(),
        person,
        documents,
        created_at: request.received_at,
        expires_at: request.received_at.plus(LINK_LIFE),
        account: None,
    });
    EnrolmentAnswer { tracking: request.id, success: true, description: "the link is open for 30 minutes".to_owned() }
}

pub fn enrol(
    context: &Context,
    state: &mut State,
    request: &Request,
    token_hash: &str,
    chosen: Option<Currency>,
) -> Result<AccountAnswer, Missing> {
    let Some(mut link) = state.enrolment(token_hash)? else {
        return Ok(refused("this link is not one of ours"));
    };
    if link.account.is_some() {
        return Ok(refused("this link has been used"));
    }
    if request.received_at >= link.expires_at {
        return Ok(refused("this link has expired"));
    }
    let Some(currency) = context.policy.currency_of_enrolments().or(chosen) else {
        return Ok(refused("a currency must be chosen"));
    };
    if !context.policy.takes(currency) {
        return Ok(refused("this currency is not offered"));
    }
    let answer = find_or_open(context, state, request, &link.person, &link.documents, currency)?;
    if answer.success {
        link.account = answer.account.clone();
        state.put_enrolment(link);
    }
    Ok(answer)
}

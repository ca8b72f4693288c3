//! What the enrolment pages show.

use askama::Template;
use compact_str::CompactString;

use crate::domain::{Currency, Document, DocumentType, Enrolment, Gender, Policy};

/// The data as Leap sent them, and the button.
#[derive(Template)]
#[template(path = "enrolment/form.html")]
pub struct FormPage<'a> {
    /// Label and value; only what was sent.
    facts: Vec<(&'static str, String)>,
    /// Empty: there is nothing to choose.
    currencies: Vec<Currency>,
    problem: Option<&'a str>,
}

impl<'a> FormPage<'a> {
    pub fn new(enrolment: &Enrolment, policy: &Policy, problem: Option<&'a str>) -> Self {
        let currencies = match policy.currency_of_enrolments() {
            Some(_) => Vec::new(),
            None if policy.currencies.is_empty() => Currency::all().to_vec(),
            None => policy.currencies.clone(),
        };
        Self { facts: facts(enrolment), currencies, problem }
    }
}

/// The account exists.
#[derive(Template)]
#[template(path = "enrolment/opened.html")]
pub struct OpenedPage<'a> {
    pub account: &'a str,
    pub display_name: &'a str,
}

/// Why there is nothing to confirm.
#[derive(Template)]
#[template(path = "enrolment/message.html")]
pub struct MessagePage<'a> {
    title: &'static str,
    text: &'a str,
}

impl<'a> MessagePage<'a> {
    pub fn unknown() -> Self {
        Self {
            title: "This link is not valid",
            text: "It may have been copied only in part. Please open it again from where you got it.",
        }
    }

    pub fn used() -> Self {
        Self {
            title: "This link has been used",
            text: "Your account is open already; there is nothing more to do here.",
        }
    }

    pub fn expired() -> Self {
        Self { title: "This link has expired", text: "Links are good for 30 minutes. Please ask for a new one." }
    }

    pub fn refused(why: &'a str) -> Self {
        Self { title: "The account could not be opened", text: why }
    }

    pub fn failure() -> Self {
        Self {
            title: "Something went wrong on our side",
            text: "Please try again in a moment. Your link stays good until it expires.",
        }
    }
}

fn facts(enrolment: &Enrolment) -> Vec<(&'static str, String)> {
    let person = &enrolment.person;
    let address = &person.address;
    let name =
        [Some(&person.first_name), person.middle_name.as_ref(), Some(&person.last_name), person.last_name2.as_ref()];
    let lines = [Some(&address.address1), address.address2.as_ref(), Some(&address.zip_code), Some(&address.city)];
    let mut facts = vec![("Name", joined(&name, " ")), ("Date of birth", person.birth_date.to_string())];
    let gender = match person.gender {
        Gender::Male => Some("Male"),
        Gender::Female => Some("Female"),
        Gender::Other => Some("Other"),
        Gender::None => None,
    };
    facts.extend(gender.map(|gender| ("Gender", gender.to_owned())));
    facts.extend(person.phone_number.as_ref().map(|phone| ("Phone", phone.to_string())));
    facts.extend(person.email.as_ref().map(|email| ("Email", email.to_string())));
    facts.push(("Address", format!("{}, {}-{}", joined(&lines, ", "), address.country_code, address.state_code)));
    facts.extend(enrolment.documents.iter().map(|document| (label(document.document_type), masked(document))));
    facts
}

fn joined(parts: &[Option<&CompactString>], between: &str) -> String {
    parts.iter().flatten().map(|part| part.trim()).collect::<Vec<_>>().join(between)
}

fn label(kind: DocumentType) -> &'static str {
    match kind {
        DocumentType::Passport => "Passport",
        DocumentType::StateId => "State ID",
        DocumentType::ResidentCard => "Resident card",
        DocumentType::DriverLicense => "Driver license",
        DocumentType::SocialSecurityNumber => "Social security number",
        DocumentType::IneIfe => "INE / IFE",
        DocumentType::ConsularId => "Consular ID",
        DocumentType::Itin => "ITIN",
    }
}

/// Enough of a number for its owner to know it, and too little for anybody else: the last third, four at most.
fn masked(document: &Document) -> String {
    let characters: Vec<char> = document.number.trim().chars().collect();
    let shown = (characters.len() / 3).min(4);
    format!("•••• {}", characters[characters.len() - shown..].iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Address, PersonalData, Timestamp};
    use chrono::NaiveDate;

    fn enrolment() -> Enrolment {
        let address = Address {
            address1: "Calle Durango 12".into(),
            address2: None,
            zip_code: "06700".into(),
            city: "CDMX".into(),
            country_code: "MX".into(),
            state_code: "CMX".into(),
        };
        let person = PersonalData {
            phone_number: Some("+525555123456".into()),
            email: None,
            first_name: "<script>Ana</script>".into(),
            middle_name: None,
            last_name: "López".into(),
            last_name2: None,
            gender: Gender::Female,
            birth_date: NaiveDate::from_ymd_opt(1990, 1, 31).unwrap(),
            address,
        };
        let documents = vec![Document { document_type: DocumentType::IneIfe, number: "1234567890123".into() }];
        Enrolment {
            token_hash: String::new(),
            person,
            documents,
            created_at: Timestamp(0),
            expires_at: Timestamp(1),
            account: None,
        }
    }

    #[test]
    fn the_form_shows_the_data_escaped_and_numbers_in_part() {
        let page = FormPage::new(&enrolment(), &Policy::default(), None).render().unwrap();
        assert!(page.contains("López") && page.contains("1990-01-31") && page.contains("•••• 0123"));
        assert!(!page.contains("<script") && !page.contains("1234567890123") && !page.contains("style="));
    }

    #[test]
    fn a_currency_is_asked_for_only_where_there_is_a_choice() {
        let shows = |policy: &Policy| FormPage::new(&enrolment(), policy, None).render().unwrap();
        let only = |codes: &[&str]| Policy {
            currencies: codes.iter().map(|code| code.parse().unwrap()).collect(),
            ..Policy::default()
        };
        assert!(shows(&Policy::default()).contains("<option value=\"MXN\">"));
        assert!(!shows(&only(&["MXN"])).contains("<select"));
        let of_two = shows(&only(&["MXN", "USD"]));
        assert!(of_two.contains("<option value=\"USD\">") && !of_two.contains("<option value=\"EUR\">"));
    }

    #[test]
    fn short_numbers_are_masked_as_well() {
        let mask = |number: &str| masked(&Document { document_type: DocumentType::Passport, number: number.into() });
        assert_eq!((mask("12").as_str(), mask("123456").as_str()), ("•••• ", "•••• 56"));
    }
}

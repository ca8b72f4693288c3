//! Query parameters, read strictly: a misspelt filter must not list everything.

use std::collections::BTreeMap;

use actix_web::HttpRequest;
use actix_web::web::Query;

use crate::domain::AccountId;
use crate::http::HttpError;
use crate::store::Page;

const LIMIT: &str = "limit";
const OFFSET: &str = "offset";

/// The items of a page that names no `limit` (docs/admin-api.md, Form).
const DEFAULT_LIMIT: i64 = 20;

/// The parameters of one call, each known and given once.
#[derive(Debug)]
pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Those of a call that takes these, and nothing else.
    ///
    /// # Errors
    /// A 400 for a parameter that is unknown or given twice.
    pub fn read(request: &HttpRequest, known: &[&str]) -> Result<Self, HttpError> {
        Self::parse(request.query_string(), known)
    }

    /// Those of a list: a page, and `filters`.
    ///
    /// # Errors
    /// As [`Parameters::read`].
    pub fn of_list(request: &HttpRequest, filters: &[&str]) -> Result<Self, HttpError> {
        let known: Vec<&str> = filters.iter().copied().chain([LIMIT, OFFSET]).collect();
        Self::read(request, &known)
    }

    fn parse(query: &str, known: &[&str]) -> Result<Self, HttpError> {
        let pairs = Query::<Vec<(String, String)>>::from_query(query)
            .map_err(|_| HttpError::invalid("the query parameters cannot be read"))?;
        let mut parameters = BTreeMap::new();
        for (name, value) in pairs.into_inner() {
            let Some(name) = known.iter().find(|known| **known == name) else {
                return Err(unknown("query parameter", &name, known));
            };
            if parameters.insert((*name).to_owned(), value).is_some() {
                return Err(HttpError::invalid(format!("the query parameter {name} is given twice")));
            }
        }
        Ok(Self(parameters))
    }

    /// `limit` and `offset`.
    ///
    /// # Errors
    /// A 400 for a limit outside 1 to 100, or an offset below 0.
    pub fn page(&self) -> Result<Page, HttpError> {
        let limit = self.whole_number(LIMIT, DEFAULT_LIMIT)?;
        let offset = self.whole_number(OFFSET, 0)?;
        match (limit, offset) {
            (1..=100, 0..) => Ok(Page { limit, offset }),
            (1..=100, _) => Err(HttpError::invalid("offset must not be below 0")),
            _ => Err(HttpError::invalid("limit must be 1 to 100")),
        }
    }

    fn whole_number(&self, name: &str, default: i64) -> Result<i64, HttpError> {
        self.one_of(name, |text| text.parse().ok(), "a whole number").map(|given| given.unwrap_or(default))
    }

    /// A text as it stands.
    pub fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    pub fn account(&self) -> Option<AccountId> {
        self.text("account").map(AccountId::new)
    }

    /// A value that `parse` knows.
    ///
    /// # Errors
    /// A 400 that says what it must be.
    pub fn one_of<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        must_be: &str,
    ) -> Result<Option<T>, HttpError> {
        let Some(text) = self.0.get(name) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| HttpError::invalid(format!("{name} must be {must_be}")))
    }
}

/// A 400 that names what is unknown, where the name could be a misspelt one, and says what there is.
pub fn unknown(kind: &str, name: &str, known: &[&str]) -> HttpError {
    let could_be_a_name = (1..=40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let named = if could_be_a_name { format!("{kind} {name}") } else { kind.to_owned() };
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    HttpError::invalid(format!("unknown {named}; there are: {known}"))
}

/// `a, b or c`.
pub fn choice<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.into_iter().collect();
    match names.pop() {
        Some(last) if !names.is_empty() => format!("{} or {last}", names.join(", ")),
        Some(only) => only.to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<Page, HttpError> {
        Parameters::parse(query, &[LIMIT, OFFSET, "state"])?.page()
    }

    #[test]
    fn a_page_is_twenty_items_from_the_start_unless_it_says_otherwise() {
        assert_eq!(page("").unwrap(), Page { limit: 20, offset: 0 });
        assert_eq!(page("limit=100&offset=7").unwrap(), Page { limit: 100, offset: 7 });
        assert_eq!(page("limit=1").unwrap(), Page { limit: 1, offset: 0 });
    }

    #[test]
    fn what_is_outside_is_refused() {
        for query in [
            "limit=0",
            "limit=101",
            "limit=-1",
            "limit=",
            "limit=ten",
            "limit=1.5",
            "limit=99999999999999999999",
            "offset=-1",
            "offset=x",
            "limit=1&limit=2",
            "Limit=5",
            "stat=Open",
        ] {
            assert!(matches!(page(query), Err(HttpError::InvalidRequest(_))), "{query}");
        }
    }

    #[test]
    fn an_unknown_name_is_repeated_only_where_it_could_be_one() {
        let message = |name: &str| unknown("field", name, &["reason", "tier"]).to_string();
        assert_eq!(message("reasn"), "unknown field reasn; there are: reason, tier");
        assert_eq!(message("<script>"), "unknown field; there are: reason, tier");
    }

    #[test]
    fn values_are_decoded_and_judged_by_name() {
        let parameters = Parameters::parse("state=a%20b", &["state"]).unwrap();
        assert_eq!(parameters.text("state").as_deref(), Some("a b"));
        let refused = parameters.one_of("state", |_| None::<()>, &choice(["Open", "Voided", "Expired"])).unwrap_err();
        assert_eq!(refused.to_string(), "state must be Open, Voided or Expired");
    }
}

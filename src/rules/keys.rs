//! Reading the tables of a rules file. Every mistake is kept with its place, so that a file is corrected in one go.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::toml_text::{Mistake, Source};

/// A value and where it stands in the file.
pub(super) type Placed<T> = (Range<usize>, T);

/// One table of the file while it is read: take each key that the table may have, then [`Keys::finish`] names the rest.
///
/// A method that answers `None` has noted why, so a reader takes everything first and gives up with `?` last.
pub(super) struct Keys<'t, 'm> {
    source: Source<'t>,
    /// As messages name it: "rule `ten-a-day`".
    whose: String,
    place: Range<usize>,
    table: DeTable<'t>,
    known: Vec<&'static str>,
    mistakes: &'m mut Vec<Mistake>,
}

impl<'t, 'm> Keys<'t, 'm> {
    pub(super) fn new(
        source: Source<'t>,
        whose: impl Into<String>,
        place: Range<usize>,
        table: DeTable<'t>,
        mistakes: &'m mut Vec<Mistake>,
    ) -> Self {
        Self { source, whose: whose.into(), place, table, known: Vec::new(), mistakes }
    }

    /// Renames the table in the messages to come.
    pub(super) fn call(&mut self, whose: String) {
        self.whose = whose;
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A key's value as it stands; `None` where the key is absent.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'t>>> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// As [`Keys::take`], and absence is a mistake.
    pub(super) fn required(&mut self, key: &'static str, example: &str) -> Option<Spanned<DeValue<'t>>> {
        match self.take(key) {
            Some(value) => Some(value),
            None => {
                let whose = self.whose.clone();
                self.wrong_here(format!("{whose} lacks `{key}`; write it as {key} = {example}"))
            }
        }
    }

    pub(super) fn required_text(&mut self, key: &'static str) -> Option<Placed<String>> {
        let value = self.required(key, "\"…\"")?;
        self.as_text(key, &value)
    }

    /// A whole number from 0.
    pub(super) fn required_count(&mut self, key: &'static str) -> Option<i64> {
        let value = self.required(key, "10")?;
        let count = match value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        match count {
            Some(count) if count >= 0 => Some(count),
            _ => self.wrong(&value.span(), format!("`{key}` must be a whole number from 0, without quotes")),
        }
    }

    /// One of the named values. Absence is a mistake; see [`Keys::choice_or`].
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, named: &[(&'static str, T)]) -> Option<T> {
        let (place, text) = self.required_text(key)?;
        match named.iter().find(|(name, _)| *name == text) {
            Some((_, value)) => Some(*value),
            None => {
                let names = named.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                self.wrong(&place, format!("`{key}` is `{text}`; it can be {names}"))
            }
        }
    }

    /// One of the named values, or the default where the key is absent.
    pub(super) fn choice_or<T: Copy>(
        &mut self,
        key: &'static str,
        named: &[(&'static str, T)],
        default: T,
    ) -> Option<T> {
        if self.has(key) {
            return self.choice(key, named);
        }
        self.known.push(key);
        Some(default)
    }

    /// A list of texts that are not empty, with at least one. `Some(None)` where the key is absent.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Option<Vec<String>>> {
        let Some(value) = self.take(key) else { return Some(None) };
        let problem = format!("`{key}` must be a list of texts with at least one, as [\"standard\"]");
        let DeValue::Array(items) = value.get_ref() else { return self.wrong(&value.span(), problem) };
        let texts: Vec<String> = items.iter().filter_map(|item| item.get_ref().as_str()).map(str::to_owned).collect();
        if texts.is_empty() || texts.len() != items.len() || texts.iter().any(|text| text.trim().is_empty()) {
            return self.wrong(&value.span(), problem);
        }
        Some(Some(texts))
    }

    /// An inline table, read by `read`; keys that it leaves are mistakes. Absence is a mistake.
    pub(super) fn required_table<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&mut Keys<'t, '_>) -> Option<T>,
    ) -> Option<T> {
        let value = self.required(key, example)?;
        let place = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            return self.wrong(&place, format!("`{key}` must be a table, as {example}"));
        };
        let mut inner = Keys::new(self.source, format!("`{key}`"), place, table, self.mistakes);
        let mistakes_before = inner.mistakes.len();
        let read = read(&mut inner);
        // A table that could not be read has said what is wrong with it: naming its other keys would only mislead.
        if inner.mistakes.len() == mistakes_before {
            inner.finish();
        }
        read
    }

    /// Every key that is left, for tables whose keys are data.
    pub(super) fn take_rest(&mut self) -> Vec<(Placed<String>, Spanned<DeValue<'t>>)> {
        let rest = std::mem::take(&mut self.table);
        let mut entries: Vec<_> =
            rest.into_iter().map(|(key, value)| ((key.span(), key.into_inner().into_owned()), value)).collect();
        entries.sort_by_key(|((place, _), _)| place.start);
        entries
    }

    /// Notes a mistake at a place of the file.
    pub(super) fn wrong<T>(&mut self, place: &Range<usize>, problem: impl fmt::Display) -> Option<T> {
        self.mistakes.push(self.source.mistake(place, problem));
        None
    }

    /// Notes a mistake of the table as a whole.
    pub(super) fn wrong_here<T>(&mut self, problem: impl fmt::Display) -> Option<T> {
        self.wrong(&self.place.clone(), problem)
    }

    /// Names every key that nothing has taken.
    pub(super) fn finish(mut self) {
        let known = self.known.join(", ");
        for ((place, key), _) in self.take_rest() {
            let problem = format!("unknown key `{key}` in {}; it can have {known}", self.whose);
            self.mistakes.push(self.source.mistake(&place, problem));
        }
    }

    fn as_text(&mut self, key: &str, value: &Spanned<DeValue<'t>>) -> Option<Placed<String>> {
        match value.get_ref() {
            DeValue::String(text) => Some((value.span(), text.to_string())),
            _ => self.wrong(&value.span(), format!("`{key}` must be a text in quotes")),
        }
    }
}

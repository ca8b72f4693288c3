//! Reading TOML with places, so that every mistake in a settings or rules file is told with its line.

use std::fmt;
use std::ops::Range;

use toml::de::DeTable;

/// A TOML text and the name people know it by.
#[derive(Debug, Clone, Copy)]
pub struct Source<'t> {
    pub name: &'t str,
    pub text: &'t str,
}

/// One mistake in a file; prints as `rules.toml:3:7: what is wrong`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}")]
pub struct Mistake {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// One line.
    pub problem: String,
}

impl<'t> Source<'t> {
    /// The document's top-level table, or its first syntax error.
    pub fn parse(self) -> Result<DeTable<'t>, Mistake> {
        DeTable::parse(self.text)
            .map(toml::Spanned::into_inner)
            .map_err(|error| self.mistake(&error.span().unwrap_or_default(), error.message()))
    }

    /// A mistake at a byte range of the text.
    pub fn mistake(self, place: &Range<usize>, problem: impl fmt::Display) -> Mistake {
        let before = self.text.get(..place.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Mistake {
            file: self.name.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            problem: problem.to_string().replace('\n', ", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syntax_error(text: &str) -> String {
        Source { name: "a.toml", text }.parse().unwrap_err().to_string()
    }

    #[test]
    fn a_syntax_error_is_one_line_with_its_place() {
        assert!(syntax_error("a = 1\nb = = 2\n").starts_with("a.toml:2:5: "), "{}", syntax_error("a = 1\nb = = 2\n"));
        assert!(syntax_error("é = 1\n").starts_with("a.toml:1:1: "));
        for text in ["a = \"x", "[[a]", "a = 1\na = 2", "a = 1 b = 2", "a = 2026-13-01", "= 1", "\u{0}"] {
            assert_eq!(syntax_error(text).lines().count(), 1, "{text}");
        }
    }
}

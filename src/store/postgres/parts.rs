//! A statement is made of those parts that have something to do: the database makes ready every part that a statement
//! has, whether or not there is a row for it, and a lone caller would pay for all of them. Few combinations occur, and
//! each connection keeps them prepared.

use sqlx::Arguments;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;

use crate::store::StoreError;

/// Appends `part`, whose own parameter `$0` is the `number`th of the statement.
pub(super) fn numbered(statement: &mut String, part: &str, number: usize) {
    let number = number.to_string();
    for (place, piece) in part.split("$0").enumerate() {
        if place > 0 {
            statement.push('$');
            statement.push_str(&number);
        }
        statement.push_str(piece);
    }
}

/// One statement of those of `parts` that have keys, with what it binds; `None` where none has.
pub(super) fn with_keys<'t>(
    parts: impl IntoIterator<Item = (&'t str, Result<Option<String>, StoreError>)>,
) -> Result<Option<(String, PgArguments)>, StoreError> {
    let mut arguments = PgArguments::default();
    let mut texts = Vec::new();
    for (text, keys) in parts {
        if let Some(keys) = keys? {
            arguments.add(keys).map_err(unfit)?;
            texts.push(text);
        }
    }
    Ok((!texts.is_empty()).then(|| (union(&texts), arguments)))
}

/// One statement that answers with the rows of all `parts`.
pub(super) fn union(parts: &[&str]) -> String {
    let mut text = String::with_capacity(4_096);
    for (place, part) in parts.iter().enumerate() {
        text.push_str(if place == 0 { "(" } else { " UNION ALL (" });
        numbered(&mut text, part, place + 1);
        text.push(')');
    }
    text
}

/// What could not be bound.
pub(super) fn unfit(error: BoxDynError) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

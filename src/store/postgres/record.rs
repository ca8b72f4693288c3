//! Rows as Postgres takes them in: an array of the table's own row type in the binary form, so that it parses no text.
//!
//! It refuses a row that has not the columns of its table, in number and type, so the store's tests find what is amiss
//! in their list ([`columns`](crate::store::columns)). In a text and in JSON, U+0000 is replaced: see [`STAND_IN_FOR_NUL`].

use serde::Serialize;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgBindIterExt, PgHasArrayType, PgTypeInfo};
use sqlx::{Arguments, Postgres, Type};
use uuid::Uuid;

use super::rows::{STAND_IN_FOR_NUL, write_json};
use crate::store::columns::{Kind, Record, Row};

/// Binds `rows` as one array; whether there were any. Without, nothing is bound.
pub(super) fn bind<R: Row>(
    rows: impl IntoIterator<Item = R>,
    arguments: &mut PgArguments,
) -> Result<bool, BoxDynError> {
    let mut rows = rows.into_iter().map(Of).peekable();
    if rows.peek().is_none() {
        return Ok(false);
    }
    arguments.add(rows.bind_iter())?;
    Ok(true)
}

/// What stands between a row and its place in the array that is bound.
struct Of<R>(R);

impl<R: Row> Type<Postgres> for Of<R> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name(R::TABLE)
    }
}

impl<R: Row> PgHasArrayType for Of<R> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::array_of(R::TABLE)
    }
}

impl<R: Row> Encode<'_, Postgres> for Of<R> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let start = buffer.len();
        buffer.extend_from_slice(&[0; 4]);
        let mut record = Binary { bytes: buffer, columns: 0 };
        self.0.put_down(&mut record)?;
        let columns = record.columns.to_be_bytes();
        buffer[start..start + 4].copy_from_slice(&columns);
        Ok(IsNull::No)
    }
}

/// The columns of one row: each with its type and its length.
struct Binary<'b> {
    bytes: &'b mut Vec<u8>,
    columns: i32,
}

impl Binary<'_> {
    fn put(
        &mut self,
        kind: Kind,
        write: impl FnOnce(&mut Vec<u8>) -> Result<IsNull, BoxDynError>,
    ) -> Result<(), BoxDynError> {
        self.bytes.extend_from_slice(&number_of(kind).to_be_bytes());
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        let length = match write(self.bytes)? {
            IsNull::Yes => -1,
            IsNull::No => i32::try_from(self.bytes.len() - start - 4)?,
        };
        self.bytes[start..start + 4].copy_from_slice(&length.to_be_bytes());
        self.columns += 1;
        Ok(())
    }

    fn put_bytes(&mut self, kind: Kind, value: &[u8]) -> Result<(), BoxDynError> {
        self.put(kind, |bytes| {
            bytes.extend_from_slice(value);
            Ok(IsNull::No)
        })
    }
}

impl Record for Binary<'_> {
    type Error = BoxDynError;

    fn null(&mut self, kind: Kind) -> Result<(), BoxDynError> {
        self.put(kind, |_bytes| Ok(IsNull::Yes))
    }

    fn flag(&mut self, value: bool) -> Result<(), BoxDynError> {
        self.put_bytes(Kind::Flag, &[u8::from(value)])
    }

    fn number(&mut self, value: i64) -> Result<(), BoxDynError> {
        self.put_bytes(Kind::Number, &value.to_be_bytes())
    }

    fn id(&mut self, value: &Uuid) -> Result<(), BoxDynError> {
        self.put_bytes(Kind::Id, value.as_bytes())
    }

    fn text(&mut self, value: &str) -> Result<(), BoxDynError> {
        if value.contains('\0') {
            return self.put_bytes(Kind::Text, value.replace('\0', STAND_IN_FOR_NUL).as_bytes());
        }
        self.put_bytes(Kind::Text, value.as_bytes())
    }

    fn json<T: Serialize>(&mut self, kind: Kind, value: &T) -> Result<(), BoxDynError> {
        self.put(kind, |bytes| {
            if matches!(kind, Kind::Jsonb) {
                // The number of this form.
                bytes.push(1);
            }
            write_json(value, bytes)?;
            Ok(IsNull::No)
        })
    }
}

/// Postgres' own numbers of its types, which never change.
fn number_of(kind: Kind) -> u32 {
    match kind {
        Kind::Flag => 16,
        Kind::Number => 20,
        Kind::Text => 25,
        Kind::Json => 114,
        Kind::Id => 2950,
        Kind::Jsonb => 3802,
    }
}

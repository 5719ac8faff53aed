//! Text that is JSON, sent as what it is: then the server checks it as it arrives.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo};
use sqlx::{Encode, Postgres, Type};

/// The types `json` and `json[]` of `PostgreSQL` (`pg_type.dat`).
const JSON: Oid = Oid(114);
const JSON_ARRAY: Oid = Oid(199);

/// Text that is to be JSON; the server refuses what is not. It is stored byte for byte, where `sqlx::types::Json` would write
/// it anew, with a space before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Json<'a>(pub(super) &'a str);

impl Type<Postgres> for Json<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(JSON)
    }
}

impl PgHasArrayType for Json<'_> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(JSON_ARRAY)
    }
}

impl Encode<'_, Postgres> for Json<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn size_hint(&self) -> usize {
        self.0.len()
    }
}

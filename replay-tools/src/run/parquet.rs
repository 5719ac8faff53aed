//! Rows as Parquet: each column of the type that is nearest to its own in the database.

use std::fs::File;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use arrow_json::ReaderBuilder;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use daybook_eventstore::process::Failure;
use daybook_projections::sql::{Shown, SqlError};
use futures::{Stream, TryStreamExt};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// How many bytes are gathered before they are written.
const GATHERED: usize = 1 << 20;
/// The digits of a number that says nothing of them, and how many of them are after the point.
const DIGITS: (u8, i8) = (38, 10);

/// Writes rows, which come as a JSON object each in the text form of `COPY`, to a file that is there when it is whole.
pub(super) async fn write(
    file: &Path,
    shown: &Shown,
    rows: impl Stream<Item = Result<impl AsRef<[u8]>, SqlError>>,
) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| Failure::from(format!("cannot write {}: {error}", file.display()));
    let half = file.with_extension("parquet.half");
    let schema = schema(shown);
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?)).build();
    let out = File::create(&half).map_err(cannot)?;
    let mut writer = ArrowWriter::try_new(out, schema.clone(), Some(properties))?;
    let (mut rows, mut lines) = (pin!(rows), Vec::new());
    while let Some(part) = rows.try_next().await? {
        lines.extend_from_slice(part.as_ref());
        if lines.len() > GATHERED {
            save(&mut writer, &schema, &mut lines)?;
        }
    }
    save(&mut writer, &schema, &mut lines)?;
    if !lines.is_empty() {
        return Err("the last row was cut off".into());
    }
    writer.into_inner()?.sync_all().map_err(cannot)?;
    std::fs::rename(&half, file).map_err(cannot)
}

/// Writes the lines that are whole, and keeps the rest.
fn save(writer: &mut ArrowWriter<File>, schema: &SchemaRef, lines: &mut Vec<u8>) -> Result<(), Failure> {
    let Some(end) = lines.iter().rposition(|byte| *byte == b'\n').map(|last| last + 1) else { return Ok(()) };
    let rest = lines.split_off(end);
    let whole = unescaped(&std::mem::replace(lines, rest));
    let count = whole.split(|byte| *byte == b'\n').count();
    let mut decoder = ReaderBuilder::new(schema.clone()).with_batch_size(count.max(1)).build_decoder()?;
    decoder.decode(&whole)?;
    if let Some(rows) = decoder.flush()? {
        writer.write(&rows)?;
    }
    Ok(())
}

/// Lines without what the text form of `COPY` adds: of the characters that it escapes, JSON has only the backslash.
fn unescaped(lines: &[u8]) -> Vec<u8> {
    let (mut plain, mut bytes) = (Vec::with_capacity(lines.len()), lines.iter());
    while let Some(byte) = bytes.next() {
        plain.push(if *byte == b'\\' { bytes.next().copied().unwrap_or(b'\\') } else { *byte });
    }
    plain
}

fn schema(shown: &Shown) -> SchemaRef {
    let columns =
        shown.columns.iter().map(|column| Field::new(&column.name, data_type(&column.sql_type), true));
    Arc::new(Schema::new(columns.collect::<Vec<_>>()))
}

/// What is nearest to a type of the database; text for what has nothing near.
fn data_type(sql_type: &str) -> DataType {
    match sql_type {
        "smallint" | "integer" | "bigint" => DataType::Int64,
        "real" | "double precision" => DataType::Float64,
        "boolean" => DataType::Boolean,
        "date" => DataType::Date32,
        "timestamp with time zone" => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        "timestamp without time zone" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "numeric" => DataType::Decimal128(DIGITS.0, DIGITS.1),
        other => scaled(other).map_or(DataType::Utf8, |(digits, scale)| DataType::Decimal128(digits, scale)),
    }
}

/// The digits of a `numeric(digits,scale)`, when there are as few as the file can have.
fn scaled(sql_type: &str) -> Option<(u8, i8)> {
    let (digits, scale) = sql_type.strip_prefix("numeric(")?.strip_suffix(')')?.split_once(',')?;
    let (digits, scale) = (digits.parse().ok()?, scale.parse().ok()?);
    (digits <= DIGITS.0).then_some((digits, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_is_all_that_is_escaped() {
        assert_eq!(unescaped(br#"{"a":"x\\ny \\"z\\" \\\\"}"#), br#"{"a":"x\ny \"z\" \\"}"#);
    }

    #[test]
    fn numbers_stay_exact() {
        assert_eq!(data_type("bigint"), DataType::Int64);
        assert_eq!(data_type("numeric"), DataType::Decimal128(38, 10));
        assert_eq!(data_type("numeric(12,2)"), DataType::Decimal128(12, 2));
        assert_eq!(data_type("numeric(60,2)"), DataType::Utf8);
        assert_eq!(data_type("jsonb"), DataType::Utf8);
    }
}

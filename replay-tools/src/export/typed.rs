//! The events of each type with their fields as columns, in today's shape.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_json::ReaderBuilder;
use arrow_schema::{ArrowError, SchemaRef};
use chrono::SecondsFormat;
use daybook_eventstore::process::Failure;
use daybook_eventstore::{Batch, EventView, Position, Upcasters};
use serde_json::value::RawValue;
use tokio::sync::mpsc::Receiver;

use super::dataset::{Dataset, month};
use super::manifest::Written;
use super::raw::Moment;
use super::schema;

/// How many bytes are gathered before they are written.
const GATHERED: usize = 1 << 20;

/// What was written of a chunk.
pub(super) struct Typed {
    pub(super) files: Vec<Written>,
    /// Events whose fields could not be read.
    pub(super) unreadable: Vec<Position>,
}

/// The events of one type.
struct Type {
    schema: SchemaRef,
    dataset: Dataset,
    months: BTreeMap<String, Lines>,
}

/// Events of a month on their way: a JSON object each.
#[derive(Default)]
struct Lines {
    json: String,
    /// Where each line ends, and the position of its event.
    ends: Vec<(usize, Position)>,
}

/// Writes what comes.
pub(super) fn write(
    folder: &Path,
    first: Position,
    mut batches: Receiver<Arc<Batch>>,
) -> Result<Typed, Failure> {
    let upcasters = Upcasters::of_the_shop();
    let (mut types, mut unreadable): (BTreeMap<String, Option<Type>>, _) = (BTreeMap::new(), Vec::new());
    while let Some(batch) = batches.blocking_recv() {
        for event in batch.events() {
            let position = event.position()?;
            let put = if upcasters.is_todays(event.event_type()?, event.event_version()?) {
                put(
                    event,
                    event.event_type()?,
                    event.payload()?,
                    (folder, first),
                    &mut types,
                    &mut unreadable,
                )
            } else if let Ok(Some(todays)) = upcasters.upcast(&event.to_recorded()?) {
                put(event, &todays.event_type, &todays.payload, (folder, first), &mut types, &mut unreadable)
            } else {
                // Newer code than this has written it, or somebody else.
                Ok(schema::of_type(event.event_type()?).is_none())
            };
            if !put? {
                unreadable.push(position);
            }
        }
    }
    let mut files = Vec::new();
    for mut one in types.into_values().flatten() {
        for (name, lines) in std::mem::take(&mut one.months) {
            one.save(&name, &lines, &mut unreadable)?;
        }
        files.extend(one.dataset.close()?);
    }
    unreadable.sort_unstable();
    Ok(Typed { files, unreadable })
}

/// Puts an event where it belongs; whether it is one that can be.
fn put(
    event: EventView<'_>,
    event_type: &str,
    payload: &str,
    (folder, first): (&Path, Position),
    types: &mut BTreeMap<String, Option<Type>>,
    unreadable: &mut Vec<Position>,
) -> Result<bool, Failure> {
    if !types.contains_key(event_type) {
        let new = schema::of_type(event_type).map(|schema| Type {
            dataset: Dataset::new(folder, event_type, first, schema.clone()),
            schema,
            months: BTreeMap::new(),
        });
        types.insert(event_type.to_owned(), new);
    }
    // What is no event of the shop is in the raw dataset alone.
    let Some(Some(one)) = types.get_mut(event_type) else { return Ok(true) };
    let metadata = event.metadata()?;
    let (Some(fields), Ok(moment)) = (fields(payload), serde_json::from_str::<Moment>(metadata)) else {
        return Ok(false);
    };
    let name = month(moment.occurred_at);
    if !one.months.contains_key(&name) {
        one.months.insert(name.clone(), Lines::default());
    }
    let Some(lines) = one.months.get_mut(&name) else { return Ok(false) };
    lines.push(event, inside(metadata), inside(fields))?;
    if lines.json.len() > GATHERED {
        let lines = std::mem::take(lines);
        one.save(&name, &lines, unreadable)?;
    }
    Ok(true)
}

impl Lines {
    fn push(&mut self, event: EventView<'_>, metadata: &str, fields: &str) -> Result<(), Failure> {
        let recorded_at = event.recorded_at()?.to_rfc3339_opts(SecondsFormat::Micros, true);
        let aggregate_id = serde_json::to_string(event.aggregate_id()?)?;
        let comma = if fields.trim().is_empty() { "" } else { "," };
        writeln!(
            self.json,
            r#"{{"position":{},"event_id":"{}","aggregate_id":{aggregate_id},"sequence":{},"recorded_at":"{recorded_at}",{metadata}{comma}{fields}}}"#,
            event.position()?,
            event.event_id()?,
            event.sequence()?,
        )?;
        self.ends.push((self.json.len(), event.position()?));
        Ok(())
    }
}

impl Type {
    /// Writes lines; those that are not what the schema says are told of.
    fn save(&mut self, month: &str, lines: &Lines, unreadable: &mut Vec<Position>) -> Result<(), Failure> {
        if let Ok(rows) = decode(&self.schema, lines.json.as_bytes(), lines.ends.len()) {
            return rows.map_or(Ok(()), |rows| self.dataset.write(month, &rows));
        }
        let mut began = 0;
        for (end, position) in &lines.ends {
            match decode(&self.schema, &lines.json.as_bytes()[began..*end], 1) {
                Ok(rows) => rows.map_or(Ok(()), |rows| self.dataset.write(month, &rows))?,
                Err(_) => unreadable.push(*position),
            }
            began = *end;
        }
        Ok(())
    }
}

fn decode(schema: &SchemaRef, lines: &[u8], count: usize) -> Result<Option<RecordBatch>, ArrowError> {
    let mut decoder = ReaderBuilder::new(schema.clone()).with_batch_size(count.max(1)).build_decoder()?;
    decoder.decode(lines)?;
    decoder.flush()
}

/// The fields of a payload: what stands in it under the event's own name.
fn fields(payload: &str) -> Option<&str> {
    let tagged: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(payload).ok()?;
    let fields = tagged.into_values().next()?.get();
    fields.starts_with('{').then_some(fields)
}

/// What is between the braces of an object.
fn inside(object: &str) -> &str {
    let object = object.trim();
    object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// Every event that was ever written, as the domain keeps it.
    fn corpus() -> Vec<(String, String)> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../domain/corpus/events");
        let files = std::fs::read_dir(folder).expect("the corpus").map(|file| file.expect("a file").path());
        let event = |path: PathBuf| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let (event_type, _) = name.rsplit_once("_v").expect("a version");
            (event_type.to_owned(), std::fs::read_to_string(path).expect("an event"))
        };
        files.filter(|path| path.extension().is_some_and(|end| end == "json")).map(event).collect()
    }

    #[test]
    fn no_field_of_any_event_is_without_a_column() {
        for (event_type, payload) in corpus() {
            let schema = schema::of_type(&event_type).expect("a type of today");
            let fields = fields(&payload).expect("an event");
            let mut decoder =
                ReaderBuilder::new(schema).with_strict_mode(true).build_decoder().expect("a decoder");
            decoder.decode(fields.as_bytes()).expect("JSON");
            let rows = decoder.flush().unwrap_or_else(|error| panic!("{event_type}: {error}"));
            assert_eq!(rows.expect("a row").num_rows(), 1, "{event_type}");
        }
    }

    #[test]
    fn the_inside_of_an_object_is_what_is_between_its_braces() {
        assert_eq!(inside(r#" {"a": {"b": 1}} "#), r#""a": {"b": 1}"#);
        assert_eq!(inside("{}"), "");
        assert_eq!(fields(r#"{"Completed":{}}"#), Some("{}"));
        assert_eq!(fields(r#"{"Completed":3}"#), None);
        assert_eq!(fields("nonsense"), None);
    }
}

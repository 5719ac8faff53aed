//! The events of each type with their fields as columns, in today's shape.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_json::ReaderBuilder;
use arrow_schema::{ArrowError, SchemaRef};
use daybook_domain::catalogue;
use daybook_eventstore::process::Failure;
use daybook_eventstore::{EventView, Position, Upcasters};
use tokio::sync::mpsc::Receiver;
use uuid::Uuid;

use super::chunk::Sent;
use super::dataset::{Dataset, Month, OPEN};
use super::manifest::Written;
use super::raw::occurred_at;
use super::schema;

/// How many bytes are gathered before they are written.
const GATHERED: usize = 256 << 10;

/// How many bytes wait in memory at most, of all types.
const MEMORY: usize = 96 << 20;

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
    months: BTreeMap<Month, Lines>,
}

/// Events of a month on their way: a JSON object each.
#[derive(Default)]
struct Lines {
    json: String,
    /// Where each line ends, and the position of its event.
    ends: Vec<(usize, Position)>,
}

/// Writes what comes; nothing when the export was given up.
pub(super) fn write(
    folder: &Path,
    first: Position,
    mut batches: Receiver<Sent>,
) -> Result<Option<Typed>, Failure> {
    let upcasters = Upcasters::of_the_shop();
    let (mut types, mut unreadable): (HashMap<String, Option<Type>>, _) = (HashMap::new(), Vec::new());
    loop {
        let batch = match batches.blocking_recv() {
            Some(Some(batch)) => batch,
            Some(None) => break,
            None => return Ok(None),
        };
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
                // Newer code than this has written it, unless the aggregate is none of the shop's.
                Ok(!catalogue::event_types()
                    .iter()
                    .any(|known| event.aggregate_type().is_ok_and(|of| of == known.aggregate)))
            };
            if !put? {
                unreadable.push(position);
            }
        }
        make_room(&mut types)?;
    }
    let mut files = Vec::new();
    for mut one in types.into_values().flatten() {
        for (month, lines) in std::mem::take(&mut one.months) {
            one.save(month, &lines, &mut unreadable)?;
        }
        files.extend(one.dataset.close()?);
    }
    unreadable.sort_unstable();
    Ok(Some(Typed { files, unreadable }))
}

/// Writes what waits in memory for the type that has most of it, when it is too much in all.
fn make_room(types: &mut HashMap<String, Option<Type>>) -> Result<(), Failure> {
    let all = types.values_mut().flatten();
    let waiting: Vec<(usize, &mut Type)> = all.map(|one| (one.dataset.waiting(), one)).collect();
    if waiting.iter().map(|(bytes, _)| bytes).sum::<usize>() < MEMORY {
        return Ok(());
    }
    let most = waiting.into_iter().max_by_key(|(bytes, _)| *bytes);
    most.map_or(Ok(()), |(_, one)| one.dataset.flush())
}

/// Puts an event where it belongs; whether it is one that can be.
fn put(
    event: EventView<'_>,
    event_type: &str,
    payload: &str,
    (folder, first): (&Path, Position),
    types: &mut HashMap<String, Option<Type>>,
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
    let (Some(fields), Some(occurred_at)) = (fields(payload), occurred_at(metadata)) else {
        return Ok(false);
    };
    let month = Month::of(occurred_at);
    let lines = one.months.entry(month).or_default();
    lines.push(event, inside(metadata), inside(fields))?;
    if lines.json.len() > GATHERED {
        let lines = std::mem::take(lines);
        one.save(month, &lines, unreadable)?;
    } else if one.months.len() > OPEN
        // The month that nothing came of for longest.
        && let Some(month) = one.months.iter().min_by_key(|(_, lines)| lines.last()).map(|(month, _)| *month)
        && let Some(lines) = one.months.remove(&month)
    {
        one.save(month, &lines, unreadable)?;
    }
    Ok(true)
}

impl Lines {
    /// The position of the last event.
    fn last(&self) -> Position {
        self.ends.last().map_or(0, |(_, position)| *position)
    }

    fn push(&mut self, event: EventView<'_>, metadata: &str, fields: &str) -> Result<(), Failure> {
        // A number is taken as what the column counts in.
        let recorded_at = event.recorded_at()?.timestamp_micros();
        let mut event_id = Uuid::encode_buffer();
        let event_id = event.event_id()?.hyphenated().encode_lower(&mut event_id);
        let aggregate_id = serde_json::to_string(event.aggregate_id()?)?;
        let comma = if fields.trim().is_empty() { "" } else { "," };
        writeln!(
            self.json,
            r#"{{"position":{},"event_id":"{event_id}","aggregate_id":{aggregate_id},"sequence":{},"recorded_at":{recorded_at},{metadata}{comma}{fields}}}"#,
            event.position()?,
            event.sequence()?,
        )?;
        self.ends.push((self.json.len(), event.position()?));
        Ok(())
    }
}

impl Type {
    /// Writes lines; those that are not what the schema says are told of.
    fn save(&mut self, month: Month, lines: &Lines, unreadable: &mut Vec<Position>) -> Result<(), Failure> {
        if let Ok(Some(rows)) = decode(&self.schema, lines.json.as_bytes(), lines.ends.len())
            && rows.num_rows() == lines.ends.len()
        {
            return self.dataset.write(month, &rows);
        }
        let mut began = 0;
        for (end, position) in &lines.ends {
            match decode(&self.schema, &lines.json.as_bytes()[began..*end], 1) {
                Ok(Some(rows)) if rows.num_rows() == 1 => self.dataset.write(month, &rows)?,
                _ => unreadable.push(*position),
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
    // As it is written. What is not is read with care; and what only looks like it, the decoder refuses.
    let written = payload.strip_prefix("{\"").and_then(|rest| rest.split_once("\":"));
    if let Some((name, rest)) = written
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && let Some(fields) = rest.strip_suffix('}')
        && fields.starts_with('{')
        && fields.ends_with('}')
    {
        return Some(fields);
    }
    catalogue::fields(payload).ok().filter(|fields| fields.starts_with('{'))
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

//! One batch: its arrays, its statement, its outcomes. The store tells only of exceptions; what the others came to
//! follows from them.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::json::Json;
use super::{Append, Appended, Part};
use crate::error::StoreError;
use crate::event::{NewEvent, Position};

// Asked for as one value each: in FROM, what a function returns is kept in a store of its own first.
const APPEND: &str = "SELECT append_commands($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
     $18, $19, $20, $21, $22)";

const APPEND_ONE: &str = "SELECT append_command($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

/// What [`APPEND_ONE`] returns: where the log stood before, if it was possible, and how long the head row was waited for, in
/// microseconds.
type One = (Option<Position>, i64);
/// What [`APPEND`] returns: the same, and the exceptions, column by column.
type Many = (
    Position,
    i64,
    Option<Vec<i32>>,
    Option<Vec<i32>>,
    Option<Vec<Option<Position>>>,
    Option<Vec<i64>>,
    Option<Vec<Option<String>>>,
);
/// The exceptions of that.
type Told = (
    Option<Vec<i32>>,
    Option<Vec<i32>>,
    Option<Vec<Option<Position>>>,
    Option<Vec<i64>>,
    Option<Vec<Option<String>>>,
);

/// The arguments of the append function, column by column.
#[derive(Default)]
struct Columns<'a> {
    commands: Commands<'a>,
    versions: Versions<'a>,
    dependencies: Dependencies,
    events: Events<'a>,
}

/// A row a command.
#[derive(Default)]
struct Commands<'a> {
    id: Vec<Uuid>,
    fingerprint: Vec<&'a [u8]>,
    /// How many events there are up to its last one.
    reach: Vec<i64>,
    /// What its first stream's version will be.
    version: Vec<i64>,
    outcome: Vec<Option<Json<'a>>>,
}

/// A row a version that a stream must be at.
#[derive(Default)]
struct Versions<'a> {
    command: Vec<i32>,
    /// The 0-based index of the command's part; the store need not know it.
    part: Vec<usize>,
    aggregate_type: Vec<&'a str>,
    aggregate_id: Vec<&'a str>,
    version: Vec<i64>,
}

/// A row a command that takes effect only when an earlier one of the batch does.
#[derive(Default)]
struct Dependencies {
    command: Vec<i32>,
    on: Vec<i32>,
}

/// A row an event.
#[derive(Default)]
struct Events<'a> {
    command: Vec<i32>,
    aggregate_type: Vec<&'a str>,
    aggregate_id: Vec<&'a str>,
    sequence: Vec<i64>,
    id: Vec<Uuid>,
    event_type: Vec<&'a str>,
    event_version: Vec<&'a str>,
    payload: Vec<Json<'a>>,
    metadata: Vec<Json<'a>>,
}

impl<'a> Columns<'a> {
    fn of(batch: &[&'a Append]) -> Self {
        let mut columns = Self::default();
        // The last command of each chain so far that changes something, by the chain's address.
        let mut chains: HashMap<usize, i32> = HashMap::with_capacity(batch.len());
        for (index, append) in (1_i32..).zip(batch) {
            for (number, part) in append.parts.iter().enumerate() {
                let chain = part.chain.address();
                match chains.get(&chain) {
                    Some(&earlier) => columns.dependencies.push(index, earlier),
                    None => columns.versions.push(index, number, part),
                }
                if !part.is_condition() {
                    chains.insert(chain, index);
                }
                columns.events.push(index, part);
            }
            columns.commands.push(append, columns.events.id.len());
        }
        columns
    }
}

impl<'a> Commands<'a> {
    fn push(&mut self, append: &'a Append, reach: usize) {
        self.id.push(append.command_id.uuid());
        self.fingerprint.push(&append.fingerprint.0);
        self.reach.push(i64::try_from(reach).unwrap_or(i64::MAX));
        self.version.push(append.version());
        self.outcome.push(append.outcome.as_deref().map(Json));
    }
}

impl<'a> Versions<'a> {
    fn push(&mut self, command: i32, number: usize, part: &'a Part) {
        self.command.push(command);
        self.part.push(number);
        self.aggregate_type.push(&part.stream.aggregate_type);
        self.aggregate_id.push(&part.stream.aggregate_id);
        self.version.push(part.expected);
    }

    /// The part whose version is the one of this 1-based index.
    fn part_of(&self, index: i64) -> usize {
        let index = usize::try_from(index - 1).ok();
        index.and_then(|index| self.part.get(index).copied()).unwrap_or(usize::MAX)
    }
}

impl Dependencies {
    fn push(&mut self, command: i32, on: i32) {
        self.command.push(command);
        self.on.push(on);
    }
}

impl<'a> Events<'a> {
    fn push(&mut self, command: i32, part: &'a Part) {
        for (sequence, event) in (part.expected + 1..).zip(&part.events) {
            self.command.push(command);
            self.aggregate_type.push(&part.stream.aggregate_type);
            self.aggregate_id.push(&part.stream.aggregate_id);
            self.sequence.push(sequence);
            self.id.push(event.event_id);
            self.event_type.push(&event.event_type);
            self.event_version.push(&event.event_version);
            self.payload.push(Json(&event.payload));
            self.metadata.push(Json(&event.metadata));
        }
    }
}

/// How a batch is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    /// Whose it is: of one writer, no two batches that are on their way at once change the same stream.
    pub(super) writer: i64,
    /// Whether another one is on its way.
    pub(super) beside: bool,
}

/// Appends the batch in one commit and returns an outcome for each of its commands.
pub(super) async fn append(
    connection: &mut PgConnection,
    batch: &[&Append],
    sender: Sender,
) -> Result<Vec<Appended>, StoreError> {
    if let [append] = batch
        && let [part] = append.parts.as_slice()
        && let [event] = part.events.as_slice()
        && let Some(done) = append_one(connection, append, part, event).await?
    {
        return Ok(vec![done]);
    }
    append_many(connection, batch, sender).await
}

/// Appends a single event; nothing when that is not possible, and then nothing was done.
async fn append_one(
    connection: &mut PgConnection,
    append: &Append,
    part: &Part,
    event: &NewEvent,
) -> Result<Option<Appended>, StoreError> {
    let statement = sqlx::query(APPEND_ONE)
        .bind(append.command_id.uuid())
        .bind(append.fingerprint.0.as_slice())
        .bind(append.outcome.as_deref())
        .bind(&part.stream.aggregate_type)
        .bind(&part.stream.aggregate_id)
        .bind(part.expected)
        .bind(event.event_id)
        .bind(&event.event_type)
        .bind(&event.event_version)
        .bind(&event.payload)
        .bind(&event.metadata);
    let (head, waited): One = statement.fetch_one(connection).await?.try_get(0)?;
    note_wait(waited);
    Ok(head.map(|head| Appended::Done { position: head + 1, version: part.expected + 1 }))
}

async fn append_many(
    connection: &mut PgConnection,
    batch: &[&Append],
    sender: Sender,
) -> Result<Vec<Appended>, StoreError> {
    let Columns { commands, versions, dependencies, events } = Columns::of(batch);
    let early = sender.beside && batch.iter().all(|append| append.is_guarded());
    let statement = sqlx::query(APPEND)
        .bind(sender.writer)
        .bind(early)
        .bind(&commands.id)
        .bind(&commands.fingerprint)
        .bind(&commands.reach)
        .bind(&commands.version)
        .bind(&commands.outcome)
        .bind(&versions.command)
        .bind(&versions.aggregate_type)
        .bind(&versions.aggregate_id)
        .bind(&versions.version)
        .bind(&dependencies.command)
        .bind(&dependencies.on)
        .bind(&events.command)
        .bind(&events.aggregate_type)
        .bind(&events.aggregate_id)
        .bind(&events.sequence)
        .bind(&events.id)
        .bind(&events.event_type)
        .bind(&events.event_version)
        .bind(&events.payload)
        .bind(&events.metadata);
    let (head, waited, command, status, position, version, outcome): Many =
        statement.fetch_one(connection).await?.try_get(0)?;
    note_wait(waited);
    let mut exceptions = Exceptions::of((command, status, position, version, outcome), &versions);
    exceptions.spread(&dependencies);
    Ok(outcomes(batch, head, exceptions))
}

/// Notes how long the head row was waited for.
fn note_wait(waited_us: i64) {
    let waited = Duration::from_micros(u64::try_from(waited_us).unwrap_or(0));
    metrics::histogram!("daybook_append_head_wait_seconds").record(waited);
}

/// The commands that did not take effect now, by their 1-based index.
struct Exceptions(HashMap<i32, Appended>);

impl Exceptions {
    fn of(told: Told, looked_up: &Versions<'_>) -> Self {
        let mut exceptions = HashMap::new();
        let (Some(commands), Some(statuses), Some(positions), Some(versions), Some(told)) = told else {
            return Self(exceptions);
        };
        let all = statuses.into_iter().zip(positions).zip(versions).zip(told);
        for (command, (((status, position), version), told)) in commands.into_iter().zip(all) {
            let found = match status {
                1 => Appended::Replayed {
                    position: position.unwrap_or_default(),
                    version,
                    outcome: told.unwrap_or_default(),
                },
                2 => Appended::Mismatch,
                _ => Appended::Conflict { part: looked_up.part_of(version) },
            };
            // That it was done before explains whatever else is not as expected.
            let known = exceptions.entry(command).or_insert_with(|| found.clone());
            if !matches!(found, Appended::Conflict { .. }) {
                *known = found;
            }
        }
        Self(exceptions)
    }

    /// Adds what depends on them; the dependencies are in the order of the commands.
    fn spread(&mut self, dependencies: &Dependencies) {
        if self.0.is_empty() {
            return;
        }
        for (command, on) in dependencies.command.iter().zip(&dependencies.on) {
            if self.0.contains_key(on) {
                self.0.entry(*command).or_insert(Appended::Unfounded);
            }
        }
    }
}

/// What became of each command of the batch, when the log stood at `head` before.
fn outcomes(batch: &[&Append], head: Position, mut exceptions: Exceptions) -> Vec<Appended> {
    let mut position = head;
    let each = (1..).zip(batch).map(|(index, append)| {
        exceptions.0.remove(&index).unwrap_or_else(|| {
            position += append.events();
            Appended::Done { position, version: append.version() }
        })
    });
    each.collect()
}

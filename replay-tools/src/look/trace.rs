//! `trace`: all that came of one request, as the tree of who caused what, across aggregates and processes.

use std::collections::{BTreeMap, HashMap};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use daybook_domain::inspection::Sought;
use daybook_eventstore::process::Failure;
use daybook_eventstore::{Position, Selection};
use daybook_projections::audit::query::{self, AuditPage};
use daybook_projections::read::ReadDb;
use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

use super::seen::Seen;
use super::{Log, READ, nothing, say};
use crate::bar::Bar;

/// How long the index may take to know what the log has, and to answer.
const PATIENCE: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(10);
/// How many events it is asked for at a time.
const PAGE: u32 = 1_000;

/// Of what.
#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// What all of it has in common: a correlation id, or the position of any event of it
    #[arg(value_name = "CORRELATION|POSITION")]
    of: Of,
    /// Show the events as JSON, an object a line, each with how deep in the tree it is
    #[arg(long)]
    json: bool,
}

/// What is traced.
#[derive(Debug, Clone, Copy)]
enum Of {
    Correlation(Uuid),
    At(Position),
}

impl FromStr for Of {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let position = text.parse().ok().filter(|position: &Position| *position > 0).map(Self::At);
        let of = text.parse().ok().map(Self::Correlation).or(position);
        of.ok_or_else(|| "it is a correlation id, or a position".to_owned())
    }
}

/// An event in the tree.
#[derive(Debug, Serialize)]
struct Node<'a> {
    depth: usize,
    #[serde(flatten)]
    event: &'a Seen,
}

pub(super) async fn run(log: &Log, asked: &Trace) -> Result<ExitCode, Failure> {
    let correlation = match asked.of {
        Of::Correlation(id) => id,
        Of::At(position) => {
            let Some(event) = log.reader.find(position).await? else {
                return Ok(nothing(&format!("there is no event at position {position}")));
            };
            event.metadata()?.correlation_id
        }
    };
    let events = find(log, correlation).await?;
    if events.is_empty() {
        return Ok(nothing(&format!("there is no event of {correlation}")));
    }
    for node in tree(&events) {
        if asked.json {
            say(&serde_json::to_string(&node)?)?;
        } else {
            let Node { depth, event } = node;
            let (id, at) = (&event.aggregate_id, event.at().format("%H:%M:%S%.3f"));
            let branch = if depth == 0 { String::new() } else { format!("{}└ ", "  ".repeat(depth - 1)) };
            let name = format!("{branch}{}", event.event_type);
            say(&format!("{:>9}  {at}  {name:<40}  {id}  {}", event.position, event.actor()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Every event of it: from the auditor's index where there is one that knows the log to its end, and otherwise by reading all of
/// the log.
async fn find(log: &Log, correlation: Uuid) -> Result<Vec<Seen>, Failure> {
    match &log.read {
        Some(read) => match indexed(log, read, correlation).await? {
            Some(events) => Ok(events),
            None => scan(log, correlation).await,
        },
        None => scan(log, correlation).await,
    }
}

/// Every event of it as the index has them; nothing when that does not know all of the log.
async fn indexed(log: &Log, read: &PgPool, correlation: Uuid) -> Result<Option<Vec<Seen>>, Failure> {
    let head = log.reader.head().await?.position;
    if query::reach(read.clone(), head, PATIENCE).await.is_err() {
        return Ok(None);
    }
    let index = ReadDb::new(read.clone(), LIMIT);
    let sought = Sought { correlation_id: Some(correlation), ..Sought::default() };
    let (mut events, mut after) = (Vec::new(), None);
    loop {
        let page = AuditPage { first: PAGE, after, newest_first: false };
        let found = query::find(&index, &sought, page).await?;
        if found.extent.unindexed > 0 {
            return Ok(None);
        }
        let read = log.reader.at(&found.positions).await?;
        if read.len() != found.positions.len() {
            // What the index knows of is not there any more; let the log say so itself.
            return Ok(None);
        }
        events.extend(read.iter().map(|event| Seen::of_recorded(event, &log.upcasters)));
        after = found.positions.last().copied();
        if u32::try_from(found.positions.len()) != Ok(PAGE) {
            return Ok(Some(events));
        }
    }
}

async fn scan(log: &Log, correlation: Uuid) -> Result<Vec<Seen>, Failure> {
    let head = log.reader.head().await?.position;
    let (wanted, mut events) = (correlation.hyphenated().to_string(), Vec::new());
    let count = |position: Position| u64::try_from(position).unwrap_or(0);
    let mut bar = Bar::new("events", 0, count(head));
    let mut scan = log.reader.scan(Selection::after(0).until(head), READ);
    while let Some(batch) = scan.next().await? {
        let mut last = 0;
        for event in batch.events() {
            last = event.position()?;
            if event.metadata()?.contains(&wanted) {
                let seen = Seen::of(event, &log.upcasters)?;
                if seen.metadata.as_ref().is_some_and(|metadata| metadata.correlation_id == correlation) {
                    events.push(seen);
                }
            }
        }
        bar.reach(count(last), count(head));
    }
    bar.clear();
    Ok(events)
}

/// The events as a tree, each after what caused it. What one command did stands together.
fn tree(events: &[Seen]) -> Vec<Node<'_>> {
    let known: HashMap<Uuid, usize> =
        events.iter().enumerate().map(|(i, event)| (event.event_id, i)).collect();
    let mut caused: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for (i, event) in events.iter().enumerate() {
        let cause = event.metadata.as_ref().and_then(|metadata| metadata.causation_id);
        // What was caused before anything here is a beginning.
        let cause = cause.and_then(|id| known.get(&id).copied()).filter(|cause| *cause < i);
        caused.entry(cause).or_default().push(i);
    }
    let mut nodes = Vec::with_capacity(events.len());
    let mut open: Vec<(usize, usize)> =
        caused.get(&None).into_iter().flatten().rev().map(|root| (*root, 0)).collect();
    while let Some((i, depth)) = open.pop() {
        nodes.push(Node { depth, event: &events[i] });
        open.extend(caused.get(&Some(i)).into_iter().flatten().rev().map(|effect| (*effect, depth + 1)));
    }
    nodes
}

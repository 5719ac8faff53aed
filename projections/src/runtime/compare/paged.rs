//! Two versions on a server that gives no snapshots. A few rows at a time are read from each, each time with where the
//! version was at that moment; those of the version that was behind are folded on to where the other one was, and then they
//! must be equal. What is not is looked at again before it counts as different.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use daybook_eventstore::{Checkpoint, Position, RecordedEvent};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::forward::{Step, step};
use super::{Comparing, Comparison, Difference, LOOK, PATIENCE, Tally, hash, incomparable};
use crate::runtime::error::{RuntimeError, TargetError};
use crate::runtime::fold::{Stored, by_key, fold_keys};
use crate::runtime::model::ReadModel;
use crate::runtime::versions::Version;
use crate::runtime::{parked, versions};

/// How often rows that differ are looked at.
const LOOKS: usize = 3;

/// A row, with what is kept of it beside it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(super) row: Stored,
    pub(super) beside: Map<String, Value>,
}

/// Rows of a version as they were at one moment, and where it was then.
#[derive(Debug)]
pub(crate) struct Sight {
    /// Nothing when nothing of it is there.
    pub(super) at: Option<Checkpoint>,
    pub(super) rows: HashMap<String, Found>,
}

/// Some of a version's keys, and from where on there are more.
pub(crate) type Keys = (Vec<String>, Option<u64>);

/// Where a read model's versions are kept.
#[async_trait]
pub(crate) trait Shelf<M: ReadModel>: Sync {
    /// Some keys of a version, from the beginning or from where it went on. Keys that are there all the time are named at
    /// least once.
    async fn keys(&self, version: i32, from: u64) -> Result<Keys, TargetError>;

    /// The rows with these keys, as far as they are there.
    async fn look(&self, version: i32, keys: &[String]) -> Result<Sight, TargetError>;

    /// What is kept of a row beside it.
    fn beside(row: &M::Row) -> Map<String, Value>;
}

/// A row as it is compared.
type Seen = Option<Found>;

struct Pair<'a, M, S> {
    shelf: &'a S,
    within: &'a Comparing<'a>,
    versions: [&'a Version; 2],
    model: std::marker::PhantomData<fn() -> M>,
}

/// Compares two versions of a read model.
pub(crate) async fn compare<M: ReadModel, S: Shelf<M>>(
    shelf: &S,
    within: &Comparing<'_>,
    versions: [&Version; 2],
) -> Result<Comparison, RuntimeError> {
    let pair = Pair { shelf, within, versions, model: std::marker::PhantomData::<fn() -> M> };
    let mut compared = Comparison::new(versions);
    // Also where neither has a row to be looked at.
    (compared.position, _) = pair.at_one_position(&[]).await?;
    let mut tally = Tally::new(&versions[0].name);
    for side in 0..2 {
        let mut from = 0;
        loop {
            let (mut keys, more) = shelf.keys(versions[side].version, from).await?;
            if side == 1 {
                // The others have been looked at already.
                let known = shelf.look(versions[0].version, &keys).await?.rows;
                keys.retain(|key| !known.contains_key(key));
            }
            pair.page(keys, &mut compared, &mut tally).await?;
            match more {
                Some(more) => from = more,
                None => break,
            }
        }
    }
    compared.tables.push(tally);
    pair.parked(&mut compared).await?;
    Ok(compared)
}

impl<M: ReadModel, S: Shelf<M>> Pair<'_, M, S> {
    /// Compares the rows with these keys.
    async fn page(
        &self,
        mut keys: Vec<String>,
        compared: &mut Comparison,
        tally: &mut Tally,
    ) -> Result<(), RuntimeError> {
        // A server may name a key twice.
        let mut named = HashSet::new();
        keys.retain(|key| named.insert(key.clone()));
        for last in (0..LOOKS).rev() {
            if keys.is_empty() {
                return Ok(());
            }
            let (to, [mut live, mut other]) = self.at_one_position(&keys).await?;
            compared.position = compared.position.max(to);
            let mut again = Vec::new();
            for key in keys {
                let rows = [live.remove(&key), other.remove(&key)];
                if is_same(&rows) || last == 0 {
                    self.count(key, rows, compared, tally);
                } else {
                    again.push(key);
                }
            }
            keys = again;
            if !keys.is_empty() {
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    fn count(&self, key: String, rows: [Seen; 2], compared: &mut Comparison, tally: &mut Tally) {
        let is_same = is_same(&rows);
        let of = |(side, found): (usize, &Found)| {
            let beside = Value::Object(found.beside.clone()).to_string();
            (side, hash(&[&key, &found.row.position.to_string(), &found.row.doc, &beside]))
        };
        let there = rows.iter().enumerate().filter_map(|(side, found)| Some((side, found.as_ref()?)));
        for (side, hash) in there.map(of) {
            tally.add(side, 1, hash);
        }
        if is_same {
            return;
        }
        tally.different += 1;
        if compared.differences.len() < self.within.depth.show {
            let rows = rows.map(|found| found.map(shown));
            let table = self.versions[0].name.clone();
            compared.differences.push(Difference { table, key, position: None, rows });
        }
    }

    /// The rows of both versions at one position, and which that is.
    async fn at_one_position(
        &self,
        keys: &[String],
    ) -> Result<(Position, [HashMap<String, Found>; 2]), RuntimeError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // The one that is being built is looked at first, and so is most often the one behind: it is always of this
            // program, which can fold it on.
            let other = self.shelf.look(self.versions[1].version, keys).await?;
            let live = self.shelf.look(self.versions[0].version, keys).await?;
            let step = match (live.at, other.at) {
                (Some(live), Some(other)) => {
                    step(self.within, self.versions, [live, other], M::REVISION).await?
                }
                // Of an empty log there is nothing.
                (None, None) if self.versions.iter().any(|row| row.checkpoint.position > 0) => {
                    return Err(TargetError::Lost.into());
                }
                (None, None) => Some(Step { side: 0, events: Vec::new(), to: 0 }),
                (Some(_), None) | (None, Some(_)) => None,
            };
            if let Some(Step { side, events, to }) = step {
                let mut rows = [live.rows, other.rows];
                self.fold_on(side, events, keys, &mut rows[side]).await?;
                return Ok((to, rows));
            }
            if Instant::now() > deadline {
                let why = "they do not come to one position";
                return Err(incomparable(&self.versions[0].name, self.versions, why));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Folds events into those of the rows that they concern.
    async fn fold_on(
        &self,
        side: usize,
        events: Vec<RecordedEvent>,
        keys: &[String],
        rows: &mut HashMap<String, Found>,
    ) -> Result<(), RuntimeError> {
        let mut keyed = by_key::<M>(events, &self.within.log.upcasters);
        let wanted: HashSet<&String> = keys.iter().collect();
        keyed.retain(|keyed| wanted.contains(&keyed.key));
        let version = self.versions[side];
        let stops = parked::stops(self.within.register, (&version.name, version.version), &keyed).await?;
        let found = keyed.iter().filter_map(|keyed| rows.remove_entry(&keyed.key));
        let (stored, mut beside): (HashMap<_, _>, HashMap<_, _>) =
            found.map(|(key, Found { row, beside })| ((key.clone(), row), (key, beside))).unzip();
        let mut folded = Vec::new();
        for one in fold_keys::<M>(&keyed, &stored, &stops) {
            let made = match (one.position(), &one.row) {
                (Some(position), Some(row)) => {
                    let doc = serde_json::to_string(row).map_err(TargetError::from)?;
                    Some(Found { row: Stored { position, doc }, beside: S::beside(row) })
                }
                (Some(_), None) => None,
                // Nothing of it is applied: it stays as it was.
                (None, _) => stored.get(one.key).map(|row| Found {
                    row: Stored { position: row.position, doc: row.doc.clone() },
                    beside: beside.remove(one.key).unwrap_or_default(),
                }),
            };
            folded.extend(made.map(|made| (one.key.to_owned(), made)));
        }
        rows.extend(folded);
        Ok(())
    }

    /// How many events each version could not take, once both have met the same ones.
    async fn parked(&self, compared: &mut Comparison) -> Result<(), RuntimeError> {
        let name = self.versions[0].name.as_str();
        for _ in 0..LOOKS {
            let known = versions::list(self.within.register, name).await?;
            for side in &mut compared.sides {
                let row = known.iter().find(|row| row.version == side.version);
                side.parked = row.ok_or_else(|| incomparable(name, self.versions, "one is gone"))?.parked;
            }
            if compared.sides[0].parked == compared.sides[1].parked {
                break;
            }
            tokio::time::sleep(LOOK * 10).await;
        }
        Ok(())
    }
}

fn is_same([live, other]: &[Seen; 2]) -> bool {
    match (live, other) {
        (Some(live), Some(other)) => {
            let (a, b) = (&live.row, &other.row);
            a.position == b.position && a.doc == b.doc && live.beside == other.beside
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn shown(Found { row, beside }: Found) -> Value {
    let mut shown = beside;
    shown.insert("position".to_owned(), json!(row.position));
    // What cannot be read is shown as it is.
    let doc = serde_json::from_str(&row.doc).unwrap_or(Value::String(row.doc));
    shown.insert("doc".to_owned(), doc);
    Value::Object(shown)
}

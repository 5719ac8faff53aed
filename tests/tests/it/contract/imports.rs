//! An import leaves what the appender would have left.

use std::sync::Arc;

use daybook_eventstore::process::SystemIds;
use daybook_eventstore::{Append, Appended, EventStore, Position, Upcasters};
use futures::stream;
use proptest::prelude::*;
use sqlx::PgPool;

use super::model::Model;
use super::series::{Kinds, Maker, Wish, anew, wishes};
use super::{for_all, log, place};
use crate::harness::Database;

pub(super) fn store(pool: &PgPool) -> EventStore {
    EventStore::new(pool.clone(), Arc::new(SystemIds), Upcasters::default())
}

/// The commands of a series that is carried out one after another, what they come to, and what is there then.
fn foretell(series: u128, wishes: &[Wish]) -> (Vec<Append>, Vec<Appended>, Model) {
    let (mut model, mut maker) = (Model::default(), Maker::new(series));
    let (mut commands, mut outcomes) = (Vec::new(), Vec::new());
    for wish in wishes {
        let command = maker.make(wish, |stream| model.version(stream));
        outcomes.push(model.append(&command));
        commands.push(command);
    }
    (commands, outcomes, model)
}

/// Imports in small chunks; after so many of them, it is dropped with whatever is on its way.
async fn import(store: &EventStore, commands: Vec<Append>, rows: usize, until: usize) -> Vec<Appended> {
    let mut import = store.import(stream::iter(commands)).in_chunks_of(rows);
    let mut outcomes = Vec::new();
    for _ in 0..until {
        let Some(some) = import.next().await.expect("it is imported") else { break };
        outcomes.extend(some.into_iter().map(|outcome| outcome.expect("it is no refusal")));
    }
    outcomes
}

async fn append(store: &EventStore, commands: Vec<Append>) -> Vec<Appended> {
    let mut outcomes = Vec::new();
    for command in commands {
        let pending = store.appender().enqueue(command).expect("the queue has room");
        outcomes.push(pending.outcome().await.expect("it is answered"));
    }
    outcomes
}

/// A log where series after series is written.
struct Log {
    database: Database,
    store: EventStore,
    /// Where the series that is written now begins.
    base: Position,
}

impl Log {
    async fn new() -> Self {
        let database = Database::events().await;
        Self { store: store(&database.pool), database, base: 0 }
    }

    async fn turn_the_page(&mut self) {
        self.base = log::head(&self.database.pool).await;
    }

    fn since(&self, outcomes: Vec<Appended>) -> Vec<Appended> {
        outcomes.into_iter().map(|outcome| log::since(self.base, outcome)).collect()
    }

    async fn is_as_foretold(&self, series: u128, model: &Model) {
        let pool = &self.database.pool;
        assert_eq!(log::events_after(pool, self.base).await, (model.log.clone(), model.head()));
        assert_eq!(log::commands_after(pool, self.base, series).await, model.commands);
    }
}

#[test]
fn an_import_leaves_the_log_that_the_appender_leaves_and_tells_the_same() {
    let wishes = (wishes(1..60, &Kinds::all()), 1..80_usize);
    for_all(
        48,
        &wishes,
        async || (Log::new().await, Log::new().await),
        async |logs, series, (wishes, rows)| {
            let (commands, outcomes, model) = foretell(series, &wishes);
            let (appended, imported) = logs;
            appended.turn_the_page().await;
            imported.turn_the_page().await;
            assert_eq!(appended.since(append(&appended.store, anew(&commands)).await), outcomes);
            appended.is_as_foretold(series, &model).await;
            let told = import(&imported.store, anew(&commands), rows, usize::MAX).await;
            assert_eq!(imported.since(told), outcomes);
            imported.is_as_foretold(series, &model).await;
        },
    );
}

#[test]
fn an_import_that_was_interrupted_anywhere_goes_on_and_doubles_nothing() {
    // A version that is too high might be right when the command comes again.
    let kinds = Kinds { offs: vec![(10, 0), (1, -1)], chains: false, unrecorded: false };
    let wishes = (wishes(1..60, &kinds), 1..40_usize, vec_of_small());
    for_all(32, &wishes, Log::new, async |log, series, (wishes, rows, interruptions)| {
        let (commands, outcomes, model) = foretell(series, &wishes);
        log.turn_the_page().await;
        for until in interruptions {
            import(&log.store, anew(&commands), rows, until).await;
        }
        let told = log.since(import(&log.store, anew(&commands), rows, usize::MAX).await);
        log.is_as_foretold(series, &model).await;
        for (outcome, told) in outcomes.iter().zip(told) {
            if matches!(outcome, Appended::Done { .. }) {
                assert_eq!(place(&told), place(outcome));
            }
        }
    });
}

fn vec_of_small() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..6_usize, 1..4)
}

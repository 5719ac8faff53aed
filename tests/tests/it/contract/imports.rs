//! An import leaves what the appender would have left.

use std::sync::Arc;

use daybook_eventstore::process::SystemIds;
use daybook_eventstore::{Append, Appended, EventStore, Upcasters};
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
pub(super) fn foretell(wishes: &[Wish]) -> (Vec<Append>, Vec<Appended>, Model) {
    let (mut model, mut maker) = (Model::default(), Maker::new(1));
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

async fn is_as_foretold(database: &Database, model: &Model) {
    assert_eq!(log::events(&database.pool).await, (model.log.clone(), model.head()));
    assert_eq!(log::commands(&database.pool).await, model.commands);
}

#[test]
fn an_import_leaves_the_log_that_the_appender_leaves_and_tells_the_same() {
    let series = (wishes(1..60, &Kinds::all()), 1..80_usize);
    for_all(24, &series, async |(wishes, rows)| {
        let (commands, outcomes, model) = foretell(&wishes);
        let (appended, imported) = (Database::events().await, Database::events().await);
        assert_eq!(append(&store(&appended.pool), anew(&commands)).await, outcomes);
        is_as_foretold(&appended, &model).await;
        assert_eq!(import(&store(&imported.pool), anew(&commands), rows, usize::MAX).await, outcomes);
        is_as_foretold(&imported, &model).await;
    });
}

#[test]
fn an_import_that_was_interrupted_anywhere_goes_on_and_doubles_nothing() {
    // A version that is too high might be right when the command comes again.
    let kinds = Kinds { offs: vec![(10, 0), (1, -1)], chains: false, unrecorded: false };
    let series = (wishes(1..60, &kinds), 1..40_usize, vec_of_small());
    for_all(24, &series, async |(wishes, rows, interruptions)| {
        let (commands, outcomes, model) = foretell(&wishes);
        let database = Database::events().await;
        for until in interruptions {
            import(&store(&database.pool), anew(&commands), rows, until).await;
        }
        let told = import(&store(&database.pool), anew(&commands), rows, usize::MAX).await;
        is_as_foretold(&database, &model).await;
        for (outcome, told) in outcomes.iter().zip(told) {
            let Appended::Done { position, version } = *outcome else { continue };
            assert_eq!(place(&told), (position, version));
        }
    });
}

fn vec_of_small() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..6_usize, 1..4)
}

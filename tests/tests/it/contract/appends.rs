//! Appends that wait together: whatever batches they ride in, there is an order in which they came one after another.

use daybook_eventstore::{Append, Appended};
use futures::future::join_all;
use proptest::collection::vec;

use super::imports::store;
use super::model::Model;
use super::series::{Kinds, Maker, wishes};
use super::{for_all, log};
use crate::harness::Database;

/// How many events a command has.
fn events(command: &Append) -> usize {
    command.parts.iter().map(|part| part.events.len()).sum()
}

/// Has the model do what took effect, in the order of the positions: each on the streams as it expected them, in one piece.
/// Returns the versions that each stream went through.
fn follow<'a>(model: &mut Model, answered: &[(&'a Append, &Appended)]) -> Vec<Vec<(&'a Append, Vec<i64>)>> {
    let mut done: Vec<_> = answered
        .iter()
        .filter_map(|(command, outcome)| match outcome {
            // What appends nothing comes after what reached this position.
            Appended::Done { position, version } => {
                Some((*position, events(command) == 0, *version, *command))
            }
            Appended::Replayed { .. }
            | Appended::Mismatch
            | Appended::Conflict { .. }
            | Appended::Unfounded => None,
        })
        .collect();
    done.sort_by_key(|(position, nothing, ..)| (*position, *nothing));
    let mut steps = vec![versions(model, answered)];
    for (position, _, version, command) in done {
        let were = model.take_effect(command);
        let expected: Vec<i64> = command.parts.iter().map(|part| part.expected).collect();
        assert_eq!(were, expected, "it rests on what it expected");
        assert_eq!((model.head(), model.version(&command.parts[0].stream)), (position, version));
        steps.push(versions(model, answered));
    }
    steps
}

fn versions<'a>(model: &Model, answered: &[(&'a Append, &Appended)]) -> Vec<(&'a Append, Vec<i64>)> {
    let of = |command: &Append| command.parts.iter().map(|part| model.version(&part.stream)).collect();
    answered.iter().map(|(command, _)| (*command, of(command))).collect()
}

/// That whoever was not done was told something that was so, before, after or in the middle of it.
fn each_is_told_the_truth(
    model: &Model,
    answered: &[(&Append, &Appended)],
    steps: &[Vec<(&Append, Vec<i64>)>],
) {
    for (number, (command, outcome)) in answered.iter().enumerate() {
        match outcome {
            Appended::Done { .. } => {}
            Appended::Conflict { part } => {
                let went_through = steps.iter().map(|step| step[number].1[*part]);
                let expected = command.parts[*part].expected;
                assert!(
                    went_through.clone().any(|version| version != expected),
                    "{outcome:?} of {command:?}"
                );
            }
            Appended::Replayed { .. } | Appended::Mismatch => {
                let told = model.told(command.command_id, command.fingerprint);
                assert_eq!(told.as_ref(), Some(*outcome), "{command:?}");
            }
            Appended::Unfounded => panic!("each is decided on a state of its own: {command:?}"),
        }
    }
}

/// That nobody is refused for nothing: who wants of the streams what they are, and shares neither them nor the id with
/// another, is done.
fn nobody_is_refused_for_nothing(before: &Model, answered: &[(&Append, &Appended)]) {
    for (command, outcome) in answered {
        let alone = answered.iter().filter(|(other, _)| meet(command, other)).count() == 1;
        let known = before.told(command.command_id, command.fingerprint).is_some();
        let right = command.parts.iter().all(|part| part.expected == before.version(&part.stream));
        if alone && !known {
            assert_eq!(matches!(outcome, Appended::Done { .. }), right, "{outcome:?} of {command:?}");
        }
    }
}

fn meet(one: &Append, other: &Append) -> bool {
    one.command_id == other.command_id
        || one.parts.iter().any(|part| other.parts.iter().any(|part_2| part.stream == part_2.stream))
}

#[test]
fn appends_that_wait_together_come_one_after_another_in_some_order_each_whole_and_once() {
    let kinds = Kinds { chains: false, ..Kinds::all() };
    let here = async || {
        let database = Database::events().await;
        ([store(&database.pool), store(&database.pool)], database)
    };
    for_all(48, &vec(wishes(1..16, &kinds), 1..8), here, async |(stores, database), series, rounds| {
        let base = log::head(&database.pool).await;
        let (mut model, mut maker) = (Model::default(), Maker::new(series));
        for round in rounds {
            let commands: Vec<Append> =
                round.iter().map(|wish| maker.make(wish, |stream| model.version(stream))).collect();
            let pending = commands.iter().enumerate().map(|(number, command)| {
                let appender = stores[number % 2].appender();
                appender.enqueue(command.clone()).expect("the queue has room").outcome()
            });
            let outcomes = join_all(pending).await.into_iter();
            let outcomes: Vec<Appended> =
                outcomes.map(|outcome| log::since(base, outcome.expect("it is answered"))).collect();
            let answered: Vec<_> = commands.iter().zip(&outcomes).collect();
            nobody_is_refused_for_nothing(&model, &answered);
            let steps = follow(&mut model, &answered);
            each_is_told_the_truth(&model, &answered, &steps);
        }
        assert_eq!(log::events_after(&database.pool, base).await, (model.log.clone(), model.head()));
        assert_eq!(log::commands_after(&database.pool, base, series).await, model.commands);
    });
}

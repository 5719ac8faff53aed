//! An import among others: with live appends on the same log, with what the database refuses, and on a machine that vanishes.

use std::collections::{HashMap, HashSet};
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use daybook_eventstore::{Append, Appended, EventStore, Part, StoreError, StreamId};
use futures::stream;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::imports::store;
use super::log::Logged;
use super::series::{Maker, PartWish, Wish, anew};
use super::{log, place};
use crate::harness::{Database, Proxy, Writer, eventually};

const SOON: Duration = Duration::from_secs(30);
const COMMANDS: usize = 2_000;
/// How many streams the import begins that others want to begin as well.
const CONTESTED: usize = COMMANDS / 10;

/// A series of commands of one event, each for a stream of its own.
pub(super) fn series(number: u128, commands: usize) -> Vec<Append> {
    let mut maker = Maker::new(number);
    let wish = |stream| Wish {
        repeats: None,
        faithful: true,
        recorded: true,
        parts: vec![(stream, PartWish { off: 0, events: 1, chain: None })],
    };
    (0..commands).map(|stream| maker.make(&wish(stream), |_| 0)).collect()
}

fn contested(contest: usize) -> StreamId {
    StreamId { aggregate_type: "Thing".to_owned(), aggregate_id: format!("contested-{contest}") }
}

/// A series where every tenth command begins a stream that others begin too, and all of the others rest on that nobody has
/// begun such a stream that is soon to be begun.
fn contesting(number: u128, commands: usize) -> Vec<Append> {
    let mut series = series(number, commands);
    for (place, command) in series.iter_mut().enumerate() {
        let own = &mut command.parts[0];
        if place.is_multiple_of(10) {
            own.stream = contested(place / 10);
        } else {
            let (stream, chain) = (contested(place / 10 + 4), Arc::default());
            command.parts.push(Part { stream, expected: 0, events: Vec::new(), chain });
        }
    }
    series
}

pub(super) async fn append(store: &EventStore, command: Append) -> Appended {
    let pending = store.appender().enqueue(command).expect("the queue has room");
    pending.outcome().await.expect("it is answered")
}

/// Appends, one after another, until all is imported: what contests a stream that is imported just now, what is imported
/// itself, and what is nobody else's.
async fn live(store: &EventStore, imported: &[Append], so_far: &AtomicUsize) -> Vec<(Append, Appended)> {
    let mut told = Vec::new();
    for (number, mut command) in series(2, 10 * COMMANDS).into_iter().enumerate() {
        let at = so_far.load(Ordering::Relaxed);
        if at == imported.len() {
            break;
        }
        match number % 4 {
            0 => command = anew(&imported[(at + number % 50) % COMMANDS..][..1]).remove(0),
            1 => {}
            _ => command.parts[0].stream = contested(at / 10 + number % 12),
        }
        told.push((command.clone(), append(store, command).await));
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_and_live_appends_share_one_dense_log_and_each_command_takes_effect_once() {
    let database = Database::events().await;
    let (here, elsewhere) = (store(&database.pool), store(&database.pool));
    let commands = contesting(1, COMMANDS);
    let so_far = AtomicUsize::new(0);
    let importing = async {
        let mut import = here.import(stream::iter(anew(&commands))).in_chunks_of(40);
        let mut told = Vec::new();
        while let Some(some) = import.next().await.expect("it is imported") {
            told.extend(some.into_iter().map(|one| one.expect("it is no refusal")));
            so_far.store(told.len(), Ordering::Relaxed);
        }
        told
    };
    let (imported, live) = tokio::join!(importing, live(&elsewhere, &commands, &so_far));
    assert_eq!(imported.len(), commands.len());
    let (events, head) = log::events_after(&database.pool, 0).await;
    assert_eq!(events.iter().map(|event| event.position).collect::<Vec<_>>(), (1..=head).collect::<Vec<_>>());
    let ids: HashSet<_> = events.iter().map(|event| event.event_id).collect();
    assert_eq!(ids.len(), events.len(), "no event is there twice");

    let all = commands.iter().zip(&imported).chain(live.iter().map(|(command, told)| (command, told)));
    let begun: HashMap<_, _> = events.iter().filter_map(Logged::of_contest).collect();
    let (mut lost, mut won) = ([0, 0], 0);
    for (command, told) in all {
        let event = &command.parts[0].events[0];
        let contested = command.parts[0].stream.aggregate_id.starts_with("contested");
        let rests_on = command.parts.get(1).and_then(|condition| begun.get(&condition.stream.aggregate_id));
        let refused = match told {
            Appended::Conflict { part: 0 } => contested,
            Appended::Conflict { part: 1 } => rests_on.is_some(),
            Appended::Done { .. }
            | Appended::Replayed { .. }
            | Appended::Mismatch
            | Appended::Conflict { .. }
            | Appended::Unfounded => false,
        };
        if refused {
            lost[usize::from(!contested)] += 1;
        } else {
            let (position, version) = place(told);
            let at = usize::try_from(position - 1).expect("a position");
            assert_eq!((events[at].event_id, version), (event.event_id, 1));
            won += usize::from(contested);
            assert!(rests_on.is_none_or(|begun| *begun > position), "{told:?} of {command:?}");
        }
        assert_eq!(ids.contains(&event.event_id), !refused);
    }
    assert!(begun.len() >= CONTESTED && won >= begun.len(), "each was begun");
    assert!(
        lost.iter().all(|lost| *lost > 0),
        "they met, and what rests on something met who changed it: {lost:?}"
    );
    let news = live.iter().filter(|(_, told)| matches!(told, Appended::Done { .. })).count();
    assert!(news > 20, "{news} live appends came in between");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_refuses_in_an_import_fails_nobody_but_who_rests_on_it() {
    let database = Database::events().await;
    let mut commands = series(1, 100);
    "not JSON".clone_into(&mut commands[7].parts[0].events[0].payload);
    "\0".clone_into(&mut commands[60].parts[0].events[0].event_type);
    commands[30].outcome = Some("{".to_owned());
    // No command has a stream twice.
    let mut again = commands[50].parts[0].clone();
    again.events[0].event_id = uuid::Uuid::from_u128(50);
    commands[50].parts.push(again);
    // One that goes on where the first of these would have been, and one that would have begun there.
    for (command, expected) in [(40, 1), (90, 0)] {
        commands[command].parts[0].stream = commands[7].parts[0].stream.clone();
        commands[command].parts[0].expected = expected;
    }
    let store = store(&database.pool);
    let mut import = store.import(stream::iter(commands)).in_chunks_of(64);
    let mut told = Vec::new();
    while let Some(some) = import.next().await.expect("it is imported") {
        told.extend(some);
    }
    let of = |is: fn(&Result<Appended, StoreError>) -> bool| {
        (0..told.len()).filter(|number| is(&told[*number])).collect::<Vec<_>>()
    };
    assert_eq!(of(|one| matches!(one, Err(StoreError::Database(_)))), [7, 30, 50, 60]);
    assert_eq!(of(|one| matches!(one, Ok(Appended::Conflict { part: 0 }))), [40]);
    let (events, head) = log::events_after(&database.pool, 0).await;
    assert_eq!((events.len(), head), (95, 95));
    assert_eq!(of(|one| matches!(one, Ok(Appended::Done { .. }))).len(), 95);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_machine_vanishes_holds_nobody_up() {
    let database = Database::events().await;
    let options = PgConnectOptions::from_str(&database.url).expect("a URL");
    let server = format!("{}:{}", options.get_host(), options.get_port()).parse().expect("an address");
    let live = Writer::new(&database);
    for number in 1..=5 {
        let proxy = Proxy::to(server).await;
        let away = store(&PgPoolOptions::new().connect_lazy_with(options.clone().port(proxy.port)));
        let commands = series(number, COMMANDS);
        let before = log::head(&database.pool).await;
        let importing = tokio::spawn(async move {
            let mut import = away.import(stream::iter(commands)).in_chunks_of(500);
            while import.next().await.is_ok_and(|some| some.is_some()) {}
        });
        eventually(SOON, "it is in the middle of it", || async {
            (log::head(&database.pool).await > before).then_some(())
        })
        .await;
        proxy.vanish();
        // Nobody could tell the server to go on.
        tokio::time::timeout(Duration::from_secs(4), live.append(1)).await.expect("it is not held up");
        importing.abort();
    }
}

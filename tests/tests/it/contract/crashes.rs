//! A connection that is lost at any moment, after the commit and before the answer among them: the same command sent again
//! takes effect once, and so does an import.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use daybook_domain::CommandId;
use daybook_eventstore::{Append, Chain, EventStore, Part};
use futures::{StreamExt as _, stream};
use proptest::collection::vec;
use proptest::prelude::*;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::imports::store;
use super::series::{Maker, PartWish, Wish};
use super::{for_all, log, place};
use crate::harness::{Database, Proxy, eventually};

const SOON: Duration = Duration::from_secs(20);

/// How a connection is lost.
#[derive(Debug, Clone, Copy)]
enum Loss {
    /// The server ends the session.
    Ended,
    /// The way to the server is cut off: what was sent is done, and nobody hears of it.
    Cut,
}

/// When the log has grown by so many events, everybody's connections are lost, in one way or the other.
fn losses() -> impl Strategy<Value = Vec<(i64, Loss)>> {
    vec((1..25_i64, prop_oneof![Just(Loss::Ended), Just(Loss::Cut)]), 1..6)
}

/// A store behind a way that can break.
struct Reach {
    database: Database,
    proxy: Proxy,
    store: EventStore,
}

impl Reach {
    async fn new() -> Self {
        let database = Database::events().await;
        let options = PgConnectOptions::from_str(&database.url).expect("a URL");
        let server = format!("{}:{}", options.get_host(), options.get_port()).parse().expect("an address");
        let proxy = Proxy::to(server).await;
        let options = options.port(proxy.port).application_name("tried");
        Self { store: store(&PgPoolOptions::new().connect_lazy_with(options)), database, proxy }
    }

    async fn lose(&self, losses: &[(i64, Loss)], all: i64) {
        let pool = &self.database.pool;
        let mut at = 0;
        for (events, loss) in losses {
            at = (at + events).min(all);
            eventually(SOON, "the log grows", || async { (log::head(pool).await >= at).then_some(()) }).await;
            match loss {
                Loss::Ended => {
                    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tried'
                        AND datname = current_database()";
                    sqlx::query(end).execute(pool).await.expect("they are ended");
                }
                Loss::Cut => {
                    self.proxy.cut();
                    self.proxy.mend();
                }
            }
        }
    }

    /// That every command has taken effect once, one after another in each stream.
    async fn each_is_there_once(&self, commands: &[Append], told: &HashMap<CommandId, (i64, i64)>) {
        let (events, head) = log::events_after(&self.database.pool, 0).await;
        let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
        assert_eq!(positions, (1..=head).collect::<Vec<i64>>());
        assert_eq!(events.len(), commands.iter().map(|one| all_events(one).count()).sum::<usize>());
        let places: HashMap<_, _> = events.iter().map(|event| (event.event_id, event)).collect();
        let recorded = log::commands_after(&self.database.pool, 0, 1).await;
        for command in commands {
            let at: Vec<_> = all_events(command).map(|id| places[&id]).collect();
            let last = at.last().expect("it has events");
            assert!(at.windows(2).all(|two| two[0].position + 1 == two[1].position), "it is in one piece");
            let first_part = command.parts[0].events.len();
            assert_eq!(told[&command.command_id], (last.position, at[first_part - 1].sequence));
            assert_eq!(recorded[&command.command_id].position, last.position);
        }
    }
}

fn all_events(command: &Append) -> impl Iterator<Item = uuid::Uuid> {
    command.parts.iter().flat_map(|part| &part.events).map(|event| event.event_id)
}

/// Commands that take effect in any order: each for two streams of its own, which a later one goes on with.
fn commands(count: usize) -> Vec<Append> {
    let (mut maker, mut versions) = (Maker::new(1), HashMap::new());
    let wish = |number: usize| Wish {
        repeats: None,
        faithful: true,
        recorded: true,
        parts: [2, 1].map(|n| (number % 8 * 2 + n, PartWish { off: 0, events: n, chain: None })).to_vec(),
    };
    (0..count)
        .map(|number| {
            let command = maker.make(&wish(number), |stream| versions.get(stream).copied().unwrap_or(0));
            for part in &command.parts {
                *versions.entry(part.stream.clone()).or_default() +=
                    i64::try_from(part.events.len()).expect("few");
            }
            command
        })
        .collect()
}

/// Sends a command, now and then without waiting for the answer, until it is told what came of it.
async fn insist(store: &EventStore, command: &Append, hasty: bool) -> (i64, i64) {
    if hasty {
        drop(store.appender().enqueue(on_its_own(command)).expect("the queue has room"));
    }
    eventually(SOON, "it is told", || async {
        let pending = store.appender().enqueue(on_its_own(command)).ok()?;
        Some(place(&pending.outcome().await.ok()?))
    })
    .await
}

fn on_its_own(command: &Append) -> Append {
    let part = |part: &Part| Part { chain: Arc::new(Chain::default()), ..part.clone() };
    Append { parts: command.parts.iter().map(part).collect(), ..command.clone() }
}

#[test]
fn a_command_that_is_sent_until_it_is_answered_takes_effect_once_whenever_connections_are_lost() {
    for_all(
        6,
        &(losses(), vec(any::<bool>(), 8)),
        async || (),
        async |(), _, (losses, hasty)| {
            let reach = Reach::new().await;
            let commands = commands(64);
            // Eight at once, each with streams of its own, in their order.
            let lanes = stream::iter(0..8).map(|lane| {
                let (commands, reach, hasty) = (&commands, &reach, hasty[lane]);
                async move {
                    let mut told = Vec::new();
                    for command in commands.iter().skip(lane).step_by(8) {
                        told.push((command.command_id, insist(&reach.store, command, hasty).await));
                    }
                    told
                }
            });
            let lanes = lanes.buffer_unordered(8).concat();
            let (told, ()) = tokio::join!(lanes, reach.lose(&losses, 150));
            reach.each_is_there_once(&commands, &told.into_iter().collect()).await;
        },
    );
}

#[test]
fn an_import_takes_effect_once_and_in_its_order_whenever_connections_are_lost() {
    for_all(
        6,
        &(losses(), 3..40_usize),
        async || (),
        async |(), _, (losses, rows)| {
            let reach = Reach::new().await;
            let commands = commands(64);
            let importing = async {
                let mut import = reach.store.import(stream::iter(commands.clone())).in_chunks_of(rows);
                let mut told = Vec::new();
                while let Some(some) = import.next().await.expect("it goes on") {
                    told.extend(some.into_iter().map(|one| place(&one.expect("it is no refusal"))));
                }
                told
            };
            let (told, ()) = tokio::join!(importing, reach.lose(&losses, 150));
            assert!(told.is_sorted(), "they come in their order");
            let told = commands.iter().map(|command| command.command_id).zip(told).collect();
            reach.each_is_there_once(&commands, &told).await;
        },
    );
}

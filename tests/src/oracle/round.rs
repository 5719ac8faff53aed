//! One round: a new event store, written to, disturbed and followed for a while; then all heals, every reader reaches the
//! head, and the checker judges.

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use daybook_eventstore::process::config::{ServiceUrl, Value as _};
use daybook_eventstore::{Archives, EventStream, FeedSource, LogReader, Upcasters, Wake, migrate};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor as _, PgPool};
use tokio::task::JoinHandle;
use xtask::process::Launch;
use xtask::servers::Server;

use super::Failed;
use super::checker::check;
use super::collect;
use super::dice::Dice;
use super::history::{History, Reading, Wants};
use super::keeper::{Keeper, Moved};
use super::nemesis::{Done, Nemesis, Writer, schedule};
use super::report::{Disturbed, Round};
use super::saboteur::Saboteurs;
use super::scribe::Scribe;
use super::watch::{self, Watcher};
use super::writer::order::{LEDGER, name};

/// How many callers each writer has.
const CALLERS: u64 = 24;
/// How long everything may take to heal.
const HEALED: Duration = Duration::from_mins(2);
/// How often to look whether it has.
const GLANCE: Duration = Duration::from_millis(50);
/// How long readers are watched at the head: what comes twice comes soon.
const LINGER: Duration = Duration::from_millis(500);
/// The history of all sessions that disturb.
const SABOTEURS: &str = "saboteurs.jsonl";
/// The choices of who keeps the log.
const KEEPER: u64 = 200;
/// How many slices the log is read in at the end.
const SLICES: NonZeroU16 = NonZeroU16::new(3).unwrap();

/// The servers, which rounds have one after another.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) postgres: Server,
    pub(crate) replica: Server,
    pub(crate) nats: Server,
    /// Where programs write what they have to say.
    pub(crate) logs: PathBuf,
    /// Where histories are kept.
    pub(crate) histories: PathBuf,
}

/// What a round is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) number: u64,
    pub(crate) seed: u64,
    pub(crate) writers: usize,
    pub(crate) time: Duration,
}

/// Where everything of a round is.
struct Place {
    database: String,
    replica: String,
    nats: String,
    stream: String,
    /// Where what has left the database is kept.
    archives: PathBuf,
    pool: PgPool,
}

/// Runs a round, and gives the servers back.
pub(crate) async fn run(site: Site, plan: Plan) -> Result<(Site, Round), Failed> {
    let histories = site.histories.join(format!("round-{}", plan.number));
    let place = Place::make(&site, plan, histories.join("archives")).await?;
    let Site { postgres, replica, nats, logs, histories: all_histories } = site;
    let (watchers, listening) = follow(&place, plan.seed).await?;
    let nemesis = nemesis(&place, plan, (postgres, replica, nats), (&logs, &histories))?;
    let (mut nemesis, connections_ended, moved) = disturb(nemesis, &place, plan, &histories).await?;

    let head = quiet(&place.pool).await?;
    let reached = reach(&watchers, head).await;
    let readings = end(watchers, &place).await?;
    listening.abort();
    Keeper::bring_back(&place.pool, &place.archives()).await?;
    let mut files: Vec<PathBuf> = nemesis.writers.iter().flat_map(Writer::histories).collect();
    files.push(histories.join(SABOTEURS));
    let history = History {
        log: collect::log(&place.pool).await?,
        recorded: Some(collect::memory(&place.pool).await?),
        attempts: collect::attempts(&files)?,
        readings,
    };
    let disturbed = Disturbed { done: nemesis.done, moved, connections_ended };
    let round = Round::of(plan, &history, disturbed, reached, check(&history));
    nemesis.relaying.take();
    place.remove().await?;
    if round.is_right() {
        std::fs::remove_dir_all(&histories)?;
    }
    let Nemesis { postgres, replica, nats, .. } = nemesis;
    Ok((Site { postgres, replica, nats, logs, histories: all_histories }, round))
}

/// Lets everybody write and everything bad happen, until the writers have ended in good order. Says how many connections
/// were ended, and what was moved.
async fn disturb(
    mut nemesis: Nemesis,
    place: &Place,
    plan: Plan,
    histories: &Path,
) -> Result<(Nemesis, u64, Moved), Failed> {
    let scribe = Scribe::new(&histories.join(SABOTEURS))?;
    let saboteurs = Saboteurs::start(&place.database, scribe, plan.seed)?;
    let keeper = Keeper::start(&place.database, place.archives(), Dice::of(plan.seed, &[KEEPER]))?;
    nemesis.writers.iter_mut().try_for_each(Writer::start)?;
    let deeds = schedule(plan.seed, plan.writers, plan.time);
    let (nemesis, raged) = blocking(nemesis, move |nemesis| nemesis.rage(&deeds, plan.time)).await?;
    raged?;
    let connections_ended = saboteurs.end().await?;
    let (nemesis, ended) = blocking(nemesis, Nemesis::end_writers).await?;
    ended?;
    Ok((nemesis, connections_ended, keeper.end().await?))
}

impl Place {
    async fn make(site: &Site, plan: Plan, archives: PathBuf) -> Result<Self, Failed> {
        std::fs::create_dir_all(&archives)?;
        let name = format!("oracle_{}", plan.number);
        let admin = PgPool::connect(&format!("{}/postgres", site.postgres.url())).await?;
        admin.execute(format!("CREATE DATABASE {name}").as_str()).await?;
        let (database, replica) =
            (format!("{}/{name}", site.postgres.url()), format!("{}/{name}", site.replica.url()));
        let pool = PgPoolOptions::new().max_connections(12).connect(&database).await?;
        migrate(&pool).await?;
        Ok(Self { database, replica, nats: site.nats.url(), stream: name.to_uppercase(), archives, pool })
    }

    /// Takes the database away, when the round is over.
    async fn remove(self) -> Result<(), Failed> {
        self.pool.close().await;
        let options = PgConnectOptions::from_str(&self.database)?;
        let name = options.get_database().unwrap_or_default().to_owned();
        let admin = PgPool::connect_with(options.database("postgres")).await?;
        admin.execute(format!("DROP DATABASE {name} WITH (FORCE)").as_str()).await?;
        Ok(())
    }

    fn primary(&self) -> LogReader {
        LogReader::new(self.pool.clone()).with_archives(Some(self.archives()))
    }

    fn replica(&self) -> Result<LogReader, Failed> {
        let options = PgConnectOptions::from_str(&self.replica)?;
        let pool = PgPoolOptions::new().max_connections(8).connect_lazy_with(options);
        Ok(LogReader::new(pool).with_archives(Some(self.archives())))
    }

    fn archives(&self) -> Archives {
        Archives::in_folder(&self.archives)
    }
}

/// Everybody who follows.
async fn follow(place: &Place, seed: u64) -> Result<(Vec<Watcher>, JoinHandle<()>), Failed> {
    let dice = |who: u64| Dice::of(seed, &[who]);
    let (primary, replica) = (place.primary(), place.replica()?);
    let (wake, listening) = Wake::listen(place.pool.clone());
    let url = ServiceUrl::parse(&place.nats)?;
    let stream = EventStream::connect(&url, &place.stream, "oracle").await?;
    let source = |reader: &LogReader, stream: Option<EventStream>| FeedSource {
        reader: reader.clone(),
        wake: wake.clone(),
        stream,
        upcasters: Upcasters::default(),
    };
    let client = async_nats::ConnectOptions::new().retry_on_initial_connect().connect(&place.nats).await?;
    let (context, stream_name) = (jetstream::new(client), place.stream.clone());
    let (with_stream, some_streams) = (Some(stream.clone()), Some(stream.clone()));
    let of_type = Wants::Type(LEDGER);
    let streams = ["hot-0", "hot-1", "shared-3"].map(|id| name(LEDGER, id));
    let of_streams = Wants::Streams(Vec::from(streams));
    let watchers = vec![
        Watcher::start("primary: scan", |notes| watch::scan(primary.clone(), dice(101), notes)),
        Watcher::start("primary: feed", |notes| watch::feed(source(&primary, None), dice(102), notes)),
        Watcher::start("replica: scan", |notes| watch::scan(replica.clone(), dice(103), notes)),
        Watcher::start("replica: feed", |notes| watch::feed(source(&replica, None), dice(104), notes)),
        Watcher::start("stream: feed", |notes| watch::feed(source(&primary, with_stream), dice(105), notes)),
        Watcher::start("stream: messages", |notes| watch::stream(context, stream_name, notes)),
        Watcher::of_some("replica: feed of a type", of_type.clone(), |notes| {
            watch::feed(source(&replica, None), dice(106), notes)
        }),
        Watcher::of_some("stream: feed of a type", of_type, |notes| {
            watch::feed(source(&primary, Some(stream)), dice(107), notes)
        }),
        Watcher::of_some("stream: feed of some streams", of_streams, |notes| {
            watch::feed(source(&primary, some_streams), dice(108), notes)
        }),
    ];
    Ok((watchers, listening))
}

fn nemesis(
    place: &Place,
    plan: Plan,
    (postgres, replica, nats): (Server, Server, Server),
    (logs, histories): (&Path, &Path),
) -> Result<Nemesis, Failed> {
    let programs = std::env::current_exe()?;
    let folder = programs.parent().ok_or("the programs are in no folder")?;
    let relay = Launch::new(folder.join("daybook-relay"))
        .env("DAYBOOK_EVENTS_URL", &place.database)
        .env("DAYBOOK_NATS_URL", &place.nats)
        .env("DAYBOOK_NATS_STREAM", &place.stream)
        .env("DAYBOOK_ARCHIVES", place.archives.display().to_string())
        // Nothing of the log may be left out.
        .env("DAYBOOK_NATS_REPUBLISH", i32::MAX.to_string())
        .log_to(&logs.join("relay.log"));
    let writer = |number: usize| {
        let launch = Launch::new(&programs)
            .args(["writer", "--database", &place.database, "--seed", &plan.seed.to_string()])
            .args(["--archives", &place.archives.display().to_string()])
            .args(["--number", &number.to_string(), "--callers", &CALLERS.to_string()])
            .log_to(&logs.join(format!("writer-{number}.log")));
        Writer::new(launch, histories.join(format!("writer-{number}")))
    };
    let writers = (0..plan.writers).map(writer).collect();
    let relaying = Some(relay.start()?);
    Ok(Nemesis { writers, relay, relaying, nats, postgres, replica, done: Done::default() })
}

/// Does what takes its time, where nobody else waits for it.
async fn blocking<T: Send + 'static>(
    mut nemesis: Nemesis,
    work: impl FnOnce(&mut Nemesis) -> T + Send + 'static,
) -> Result<(Nemesis, T), Failed> {
    let both = tokio::task::spawn_blocking(move || {
        let done = work(&mut nemesis);
        (nemesis, done)
    });
    Ok(both.await?)
}

/// Waits until no session of a writer is left, not even one whose process is gone, and says where the log stands.
async fn quiet(pool: &PgPool) -> Result<i64, Failed> {
    let left = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name LIKE 'oracle %'";
    let deadline = Instant::now() + HEALED;
    while sqlx::query_scalar::<_, i64>(left).fetch_one(pool).await.map_or(true, |left| left > 0) {
        if Instant::now() > deadline {
            return Err("the writers' sessions do not end".into());
        }
        tokio::time::sleep(GLANCE).await;
    }
    Ok(sqlx::query_scalar("SELECT position FROM log_head").fetch_one(pool).await?)
}

/// Waits until every reader is at the head; false when one does not get there.
async fn reach(watchers: &[Watcher], head: i64) -> bool {
    let deadline = Instant::now() + HEALED;
    while watchers.iter().any(|watcher| watcher.reached() < head) {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(GLANCE).await;
    }
    tokio::time::sleep(LINGER).await;
    true
}

/// What everybody saw who followed, and what there is to see at the end.
async fn end(watchers: Vec<Watcher>, place: &Place) -> Result<Vec<Reading>, Failed> {
    let mut readings: Vec<Reading> = watchers.into_iter().map(Watcher::end).collect();
    readings.push(watch::slices(&place.primary(), "primary: slices, at the end", SLICES).await?);
    readings.push(watch::slices(&place.replica()?, "replica: slices, at the end", SLICES).await?);
    Ok(readings)
}

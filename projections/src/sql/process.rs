//! A projection in SQL as a process: it builds what is missing, and then follows the log until it is told to stop. Several
//! may run: one works, and the others wait for their turn.

use std::process::ExitCode;
use std::time::Duration;

use daybook_eventstore::process::config::{ConfigError, PgUrl, ServiceUrl, Settings, keys};
use daybook_eventstore::process::{self, Context, Cores, Failure, Flag, Need, pool};
use daybook_eventstore::{Archives, EventView, Feed, FeedSource, Filter, RecordedEvent};
use sqlx::PgPool;
use tokio::time::Instant;

use super::error::SqlError;
use super::file::Projection;
use super::gather::{Batch, Open};
use super::session::{Request, Session};
use crate::process::{STREAM, source, watch};
use crate::runtime::{Applied, Lags, Meter};

/// The most events of a batch.
const MOST: usize = 2_000;
/// How long to wait after a failure, growing from the first to the last; so long is the turn of another waited for.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// How long it keeps a connection: a temporary table as old as that keeps the server from freezing what is older.
const CONNECTED: Duration = Duration::from_hours(12);
/// How often it is noted that there was nothing for it.
const NOTE: Duration = Duration::from_secs(1);
/// How many connections it takes to each database: what follows, and what looks whether it is there.
const CONNECTIONS: u32 = 2;

/// Runs the process to its end.
pub fn run(projection: Projection, request: Request) -> ExitCode {
    process::run("daybook-replay", Cores::One, Configuration::load, |configuration, process| {
        follow(projection, request, configuration, process)
    })
}

struct Configuration {
    events: PgUrl,
    read: PgUrl,
    nats: Option<ServiceUrl>,
    stream: String,
    archives: Option<Archives>,
}

impl Configuration {
    fn load(settings: &Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            events: settings.required(keys::EVENTS_URL)?,
            read: settings.required(keys::READ_URL)?,
            nats: settings.optional(keys::NATS_URL)?,
            stream: settings.or(keys::NATS_STREAM, STREAM.to_owned())?,
            archives: settings.optional(keys::ARCHIVES)?,
        })
    }
}

/// A projection that is followed, whatever happens to the servers.
struct Follower {
    projection: Projection,
    request: Request,
    source: FeedSource,
    read: PgPool,
    process: Context,
    flag: Flag,
    lags: Lags,
}

async fn follow(
    projection: Projection,
    request: Request,
    configuration: Configuration,
    process: Context,
) -> Result<(), Failure> {
    let events = pool(&configuration.events, CONNECTIONS, process.name);
    let read = pool(&configuration.read, CONNECTIONS, process.name);
    watch(&process, "events", &events);
    watch(&process, "read", &read);
    let log = (&configuration.nats, configuration.stream.as_str());
    let source = source(&process, events, log, configuration.archives).await?;
    let flag = process.readiness.register("projection", Need::Required);
    let follower = Follower { projection, request, source, read, process, flag, lags: Lags::default() };
    Ok(follower.run().await?)
}

impl Follower {
    /// Follows until told to stop; ends earlier only when the file is wrong, or what is in its place is another's.
    async fn run(&self) -> Result<(), SqlError> {
        let mut pause = PAUSE.0;
        loop {
            let began = Instant::now();
            let failed = match self.attempt().await {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            };
            self.lags.forget(self.projection.version);
            if matches!(failed, SqlError::UnderWay(_)) {
                tracing::info!(projection = self.projection.title(), "another process runs it; standing by");
                // Who stands by is ready to take over.
                self.flag.up();
            } else if failed.is_outage() {
                self.flag.down(&failed.to_string());
                let error = &failed as &dyn std::error::Error;
                tracing::error!(projection = self.projection.title(), error, "cannot go on; trying again");
            } else {
                return Err(failed);
            }
            pause = if began.elapsed() > PAUSE.1 { PAUSE.0 } else { (pause * 2).min(PAUSE.1) };
            tokio::select! {
                () = self.process.shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn attempt(&self) -> Result<(), SqlError> {
        let (log, upcasters) = (self.source.reader.clone(), self.source.upcasters.clone());
        let opened = Session::open(log, upcasters, &self.read, self.projection.clone(), self.request.clone());
        let mut session = opened.await?;
        self.flag.up();
        let version = self.projection.version;
        let head = self.source.reader.head().await?.position;
        let clock = &self.process.clock;
        self.lags.resumed((&self.projection.name, version), (session.at(), head), clock.now());
        let built = session.build(head, &self.process.shutdown, |progress| {
            self.lags.moved(version, (progress.position, head), clock.now(), clock.now());
        });
        match built.await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err(session.after_failure(error).await),
        }
        session.settle().await?;
        tracing::info!(
            projection = self.projection.title(),
            position = session.at(),
            "built; following the log"
        );
        self.keep(&mut session).await
    }

    /// Applies what is new, for as long as there is nobody to stop it.
    async fn keep(&self, session: &mut Session) -> Result<(), SqlError> {
        let filter = Filter::default().of_types(self.projection.reads.clone());
        let title = self.projection.title();
        let mut feed = Feed::open(self.source.clone(), &title, &session.at).await?.only(filter);
        let (mut noted, mut connected) = (Instant::now(), Instant::now());
        loop {
            let owes = feed.checkpoint().position > session.at();
            let events = tokio::select! {
                biased;
                () = self.process.shutdown.cancelled() => None,
                events = feed.next(MOST) => Some(events?),
                // What is begun anew after it is begun without it: then nothing is owed any more.
                () = tokio::time::sleep_until(noted + NOTE), if owes => Some(Vec::new()),
            };
            if let Some(batch) = batch(session, events.as_deref().unwrap_or_default())? {
                self.apply(session, &batch, &feed).await?;
            }
            let passed = feed.checkpoint();
            if passed.position > session.at() && (events.is_none() || noted.elapsed() >= NOTE) {
                session.note(passed).await?;
                noted = Instant::now();
                let (stand, now) = ((session.at(), session.at() + feed.behind()), self.process.clock.now());
                self.lags.moved(self.projection.version, stand, now, now);
            }
            if events.is_none() {
                return Ok(());
            }
            if connected.elapsed() > CONNECTED {
                session.reconnect().await?;
                connected = Instant::now();
            }
        }
    }

    async fn apply(&self, session: &mut Session, batch: &Batch, feed: &Feed) -> Result<(), SqlError> {
        let began = Instant::now();
        session.apply(batch).await?;
        let count = usize::try_from(batch.events).unwrap_or(usize::MAX);
        let version = self.projection.version;
        Meter::new(&self.projection.name, version).applied(count, began.elapsed(), Applied::default());
        let stand = (session.at(), feed.checkpoint().position + feed.behind());
        self.lags.moved(version, stand, batch.recorded_at, self.process.clock.now());
        Ok(())
    }
}

/// What the projection is given of these events.
fn batch(session: &Session, events: &[RecordedEvent]) -> Result<Option<Batch>, SqlError> {
    let mut open = Open::new(&session.sorting);
    let mut last = None;
    for event in events {
        if open.sort(EventView::from(event), &session.sorting)? {
            last = Some(event);
        }
    }
    if let Some(last) = last {
        open.ends_with(EventView::from(last), session.at.epoch)?;
    }
    Ok(open.close(&session.sorting))
}

//! Firing timers when they are due. Any number of runners share the work; none fires what another holds. Timers of one
//! kind are fired together and apart from those of others, so that what waits for somebody, as for a gateway that does not
//! answer, holds up only its own kind.

use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use daybook_domain::Timestamp;
use daybook_eventstore::begin_tx;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::backoff::backoff;
use super::book::{CHANNEL, Timer, Timers};

/// How often a runner looks without having been woken: a lost notification costs this much, never a timer.
pub(super) const SAFETY_INTERVAL: Duration = Duration::from_secs(1);
/// The least time between two looks that found nothing to fire, while other runners hold what is due.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// How many timers of a kind are taken at a time.
const BATCH: usize = 64;
/// How many of them are in hand at once.
const AT_ONCE: usize = 16;
/// Of how many kinds timers are in hand at once: each takes a connection meanwhile.
const KINDS: usize = 4;
/// How long a handler may take; after that the timer has failed and is fired again later.
const HANDLER_LIMIT: Duration = Duration::from_secs(10);

struct Due {
    timer: Timer,
    attempts: i32,
}

impl Timers {
    /// Fires timers as they become due, until `stop`; what is in hand then is finished. One batch of each kind is in hand
    /// at a time.
    pub async fn run<H, F, E>(&self, handler: H, stop: CancellationToken)
    where
        H: Fn(Timer) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        tokio::select! {
            () = self.bell.follow(&self.pool, CHANNEL) => {}
            () = self.fire_until(&handler, &stop) => {}
        }
    }

    /// Fires what is due now, of whatever kind, at most one batch; returns how many were taken.
    ///
    /// # Errors
    /// When the database fails; what was fired then fires again.
    pub async fn fire_due<H, F, E>(&self, handler: &H) -> Result<usize, sqlx::Error>
    where
        H: Fn(Timer) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        self.fire_batch(handler, None).await
    }

    async fn fire_batch<H, F, E>(&self, handler: &H, kind: Option<&str>) -> Result<usize, sqlx::Error>
    where
        H: Fn(Timer) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        let mut tx = begin_tx(&self.pool).await?;
        let due = take(&mut tx, self.clock.now(), kind).await?;
        let taken = due.len();
        // The rows stay locked meanwhile, so nobody else fires them, and a crash gives them back at once.
        let ends: Vec<(Uuid, Option<i32>)> = futures::stream::iter(due)
            .map(|due| self.fire(handler, due))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        self.settle(&mut tx, &ends).await?;
        tx.commit().await?;
        Ok(taken)
    }

    async fn fire_until<H, F, E>(&self, handler: &H, stop: &CancellationToken)
    where
        H: Fn(Timer) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        let (mut batches, mut busy) = (FuturesUnordered::new(), Vec::<String>::new());
        while !stop.is_cancelled() {
            tokio::select! {
                Some(ended) = batches.next() => busy.retain(|kind| *kind != ended),
                due = self.next_due(&busy), if busy.len() < KINDS => if let Some(kind) = due {
                    busy.push(kind.clone());
                    batches.push(self.fire_kind(handler, kind));
                },
                () = stop.cancelled() => {}
            }
        }
        while batches.next().await.is_some() {}
    }

    /// The next kind of which a timer is due, beside those that are in hand; nothing when it is time to look again.
    async fn next_due(&self, busy: &[String]) -> Option<String> {
        let pause = match self.next(busy).await {
            Ok(Some((kind, Duration::ZERO))) => return Some(kind),
            Ok(Some((_, ahead))) => ahead.min(SAFETY_INTERVAL),
            Ok(None) => SAFETY_INTERVAL,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "timers could not be looked at");
                SAFETY_INTERVAL
            }
        };
        self.bell.wait(pause).await;
        None
    }

    /// The kind of the next timer that is not of a busy kind, and how long it is until then.
    async fn next(&self, busy: &[String]) -> Result<Option<(String, Duration)>, sqlx::Error> {
        let next: Option<(String, Timestamp)> =
            sqlx::query_as("SELECT kind, next_at FROM timers WHERE kind <> ALL($1) ORDER BY next_at LIMIT 1")
                .bind(busy)
                .fetch_optional(&self.pool)
                .await?;
        let now = self.clock.now();
        Ok(next.map(|(kind, next_at)| (kind, (next_at - now).to_std().unwrap_or_default())))
    }

    /// Fires a batch of a kind; returns the kind once it is to be looked at again.
    async fn fire_kind<H, F, E>(&self, handler: &H, kind: String) -> String
    where
        H: Fn(Timer) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        match self.fire_batch(handler, Some(&kind)).await {
            Ok(0) => tokio::time::sleep(SHORTEST_PAUSE).await,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, kind, "timers could not be fired");
                tokio::time::sleep(SAFETY_INTERVAL).await;
            }
        }
        kind
    }

    /// Fires one timer; returns the number of its failures in a row when it failed.
    async fn fire<H, F, E>(&self, handler: &H, due: Due) -> (Uuid, Option<i32>)
    where
        H: Fn(Timer) -> F,
        F: Future<Output = Result<(), E>>,
        E: Display,
    {
        let Due { timer, attempts } = due;
        let (timer_id, kind, subject) = (timer.timer_id, timer.kind.clone(), timer.subject.clone());
        let position = timer.payload.get("position").and_then(serde_json::Value::as_i64);
        let correlation_id =
            timer.payload.get("correlation_id").and_then(|id| id.as_str().map(str::to_owned));
        let lag = (self.clock.now() - timer.due_at).to_std().unwrap_or_default();
        metrics::histogram!("daybook_timer_lag_seconds", "kind" => kind.clone()).record(lag);
        // A bug: it costs this timer a delay and nobody else anything.
        let firing = AssertUnwindSafe(async { handler(timer).await }).catch_unwind();
        let failure = match tokio::time::timeout(HANDLER_LIMIT, firing).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(error))) => Some(error.to_string()),
            Ok(Err(_)) => Some("its handler panicked".to_owned()),
            Err(_) => Some("no answer in time".to_owned()),
        };
        let outcome = if failure.is_some() { "failed" } else { "fired" };
        metrics::counter!("daybook_timers_fired_total", "kind" => kind.clone(), "outcome" => outcome)
            .increment(1);
        let failures = failure.map(|error| {
            let attempts = attempts.saturating_add(1);
            tracing::warn!(
                %timer_id, kind, subject, position, correlation_id, attempts, error,
                "a timer failed and will be fired again"
            );
            attempts
        });
        (timer_id, failures)
    }

    async fn settle(&self, tx: &mut PgConnection, ends: &[(Uuid, Option<i32>)]) -> Result<(), sqlx::Error> {
        let done: Vec<Uuid> =
            ends.iter().filter(|(_, failures)| failures.is_none()).map(|(id, _)| *id).collect();
        if !done.is_empty() {
            sqlx::query("DELETE FROM timers WHERE timer_id = ANY($1)").bind(&done).execute(&mut *tx).await?;
        }
        let failed: Vec<(Uuid, i32)> =
            ends.iter().filter_map(|(id, failures)| Some((*id, (*failures)?))).collect();
        if !failed.is_empty() {
            let now = self.clock.now();
            sqlx::query(
                "UPDATE timers SET attempts = f.attempts, next_at = f.next_at
                 FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[]) AS f (timer_id, attempts, next_at)
                 WHERE timers.timer_id = f.timer_id",
            )
            .bind(failed.iter().map(|(id, _)| *id).collect::<Vec<_>>())
            .bind(failed.iter().map(|(_, attempts)| *attempts).collect::<Vec<_>>())
            .bind(failed.iter().map(|(_, attempts)| now + backoff(*attempts)).collect::<Vec<_>>())
            .execute(&mut *tx)
            .await?;
        }
        Ok(())
    }
}

async fn take(tx: &mut PgConnection, now: Timestamp, kind: Option<&str>) -> Result<Vec<Due>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT timer_id, due_at, kind, subject, payload, attempts FROM timers
         WHERE next_at <= $1 AND ($3::text IS NULL OR kind = $3)
         ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED",
    )
    .bind(now)
    .bind(i64::try_from(BATCH).unwrap_or(i64::MAX))
    .bind(kind)
    .fetch_all(tx)
    .await?;
    rows.iter().map(decode).collect()
}

fn decode(row: &PgRow) -> Result<Due, sqlx::Error> {
    let timer = Timer {
        timer_id: row.try_get(0)?,
        due_at: row.try_get(1)?,
        kind: row.try_get(2)?,
        subject: row.try_get(3)?,
        payload: row.try_get(4)?,
    };
    Ok(Due { timer, attempts: row.try_get(5)? })
}

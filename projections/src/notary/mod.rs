//! The notary: follows the log, keeps the tree of its events, and signs what the log has, so that nobody can take it back. It
//! never slows an append. `docs/proof.md` says what it makes, and `daybook_eventstore::proof` how.

mod audit;
mod error;
mod query;
mod table;

use std::sync::Arc;
use std::time::Duration;

use daybook_eventstore::process::{Flag, Leadership};
use daybook_eventstore::proof::{Facts, MAX_ENTRY, Note, SigningKey, TreeHash, TreeHead, is_consistent};
use daybook_eventstore::{Checkpoint, Feed, RecordedEvent, StoreError};
use sqlx::postgres::PgConnectOptions;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::audit::{Audited, audit};
pub use self::error::{AuditError, NotaryError};
pub use self::query::{checkpoint, checkpoint_after, consistency, inclusion, tile};
use self::table::{Book, Grown};
use crate::runtime::{Context, TargetError};

/// What it is called wherever followers have names.
pub const NAME: &str = "notary";
/// How many events are taken at a time.
const BATCH: usize = 8_192;
/// The pause after a failure, growing from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long the last signature may take when the process ends.
const LAST: Duration = Duration::from_secs(5);

/// Keeps the tree, and signs it.
#[derive(Clone)]
pub struct Notary {
    context: Context,
    key: Arc<SigningKey>,
    /// How often what is new is signed.
    every: Duration,
    flag: Option<Flag>,
}

impl Notary {
    /// A notary that signs with this key whatever is new, so often and when it ends.
    pub fn new(context: Context, key: SigningKey, every: Duration) -> Self {
        Self { context, key: Arc::new(key), every, flag: None }
    }

    /// The same, which tells here whether it is well.
    #[must_use]
    pub fn telling(self, flag: Flag) -> Self {
        Self { flag: Some(flag), ..self }
    }

    /// Runs until told to stop. Whatever fails is logged and tried again.
    pub async fn run(self, stop: CancellationToken) {
        let mut pause = PAUSE.0;
        loop {
            let failed = tokio::select! {
                () = stop.cancelled() => break,
                Err(failed) = self.follow() => failed,
            };
            self.tell(&failed);
            tracing::error!(
                error = &failed as &dyn std::error::Error,
                "the notary cannot go on; trying again"
            );
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE.1),
            }
        }
        match tokio::time::timeout(LAST, self.sign_what_is_there()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the last checkpoint was not signed"
                );
            }
            Err(_elapsed) => tracing::error!("the last checkpoint was not signed in time"),
        }
    }

    fn tell(&self, failed: &NotaryError) {
        if failed.is_contradiction() {
            metrics::gauge!("daybook_notary_contradicted").set(1.0);
            if let Some(flag) = &self.flag {
                flag.down(&failed.to_string());
            }
        }
    }

    /// Follows the log, alone; ends only by failing.
    async fn follow(&self) -> Result<std::convert::Infallible, NotaryError> {
        let options = PgConnectOptions::clone(&self.context.read.connect_options());
        let mut leadership = Leadership::acquire_at(options, "daybook notary", || {}).await;
        tokio::select! {
            () = leadership.lost() => Err(TargetError::Fenced.into()),
            failed = self.lead() => failed,
        }
    }

    /// The same, without asking whether another one does.
    ///
    /// # Errors
    /// Whatever keeps it from going on.
    pub async fn lead(&self) -> Result<std::convert::Infallible, NotaryError> {
        let mut book = self.open().await?;
        let mut feed = Feed::open(self.context.log.clone(), NAME, &book.at).await.map_err(contradicted)?;
        let mut signed = table::last_signed(&self.context.read).await?;
        metrics::gauge!("daybook_notary_contradicted").set(0.0);
        if let Some(flag) = &self.flag {
            flag.up();
        }
        let mut due = Instant::now() + self.every;
        loop {
            tokio::select! {
                events = feed.next(BATCH) => {
                    let events = events.map_err(contradicted)?;
                    book = self.append(book, &events).await?;
                }
                () = tokio::time::sleep_until(due) => {}
            }
            if Instant::now() >= due {
                signed = self.sign(&book, signed).await?;
                due = Instant::now() + self.every;
            }
        }
    }

    /// Where the notary stands. A log with another epoch, which has been restored, is the same log when it has the same
    /// event here.
    async fn open(&self) -> Result<Book, NotaryError> {
        let origin = Checkpoint::origin(&self.context.log.reader).await?;
        let Some(book) = table::find(&self.context.read).await? else {
            return Ok(Book { at: origin, tree: daybook_eventstore::proof::Frontier::default() });
        };
        if book.at.epoch == origin.epoch {
            return Ok(book);
        }
        let there = Book { at: Checkpoint { epoch: origin.epoch, ..book.at }, tree: book.tree };
        there.at.verify(&self.context.log.reader, NAME).await.map_err(contradicted)?;
        table::append(&self.context.read, &book.at, &there, Grown::default()).await?;
        tracing::warn!(
            position = there.at.position,
            "the log has another epoch, and nothing else is new up to here"
        );
        Ok(there)
    }

    /// Adds events to the tree.
    async fn append(&self, book: Book, events: &[RecordedEvent]) -> Result<Book, NotaryError> {
        let Some(last) = events.last() else { return Ok(book) };
        let (mut tree, mut grown, mut entry) = (book.tree, Grown::default(), String::new());
        for event in events {
            Facts::from(event).write(&mut entry);
            if entry.len() > MAX_ENTRY {
                return Err(NotaryError::TooLong { position: event.position });
            }
            grown.push(&mut tree, TreeHash::of_entry(entry.as_bytes()));
        }
        let after = Book { at: Checkpoint::on(book.at.epoch, last), tree };
        table::append(&self.context.read, &book.at, &after, grown).await?;
        metrics::gauge!("daybook_notary_position").set(gauge(after.tree.size()));
        Ok(after)
    }

    /// Signs the tree, unless it has been signed. What is signed never contradicts what was signed before.
    async fn sign(&self, book: &Book, last: Option<Note>) -> Result<Option<Note>, NotaryError> {
        let head = TreeHead {
            origin: self.key.verifying().name().to_owned(),
            size: book.tree.size(),
            root: book.tree.root(),
        };
        if let Some(last) = &last {
            let before: TreeHead = last.text().parse()?;
            if before.size == head.size && before.root == head.root && before.origin == head.origin {
                return Ok(Some(last.clone()));
            }
            let path = if before.size > head.size {
                None
            } else {
                query::consistency(&self.context.read, before.size, head.size).await?
            };
            let holds = path
                .is_some_and(|path| is_consistent((before.size, before.root), (head.size, head.root), &path));
            if !holds {
                return Err(NotaryError::Contradicted { signed: before.size, now: head.size });
            }
        }
        let (mut note, at) = (Note::of(head.to_string())?, self.context.clock.now());
        note.sign(&self.key, at);
        table::publish(&self.context.read, head.size, &note, at).await?;
        metrics::gauge!("daybook_notary_signed_position").set(gauge(head.size));
        Ok(Some(note))
    }

    /// Signs the tree as it is kept.
    async fn sign_what_is_there(&self) -> Result<(), NotaryError> {
        let Some(book) = table::find(&self.context.read).await? else { return Ok(()) };
        let last = table::last_signed(&self.context.read).await?;
        self.sign(&book, last).await.map(drop)
    }
}

/// A gauge of the metrics crate only knows floats.
#[expect(clippy::cast_precision_loss, reason = "a gauge; exact below 2^53")]
const fn gauge(value: u64) -> f64 {
    value as f64
}

/// A log that is another one contradicts what was signed of it.
fn contradicted(error: StoreError) -> NotaryError {
    if let StoreError::LogDiverged { position, .. } = error {
        NotaryError::Replaced { position }
    } else {
        error.into()
    }
}

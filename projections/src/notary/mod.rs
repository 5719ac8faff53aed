//! The notary: follows the log, keeps the tree of its events, and signs what the log has, so that nobody can take it back. It
//! never slows an append. `docs/proof.md` says what it makes, and `daybook_eventstore::proof` how.
//!
//! It believes the log, and what it signed. The tree as it is kept is believed only where a signed root proves it: whatever
//! is beyond is hashed again from the log when the notary begins.

mod audit;
mod error;
mod prove;
mod query;
mod start;
mod table;
mod witness;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use daybook_eventstore::process::{Flag, Leadership};
use daybook_eventstore::proof::{Facts, MAX_ENTRY, Note, SigningKey, TreeHash, TreeHead, is_consistent};
use daybook_eventstore::{Checkpoint, Feed, FeedSource, RecordedEvent};
use sqlx::postgres::PgConnectOptions;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::audit::{Audited, Trusted, audit};
pub use self::error::{AuditError, NotaryError};
pub use self::prove::{ProveError, Proved, prove};
pub use self::query::{checkpoint, checkpoint_after, consistency, inclusion, newest_checkpoint, tile};
use self::table::{Book, Grown};
pub use self::witness::WitnessAddress;
use self::witness::{Asking, Witnesses};
use crate::runtime::{Context, TargetError};

/// What it is called wherever followers have names.
pub const NAME: &str = "notary";
/// How many events are taken at a time.
const BATCH: usize = 8_192;
/// The pause after a failure, growing from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long the databases may take for a beginning, a batch or a signature, also when the process ends.
const LIMIT: Duration = Duration::from_secs(5);

/// Keeps the tree, and signs it.
#[derive(Clone)]
pub struct Notary {
    context: Context,
    key: Arc<SigningKey>,
    /// How often what is new is signed.
    every: Duration,
    flag: Option<Flag>,
    witnesses: Witnesses,
}

impl Notary {
    /// A notary that signs with this key whatever is new, so often and when it ends. It reads the log itself: what a stream
    /// delivers, nobody vouches for.
    pub fn new(context: Context, key: SigningKey, every: Duration) -> Self {
        let log = FeedSource { stream: None, ..context.log };
        Self {
            context: Context { log, ..context },
            key: Arc::new(key),
            every,
            flag: None,
            witnesses: Witnesses::default(),
        }
    }

    /// The same, which tells here whether it is well.
    #[must_use]
    pub fn telling(self, flag: Flag) -> Self {
        Self { flag: Some(flag), ..self }
    }

    /// The same, which asks these witnesses to sign what it signed.
    ///
    /// # Errors
    /// When nobody can be asked from here, as without certificates.
    pub fn witnessed_by(self, witnesses: Vec<WitnessAddress>) -> Result<Self, reqwest::Error> {
        Ok(Self { witnesses: Witnesses::try_new(witnesses)?, ..self })
    }

    /// Runs until told to stop. Whatever fails is logged and tried again.
    pub async fn run(self, stop: CancellationToken) {
        let (mut pause, mut signed) = (PAUSE.0, None);
        while let Err(failed) = self.follow(&mut signed, &stop).await {
            tracing::error!(
                error = &failed as &dyn std::error::Error,
                "the notary cannot go on; trying again"
            );
            if failed.is_contradiction() {
                metrics::gauge!("daybook_notary_contradicted").set(1.0);
            }
            if let Some(flag) = &self.flag {
                flag.down(&failed.to_string());
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE.1),
            }
        }
    }

    /// Follows the log, alone, until told to stop.
    async fn follow(
        &self,
        signed: &mut Option<TreeHead>,
        stop: &CancellationToken,
    ) -> Result<(), NotaryError> {
        let options = PgConnectOptions::clone(&self.context.read.connect_options());
        let standing_by = || {
            if let Some(flag) = &self.flag {
                flag.standby();
            }
        };
        let mut leadership = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            leadership = Leadership::acquire_at(options, "daybook notary", standing_by) => leadership,
        };
        tokio::select! {
            () = leadership.lost() => Err(TargetError::Fenced.into()),
            ended = self.lead(signed, stop) => ended,
        }
    }

    /// The same, without asking whether another one does. What it signs it remembers here, whatever becomes of the database.
    ///
    /// # Errors
    /// Whatever keeps it from going on.
    pub async fn lead(
        &self,
        signed: &mut Option<TreeHead>,
        stop: &CancellationToken,
    ) -> Result<(), NotaryError> {
        let mut book = in_time(self.start(signed)).await?;
        let mut feed = Feed::open(self.context.log.clone(), NAME, &book.at).await?;
        metrics::gauge!("daybook_notary_contradicted").set(0.0);
        if let Some(flag) = &self.flag {
            flag.up();
        }
        // Also for what was signed last: a witness may have been away.
        let signed_size = signed.as_ref().map_or(0, |signed| signed.size);
        let asking = self.witnesses.begin(&self.context, self.key.verifying(), signed_size);
        let mut due = Instant::now() + self.every;
        loop {
            let events = {
                // What is read goes on being read while it signs.
                let mut next = pin!(feed.next(BATCH));
                loop {
                    tokio::select! {
                        events = &mut next => break events?,
                        () = tokio::time::sleep_until(due) => {
                            in_time(self.sign(&book, signed, &asking)).await?;
                            due = Instant::now() + self.every;
                        }
                        () = stop.cancelled() => {
                            in_time(self.sign(&book, signed, &asking)).await?;
                            asking.end().await;
                            return Ok(());
                        }
                    }
                }
            };
            book = self.append(book, &events, signed.as_ref()).await?;
        }
    }

    /// Adds events to the tree. Where it comes to what was signed, it must be that.
    async fn append(
        &self,
        book: Book,
        events: &[RecordedEvent],
        signed: Option<&TreeHead>,
    ) -> Result<Book, NotaryError> {
        let Some(last) = events.last() else { return Ok(book) };
        let (mut tree, mut grown, mut entry) = (book.tree, Grown::default(), String::new());
        for event in events {
            Facts::from(event).write(&mut entry);
            if entry.len() > MAX_ENTRY {
                return Err(NotaryError::TooLong { position: event.position });
            }
            grown.push(&mut tree, TreeHash::of_entry(entry.as_bytes()));
            if let Some(signed) = signed
                && signed.size == tree.size()
                && signed.root != tree.root()
            {
                return Err(NotaryError::Contradicted { signed: signed.size, now: tree.size() });
            }
        }
        let at = Checkpoint::on(book.at.epoch, last);
        in_time(async { Ok(table::append(&self.context.read, &book.at, &at, grown).await?) }).await?;
        metrics::gauge!("daybook_notary_position").set(gauge(tree.size()));
        Ok(Book { at, tree })
    }

    /// Signs the tree, unless it has been signed, and has the witnesses asked. What is signed never contradicts what was signed
    /// before.
    async fn sign(
        &self,
        book: &Book,
        signed: &mut Option<TreeHead>,
        asking: &Asking,
    ) -> Result<(), NotaryError> {
        let origin = self.key.verifying().name().to_owned();
        let head = TreeHead { origin, size: book.tree.size(), root: book.tree.root() };
        let before = signed.as_ref().map_or(0, |before| before.size);
        // As long as it is made again, it is not as large as what was signed.
        if head.size <= before {
            return Ok(());
        }
        if let Some(before) = signed {
            let path = query::consistency(&self.context.read, before.size, head.size).await?;
            let path = path.ok_or(NotaryError::Damaged)?;
            if !is_consistent((before.size, before.root), (head.size, head.root), &path) {
                return Err(NotaryError::Contradicted { signed: before.size, now: head.size });
            }
        }
        book.at.verify(&self.context.log.reader, NAME).await?;
        let (mut note, at) = (Note::of(head.to_string())?, self.context.clock.now());
        note.sign(&self.key, at);
        table::publish(&self.context.read, &book.at, &note, at).await?;
        metrics::gauge!("daybook_notary_signed_position").set(gauge(head.size));
        asking.signed(head.size);
        *signed = Some(head);
        Ok(())
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, NotaryError>>) -> Result<T, NotaryError> {
    tokio::time::timeout(LIMIT, call).await.map_err(|_elapsed| TargetError::TimedOut)?
}

/// A gauge of the metrics crate only knows floats.
#[expect(clippy::cast_precision_loss, reason = "a gauge; exact below 2^53")]
const fn gauge(value: u64) -> f64 {
    value as f64
}

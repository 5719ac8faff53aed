//! The witnesses that are asked to sign what the notary signed (C2SP `tlog-witness`). Each is asked by a task of its own, so
//! that none waits for another, and nothing waits for any of them: what is signed is published before anybody is asked, and
//! a cosignature is added to it when it comes.
//!
//! Nothing is kept of them but their cosignatures: what a witness signed last is the newest checkpoint that has one, and
//! where that is wrong, the witness says so.

mod ask;
mod error;
mod list;

use std::sync::Arc;
use std::time::Duration;

use daybook_domain::Timestamp;
use daybook_eventstore::proof::{
    AddCheckpoint, Note, NoteError, TreeHash, TreeHead, VerifyingKey, cosignature, is_consistent,
};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::ask::{Answer, Client};
use self::error::Failed;
pub use self::list::WitnessAddress;
use super::{gauge, query, table};
use crate::runtime::Context;

/// How long all of one attempt may take: the databases, and a witness that must be asked again with another proof.
const LIMIT: Duration = Duration::from_secs(30);
/// The pause after a failure, growing from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));
/// How long witnesses may take for what is signed when the notary ends. They are asked again when it begins.
const END: Duration = Duration::from_secs(3);
/// How often a witness may say that it signed another checkpoint last, in one attempt.
const TRIES: u32 = 3;
/// How far the witness's clock may be from ours.
const CLOCKS: Duration = Duration::from_hours(1);

/// The witnesses, each with what asks it. Cloning shares them.
#[derive(Clone, Default)]
pub(super) struct Witnesses(Arc<[(WitnessAddress, Client)]>);

/// Their tasks; they end with this.
pub(super) struct Asking {
    signed: watch::Sender<u64>,
    tasks: JoinSet<()>,
}

/// What one witness is asked.
struct Asked {
    client: Client,
    address: WitnessAddress,
    log: VerifyingKey,
    context: Context,
    /// How many events the last checkpoint is of that it signed, as far as is known.
    last: u64,
    /// What went wrong last, until something goes right; nothing when it is not known yet.
    condition: Option<Result<(), Failed>>,
}

impl Witnesses {
    /// These, none of which was asked yet.
    ///
    /// # Errors
    /// When nobody can be asked from here, as without certificates.
    pub(super) fn try_new(addresses: Vec<WitnessAddress>) -> Result<Self, reqwest::Error> {
        let asked = addresses.into_iter().map(|address| Ok((address, Client::try_new()?)));
        asked.collect::<Result<Vec<_>, _>>().map(|asked| Self(asked.into()))
    }

    /// Begins to ask each for whatever is signed with this key, from the checkpoint of so many events on.
    pub(super) fn begin(&self, context: &Context, log: &VerifyingKey, signed: u64) -> Asking {
        let (sender, receiver) = watch::channel(signed);
        let mut tasks = JoinSet::new();
        for (address, client) in self.0.iter() {
            let asked = Asked {
                client: client.clone(),
                address: address.clone(),
                log: log.clone(),
                context: context.clone(),
                last: 0,
                condition: None,
            };
            tasks.spawn(asked.run(receiver.clone()));
        }
        Asking { signed: sender, tasks }
    }
}

impl Asking {
    /// So many events are signed now. Nobody waits for the witnesses.
    pub(super) fn signed(&self, size: u64) {
        self.signed.send_if_modified(|signed| std::mem::replace(signed, size) != size);
    }

    /// Waits a moment for those who have not signed the last checkpoint yet.
    pub(super) async fn end(mut self) {
        drop(self.signed);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        // Whoever is late is asked when the next notary begins.
        drop(tokio::time::timeout(END, ended).await);
    }
}

impl Asked {
    /// Asks whenever there is something new, until there will be nothing more.
    async fn run(mut self, mut signed: watch::Receiver<u64>) {
        self.recall().await;
        let (mut done, mut pause) = (self.last, PAUSE.0);
        loop {
            let wanted = *signed.borrow_and_update();
            if wanted <= done {
                if signed.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let attempt = tokio::time::timeout(LIMIT, self.attempt()).await;
            match attempt.unwrap_or(Err(Failed::Late)) {
                Ok(size) => {
                    // Also when less than that is kept any more: there is nothing to ask for until more is signed.
                    (done, pause) = (size.max(wanted), PAUSE.0);
                    self.tell("cosigned", Ok(()));
                }
                Err(failed) => {
                    self.tell(failed.outcome(), Err(failed));
                    // By then there may be a later one, which is then the one to sign.
                    tokio::select! {
                        () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSE.1),
                        _closed = signed.wait_for(|_| false) => return,
                    }
                }
            }
        }
    }

    /// What the witness signed last, as far as that was kept. Not to know it costs one question more.
    async fn recall(&mut self) {
        let found = query::recently_cosigned(&self.context.read, &self.address.key);
        let Ok(Ok(Some(note))) = tokio::time::timeout(LIMIT, found).await else { return };
        let Ok(note) = note.parse::<Note>() else { return };
        if let (Ok(head), Ok(Some(at))) = (TreeHead::of(&note, &self.log), note.verify(&self.address.key)) {
            self.last = head.size;
            self.measure(head.size, at);
        }
    }

    /// Asks for a signature of the newest checkpoint, and keeps it. Tells how many events that is of.
    async fn attempt(&mut self) -> Result<u64, Failed> {
        let read = &self.context.read;
        let note: Note = query::checkpoint(read).await?.ok_or(NoteError::Unsigned)?.parse()?;
        // What others signed of it is not its business, and what was signed with another key it may not know.
        let head = TreeHead::of(&note, &self.log)?;
        let mut checkpoint = note.signed_by(std::slice::from_ref(&self.log));
        let mut old = self.last.min(head.size);
        for _ in 0..TRIES {
            let path = proof(read, old, &head).await?;
            let asked = AddCheckpoint { old, path, checkpoint };
            match self.client.ask(&self.address.url, &asked).await? {
                Answer::Signed(lines) => {
                    self.keep(&lines, &asked.checkpoint, &head).await?;
                    return Ok(head.size);
                }
                Answer::Elsewhere(size) if size > head.size => return Err(self.ahead(size).await),
                Answer::Elsewhere(size) => old = size,
            }
            checkpoint = asked.checkpoint;
        }
        Err(Failed::Restless)
    }

    /// What it means that the witness has signed more than the notary has: when the tree is made again, nothing.
    async fn ahead(&self, witness: u64) -> Failed {
        match self.context.log.reader.head().await {
            Ok(head) if u64::try_from(head.position).is_ok_and(|log| log >= witness) => Failed::Behind,
            Ok(head) => Failed::Ahead { witness, log: head.position },
            Err(error) => error.into(),
        }
    }

    /// Keeps what the witness answered, if that is its signature of this.
    async fn keep(&mut self, lines: &str, checkpoint: &Note, head: &TreeHead) -> Result<(), Failed> {
        let (signature, at) = cosignature(lines, checkpoint, &self.address.key).map_err(Failed::False)?;
        let apart = (at - self.context.clock.now()).abs().to_std().unwrap_or(Duration::MAX);
        if apart > CLOCKS {
            return Err(Failed::Untimely { at });
        }
        table::cosign(&self.context.read, head.size, checkpoint.text(), signature).await?;
        self.last = head.size;
        self.measure(head.size, at);
        Ok(())
    }

    fn measure(&self, size: u64, at: Timestamp) {
        let witness = self.address.key.name().to_owned();
        metrics::gauge!("daybook_notary_cosigned_position", "witness" => witness.clone()).set(gauge(size));
        let seconds = u64::try_from(at.timestamp()).unwrap_or(0);
        metrics::gauge!("daybook_notary_cosigned_timestamp_seconds", "witness" => witness)
            .set(gauge(seconds));
    }

    /// Counts what came of an attempt, and says what has changed since the one before.
    fn tell(&mut self, outcome: &'static str, now: Result<(), Failed>) {
        let witness = self.address.key.name();
        metrics::counter!("daybook_notary_cosignatures_total", "witness" => witness.to_owned(), "outcome" => outcome)
            .increment(1);
        let is_news = match (&self.condition, &now) {
            (Some(Ok(())), Ok(())) => false,
            (Some(Err(before)), Err(now)) => !before.is_like(now),
            (None | Some(_), _) => true,
        };
        if is_news {
            match &now {
                Ok(()) => tracing::info!(witness, position = self.last, "a witness co-signs"),
                Err(failed) => {
                    let error = failed as &dyn std::error::Error;
                    if failed.is_dispute() {
                        tracing::error!(
                            witness,
                            error,
                            "a witness disputes the log: it may have been replaced"
                        );
                    } else {
                        tracing::warn!(witness, error, "a witness does not co-sign; it is asked again");
                    }
                }
            }
        }
        self.condition = Some(now);
    }
}

/// What proves that the head begins with the tree of `old` entries. A tree that is not kept as it was signed proves nothing,
/// and a witness would say of the log what is only wrong with the tree.
async fn proof(read: &PgPool, old: u64, head: &TreeHead) -> Result<Vec<TreeHash>, Failed> {
    let path = query::consistency(read, old, head.size).await?.ok_or(Failed::Damaged)?;
    let signed: Option<TreeHead> = match query::checkpoint_after(read, old).await? {
        Some(note) => Some(note.parse::<Note>()?.text().parse()?),
        None => None,
    };
    let before = signed.filter(|signed| signed.size == old);
    let is_wrong = |before: &TreeHead| !is_consistent((old, before.root), (head.size, head.root), &path);
    if before.as_ref().is_some_and(is_wrong) { Err(Failed::Damaged) } else { Ok(path) }
}

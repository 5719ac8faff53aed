//! Importing history: many commands in large chunks, each one commit, each command with the outcome that the appender
//! would have given it. What a chunk needs is looked up and its events are sent while the chunk before is written; only
//! then, and for a chunk at a time, is the head row locked, so that live appends go on in between.

mod failure;
mod judge;
mod line;
mod send;

use std::collections::VecDeque;
use std::sync::Arc;

use futures::stream::Fuse;
use futures::{Stream, StreamExt as _};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::judge::Before;
use self::line::Line;
use self::send::Sent;
use crate::append::{Append, Appended, Keeper};
use crate::error::StoreError;

/// How many chunks are on their way: one that is written, and one that is made ready.
const LINES: usize = 2;
/// The most parts and events in one chunk, unless a single command has more.
const MAX_ROWS: usize = 8_192;
/// The most bytes in one chunk, unless a single command has more.
const MAX_BYTES: usize = 4 << 20;

/// An import of commands. Whoever does not ask for outcomes holds it up, and whoever drops it ends it: the chunks on
/// their way then take effect or do not, each as a whole and in their order. Importing the same commands again goes on
/// from there, since a command takes effect once.
///
/// It holds four chunks at most, each of 4 MB of payload and metadata or of one command.
#[derive(Debug)]
pub struct Import<S> {
    commands: Fuse<S>,
    max_rows: usize,
    gathered: Chunk,
    idle: Vec<Line>,
    keeper: Keeper,
    aloft: VecDeque<JoinHandle<Landed>>,
    /// When the last chunk that was sent off is done, for the next one.
    turn: Option<oneshot::Receiver<Option<Before>>>,
}

/// A connection that is free again, and what became of its chunk.
type Landed = (Line, Result<Sent, StoreError>);

/// The next commands.
#[derive(Debug, Default)]
struct Chunk {
    commands: Vec<Append>,
    rows: usize,
    bytes: usize,
}

impl Chunk {
    const fn is_full(&self, max_rows: usize) -> bool {
        self.rows >= max_rows || self.bytes >= MAX_BYTES
    }

    fn push(&mut self, command: Append) {
        self.rows += command.rows();
        let events = command.parts.iter().flat_map(|part| &part.events);
        self.bytes += events.map(|event| event.payload.len() + event.metadata.len()).sum::<usize>();
        self.commands.push(command);
    }
}

impl<S: Stream<Item = Append> + Unpin> Import<S> {
    pub(crate) fn of(database: &PgConnectOptions, commands: S) -> Self {
        Self {
            commands: commands.fuse(),
            max_rows: MAX_ROWS,
            gathered: Chunk::default(),
            idle: (0..LINES).map(|_| Line::to(database)).collect(),
            keeper: Keeper::start(database.clone()),
            aloft: VecDeque::with_capacity(LINES),
            turn: None,
        }
    }

    /// The same in chunks of at most so many parts and events: 8,192 otherwise, or 4,096 commands of one event, which keep
    /// live appends waiting for about 25 ms. Smaller ones are slower.
    #[must_use]
    pub fn in_chunks_of(mut self, max_rows: usize) -> Self {
        self.max_rows = max_rows.max(1);
        self
    }

    /// What became of the next commands, in their order, once that is committed; nothing when there are no more. What the
    /// database refuses as such, JSON that is none for example, is that command's error and nobody else's.
    ///
    /// It takes whole chunks from the stream first, as many as can be on their way, and gives no outcome before that. A stream
    /// that yields nothing more until it has seen the outcomes of what it yielded stops the import for good.
    ///
    /// # Errors
    /// When the database fails or does not answer in time. Then this is the end; what was on its way may have taken
    /// effect or not.
    pub async fn next(&mut self) -> Result<Option<Vec<Result<Appended, StoreError>>>, StoreError> {
        if self.idle.is_empty() && self.aloft.is_empty() {
            return Ok(None);
        }
        loop {
            self.gather().await;
            if self.gathered.commands.is_empty() || self.idle.is_empty() {
                break;
            }
            self.send_off();
        }
        let Some(first) = self.aloft.front_mut() else { return Ok(None) };
        let landed = first.await;
        self.aloft.pop_front();
        match landed {
            Ok((line, Ok(outcomes))) => {
                self.idle.push(line);
                self.send_off();
                if let Some(position) = outcomes.iter().rev().flatten().find_map(Appended::reached) {
                    self.keeper.reached(position);
                }
                Ok(Some(outcomes))
            }
            Ok((_, Err(error))) => Err(self.end(error)),
            Err(_lost) => Err(self.end(StoreError::Closed)),
        }
    }

    async fn gather(&mut self) {
        while !self.gathered.is_full(self.max_rows)
            && let Some(command) = self.commands.next().await
        {
            self.gathered.push(command);
        }
    }

    /// Sends off what was gathered, when a connection is free.
    fn send_off(&mut self) {
        if self.gathered.commands.is_empty() {
            return;
        }
        let Some(line) = self.idle.pop() else { return };
        let chunk = Arc::new(std::mem::take(&mut self.gathered).commands);
        let (done, turn) = oneshot::channel();
        let before = self.turn.replace(turn);
        self.aloft.push_back(tokio::spawn(send::send(line, chunk, before, done)));
    }

    /// Nothing takes effect any more after what failed.
    fn end(&mut self, error: StoreError) -> StoreError {
        self.idle.clear();
        self.gathered = Chunk::default();
        self.aloft.drain(..).for_each(|chunk| chunk.abort());
        error
    }
}

impl<S> Drop for Import<S> {
    fn drop(&mut self) {
        self.aloft.iter().for_each(JoinHandle::abort);
    }
}

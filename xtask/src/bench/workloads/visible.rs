//! Reading one's own writes: how long from sending a mutation until a replica shows it.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::api::Document;
use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;

use super::super::load::Worker;
use super::cart::Filler;
use super::{Seat, Stage};

const CART: &str = "query ($id: ID!, $after: Position) { cart(id: $id, after: $after) { id totalQuantity } }";
/// How many writes a second all clients together make.
const WRITES: u32 = 500;
/// How long the read models may take to have everything.
const PATIENCE: Duration = Duration::from_mins(2);
const GLANCE: Duration = Duration::from_millis(100);

/// A client that writes at a steady pace and reads each write back.
struct Reader<'a> {
    filler: Filler<'a>,
    cart: Document,
    every: Duration,
    next: Instant,
}

impl<'a> Reader<'a> {
    fn new(stage: &'a Stage, seat: Seat) -> Self {
        let every = Duration::from_secs(1) / WRITES * u32::try_from(seat.clients).unwrap_or(u32::MAX);
        let (filler, cart) = (Filler::new(stage, seat), Document::new(CART));
        // The clients take turns.
        let turn = every * u32::try_from(seat.client).unwrap_or_default()
            / u32::try_from(seat.clients.max(1)).unwrap_or(1);
        Self { filler, cart, every, next: Instant::now() + turn }
    }

    /// Waits for its turn. Whoever is late goes at once, and does not try to catch up.
    fn take_turn(&mut self) {
        let now = Instant::now();
        thread::sleep(self.next.saturating_duration_since(now));
        self.next = self.next.max(now) + self.every;
    }

    fn write_and_read(&mut self) -> Result<u64> {
        let (id, position) = self.filler.add()?;
        let variables = json!({ "id": id, "after": position });
        let read = self.filler.client.query(&self.cart, &variables);
        match read {
            Ok(data) if data["cart"]["id"].is_string() => Ok(position.parse().unwrap_or_default()),
            Ok(data) => Err(Failure::new(format!("a cart that was written is not there: {data}"))),
            Err(error) => Err(Failure::new(format!("cannot read a write back: {error}"))),
        }
    }
}

impl Worker for Reader<'_> {
    fn once(&mut self) -> Result<Duration> {
        self.filler.make_room()?;
        self.take_turn();
        let began = Instant::now();
        self.write_and_read()?;
        Ok(began.elapsed())
    }
}

/// From sending a mutation to the end of a query that demands at least its position.
pub(super) fn write_to_visible(stage: &Stage, seat: Seat) -> Box<dyn Worker + '_> {
    Box::new(Reader::new(stage, seat))
}

/// Waits until the read models have what was written so far, so that one workload's backlog is not measured with
/// the next. Says how many events there are.
pub(in super::super) fn settle(stage: &Stage, interrupt: &Interrupt) -> Result<u64> {
    let mut reader = Reader::new(stage, Seat { client: 0, clients: 1 });
    let until = Instant::now() + PATIENCE;
    reader.filler.make_room()?;
    loop {
        interrupt.check()?;
        match reader.write_and_read() {
            Ok(position) => return Ok(position),
            Err(failure) if Instant::now() >= until => return Err(failure),
            Err(_) => thread::sleep(GLANCE),
        }
    }
}

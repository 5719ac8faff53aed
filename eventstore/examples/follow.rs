//! Follows a log and counts its events by type, from its beginning and then as it grows:
//! `cargo run --package daybook-eventstore --example follow postgres://user:password@host/database [UNTIL]`; it ends after
//! the position `UNTIL`.

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::collections::BTreeMap;
use std::error::Error;

use daybook_eventstore::{Checkpoint, Feed, FeedSource, LogReader, Position, Upcasters, Wake};
use sqlx::PgPool;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("which database?")?;
    let until: Position = arguments.next().map_or(Ok(Position::MAX), |position| position.parse())?;
    let pool = PgPool::connect(&url).await?;
    let (wake, _listening) = Wake::listen(pool.clone());
    let source =
        FeedSource { reader: LogReader::new(pool), wake, stream: None, upcasters: Upcasters::default() };

    // Whoever keeps the checkpoint with what was made of the events goes on from there after a crash, with none twice and
    // none left out. It has the hash of its last event: in another log, or one that became shorter, it is refused.
    let start = Checkpoint::origin(&source.reader).await?;
    let mut feed = Feed::open(source, "counts", &start).await?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    while feed.checkpoint().position < until {
        for event in feed.next(1_000).await? {
            *counts.entry(event.event_type).or_default() += 1;
        }
        println!("{}: {counts:?}", feed.checkpoint().position);
    }
    Ok(())
}

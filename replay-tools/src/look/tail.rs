//! `tail`: the end of the log, and what comes after it.

use std::process::ExitCode;

use clap::Args;
use daybook_eventstore::process::Failure;
use daybook_eventstore::{Checkpoint, Feed, FeedSource, Position, Selection, Wake};

use super::seen::Seen;
use super::select::Wanted;
use super::{Log, READ, nothing, say};
use crate::stop::stop_on_signal;

/// Which events, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    wanted: Wanted,
    /// Begin at this position; otherwise at the last `--last`
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    from: Option<Position>,
    /// How many of the log's last events are looked at, when no position is given
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(0..))]
    last: Position,
    /// Go on as the log grows, until told to stop
    #[arg(long, short)]
    follow: bool,
    /// Show them as JSON, an object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(log: Log, asked: Tail) -> Result<ExitCode, Failure> {
    let filter = asked.wanted.filter()?;
    let head = log.reader.head().await?.position;
    let after = asked.from.map_or(head - asked.last, |from| from - 1).clamp(0, head);
    let mut shown = 0_u64;
    let mut show = |event: &Seen| {
        if !asked.wanted.includes(event) {
            return Ok(());
        }
        shown += 1;
        say(&event.told(asked.json)?)
    };
    let end = Checkpoint::head(&log.reader).await?;
    let mut scan = log.reader.scan(Selection::after(after).until(end.position).only(filter.clone()), READ);
    while let Some(batch) = scan.next().await? {
        for event in batch.events() {
            show(&Seen::of(event, &log.upcasters)?)?;
        }
    }
    if !asked.follow {
        return Ok(if shown == 0 { nothing("there is no such event") } else { ExitCode::SUCCESS });
    }
    let stop = stop_on_signal()?;
    let (wake, _listening) = Wake::listen(log.pool.clone());
    let upcasters = log.upcasters.clone();
    let source = FeedSource { reader: log.reader, upcasters: log.upcasters, wake, stream: None };
    let mut feed = Feed::open(source, "tail", &end).await?.only(filter);
    loop {
        let events = tokio::select! {
            () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
            events = feed.next(READ) => events?,
        };
        for event in events {
            show(&Seen::of_recorded(&event, &upcasters))?;
        }
    }
}

//! `tail`: the end of the log, and what comes after it.

use std::collections::VecDeque;
use std::process::ExitCode;

use clap::Args;
use daybook_eventstore::process::Failure;
use daybook_eventstore::{Checkpoint, Feed, FeedSource, Filter, Position, Selection, Wake};

use super::seen::Seen;
use super::select::Wanted;
use super::{Log, READ, nothing, say};
use crate::stop::stop_on_signal;

/// How many positions are looked at first, and how many times as many then.
const FIRST: Position = 4_096;
const MORE: Position = 16;

/// Which events, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    wanted: Wanted,
    /// Begin at this position; otherwise with the last `--last`
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    from: Option<Position>,
    /// How many are shown, the last ones there are, when no position is given
    #[arg(long, default_value_t = 20)]
    last: usize,
    /// Go on as the log grows, until told to stop
    #[arg(long, short)]
    follow: bool,
    /// Show them as JSON, an object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(log: Log, asked: Tail) -> Result<ExitCode, Failure> {
    let filter = asked.wanted.filter()?;
    let end = Checkpoint::head(&log.reader).await?;
    let mut shown = 0_u64;
    let mut show = |event: &Seen| {
        if !asked.wanted.includes(event) || asked.from.is_some_and(|from| event.position < from) {
            return Ok(());
        }
        shown += 1;
        say(&event.told(asked.json)?)
    };
    match asked.from {
        None => {
            for event in last(&log, &asked, &filter, end.position).await? {
                show(&event)?;
            }
        }
        Some(from) => {
            let selection = Selection::after(from - 1).until(end.position).only(filter.clone());
            let mut scan = log.reader.scan(selection, READ);
            while let Some(batch) = scan.next().await? {
                for event in batch.events() {
                    show(&Seen::of(event, &log.upcasters)?)?;
                }
            }
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

/// The last events that are wanted, looked for in ever larger parts of the log's end.
async fn last(log: &Log, asked: &Tail, filter: &Filter, end: Position) -> Result<VecDeque<Seen>, Failure> {
    let mut window = FIRST;
    loop {
        let (after, mut found) = ((end - window).max(0), VecDeque::new());
        let mut scan = log.reader.scan(Selection::after(after).until(end).only(filter.clone()), READ);
        while let Some(batch) = scan.next().await? {
            for event in batch.events() {
                let event = Seen::of(event, &log.upcasters)?;
                if asked.wanted.includes(&event) {
                    found.push_back(event);
                }
                if found.len() > asked.last {
                    found.pop_front();
                }
            }
        }
        if found.len() >= asked.last || after == 0 {
            return Ok(found);
        }
        window = window.saturating_mul(MORE);
    }
}

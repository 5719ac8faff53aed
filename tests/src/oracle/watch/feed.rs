//! Following as projectors do: a feed from a checkpoint, given up now and then and opened again where it was.

use daybook_eventstore::{Checkpoint, Feed, FeedSource, Filter, StoreError};

use super::super::dice::Dice;
use super::super::history::Wants;
use super::super::writer::order::stream;
use super::{Notes, PAUSE};

/// How many events are taken before the feed is given up, at most.
const LIFE: u64 = 6_000;
/// How long who wants some events only may be away, in milliseconds: long enough that the log is searched for them then.
const ABSENCE: u64 = 20_000;

/// Follows the log through feeds.
pub(crate) async fn feed(source: FeedSource, mut dice: Dice, notes: Notes) {
    let (mut at, filter) = (None, filter(&notes.wants()));
    loop {
        if let Err(error) = follow(&source, &filter, &mut at, &mut dice, &notes).await {
            notes.failed(&error);
            tokio::time::sleep(PAUSE).await;
        }
        if !filter.is_everything() && dice.percent(30) {
            tokio::time::sleep(dice.between(0, ABSENCE)).await;
        }
    }
}

fn filter(wants: &Wants) -> Filter {
    match wants {
        Wants::All => Filter::default(),
        Wants::Type(wanted) => Filter::default().of_aggregates([*wanted]),
        Wants::Streams(wanted) => Filter::default().of_streams(wanted.iter().map(|name| stream(name))),
    }
}

async fn follow(
    source: &FeedSource,
    filter: &Filter,
    at: &mut Option<Checkpoint>,
    dice: &mut Dice,
    notes: &Notes,
) -> Result<(), StoreError> {
    let from = match *at {
        Some(at) => at,
        None => *at.insert(Checkpoint::origin(&source.reader).await?),
    };
    let mut feed = Feed::open(source.clone(), "oracle", &from).await?.only(filter.clone());
    let end = from.position + i64::try_from(dice.below(LIFE)).unwrap_or(0);
    while feed.checkpoint().position < end {
        let max = usize::try_from(1 + dice.below(600)).unwrap_or(1);
        match feed.next(max).await {
            Ok(mut events) => {
                events.extend(feed.at_hand(max));
                notes.saw(&events);
                *at = Some(feed.checkpoint());
                notes.passed(feed.checkpoint().position);
            }
            Err(error @ StoreError::LogDiverged { .. }) => return Err(error),
            // The same call may be made again.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    Ok(())
}

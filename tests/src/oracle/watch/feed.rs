//! Following as projectors do: a feed from a checkpoint, given up now and then and opened again where it was.

use daybook_eventstore::{Checkpoint, Feed, FeedSource, StoreError};

use super::super::dice::Dice;
use super::{Notes, PAUSE};

/// How many events are taken before the feed is given up, at most.
const LIFE: u64 = 6_000;

/// Follows the log through feeds.
pub(crate) async fn feed(source: FeedSource, mut dice: Dice, notes: Notes) {
    let mut at = None;
    loop {
        if let Err(error) = follow(&source, &mut at, &mut dice, &notes).await {
            notes.failed(&error);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn follow(
    source: &FeedSource,
    at: &mut Option<Checkpoint>,
    dice: &mut Dice,
    notes: &Notes,
) -> Result<(), StoreError> {
    let from = match *at {
        Some(at) => at,
        None => *at.insert(Checkpoint::origin(&source.reader).await?),
    };
    let mut feed = Feed::open(source.clone(), "oracle", &from).await?;
    let mut left = usize::try_from(dice.below(LIFE)).unwrap_or(0);
    while left > 0 {
        let max = usize::try_from(1 + dice.below(600)).unwrap_or(1);
        match feed.next(max).await {
            Ok(mut events) => {
                events.extend(feed.at_hand(max));
                notes.saw(&events);
                *at = Some(feed.checkpoint());
                left = left.saturating_sub(events.len());
            }
            Err(error @ StoreError::LogDiverged { .. }) => return Err(error),
            // The same call may be made again.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    Ok(())
}

//! `partitions`: what whoever keeps the log does with old events. Positions never change, and nothing here reads an event.

use clap::{Args, Subcommand};
use daybook_eventstore::process::config::{ConfigError, Settings, keys};
use daybook_eventstore::process::{Failure, pool};
use daybook_eventstore::{Archives, Partition, Position};

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Partitions {
    /// Which there are, where their events are, and their files
    List,
    /// Move old events into a partition of their own
    Cut(Cut),
    /// Write a partition's events to a file
    Archive(Which),
    /// Take the oldest partition out of the database, when its file has all of its events
    Detach(Which),
    /// Bring the newest partition that was taken out back from its file
    Attach(Which),
}

/// How much.
#[derive(Debug, Args)]
pub(crate) struct Cut {
    /// The last position that goes; whole blocks of 4,096 do
    #[arg(long, default_value_t = Position::MAX)]
    upto: Position,
    /// How many of the newest events stay
    #[arg(long, default_value_t = 1_000_000)]
    keep: i64,
}

/// Which partition.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The position of its last event
    last: Position,
}

/// Does what was asked.
pub(crate) async fn run(settings: &Settings, asked: Partitions) -> Result<(), Failure> {
    let events = settings.required(keys::EVENTS_URL)?;
    let partitions = daybook_eventstore::Partitions::new(pool(&events, 2, "daybook-replay"));
    match asked {
        Partitions::List => {
            for partition in partitions.list().await? {
                say(&line(&partition));
            }
        }
        Partitions::Cut(Cut { upto, keep }) => match partitions.cut(upto, keep).await? {
            Some(partition) => say(&line(&partition)),
            None => say("there are no old events beyond the last partition"),
        },
        Partitions::Archive(Which { last }) => {
            say(&partitions.archive(last, &archives(settings)?).await?.display().to_string());
        }
        Partitions::Detach(Which { last }) => {
            partitions.detach(last, &archives(settings)?).await?;
            say(&format!("the events up to position {last} are in files only"));
        }
        Partitions::Attach(Which { last }) => {
            partitions.attach(last, &archives(settings)?).await?;
            say(&format!("the partition that ends at position {last} is in the database again"));
        }
    }
    Ok(())
}

fn archives(settings: &Settings) -> Result<Archives, ConfigError> {
    settings.required(keys::ARCHIVES)
}

fn line(partition: &Partition) -> String {
    let place = match (partition.attached, partition.is_archived()) {
        (true, false) => "in the database",
        (true, true) => "in the database and a file",
        (false, _) => "in a file",
    };
    format!("{} to {}: {place}", partition.first, partition.last)
}

/// Says what was found or done.
#[expect(clippy::print_stdout, reason = "it is for whoever asked for it")]
fn say(done: &str) {
    println!("{done}");
}

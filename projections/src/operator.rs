//! Opening what an operator asks the read models through, as the settings say.

use std::sync::Arc;

use daybook_domain::Clock;
use daybook_eventstore::process::config::{Settings, keys};
use daybook_eventstore::process::{Failure, pool};
use daybook_eventstore::{FeedSource, LogReader, Upcasters, Wake};

use crate::runtime::Context;
use crate::runtime::admin::Admin;
use crate::servers::Servers;

/// A few at once: following two versions, writing, comparing, and looking at the register.
const POOL: u32 = 8;

/// The operator's hand on the read models of these settings; the servers see it as `name`. It follows the log itself,
/// never the stream.
///
/// # Errors
/// When a setting is missing or wrong, or a server it names cannot be used.
pub fn open(settings: &Settings, name: &str, clock: Arc<dyn Clock>) -> Result<Admin, Failure> {
    let (events, read) = (settings.required(keys::EVENTS_URL)?, settings.required(keys::READ_URL)?);
    let archives = settings.optional(keys::ARCHIVES)?;
    let servers = Servers::load(settings)?;
    let (events, read) = (pool(&events, POOL, name), pool(&read, POOL, name));
    // It listens as long as the program runs.
    let (wake, _listening) = Wake::listen(events.clone());
    let log = FeedSource {
        reader: LogReader::new(events).with_archives(archives),
        upcasters: Upcasters::of_the_shop(),
        wake,
        stream: None,
    };
    let targets = servers.targets(read.clone())?;
    Ok(Admin::new(Context { log, read, clock }, targets))
}

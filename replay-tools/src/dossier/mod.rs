//! `dossier`: the whole story of one order, with its money as double-entry books and a proof of every event, for a person to read,
//! print and keep. Nothing here writes anything but the file that was asked for, and what personal data is sealed stays so.

mod evidence;
mod html;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use daybook_domain::OrderId;
use daybook_eventstore::process::config::{Settings, keys};
use daybook_eventstore::process::{Failure, pool};
use daybook_eventstore::proof::VerifyingKey;
use daybook_eventstore::{LogReader, Upcasters};

use self::evidence::{Evidence, Sources};
use crate::look::{nothing, say};
use crate::proof::EXIT_FALSE;

/// How many connections it takes to each database.
const CONNECTIONS: u32 = 2;

/// Which, and how it is shown.
#[derive(Debug, Args)]
pub(crate) struct DossierOf {
    /// The order's id, as events name it
    order: OrderId,
    /// Write it to this file as one page that needs nothing else, with the proofs in it
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// The log's key, as `notary-key` shows it: the checkpoint must be signed with it
    #[arg(long, value_name = "KEY")]
    key: Option<VerifyingKey>,
    /// Show it as JSON: one object
    #[arg(long, conflicts_with = "html")]
    json: bool,
}

/// Shows it: 4 when there is no such order, and 3 when something of it is not what was signed.
pub(crate) async fn run(settings: &Settings, asked: DossierOf) -> Result<ExitCode, Failure> {
    let read = pool(&settings.required(keys::READ_URL)?, CONNECTIONS, "daybook-replay");
    let log = LogReader::new(pool(&settings.required(keys::EVENTS_URL)?, CONNECTIONS, "daybook-replay"));
    let log = log.with_archives(settings.optional(keys::ARCHIVES)?);
    let sources = Sources { log, read, upcasters: Upcasters::of_the_shop() };
    let Some(evidence) = Evidence::find(&sources, asked.order, asked.key.as_ref()).await? else {
        return Ok(nothing(&format!("there is no order {}", asked.order)));
    };
    match asked.html {
        Some(file) => {
            std::fs::write(&file, html::page(&evidence)?)
                .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
            say(&format!("{} events of order {} in {}", evidence.facts.len(), asked.order, file.display()))?;
        }
        None if asked.json => say(&serde_json::to_string(&evidence)?)?,
        None => text::lines(&evidence).iter().try_for_each(|line| say(line))?,
    }
    if evidence.is_as_signed() { Ok(ExitCode::SUCCESS) } else { Ok(ExitCode::from(EXIT_FALSE)) }
}

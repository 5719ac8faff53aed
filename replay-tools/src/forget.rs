//! `forget`: a person's key is destroyed, and who asked for it is on record. Nothing here reads what was sealed.

use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use daybook_commands::use_cases::{ForgottenAgain, forget_again, forget_person};
use daybook_commands::{Shop, ShopConfig};
use daybook_domain::{CommandId, SubjectId};
use daybook_eventstore::process::config::Settings;
use daybook_eventstore::process::{Failure, SystemClock, SystemIds};
use daybook_eventstore::{CommandContext, Fingerprint, Position};

use crate::bar::Bar;
use crate::look::{nothing, say};

/// What the servers see this program as.
const NAME: &str = "daybook-replay";
/// Who is on record.
const ACTOR: &str = "operator:daybook-replay";
/// How many people are looked up at once.
const AT_ONCE: usize = 1_000;

/// Whom.
#[derive(Debug, Args)]
pub(crate) struct Forget {
    /// A customer, or the cart of a guest: the id as the API shows it, or its UUID
    #[arg(required_unless_present = "again")]
    subjects: Vec<Subject>,
    /// Everybody again whom the log says was forgotten: after keys came back with a backup
    #[arg(long, conflicts_with = "subjects")]
    again: bool,
}

/// Somebody, as the API or the log names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Subject(SubjectId);

impl FromStr for Subject {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let global = || {
            let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
            let named = String::from_utf8(bytes).ok()?;
            let (kind, id) = named.split_once(':')?;
            ["Customer", "Cart"].contains(&kind).then(|| id.parse().ok())?
        };
        let subject = text.parse().ok().or_else(global).map(Self);
        subject.ok_or("it is the id of a customer or of a guest's cart as the API shows it, or its UUID")
    }
}

/// Forgets whom it was asked to: 4 when nothing was ever sealed for one of them.
pub(crate) async fn run(settings: &Settings, asked: Forget) -> Result<ExitCode, Failure> {
    let config = ShopConfig::load(settings)?;
    let opened = config.connect(NAME, Arc::new(SystemClock), Arc::new(SystemIds));
    if asked.again {
        return again(&opened.shop).await;
    }
    let subjects: Vec<SubjectId> = asked.subjects.into_iter().map(|Subject(subject)| subject).collect();
    let mut code = ExitCode::SUCCESS;
    for some in subjects.chunks(AT_ONCE) {
        let known = opened.shop.vault.keys(some).await?;
        for subject in some {
            // A slip of the pen must not go on record as somebody's wish.
            let Some(key) = known.get(subject) else {
                code = nothing(&format!("nothing was ever sealed for {subject}"));
                continue;
            };
            let before = key.is_forgotten();
            forget(&opened.shop, *subject).await?;
            say(&if before {
                format!("{subject} had been forgotten already")
            } else {
                format!("{subject} is forgotten: the key to what was sealed for them is destroyed")
            })?;
        }
    }
    Ok(code)
}

async fn forget(shop: &Shop, subject: SubjectId) -> Result<(), Failure> {
    let command_id = CommandId::generate(shop.ids.as_ref());
    let context = CommandContext {
        command_id,
        fingerprint: Fingerprint::of(&[b"forget", subject.uuid().as_bytes()]),
        actor: ACTOR.to_owned(),
        correlation_id: command_id.uuid(),
        causation_id: None,
        traceparent: None,
        occurred_at: shop.clock.now(),
    };
    forget_person(shop, &context, subject).await?;
    Ok(())
}

/// Destroys the keys again of all whom the log says were forgotten.
async fn again(shop: &Shop) -> Result<ExitCode, Failure> {
    let mut bar: Option<Bar> = None;
    let done = forget_again(shop, |position, head| {
        let count = |position: Position| u64::try_from(position).unwrap_or(0);
        let (done, of) = (count(position), count(head));
        bar.get_or_insert_with(|| Bar::new("events", done, of)).reach(done, of);
    })
    .await;
    if let Some(bar) = bar {
        bar.clear();
    }
    let ForgottenAgain { people, came_back } = done?;
    say(&format!(
        "{people} people were forgotten; {came_back} of them were not so in the vault, and are again"
    ))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_named_as_by_the_api_or_by_the_log() {
        let uuid = "019aa5b2-0000-7000-8000-000000000001";
        let subject = Ok(Subject(uuid.parse().unwrap()));
        assert_eq!(uuid.parse(), subject);
        for kind in ["Customer", "Cart"] {
            assert_eq!(URL_SAFE_NO_PAD.encode(format!("{kind}:{uuid}")).parse(), subject);
        }
        for wrong in [&URL_SAFE_NO_PAD.encode(format!("Order:{uuid}")), "ada", ""] {
            assert!(wrong.parse::<Subject>().is_err(), "{wrong}");
        }
    }
}

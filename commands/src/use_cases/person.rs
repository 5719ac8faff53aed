//! People: forgetting one, and forgetting again.

use daybook_domain::SubjectId;
use daybook_domain::person::{PersonCommand, PersonEvent};
use daybook_eventstore::{CommandContext, Filter, Position, RecordedEvent, Selection, StoreError};

use super::error::UseCaseError;
use super::outcome::Done;
use crate::shop::Shop;

/// How many people are forgotten again at once.
const AT_ONCE: usize = 1_000;

/// Forgets a person: what was sealed for them can never be read again, anywhere. Who asked for it is recorded first;
/// the key is destroyed every time, since whoever asked before may have been cut off in between.
///
/// # Errors
/// When the store or the vault fails.
pub async fn forget_person(
    shop: &Shop,
    context: &CommandContext,
    subject: SubjectId,
) -> Result<Done<SubjectId>, UseCaseError> {
    let command = PersonCommand::Forget { subject_id: subject };
    let recorded = shop.people.execute(&subject.to_string(), command, context, "{}").await?;
    shop.vault.forget(subject).await?;
    Ok(Done::from(recorded).map(|_person| subject))
}

/// Who was forgotten again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ForgottenAgain {
    /// How many people the log says were forgotten.
    pub people: u64,
    /// How many of them were not so in the vault: their keys had come back, or were never destroyed.
    pub came_back: u64,
}

/// Destroys the keys once more of all whom the log says were forgotten: a backup of the vault may have brought some back. Tells
/// how far in the log it is, and how far that goes.
///
/// # Errors
/// When the store or the vault fails. Whom it came to is forgotten then, and the next run begins anew.
pub async fn forget_again(
    shop: &Shop,
    mut tell: impl FnMut(Position, Position),
) -> Result<ForgottenAgain, UseCaseError> {
    let reader = shop.store.reader();
    let head = reader.head().await?.position;
    let types = PersonEvent::TYPES.iter().map(|event| event.name);
    let forgetting = Selection::after(0).until(head).only(Filter::default().of_types(types));
    let (mut scan, mut done) = (reader.scan(forgetting, AT_ONCE), ForgottenAgain::default());
    while let Some(batch) = scan.next().await? {
        let mut subjects = Vec::new();
        for event in batch.events() {
            let event = event.to_recorded()?;
            tell(event.position, head);
            subjects.push(forgotten(shop, event)?);
            done.people += 1;
        }
        done.came_back += shop.vault.forget_all(&subjects).await?;
    }
    Ok(done)
}

/// Whom an event is about.
fn forgotten(shop: &Shop, event: RecordedEvent) -> Result<SubjectId, StoreError> {
    let event = shop.store.upcasters().upcast(&event)?.unwrap_or(event);
    match serde_json::from_str(&event.payload) {
        Ok(PersonEvent::Forgotten { subject_id }) => Ok(subject_id),
        Err(source) => Err(StoreError::Undecodable { what: "event", of: event.position.to_string(), source }),
    }
}

//! People: forgetting one.

use daybook_domain::SubjectId;
use daybook_domain::person::PersonCommand;
use daybook_eventstore::CommandContext;

use super::error::UseCaseError;
use super::outcome::Done;
use crate::shop::Shop;

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

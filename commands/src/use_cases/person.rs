//! People: forgetting one.

use daybook_domain::SubjectId;

use super::error::UseCaseError;
use super::outcome::Done;
use crate::shop::Shop;

/// Forgets a person: what was sealed for them can never be read again, anywhere.
///
/// # Errors
/// When the vault fails.
pub async fn forget_person(shop: &Shop, subject: SubjectId) -> Result<Done<SubjectId>, UseCaseError> {
    shop.vault.forget(subject).await?;
    Ok(Done { value: subject, position: None, replayed: false })
}

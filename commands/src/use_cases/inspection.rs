//! Inspections: recording what an auditor is about to be shown.

use daybook_domain::InspectionId;
use daybook_domain::inspection::{Inspected, InspectionCommand};
use daybook_eventstore::CommandContext;

use super::error::UseCaseError;
use super::outcome::Done;
use crate::shop::Shop;

/// Records that the actor is about to be shown this. Whoever shows it does so only once this has succeeded.
///
/// # Errors
/// When the store fails.
pub async fn record_inspection(
    shop: &Shop,
    context: &CommandContext,
    inspection_id: InspectionId,
    of: Vec<Inspected>,
) -> Result<Done<InspectionId>, UseCaseError> {
    let command = InspectionCommand::Record { inspection_id, of };
    let recorded = shop.inspections.execute(&inspection_id.to_string(), command, context, "{}").await?;
    Ok(Done::from(recorded).map(|_inspection| inspection_id))
}

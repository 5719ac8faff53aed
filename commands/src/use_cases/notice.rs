//! What a gateway says unasked.

use daybook_eventstore::{CommandContext, Fingerprint};
use uuid::Uuid;

use super::error::UseCaseError;
use crate::gateway::GatewayNotice;
use crate::shop::Shop;

/// Tells a payment what its gateway said. Said again, or after the payment knows it already, it changes nothing.
///
/// # Errors
/// When there is no such payment, or it cannot take this.
pub async fn take_notice(shop: &Shop, gateway: &str, notice: GatewayNotice) -> Result<(), UseCaseError> {
    let context = CommandContext {
        command_id: notice.command_id(),
        fingerprint: fingerprint(&notice)?,
        actor: format!("gateway:{gateway}"),
        correlation_id: notice.correlation_id,
        causation_id: None::<Uuid>,
        traceparent: notice.traceparent.clone(),
        occurred_at: shop.clock.now(),
    };
    let id = notice.payment_id.to_string();
    shop.payments.execute(&id, notice.command(), &context, "{}").await?;
    Ok(())
}

fn fingerprint(notice: &GatewayNotice) -> Result<Fingerprint, UseCaseError> {
    let text = serde_json::to_vec(notice).map_err(UseCaseError::Outcome)?;
    Ok(Fingerprint::of(&[b"gateway notice", &text]))
}

//! A credit note: the units go back into stock, and what was paid for them goes back to the customer.

use std::collections::BTreeMap;

use daybook_domain::payment::PaymentCommand;
use daybook_domain::{Currency, Money, RefundId};
use daybook_eventstore::Fingerprint;
use futures::future::try_join_all;

use super::error::ImportError;
use super::plan::{Document, Return};
use super::sell::{Bought, name};
use super::stock;
use super::story::{Desk, Story};

/// Restocks and refunds everything on the credit note: one refund for each order it takes back from.
pub(super) async fn take_back(desk: &Desk, note: &Return) -> Result<(), ImportError> {
    let mut refunds: BTreeMap<Document, i64> = BTreeMap::new();
    let mut restocked = Vec::new();
    for (line, number) in note.lines.iter().zip(1..) {
        for taken in &line.from {
            let amount = line.unit_price.minor().saturating_mul(taken.quantity.count());
            let sum = refunds.entry(taken.order).or_default();
            *sum = sum.saturating_add(amount);
            let step = format!("return line {number} of {}", taken.order);
            restocked.push((taken, line.listing.variant_id, step));
        }
    }
    let steps = restocked.iter().flat_map(|(_, _, step)| [stock::note_step(step), step.clone()]);
    let steps = steps.chain(refunds.keys().flat_map(|order| [request_step(*order), record_step(*order)]));
    let told = (content(note), note.at);
    let story = Story::begin(desk, name(note.document), told, steps).await?;
    let restocked = restocked.iter().map(|(taken, variant_id, step)| {
        stock::restock(&story, Bought::of(taken.order).order, *variant_id, taken.quantity, step)
    });
    try_join_all(restocked).await?;
    try_join_all(refunds.into_iter().map(|(order, minor)| refund(&story, note, order, minor))).await?;
    Ok(())
}

/// The fingerprint of what the file says, and of which orders it was matched with.
fn content(note: &Return) -> Fingerprint {
    let header = format!("{} {}", note.at, note.customer);
    let lines = note.lines.iter().map(|line| {
        let from: Vec<String> =
            line.from.iter().map(|taken| format!("{}x{}", taken.quantity.get(), taken.order)).collect();
        format!("{} {} {}", line.listing.sku, line.unit_price, from.join(" "))
    });
    let parts: Vec<String> = std::iter::once(header).chain(lines).collect();
    let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    Fingerprint::of(&parts)
}

async fn refund(story: &Story<'_>, note: &Return, order: Document, minor: i64) -> Result<(), ImportError> {
    let (payments, id) = (&story.shop().payments, Bought::of(order).payment.to_string());
    let refund_id = RefundId::derived(story.id, &format!("refund of {order}"));
    let request = PaymentCommand::RequestRefund {
        refund_id,
        amount: Money::new(minor, Currency::GBP),
        reason: format!("credit note {}", note.document),
    };
    story.tell(payments, &id, &request_step(order), request).await?;
    let refunded = PaymentCommand::RecordRefunded { refund_id };
    story.tell(payments, &id, &record_step(order), refunded).await
}

fn request_step(order: Document) -> String {
    format!("request refund of {order}")
}

fn record_step(order: Document) -> String {
    format!("record refund of {order}")
}

//! A payment as clients see it after a mutation or by its id; an order shows more of it.

use std::sync::Arc;

use async_graphql::{ID, SimpleObject};
use daybook_domain::payment::Payment as Aggregate;
use daybook_projections::orders::OrderRow;

use crate::graphql::id::global;
use crate::graphql::money::MoneyV2;

/// What is held, taken and paid back for an order.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Payment {
    /// Its id.
    #[graphql(owned)]
    pub(crate) id: ID,
    /// The order it is for.
    pub(super) order_id: ID,
    /// What the gateway holds or held, captured parts included.
    authorised: MoneyV2,
    /// What it took.
    captured: MoneyV2,
    /// What went back.
    refunded: MoneyV2,
    /// What can still be captured.
    capturable: MoneyV2,
    /// What can still be refunded.
    refundable: MoneyV2,
}

impl Payment {
    /// An order's payment, once it was asked for.
    pub(crate) fn of_order(order: &OrderRow) -> Option<Self> {
        let payment = &order.payment;
        Some(Self {
            id: global(&payment.payment_id?),
            order_id: global(&order.order_id),
            authorised: payment.authorised.into(),
            captured: payment.captured.into(),
            refunded: payment.refunded.into(),
            capturable: payment.capturable().into(),
            refundable: payment.refundable().into(),
        })
    }
}

impl From<Arc<Aggregate>> for Payment {
    fn from(payment: Arc<Aggregate>) -> Self {
        let request = payment.request();
        Self {
            id: global(&request.map(|request| request.payment_id).unwrap_or_default()),
            order_id: global(&request.map(|request| request.order_id).unwrap_or_default()),
            authorised: payment.authorised().into(),
            captured: payment.captured().into(),
            refunded: payment.refunded().into(),
            capturable: payment.capturable().into(),
            refundable: payment.refundable().into(),
        }
    }
}

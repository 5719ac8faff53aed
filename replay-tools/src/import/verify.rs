//! Whether the money is right: what each order was paid and paid back, as the event store has it, against the lines.

use std::collections::HashMap;

use daybook_commands::Shop;
use daybook_domain::{Currency, Money};

use super::error::ImportError;
use super::plan::{Account, Document};
use super::sell::{Bought, name};

/// How many payments are loaded at once.
const BATCH: usize = 500;

/// What the store says was paid and paid back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Booked {
    pub(super) captured: Money,
    pub(super) refunded: Money,
}

/// Compares every order's payment with its lines, to the penny.
pub(super) async fn check(shop: &Shop, accounts: &HashMap<Document, Account>) -> Result<Booked, ImportError> {
    let mut expected: Vec<(Document, Account)> =
        accounts.iter().map(|(doc, account)| (*doc, *account)).collect();
    expected.sort_unstable_by_key(|(document, _)| *document);
    let mut wrong = Vec::new();
    let (mut captured, mut refunded) = (0_i64, 0_i64);
    for batch in expected.chunks(BATCH) {
        let ids: Vec<String> =
            batch.iter().map(|(document, _)| Bought::of(*document).payment.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for ((document, account), payment) in batch.iter().zip(shop.payments.load_many(&ids).await?) {
            let booked = (payment.state.captured().minor(), payment.state.refunded().minor());
            if booked != (account.paid, account.refunded) {
                wrong.push(name(*document));
            }
            captured = captured.saturating_add(booked.0);
            refunded = refunded.saturating_add(booked.1);
        }
    }
    let money = |minor| Money::new(minor, Currency::GBP);
    match wrong.first() {
        None => Ok(Booked { captured: money(captured), refunded: money(refunded) }),
        Some(first) => Err(ImportError::MoneyDiffers { wrong: wrong.len(), first: first.clone() }),
    }
}

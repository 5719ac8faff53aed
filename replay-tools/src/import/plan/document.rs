//! The plans: what a sale and a return consist of.

use std::fmt;
use std::sync::Arc;

use daybook_domain::{CountryCode, Money, ProductId, Quantity, Sku, Timestamp, VariantId};
use tokio::sync::OnceCell;

use super::super::document_id;
use super::super::line::InvoiceNumber;

/// An invoice or credit note, or a part of one: an invoice with more lines than a cart holds is several orders, and
/// so is one that the file comes back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::import) struct Document {
    pub(in crate::import) invoice: InvoiceNumber,
    /// From 1.
    pub(in crate::import) part: u16,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            1 => self.invoice.fmt(f),
            part => write!(f, "{}/{part}", self.invoice),
        }
    }
}

/// A stock code as a product.
#[derive(Debug)]
pub(in crate::import) struct Listing {
    pub(in crate::import) product_id: ProductId,
    pub(in crate::import) variant_id: VariantId,
    pub(in crate::import) sku: Sku,
    pub(in crate::import) title: String,
    pub(in crate::import) price: Money,
    /// When it was first sold.
    pub(in crate::import) at: Timestamp,
    /// Set once the product is for sale.
    pub(in crate::import) listed: OnceCell<()>,
}

impl Listing {
    pub(super) fn new(sku: Sku, title: String, price: Money, at: Timestamp) -> Self {
        Self {
            product_id: ProductId::derived(document_id(&format!("product {sku}")), "product"),
            variant_id: VariantId::derived(document_id(&format!("product {sku}")), "variant"),
            sku,
            title,
            price,
            at,
            listed: OnceCell::new(),
        }
    }
}

/// What is to be done for one invoice.
#[derive(Debug)]
pub(in crate::import) struct Unit {
    /// The last line it settles, counted from 1 after the header.
    pub(in crate::import) end: u64,
    /// How many lines it settles: its own, and those rejected before and between them.
    pub(in crate::import) lines: u64,
    pub(in crate::import) work: Work,
}

/// A sale or a return.
#[derive(Debug)]
pub(in crate::import) enum Work {
    Sale(Sale),
    Return(Return),
}

impl Work {
    /// Whose it is: one customer's documents take effect in the file's order.
    pub(in crate::import) const fn customer(&self) -> Option<u32> {
        match self {
            Self::Sale(sale) => sale.customer,
            Self::Return(taken_back) => Some(taken_back.customer),
        }
    }

    /// The products it sells.
    pub(in crate::import) fn sold(&self) -> impl Iterator<Item = &Arc<Listing>> {
        let lines = match self {
            Self::Sale(sale) => sale.lines.as_slice(),
            Self::Return(_) => &[],
        };
        lines.iter().map(|line| &line.listing)
    }
}

/// An invoice.
#[derive(Debug)]
pub(in crate::import) struct Sale {
    pub(in crate::import) document: Document,
    pub(in crate::import) customer: Option<u32>,
    pub(in crate::import) country: CountryCode,
    pub(in crate::import) at: Timestamp,
    pub(in crate::import) lines: Vec<SaleLine>,
    pub(in crate::import) total: Money,
}

/// A line of an invoice.
#[derive(Debug)]
pub(in crate::import) struct SaleLine {
    pub(in crate::import) listing: Arc<Listing>,
    pub(in crate::import) title: String,
    pub(in crate::import) quantity: Quantity,
    pub(in crate::import) unit_price: Money,
    /// How often the invoice has the product before this line.
    pub(in crate::import) repeats: usize,
}

/// A credit note.
#[derive(Debug)]
pub(in crate::import) struct Return {
    pub(in crate::import) document: Document,
    pub(in crate::import) customer: u32,
    pub(in crate::import) at: Timestamp,
    pub(in crate::import) lines: Vec<ReturnLine>,
}

/// A line of a credit note.
#[derive(Debug)]
pub(in crate::import) struct ReturnLine {
    pub(in crate::import) listing: Arc<Listing>,
    pub(in crate::import) unit_price: Money,
    /// The orders it takes units back from.
    pub(in crate::import) from: Vec<Taken>,
}

/// Units taken back from an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::import) struct Taken {
    pub(in crate::import) order: Document,
    pub(in crate::import) quantity: Quantity,
}

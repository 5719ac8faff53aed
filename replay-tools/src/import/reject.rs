//! Why a line of the file is not imported. Every reason is one that a person can check in the line itself or in the
//! lines before it.

/// The reason a line was rejected for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Reason {
    /// It has not the eight fields of a line.
    Garbled,
    /// It is the header once more.
    RepeatedHeader,
    /// A field that every line needs is empty.
    MissingField,
    /// The invoice number is not digits, perhaps after a `C` or an `A`.
    BadInvoiceNumber,
    /// The stock code cannot be a sku.
    BadStockCode,
    /// The quantity is not a whole number, or is larger than any sale.
    BadQuantity,
    /// The date is none.
    BadDate,
    /// The price is not a number, or is larger than any price.
    BadPrice,
    /// The customer is not a number.
    BadCustomer,
    /// The country is not one of those known.
    UnknownCountry,
    /// An `A` invoice: a correction of bad debt.
    BadDebt,
    /// The stock code stands for the shop's own fees, discounts and samples.
    NotASale,
    /// No units.
    ZeroQuantity,
    /// Units that left without being sold: a correction of stock.
    StockCorrection,
    /// A credit note that charges.
    ChargedBack,
    /// A price below nothing.
    NegativePrice,
    /// A price of nothing.
    ZeroPrice,
    /// A price with a fraction of a penny.
    FinerThanAPenny,
    /// Another customer or country than the invoice's first line.
    DiffersFromInvoice,
    /// A credit note without a customer: whose purchase it takes back is not known.
    NobodysReturn,
    /// The customer has not bought that many before, or has returned them.
    NoEarlierSale,
    /// More would be paid back than the customer paid for these orders.
    MoreThanPaid,
}

impl Reason {
    /// Its stable name, in reports.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Garbled => "garbled",
            Self::RepeatedHeader => "repeated_header",
            Self::MissingField => "missing_field",
            Self::BadInvoiceNumber => "bad_invoice_number",
            Self::BadStockCode => "bad_stock_code",
            Self::BadQuantity => "bad_quantity",
            Self::BadDate => "bad_date",
            Self::BadPrice => "bad_price",
            Self::BadCustomer => "bad_customer",
            Self::UnknownCountry => "unknown_country",
            Self::BadDebt => "bad_debt",
            Self::NotASale => "not_a_sale",
            Self::ZeroQuantity => "zero_quantity",
            Self::StockCorrection => "stock_correction",
            Self::ChargedBack => "charged_back",
            Self::NegativePrice => "negative_price",
            Self::ZeroPrice => "zero_price",
            Self::FinerThanAPenny => "finer_than_a_penny",
            Self::DiffersFromInvoice => "differs_from_invoice",
            Self::NobodysReturn => "nobodys_return",
            Self::NoEarlierSale => "no_earlier_sale",
            Self::MoreThanPaid => "more_than_paid",
        }
    }

    /// What it means, for a person.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Garbled => "not the eight fields of a line",
            Self::RepeatedHeader => "the header once more",
            Self::MissingField => "a field that every line needs is empty",
            Self::BadInvoiceNumber => "not an invoice number",
            Self::BadStockCode => "not a stock code",
            Self::BadQuantity => "not a quantity",
            Self::BadDate => "not a date",
            Self::BadPrice => "not a price",
            Self::BadCustomer => "not a customer's number",
            Self::UnknownCountry => "not a country that is known",
            Self::BadDebt => "a correction of bad debt",
            Self::NotASale => "the shop's own fee, discount or sample",
            Self::ZeroQuantity => "no units",
            Self::StockCorrection => "a correction of stock: units below nothing without a credit note",
            Self::ChargedBack => "a credit note that charges",
            Self::NegativePrice => "a price below nothing",
            Self::ZeroPrice => "a price of nothing",
            Self::FinerThanAPenny => "a price with a fraction of a penny",
            Self::DiffersFromInvoice => "another customer or country than the invoice's first line",
            Self::NobodysReturn => "a credit note without a customer",
            Self::NoEarlierSale => "a return of more than the customer bought before and has not returned",
            Self::MoreThanPaid => "a refund of more than the customer paid for these orders",
        }
    }
}

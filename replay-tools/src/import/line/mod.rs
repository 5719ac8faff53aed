//! One line of the file, as its fields say it. Nothing here knows the lines around it.

use std::borrow::Cow;
use std::fmt;

use chrono::{NaiveDateTime, TimeZone, Utc};
use csv::ByteRecord;
use daybook_domain::product::{MAX_PRICE, MAX_TITLE};
use daybook_domain::{CountryCode, Currency, Money, MoneyError, Quantity, Sku, Timestamp};

use super::country;
use super::reject::Reason;

/// The header of the file.
pub(super) const HEADER: [&str; 8] = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
];

/// The forms a date is read in: ISO 8601 with and without seconds, and as the published spreadsheet shows it.
const DATES: [&str; 5] =
    ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M"];

/// Stock codes that stand for no sale, whatever their sign: what a marketplace and a charity were paid, a bad debt,
/// a discount, samples. Postage, carriage, manual entries and bank charges are charged to the customer, and are
/// ordinary lines.
const NO_SALES: [&str; 5] = ["AMAZONFEE", "B", "CRUK", "D", "S"];

/// The number of an invoice, or of a credit note (a `C` before the digits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct InvoiceNumber {
    /// Whether it takes back what was sold.
    pub(super) is_credit_note: bool,
    number: u32,
}

impl fmt::Display for InvoiceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.is_credit_note { "C" } else { "" };
        write!(f, "{prefix}{}", self.number)
    }
}

/// A line that may be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) invoice: InvoiceNumber,
    pub(super) sku: Sku,
    /// What the shopper saw; the stock code when the line does not say.
    pub(super) title: String,
    /// How many were sold, or taken back by a credit note.
    pub(super) quantity: Quantity,
    pub(super) unit_price: Money,
    pub(super) at: Timestamp,
    pub(super) customer: Option<u32>,
    pub(super) country: CountryCode,
}

/// Whether these are the names of the fields.
pub(super) fn is_header(record: &ByteRecord) -> bool {
    record.len() == HEADER.len()
        && record.iter().zip(HEADER).all(|(field, name)| text(field).eq_ignore_ascii_case(name))
}

/// Reads a line, or says why it cannot be imported.
pub(super) fn parse(record: &ByteRecord) -> Result<Line, Reason> {
    if is_header(record) {
        return Err(Reason::RepeatedHeader);
    }
    let fields: Vec<Cow<'_, str>> = record.iter().map(text).collect();
    let [invoice, sku, title, quantity, at, price, customer, country] = fields.as_slice() else {
        return Err(Reason::Garbled);
    };
    if [invoice, sku, quantity, at, price, country].iter().any(|field| field.is_empty()) {
        return Err(Reason::MissingField);
    }
    let invoice = invoice_number(invoice)?;
    let sku = Sku::try_new(sku.to_uppercase()).map_err(|_| Reason::BadStockCode)?;
    let quantity: i64 = quantity.parse().map_err(|_| Reason::BadQuantity)?;
    let at = date(at).ok_or(Reason::BadDate)?;
    let unit_price = self::price(price);
    let customer = self::customer(customer)?;
    let country = country::find(country).ok_or(Reason::UnknownCountry)?;
    if NO_SALES.contains(&sku.as_str()) {
        return Err(Reason::NotASale);
    }
    let quantity = units(invoice, quantity)?;
    let title = shown(title).unwrap_or_else(|| sku.to_string());
    Ok(Line { invoice, sku, title, quantity, unit_price: unit_price?, at, customer, country })
}

/// A field's text without the space around it. What is not UTF-8 is what Excel writes: Latin-1.
fn text(field: &[u8]) -> Cow<'_, str> {
    let field = field.trim_ascii();
    std::str::from_utf8(field)
        .map_or_else(|_| Cow::Owned(field.iter().map(|byte| char::from(*byte)).collect()), Cow::Borrowed)
}

fn invoice_number(text: &str) -> Result<InvoiceNumber, Reason> {
    let (prefix, digits) = match text.as_bytes() {
        [b'0'..=b'9', ..] => (None, text),
        [first, ..] if first.is_ascii() => (Some(first.to_ascii_uppercase()), &text[1..]),
        _ => return Err(Reason::BadInvoiceNumber),
    };
    let well_formed = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|_| well_formed).ok_or(Reason::BadInvoiceNumber)?;
    match prefix {
        None => Ok(InvoiceNumber { is_credit_note: false, number }),
        Some(b'C') => Ok(InvoiceNumber { is_credit_note: true, number }),
        Some(b'A') => Err(Reason::BadDebt),
        Some(_) => Err(Reason::BadInvoiceNumber),
    }
}

/// The file does not say in which zone its times are; they are taken as UTC, which is what London has in winter.
fn date(text: &str) -> Option<Timestamp> {
    let local = DATES.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    Some(Utc.from_utc_datetime(&local))
}

fn price(text: &str) -> Result<Money, Reason> {
    let price = match Money::parse(text, Currency::GBP) {
        Ok(price) => price,
        Err(MoneyError::NotAnAmount) if is_decimal(text) => {
            return Err(if text.starts_with('-') { Reason::NegativePrice } else { Reason::FinerThanAPenny });
        }
        Err(MoneyError::NotAnAmount | MoneyError::OutOfRange | MoneyError::CurrencyMismatch { .. }) => {
            return Err(Reason::BadPrice);
        }
    };
    match price.minor() {
        ..0 => Err(Reason::NegativePrice),
        0 => Err(Reason::ZeroPrice),
        1..=MAX_PRICE => Ok(price),
        _ => Err(Reason::BadPrice),
    }
}

/// Whether the text is a number with digits before and after the point.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    unsigned.split_once('.').is_some_and(|(whole, fraction)| digits(whole) && digits(fraction))
}

/// A number, also in the form that spreadsheets give to a column with gaps (`17850.0`).
fn customer(text: &str) -> Result<Option<u32>, Reason> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.strip_suffix(".0").unwrap_or(text);
    let well_formed = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| well_formed).map(Some).ok_or(Reason::BadCustomer)
}

fn units(invoice: InvoiceNumber, quantity: i64) -> Result<Quantity, Reason> {
    let units = match (invoice.is_credit_note, quantity) {
        (_, 0) => return Err(Reason::ZeroQuantity),
        (false, ..0) => return Err(Reason::StockCorrection),
        (true, 1..) => return Err(Reason::ChargedBack),
        (false, units) => units,
        (true, units) => units.checked_neg().ok_or(Reason::BadQuantity)?,
    };
    Quantity::try_new(units).map_err(|_| Reason::BadQuantity)
}

/// The description as a title: one line, no control characters, no longer than titles are.
fn shown(description: &str) -> Option<String> {
    let visible: String = description.chars().filter(|c| !c.is_control()).take(MAX_TITLE).collect();
    let visible = visible.trim();
    (!visible.is_empty()).then(|| visible.to_owned())
}

#[cfg(test)]
mod tests;

use super::*;

/// The fields of a good line, with one of them replaced.
fn with(index: usize, field: &str) -> ByteRecord {
    let mut fields =
        ["536365", "85123a", " HEART HOLDER ", "6", "2010-12-01T08:26:00", "2.55", "17850", "EIRE"];
    fields[index] = field;
    ByteRecord::from(fields.as_slice())
}

fn reason(index: usize, field: &str) -> Reason {
    parse(&with(index, field)).expect_err("a rejected line")
}

#[test]
fn a_line_is_read_field_by_field() {
    let line = parse(&with(0, "536365")).expect("a line");
    assert_eq!(line.invoice.to_string(), "536365");
    assert_eq!(line.sku.as_str(), "85123A");
    assert_eq!(line.title, "HEART HOLDER");
    assert_eq!((line.quantity.get(), line.unit_price.minor()), (6, 255));
    assert_eq!(line.at.to_rfc3339(), "2010-12-01T08:26:00+00:00");
    assert_eq!((line.customer, line.country.as_str()), (Some(17850), "IE"));
}

#[test]
fn dates_are_read_in_the_forms_that_the_file_comes_in() {
    for text in ["2010-12-01 08:26", "2010-12-01 08:26:00", "12/1/2010 8:26", "12/01/2010 08:26"] {
        let line = parse(&with(4, text)).expect("a line");
        assert_eq!(line.at.to_rfc3339(), "2010-12-01T08:26:00+00:00", "{text}");
    }
    for text in ["13/1/2010 8:26", "2010-02-30T00:00:00", "yesterday"] {
        assert_eq!(reason(4, text), Reason::BadDate, "{text}");
    }
}

#[test]
fn a_customer_may_be_missing_or_come_from_a_spreadsheet() {
    assert_eq!(parse(&with(6, "")).expect("a line").customer, None);
    assert_eq!(parse(&with(6, "17850.0")).expect("a line").customer, Some(17850));
    for text in ["17850.5", "seventeen", "-1", "+1", "99999999999"] {
        assert_eq!(reason(6, text), Reason::BadCustomer, "{text}");
    }
}

#[test]
fn a_price_is_whole_pennies_above_nothing() {
    assert_eq!(parse(&with(5, "2.5")).expect("a line").unit_price.minor(), 250);
    assert_eq!(parse(&with(5, "2.5500")).expect("a line").unit_price.minor(), 255);
    assert_eq!(reason(5, "0.001"), Reason::FinerThanAPenny);
    assert_eq!(reason(5, "0"), Reason::ZeroPrice);
    assert_eq!(reason(5, "0.00"), Reason::ZeroPrice);
    assert_eq!(reason(5, "-11062.06"), Reason::NegativePrice);
    assert_eq!(reason(5, "-0.001"), Reason::NegativePrice);
    for text in ["2,55", "1e3", "£2.55", "2.", ".5", "NaN", "99999999999999999999"] {
        assert_eq!(reason(5, text), Reason::BadPrice, "{text}");
    }
}

#[test]
fn a_quantity_below_nothing_needs_a_credit_note() {
    assert_eq!(reason(3, "-1"), Reason::StockCorrection);
    assert_eq!(reason(3, "0"), Reason::ZeroQuantity);
    assert_eq!(reason(3, "1000001"), Reason::BadQuantity);
    assert_eq!(reason(3, "six"), Reason::BadQuantity);
    assert_eq!(reason(0, "C536365"), Reason::ChargedBack);
    let mut taken_back = with(0, "C536365");
    taken_back =
        taken_back.iter().map(|field| if field == b"6" { b"-6".as_slice() } else { field }).collect();
    let line = parse(&taken_back).expect("a line");
    assert!(line.invoice.is_credit_note);
    assert_eq!(line.quantity.get(), 6);
}

#[test]
fn what_is_no_sale_is_told_apart() {
    assert_eq!(reason(0, "A563185"), Reason::BadDebt);
    for code in ["AMAZONFEE", "B", "CRUK", "D", "S", "d"] {
        assert_eq!(reason(1, code), Reason::NotASale, "{code}");
    }
    for code in ["POST", "DOT", "C2", "M", "m", "BANK CHARGES", "gift_0001_40", "PADS"] {
        assert!(parse(&with(1, code)).is_ok(), "{code}");
    }
}

#[test]
fn what_cannot_be_read_is_rejected_with_its_reason() {
    assert_eq!(parse(&ByteRecord::from(vec!["536365", "85123A"])), Err(Reason::Garbled));
    assert_eq!(parse(&ByteRecord::from(HEADER.as_slice())), Err(Reason::RepeatedHeader));
    for index in [0, 1, 3, 4, 5, 7] {
        assert_eq!(reason(index, " "), Reason::MissingField, "field {index}");
    }
    for invoice in ["X536365", "C", "53 6365", "-1", "99999999999", "é"] {
        assert_eq!(reason(0, invoice), Reason::BadInvoiceNumber, "{invoice}");
    }
    assert_eq!(reason(1, "8512\u{e9}"), Reason::BadStockCode);
    assert_eq!(reason(7, "Atlantis"), Reason::UnknownCountry);
}

#[test]
fn a_title_is_never_missing_too_long_or_unprintable() {
    assert_eq!(parse(&with(2, "")).expect("a line").title, "85123A");
    assert_eq!(parse(&with(2, "A\tB\u{0}C")).expect("a line").title, "ABC");
    assert_eq!(parse(&with(2, &"x".repeat(300))).expect("a line").title.len(), MAX_TITLE);
}

#[test]
fn text_from_a_spreadsheet_is_latin_1() {
    assert_eq!(text(b" Voucher \xa310.00 "), "Voucher \u{a3}10.00");
    assert_eq!(text("Voucher £10.00".as_bytes()), "Voucher £10.00");
}

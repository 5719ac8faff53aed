use super::*;

/// What a file of these lines comes to; each is `invoice stock-code quantity price customer`.
fn plan(lines: &[&str]) -> (Vec<Unit>, Vec<Reason>, Outcome) {
    let (mut planner, mut units, mut rejected) = (Planner::default(), Vec::new(), Vec::new());
    for line in lines {
        let read = planner.read(&record(line));
        units.extend(read.unit);
        rejected.extend(read.rejected);
    }
    let (last, outcome) = planner.finish();
    units.extend(last);
    (units, rejected, outcome)
}

fn record(line: &str) -> ByteRecord {
    let fields: Vec<&str> = line.split(' ').collect();
    let [invoice, code, quantity, price, customer] = fields.as_slice() else {
        return ByteRecord::from(fields);
    };
    let customer = if *customer == "-" { "" } else { customer };
    let at = "2010-12-01T08:26:00";
    ByteRecord::from(vec![*invoice, code, "A THING", quantity, at, price, customer, "United Kingdom"])
}

fn sale(unit: &Unit) -> &Sale {
    match &unit.work {
        Work::Sale(sale) => sale,
        Work::Return(_) => panic!("not a sale"),
    }
}

/// Which units of which orders a return takes back, line by line.
fn taken(unit: &Unit) -> Vec<Vec<(String, u32)>> {
    let Work::Return(note) = &unit.work else { panic!("not a return") };
    let of = |line: &ReturnLine| {
        line.from.iter().map(|taken| (taken.order.to_string(), taken.quantity.get())).collect()
    };
    note.lines.iter().map(of).collect()
}

fn orders(expected: &[(&str, u32)]) -> Vec<(String, u32)> {
    expected.iter().map(|(order, units)| ((*order).to_owned(), *units)).collect()
}

#[test]
fn the_lines_of_an_invoice_are_one_sale() {
    let (units, rejected, outcome) = plan(&["1 A 2 1.50 7", "1 X 1 0.05 7", "2 A 1 1.60 -"]);
    assert_eq!(rejected, []);
    assert_eq!(units.iter().map(|unit| (unit.end, unit.lines)).collect::<Vec<_>>(), [(2, 2), (3, 1)]);
    assert_eq!((sale(&units[0]).total.minor(), sale(&units[0]).customer), (305, Some(7)));
    assert_eq!((sale(&units[1]).total.minor(), sale(&units[1]).customer), (160, None));
    assert!(Arc::ptr_eq(&sale(&units[0]).lines[0].listing, &sale(&units[1]).lines[0].listing));
    assert_eq!(outcome.tally.sales, Side { documents: 2, lines: 3, money: Money::new(465, GBP) });
}

const GBP: daybook_domain::Currency = daybook_domain::Currency::GBP;

#[test]
fn a_product_twice_on_an_invoice_stays_two_lines() {
    let (units, ..) = plan(&["1 A 2 1.50 7", "1 X 1 1.00 7", "1 A 1 1.20 7", "1 A 1 1.20 7"]);
    let repeats: Vec<usize> = sale(&units[0]).lines.iter().map(|line| line.repeats).collect();
    assert_eq!(repeats, [0, 0, 1, 2]);
}

#[test]
fn an_invoice_longer_than_a_cart_or_met_again_comes_in_parts() {
    let mut lines: Vec<String> = (0..=MAX_LINES).map(|number| format!("1 A{number} 1 1.00 7")).collect();
    lines.extend(["2 A1 1 1.00 8".to_owned(), "1 A1 1 1.00 7".to_owned()]);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (units, rejected, outcome) = plan(&lines);
    assert_eq!(rejected, []);
    let parts: Vec<(String, usize)> =
        units.iter().map(|unit| (sale(unit).document.to_string(), sale(unit).lines.len())).collect();
    let expected = [("1", MAX_LINES), ("1/2", 1), ("2", 1), ("1/3", 1)];
    assert_eq!(parts, expected.map(|(name, lines)| (name.to_owned(), lines)));
    assert_eq!(outcome.tally.imported, outcome.tally.lines);
}

#[test]
fn a_rejected_line_does_not_end_an_invoice() {
    let (units, rejected, outcome) = plan(&["1 A 1 1.00 7", "garbled", "x A 1 1 7", "1 X 1 1.00 7"]);
    assert_eq!(rejected, [Reason::Garbled, Reason::BadInvoiceNumber]);
    assert_eq!((units.len(), sale(&units[0]).lines.len(), units[0].end), (1, 2, 4));
    assert_eq!(outcome.tally.imported + outcome.tally.all_rejected(), outcome.tally.lines);
}

#[test]
fn a_line_of_another_customer_is_not_the_invoices() {
    let (_, rejected, _) = plan(&["1 A 1 1.00 7", "1 X 1 1.00 8"]);
    assert_eq!(rejected, [Reason::DiffersFromInvoice]);
}

#[test]
fn a_return_takes_back_the_newest_sale_first() {
    let (units, rejected, outcome) =
        plan(&["1 A 4 1.00 7", "2 A 3 1.00 7", "3 A 9 1.00 8", "C4 A -5 1.00 7"]);
    assert_eq!(rejected, []);
    assert_eq!(taken(&units[3]), [orders(&[("2", 3), ("1", 2)])]);
    assert_eq!(outcome.tally.refunds, Side { documents: 1, lines: 1, money: Money::new(500, GBP) });
    let refunded = |number: usize| outcome.accounts[&sale(&units[number]).document].refunded;
    assert_eq!([refunded(0), refunded(1), refunded(2)], [200, 300, 0]);
}

#[test]
fn nothing_is_taken_back_twice_or_before_it_was_sold() {
    let lines = ["C1 A -1 1.00 7", "2 A 2 1.00 7", "C3 A -1 1.00 7", "C4 A -2 1.00 7", "C5 A -1 1.00 7"];
    let (units, rejected, outcome) = plan(&lines);
    assert_eq!(rejected, [Reason::NoEarlierSale, Reason::NoEarlierSale]);
    assert_eq!(units.len(), 3);
    assert_eq!(units.last().map(|unit| (unit.end, unit.lines)), Some((5, 2)));
    assert_eq!(outcome.tally.refunds.money.minor(), 200);
}

#[test]
fn a_return_of_nobodys_or_of_another_customers_purchase_is_rejected() {
    let (_, rejected, _) = plan(&["1 A 2 1.00 7", "2 A 2 1.00 -", "C3 A -1 1.00 -", "C4 A -1 1.00 8"]);
    assert_eq!(rejected, [Reason::NobodysReturn, Reason::NoEarlierSale]);
}

#[test]
fn no_more_is_paid_back_than_was_paid() {
    let (units, rejected, _) = plan(&["1 A 2 1.00 7", "C2 A -2 1.01 7"]);
    assert_eq!((units.len(), rejected), (1, vec![Reason::MoreThanPaid]));
    // A dearer return is covered by what else the order was paid.
    let (units, rejected, _) = plan(&["1 A 2 1.00 7", "1 X 1 1.00 7", "C2 A -2 1.50 7", "C3 X -1 0.01 7"]);
    assert_eq!((units.len(), rejected), (2, vec![Reason::MoreThanPaid]));
}

#[test]
fn the_lines_of_one_order_are_taken_back_together() {
    let (units, rejected, _) = plan(&["1 A 2 1.00 7", "1 A 3 1.00 7", "C2 A -4 1.00 7"]);
    assert_eq!(rejected, []);
    assert_eq!(taken(&units[1]), [orders(&[("1", 4)])]);
}

#[test]
fn an_order_never_has_more_units_of_a_product_than_a_cart() {
    let (units, rejected, _) = plan(&["1 A 600000 1.00 7", "1 A 600000 1.00 7"]);
    assert_eq!((units.len(), rejected), (1, vec![Reason::BadQuantity]));
}

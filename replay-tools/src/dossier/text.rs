//! A dossier on a terminal.

use super::evidence::{Books, Evidence, Fact, Line, Signature, Signed, Standing, Total};

/// Its lines.
pub(super) fn lines(evidence: &Evidence) -> Vec<String> {
    let mut lines =
        vec![format!("order {}, as of position {}", evidence.order_id, evidence.as_of), String::new()];
    lines.extend(evidence.facts.iter().map(fact));
    for position in &evidence.missing {
        lines.push(format!("✗ {position:>9}  there was an event, and is none any more"));
    }
    lines.push(String::new());
    match &evidence.books {
        Some(books) => lines.extend(books_lines(books)),
        None => lines.push(format!("no books: {}", evidence.no_books.as_deref().unwrap_or_default())),
    }
    lines.push(String::new());
    if evidence.unindexed > 0 {
        let events = evidence.unindexed;
        lines.push(format!(
            "{events} events of the log are not in the index, and may be missing here: see `parked`"
        ));
    }
    lines.push(match &evidence.checkpoint {
        Some(Signed { origin, size, signature, .. }) => match signature {
            Signature::Right => format!("{origin} signed the first {size} events of the log"),
            Signature::Wrong => {
                format!("✗ the checkpoint of {origin} is not signed with that key: it proves nothing")
            }
            Signature::NotChecked => {
                format!("{origin} signed the first {size} events of the log, it says: --key KEY checks it")
            }
        },
        None => "nothing of the log is signed yet".to_owned(),
    });
    lines
}

fn books_lines(books: &Books) -> Vec<String> {
    let mut lines = vec![line("position", "account", "", "debit", "credit")];
    lines.extend(books.ledger.iter().map(posting));
    let total = |total: &Total| line("", "in all", total.currency, &total.debit, &total.credit);
    lines.extend(books.totals.iter().map(total));
    lines.extend([String::new(), line("", "balance", "", "debit", "credit")]);
    lines.extend(books.balances.iter().map(posting));
    lines
}

fn fact(fact: &Fact) -> String {
    let mark = match fact.standing {
        Standing::Proved => "✓",
        Standing::NotSignedYet => " ",
        Standing::NotKnown => "?",
        Standing::NotAsSigned => "✗",
    };
    let cause = fact.caused_by.map(|position| format!("  ← {position}")).unwrap_or_default();
    format!("{mark} {}{cause}", fact.event.line())
}

fn posting(one: &Line) -> String {
    let side = |amount: &Option<String>| amount.clone().unwrap_or_default();
    let position = one.position.map(|position| position.to_string()).unwrap_or_default();
    line(&position, one.account, one.currency, &side(&one.debit), &side(&one.credit))
}

fn line(position: &str, account: &str, currency: &str, debit: &str, credit: &str) -> String {
    format!("{position:>9}  {account:<9} {currency:<3} {debit:>12} {credit:>12}").trim_end().to_owned()
}

//! A dossier on a terminal.

use super::evidence::{Evidence, Fact, Line, Standing};

/// Its lines.
pub(super) fn lines(evidence: &Evidence) -> Vec<String> {
    let mut lines =
        vec![format!("order {}, as of position {}", evidence.order_id, evidence.as_of), String::new()];
    lines.extend(evidence.facts.iter().map(fact));
    lines.extend([String::new(), line("position", "account", "", "debit", "credit")]);
    lines.extend(evidence.ledger.iter().map(posting));
    for total in &evidence.totals {
        lines.push(line("", "in all", total.currency, &total.debit, &total.credit));
    }
    lines.extend([String::new(), line("", "balance", "", "debit", "credit")]);
    lines.extend(evidence.balances.iter().map(posting));
    lines.push(String::new());
    if evidence.unindexed > 0 {
        let events = evidence.unindexed;
        lines.push(format!(
            "{events} events of the log are not in the index, and may be missing here: see `parked`"
        ));
    }
    lines.push(match &evidence.checkpoint {
        Some(signed) => format!("{} signed the first {} events of the log", signed.origin, signed.size),
        None => "nothing of the log is signed yet".to_owned(),
    });
    lines
}

fn fact(fact: &Fact) -> String {
    let mark = match fact.standing {
        Standing::Proved => "✓",
        Standing::NotSignedYet => " ",
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

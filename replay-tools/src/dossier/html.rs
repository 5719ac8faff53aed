//! A dossier as one page that needs nothing else: it can be read, printed and kept, and every proof can be taken out of it.

use std::fmt::{self, Write as _};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use daybook_eventstore::process::Failure;

use super::evidence::{Books, Evidence, Fact, Line, Signature, Standing, Total};

const STYLE: &str = include_str!("style.css");

/// The page.
pub(super) fn page(evidence: &Evidence) -> Result<String, Failure> {
    let mut page = String::new();
    write_page(&mut page, evidence)?;
    Ok(page)
}

/// A text that stands in the page as it is.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

fn write_page(page: &mut String, evidence: &Evidence) -> fmt::Result {
    let order = evidence.order_id;
    write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>Order {order}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>Order {order}</h1>\n"
    )?;
    write_summary(page, evidence)?;
    write!(
        page,
        "<h2>What happened</h2>\n<table class=\"story\">\n<thead><tr><th>Position<th>When<th>What<th>Who<th>Because of<th>Proof</tr></thead>\n"
    )?;
    evidence.facts.iter().try_for_each(|fact| write_fact(page, fact))?;
    page.write_str("</table>\n<h2>The money</h2>\n")?;
    if let Some(books) = &evidence.books {
        write_books(page, books)?;
    } else {
        let why = evidence.no_books.as_deref().unwrap_or_default();
        writeln!(page, "<p class=\"wrong\">There are no books: {}</p>", Plain(why))?;
    }
    write_checking(page, evidence)?;
    page.write_str("</body>\n</html>\n")
}

fn write_books(page: &mut String, books: &Books) -> fmt::Result {
    page.write_str("<table class=\"money\">\n")?;
    page.write_str("<thead><tr><th>Position<th>Account<th>Currency<th>Debit<th>Credit</tr></thead>\n")?;
    books.ledger.iter().try_for_each(|line| write_line(page, line))?;
    for Total { currency, debit, credit } in &books.totals {
        writeln!(page, "<tr class=\"sum\"><td><td>in all<td>{currency}<td>{debit}<td>{credit}</tr>")?;
    }
    page.write_str("</table>\n<h3>What each account comes to</h3>\n<table class=\"money\">\n")?;
    page.write_str("<thead><tr><th><th>Account<th>Currency<th>Debit<th>Credit</tr></thead>\n")?;
    books.balances.iter().try_for_each(|line| write_line(page, line))?;
    page.write_str("</table>\n")
}

fn write_summary(page: &mut String, evidence: &Evidence) -> fmt::Result {
    let proved = evidence.facts.iter().filter(|fact| fact.standing == Standing::Proved).count();
    let wrong = evidence.facts.iter().filter(|fact| fact.standing == Standing::NotAsSigned).count();
    let all = evidence.facts.len();
    write!(
        page,
        "<p>Everything that the log has of this order, its cart, its payment, its parcels and the stock for it, as of position {}: \
         {all} events, {proved} of which are in the log of the checkpoint below.",
        evidence.as_of
    )?;
    if evidence.unindexed > 0 {
        let events = evidence.unindexed;
        write!(
            page,
            " <strong class=\"wrong\">{events} events of the log could not be read, and may be missing here.</strong>"
        )?;
    }
    if wrong > 0 {
        write!(page, " <strong class=\"wrong\">{wrong} are not what was signed.</strong>")?;
    }
    for position in &evidence.missing {
        write!(
            page,
            " <strong class=\"wrong\">At position {position} there was an event, and is none any more.</strong>"
        )?;
    }
    page.write_str("</p>\n")
}

fn write_fact(page: &mut String, fact: &Fact) -> fmt::Result {
    let event = &fact.event;
    let (position, at) = (event.position, event.at().format("%Y-%m-%d %H:%M:%S%.3f UTC"));
    write!(page, "<tr id=\"e{position}\"><td>{position}<td>{at}<td><b>{}</b>", Plain(&event.event_type))?;
    write!(page, "<br><small>{} {}</small>", Plain(&event.aggregate_type), Plain(&event.aggregate_id))?;
    let fields = serde_json::to_string_pretty(&event.fields).unwrap_or_default();
    write!(page, "<details><summary>facts</summary><pre>{}</pre></details>", Plain(&fields))?;
    write!(page, "<td>{}<td>", Plain(event.actor()))?;
    if let Some(cause) = fact.caused_by {
        write!(page, "<a href=\"#e{cause}\">{cause}</a>")?;
    }
    match (fact.standing, &fact.proof) {
        (Standing::Proved, Some(proof)) => {
            let file = STANDARD.encode(proof);
            write!(
                page,
                "<td><a download=\"{position}.tlog-proof\" href=\"data:text/plain;base64,{file}\">proof</a>"
            )?;
        }
        (Standing::NotAsSigned, _) => page.write_str("<td class=\"wrong\">not what was signed")?,
        (Standing::NotKnown, _) => page.write_str("<td>cannot be told now")?,
        (Standing::Proved | Standing::NotSignedYet, _) => page.write_str("<td>not signed yet")?,
    }
    page.write_str("</tr>\n")
}

fn write_line(page: &mut String, line: &Line) -> fmt::Result {
    page.write_str("<tr><td>")?;
    if let Some(position) = line.position {
        write!(page, "<a href=\"#e{position}\">{position}</a>")?;
    }
    let side = |amount: &Option<String>| amount.clone().unwrap_or_default();
    let (debit, credit) = (side(&line.debit), side(&line.credit));
    writeln!(page, "<td>{}<td>{}<td>{debit}<td>{credit}</tr>", line.account, line.currency)
}

fn write_checking(page: &mut String, evidence: &Evidence) -> fmt::Result {
    page.write_str("<h2>How to check it</h2>\n")?;
    let Some(signed) = &evidence.checkpoint else {
        return page.write_str("<p>Nothing of the log is signed yet.</p>\n");
    };
    let checked = match signed.signature {
        Signature::Right => "",
        Signature::Wrong => " <strong class=\"wrong\">It is not signed with the key that was given.</strong>",
        Signature::NotChecked => " Who signed this was not looked at when the page was made.",
    };
    write!(
        page,
        "<p>{} signed the first {} events of its log.{checked} Each link under <i>proof</i> is a file (C2SP <code>tlog-proof</code>) with the \
         event in it. <code>daybook-replay check FILE --key KEY</code> checks it without any database, and so does any tool that \
         knows RFC 6962; have the key from somebody you trust.</p>\n<pre>{}</pre>\n",
        Plain(&signed.origin),
        signed.size,
        Plain(&signed.note)
    )
}

#[cfg(test)]
mod tests {
    use super::Plain;

    #[test]
    fn nothing_of_a_text_is_taken_for_the_page() {
        let text = Plain("<script>alert('&\"')</script>").to_string();
        assert_eq!(text, "&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;");
    }
}

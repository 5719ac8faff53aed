use super::*;

const KNOWN: &[&str] = &["OrderPlaced", "OrderCancelled", "PaymentCaptured"];

/// A projection that is well.
const WELL: &str = "\
-- What it is for.
--! projection takings
--! version 3
--! reads OrderPlaced, PaymentCaptured

--! tables
CREATE TABLE takings (day date PRIMARY KEY, minor bigint); -- a comment; with a semicolon
CREATE INDEX ON takings (minor);

--! on PaymentCaptured
INSERT INTO takings
SELECT occurred_at::date, 1 FROM events;

--! on all
DELETE FROM takings; UPDATE takings SET minor = 0;
";

fn parse(source: &str) -> Result<Projection, FileError> {
    Projection::parse(source, KNOWN)
}

#[test]
fn a_file_is_a_header_tables_and_sections() {
    let projection = parse(WELL).expect("a projection");
    assert_eq!(projection.title(), "takings@3");
    assert_eq!(projection.reads, ["OrderPlaced", "PaymentCaptured"]);
    assert_eq!(projection.shows, Vec::<String>::new());
    let lines: Vec<_> = projection.tables.iter().map(|statement| statement.line).collect();
    assert_eq!(lines, [7, 8]);
    assert_eq!(projection.tables[1].sql, "CREATE INDEX ON takings (minor)");
    let [captured, all] = projection.sections.as_slice() else { panic!("two sections: {projection:?}") };
    assert_eq!(captured.types, ["PaymentCaptured"]);
    assert_eq!(captured.statements[0].line_of(1), 11);
    assert_eq!(captured.statements[0].line_of("INSERT INTO takings\nS".len()), 12);
    assert_eq!(all.types, ["OrderPlaced", "PaymentCaptured"]);
    let all: Vec<_> =
        all.statements.iter().map(|statement| (statement.sql.as_str(), statement.line)).collect();
    assert_eq!(all, [("DELETE FROM takings", 15), ("UPDATE takings SET minor = 0", 15)]);
}

#[test]
fn another_text_is_another_file() {
    let other = format!("{WELL}-- more");
    assert_eq!(parse(WELL).expect("a projection"), parse(WELL).expect("a projection"));
    assert_ne!(parse(WELL).expect("one").digest, parse(&other).expect("another").digest);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (from, to, line, told) in [
        ("projection takings", "projection Takings", 2, "is no name"),
        ("projection takings", "projektion takings", 2, "means nothing"),
        ("--! projection takings\n", "", 14, "no --! projection"),
        ("version 3", "version 0", 3, "a whole number from 1"),
        ("version 3", "version 3\n--! version 3", 4, "belongs to the header, once"),
        ("reads OrderPlaced, ", "reads Placed, OrderPlaced, ", 4, "is it OrderPlaced?"),
        ("on all", "on PaymentCaptured", 4, "nothing is done with OrderPlaced"),
        ("on PaymentCaptured", "on OrderCancelled", 10, "not among what the header says"),
        ("on PaymentCaptured", "on", 10, "on which events?"),
        ("--! tables\n", "", 6, "belongs to --! tables"),
        ("FROM events;", "FROM events", 11, "has no semicolon"),
        ("minor = 0;", "minor = 0", 15, "has no semicolon"),
        ("DELETE FROM takings", "DROP TABLE takings", 15, "INSERT, UPDATE, DELETE, MERGE, WITH"),
        ("DELETE FROM takings", "COMMIT", 15, "and nothing else"),
        ("DELETE FROM takings", "SET ROLE postgres", 15, "and nothing else"),
        ("CREATE INDEX", "CREATE FUNCTION", 8, "does not make a \"function\""),
        ("CREATE INDEX", "CREATE TEMP TABLE", 8, "does not make a \"temp\""),
        ("day date", "day date DEFAULT current_date", 7, "another time"),
        ("day date", "day serial", 7, "each time"),
        ("SELECT occurred_at", "SELECT now()", 12, "another time"),
        ("SELECT occurred_at", "SELECT pg_catalog.random()", 12, "each time"),
        ("SELECT occurred_at", "SELECT 'a", 12, "has no end"),
    ] {
        let source = WELL.replace(from, to);
        assert_ne!(source, WELL, "{from} is there");
        let wrong = parse(&source).expect_err(to);
        assert!(wrong.what.contains(told), "{to}: {wrong}");
        assert_eq!(wrong.line, line, "{to}: {wrong}");
    }
}

#[test]
fn columns_may_have_the_names_of_functions() {
    let source = WELL.replace("minor bigint", "minor bigint, now text, random text");
    parse(&source).expect("they are not called");
}

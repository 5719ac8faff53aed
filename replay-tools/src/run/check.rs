//! `run --check`: what would be done, and whether Postgres takes it; nothing stays.

use std::process::ExitCode;

use daybook_eventstore::{LogReader, Position};
use daybook_projections::sql::{Plan, Projection, Request, SqlError, explain};
use sqlx::PgPool;

pub(super) async fn run(
    log: &LogReader,
    read: &PgPool,
    projection: &Projection,
    request: &Request,
    until: Position,
) -> Result<ExitCode, SqlError> {
    let plan = explain(log, read, projection, request).await?;
    for line in lines(projection, request, until, &plan) {
        say(&line);
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(projection: &Projection, request: &Request, until: Position, plan: &Plan) -> Vec<String> {
    let mut lines = vec![format!("{} would", projection.title())];
    let after = plan.goes_on.as_ref().map_or(request.after, |(_, at)| *at);
    lines.push(match &plan.goes_on {
        Some((schema, at)) => format!("  go on in the schema {schema}, which is at position {at}"),
        None => format!("  make {} with {} statements", plan.shown.join(", "), projection.tables.len()),
    });
    let range = format!("positions {} to {until}", after + 1);
    let as_of =
        request.as_of.map_or_else(String::new, |time| format!(", as far as it had happened by {time}"));
    lines.push(format!("  read {range}{as_of}, of them only {}", projection.reads.join(", ")));
    for section in &projection.sections {
        let statements = section.statements.iter().map(|statement| statement.line.to_string());
        let statements = statements.collect::<Vec<_>>().join(", ");
        lines.push(format!(
            "  with each batch of {} run the statements of lines {statements}",
            section.types.join(", ")
        ));
    }
    let limits = request.limits;
    lines.push(format!(
        "  as the role {}, each statement for {} s at most, with {} MB of memory",
        plan.role,
        limits.statement.as_secs(),
        limits.memory_mb
    ));
    lines.push(match &request.schema {
        Some(schema) => format!("  and leave it in the schema {schema}"),
        None => format!("  and show {}, and leave nothing in the database", plan.shown.join(", ")),
    });
    lines
}

#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn say(line: &str) {
    println!("{line}");
}

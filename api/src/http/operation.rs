//! One operation, whichever way it came: from its parameters to something async-graphql executes, and from the
//! execution to its line in the log.

use std::sync::Arc;
use std::time::Instant;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response as Executed, ServerError};
use uuid::Uuid;

use super::origin::Origin;
use super::params::Params;
use super::respond::Outcome;
use super::router::Api;
use crate::auth::Identity;
use crate::graphql::{Fault, RequestContext};

/// Who sent an operation, and as part of what.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// Who.
    pub(super) identity: Identity,
    /// As part of what.
    pub(super) origin: Origin,
    /// Under which idempotency key.
    pub(super) idempotency_key: Option<String>,
}

/// An operation that is ready to be executed.
pub(super) struct Planned {
    /// What async-graphql executes.
    pub(super) request: Request,
    /// Query, mutation or subscription.
    pub(super) kind: OperationType,
    /// Its name in logs and metrics.
    pub(super) field: Arc<str>,
}

/// Makes an operation of a query text and the other parameters.
///
/// # Errors
/// When the text is not a document within the limits, or names no operation.
pub(super) fn plan(
    api: &Api,
    query: String,
    params: Params,
    caller: Caller,
) -> Result<Planned, Box<ServerError>> {
    let document = api.documents().get(&query).map_err(Box::new)?;
    let operation = document.operation(params.operation_name.as_deref()).ok_or_else(|| {
        let message = match params.operation_name {
            Some(_) => "the document has no operation of this name",
            None => "the document has several operations: name one of them",
        };
        Box::new(ServerError::new(message, None))
    })?;
    let Caller { identity, origin, idempotency_key } = caller;
    let context = RequestContext {
        identity,
        correlation_id: origin.correlation_id,
        traceparent: origin.traceparent,
        idempotency_key,
        root_fields: operation.root_fields,
        furthest: Arc::default(),
    };
    let mut request = Request::new(query).data(context);
    request.operation_name = params.operation_name;
    request.variables = params.variables.map(|variables| variables.0).unwrap_or_default();
    request.set_parsed_query(document.parsed.clone());
    Ok(Planned { request, kind: operation.kind, field: Arc::clone(&operation.field) })
}

/// An operation as logs and metrics tell of it.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// Its name: a field of the schema's roots, or `unknown`.
    pub(super) field: Arc<str>,
    /// Query, mutation or subscription.
    pub(super) kind: &'static str,
    /// What the client is to the shop.
    pub(super) role: &'static str,
    /// What it is part of.
    pub(super) correlation_id: Uuid,
    /// The trace that it is part of.
    pub(super) trace_id: String,
    /// When it began.
    pub(super) started: Instant,
}

/// The name of a kind of operation.
pub(super) const fn kind_name(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}

impl Account {
    /// Writes the one line that an operation leaves in the log, and counts it. A fault's cause is written here and
    /// nowhere else, and never sent.
    pub(super) fn close(&self, executed: &Executed, outcome: Outcome) {
        let Self { field, kind, role, correlation_id, trace_id, started } = self;
        for error in &executed.errors {
            if let Some(fault) = error.source::<Fault>() {
                tracing::error!(%correlation_id, trace_id, operation = %field, cause = fault.chain(), "an operation failed");
            }
        }
        let took = started.elapsed();
        metrics::histogram!("daybook_graphql_duration_seconds", "operation" => Arc::clone(field))
            .record(took);
        if outcome != Outcome::Done {
            let outcome = outcome.name();
            metrics::counter!(
                "daybook_graphql_errors_total", "operation" => Arc::clone(field), "outcome" => outcome
            )
            .increment(1);
        }
        tracing::info!(
            operation = %field,
            kind,
            outcome = outcome.name(),
            role,
            duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            %correlation_id,
            trace_id,
            "operation"
        );
    }
}

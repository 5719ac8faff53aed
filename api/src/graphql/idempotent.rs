//! `@idempotent(key:)`: has a mutation take effect once. The directive itself does nothing; what executes the
//! mutation reads it.

use async_graphql::{CustomDirective, Directive};

struct Idempotent;

impl CustomDirective for Idempotent {}

/// Has the mutation take effect once, for ever: the same key with the same input is told what happened the first
/// time, and with another input is refused. Stands in for the Idempotency-Key header where a request has several
/// mutations.
#[Directive(location = "Field")]
pub(crate) fn idempotent(
    #[graphql(desc = "Any text that the client never uses for anything else, best a UUID.")] key: String,
) -> impl CustomDirective {
    drop(key);
    Idempotent
}

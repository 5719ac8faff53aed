//! Mutations and their payloads: parse, one call, map. What the shop refuses is data; only faults are errors.

use std::fmt::Display;

use async_graphql::{Context, SimpleObject};
use daybook_commands::Shop;
use daybook_commands::use_cases::{Done, Refused, UseCaseError};
use daybook_eventstore::{CommandContext, VaultError};

use super::context;
use super::error::ApiError;
use super::scalar::Position;
use super::services::services;
use crate::auth::Permission;

/// Why nothing was done.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct UserError {
    /// The part of the input it is about, from the outside in; empty when it is about all of it.
    field: Vec<String>,
    /// A stable code.
    code: String,
    /// Why, for people.
    message: String,
}

/// What a mutation came to.
pub(crate) struct Mutated<T> {
    /// What it was done to.
    pub(crate) value: Option<T>,
    /// Why nothing was done.
    pub(crate) user_errors: Vec<UserError>,
    /// The position it reached.
    pub(crate) position: Option<Position>,
    /// Whether it had been done before.
    pub(crate) replayed: bool,
}

/// Does one operation of the shop on behalf of the client, if it may.
pub(crate) async fn mutate<T>(
    ctx: &Context<'_>,
    permission: Permission,
    operation: impl AsyncFnOnce(&Shop, CommandContext) -> Result<Done<T>, UseCaseError>,
) -> Result<Mutated<T>, ApiError> {
    let shop = &services(ctx).shop;
    let command = context::command(ctx, permission, shop.clock.now(), shop.ids.next()).await?;
    let done = operation(shop, command).await;
    count(ctx.field().name(), &done);
    match done {
        Ok(Done { value, position, replayed }) => {
            let position = position.map(Position);
            if let Some(position) = position {
                services(ctx).reads.extent.reached(position.0);
                context::request(ctx).asked_for(position);
            }
            Ok(Mutated { value: Some(value), user_errors: Vec::new(), position, replayed })
        }
        Err(UseCaseError::Refused(Refused { code, message, field })) => Ok(Mutated {
            value: None,
            user_errors: vec![UserError { field, code: code.to_owned(), message }],
            position: None,
            replayed: false,
        }),
        Err(UseCaseError::KeyReused) => Err(ApiError::KeyReused),
        Err(UseCaseError::Conflict) => Err(ApiError::Overloaded),
        Err(UseCaseError::Store(error)) => Err(error.into()),
        Err(UseCaseError::Vault(VaultError::TimedOut)) => Err(ApiError::TimedOut),
        Err(error @ (UseCaseError::Vault(_) | UseCaseError::Outcome(_))) => Err(ApiError::internal(error)),
    }
}

fn count<T>(mutation: &str, done: &Result<Done<T>, UseCaseError>) {
    let outcome = match done {
        Ok(Done { replayed: true, .. }) => "replayed",
        Ok(_) => "done",
        Err(UseCaseError::Refused(refused)) => refused.code,
        Err(UseCaseError::KeyReused) => "key_reused",
        Err(UseCaseError::Conflict) => "conflict",
        Err(UseCaseError::Store(_) | UseCaseError::Vault(_) | UseCaseError::Outcome(_)) => "failed",
    };
    metrics::counter!("daybook_commands_total", "mutation" => mutation.to_owned(), "outcome" => outcome)
        .increment(1);
}

/// A refusal of the input itself, about this part of it.
pub(crate) fn invalid(code: &'static str, message: impl Display, field: &[&str]) -> UseCaseError {
    let field = field.iter().map(|part| (*part).to_owned()).collect();
    UseCaseError::Refused(Refused { code, message: message.to_string(), field })
}

/// Defines the payload of mutations: what it was done to, and what every payload has.
macro_rules! payload {
    ($($(#[$doc:meta])+ $name:ident { $(#[$field_doc:meta])+ $field:ident: $type:ty } from $from:ty;)+) => {$(
        #[derive(async_graphql::SimpleObject)]
        $(#[$doc])+
        pub(crate) struct $name {
            $(#[$field_doc])+
            $field: Option<$type>,
            /// Why nothing was done; empty when it was.
            user_errors: Vec<crate::graphql::payload::UserError>,
            /// The position the mutation reached: give it to a query as `after` to read at least this.
            position: Option<crate::graphql::scalar::Position>,
            /// Whether this had been done before under the same idempotency key, and this is its repetition.
            replayed: bool,
        }

        impl From<crate::graphql::payload::Mutated<$from>> for $name {
            fn from(mutated: crate::graphql::payload::Mutated<$from>) -> Self {
                let crate::graphql::payload::Mutated { value, user_errors, position, replayed } = mutated;
                Self { $field: value.map(Into::into), user_errors, position, replayed }
            }
        }
    )+};
}

pub(crate) use payload;

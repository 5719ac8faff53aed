//! What the resolvers know of the request they are part of.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_graphql::{Context, Value};
use daybook_domain::{CommandId, Timestamp};
use daybook_eventstore::{CommandContext, Fingerprint};
use uuid::Uuid;

use super::error::ApiError;
use super::person::failed;
use super::scalar::Position;
use super::services::services;
use crate::auth::{Identity, Permission, Role};

/// The name space of the command ids that follow from idempotency keys.
const KEYS: Uuid = Uuid::from_u128(0x6461_7962_6f6f_4b8e_9d2c_1f3a_5b7c_9e01);
/// The longest idempotency key.
const MAX_KEY: usize = 255;
/// The shortest one of a guest: guests share one name space, so a guest's key must be one nobody else thinks of.
const MIN_GUEST_KEY: usize = 16;

/// A request, as far as resolvers care.
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    /// Who asks.
    pub(crate) identity: Identity,
    /// What all that follows from this request has in common.
    pub(crate) correlation_id: Uuid,
    /// The W3C trace context.
    pub(crate) traceparent: String,
    /// The `Idempotency-Key` header.
    pub(crate) idempotency_key: Option<String>,
    /// How many fields stand at the operation's root.
    pub(crate) root_fields: usize,
    /// The furthest position that the client has asked for, or that one of its mutations reached.
    pub(crate) furthest: Arc<AtomicI64>,
}

impl RequestContext {
    /// The client reads at this position or later.
    pub(crate) fn asked_for(&self, position: Position) {
        self.furthest.fetch_max(position.0, Ordering::AcqRel);
    }

    /// The furthest position that it reads at.
    pub(crate) fn asked(&self) -> Position {
        Position(self.furthest.load(Ordering::Acquire))
    }
}

/// The request that this field is part of.
pub(crate) fn request<'a>(ctx: &Context<'a>) -> &'a RequestContext {
    ctx.data_unchecked::<RequestContext>()
}

/// The circumstances of the command that this mutation gives, when the client may give it.
///
/// Its id follows from the client and the idempotency key: the same key is the same command, for ever. The
/// fingerprint covers the mutation's name, its arguments and the client. It is keyed, since an argument may be anybody's
/// e-mail address.
pub(crate) async fn command(
    ctx: &Context<'_>,
    permission: Permission,
    now: Timestamp,
    new_id: Uuid,
) -> Result<CommandContext, ApiError> {
    let request = request(ctx);
    if !request.identity.may(permission) {
        return Err(ApiError::Forbidden);
    }
    let actor = request.identity.actor();
    let command_id = match idempotency_key(ctx, request)? {
        Some(key) => {
            check_key(&key, &request.identity)?;
            CommandId::derived(KEYS, &format!("{actor}\n{key}"))
        }
        None => CommandId::new(new_id),
    };
    Ok(CommandContext {
        command_id,
        fingerprint: fingerprint(ctx, actor).await?,
        actor: actor.to_owned(),
        correlation_id: request.correlation_id,
        causation_id: None,
        traceparent: Some(request.traceparent.clone()),
        occurred_at: now,
    })
}

/// The key of this field: its own `@idempotent(key:)`, else the request's header.
fn idempotency_key(ctx: &Context<'_>, request: &RequestContext) -> Result<Option<String>, ApiError> {
    let directives = ctx.field().directives().map_err(invalid_arguments)?;
    let own = directives.into_iter().find(|directive| directive.name.node == "idempotent");
    if let Some(directive) = own {
        let key = directive.arguments.into_iter().find(|(name, _)| name.node == "key");
        return match key.map(|(_, value)| value.node) {
            Some(Value::String(key)) => Ok(Some(key)),
            Some(_) | None => Err(ApiError::bad_input("IDEMPOTENCY_KEY_INVALID", "the key is a string")),
        };
    }
    if request.idempotency_key.is_some() && request.root_fields > 1 {
        return Err(ApiError::bad_input(
            "IDEMPOTENCY_KEY_AMBIGUOUS",
            "with several mutations in one request, give each its own @idempotent(key:)",
        ));
    }
    Ok(request.idempotency_key.clone())
}

fn check_key(key: &str, identity: &Identity) -> Result<(), ApiError> {
    let min = if identity.role() == Role::Anonymous { MIN_GUEST_KEY } else { 1 };
    let fits = (min..=MAX_KEY).contains(&key.len()) && key.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    if fits {
        return Ok(());
    }
    let message = format!("a key has {min} to {MAX_KEY} visible ASCII characters");
    Err(ApiError::bad_input("IDEMPOTENCY_KEY_INVALID", message))
}

async fn fingerprint(ctx: &Context<'_>, actor: &str) -> Result<Fingerprint, ApiError> {
    let field = ctx.field();
    let mut arguments = field.arguments().map_err(invalid_arguments)?;
    arguments.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut canonical = String::new();
    for (name, value) in &arguments {
        canonical.push_str(name);
        write_canonical(value, &mut canonical);
    }
    let parts = [field.name().as_bytes(), canonical.as_bytes(), actor.as_bytes()];
    services(ctx).shop.vault.fingerprint(&parts).await.map_err(failed)
}

/// Writes a value so that the order in which a client named an object's fields does not matter.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::List(items) => {
            text.push('[');
            for item in items {
                write_canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().filter(|(_, value)| **value != Value::Null).collect();
            fields.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in fields {
                text.push_str(name);
                text.push(':');
                write_canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        // An enum's value comes as a name in the query and as a string in the variables.
        Value::Enum(name) => text.push_str(&Value::String(name.to_string()).to_string()),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Boolean(_) | Value::Binary(_) => {
            text.push_str(&value.to_string());
        }
    }
}

fn invalid_arguments(error: async_graphql::ServerError) -> ApiError {
    ApiError::bad_input("BAD_USER_INPUT", error.message)
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    fn canonical(value: &Value) -> String {
        let mut text = String::new();
        write_canonical(value, &mut text);
        text
    }

    #[test]
    fn the_order_of_fields_and_what_is_null_do_not_matter() {
        let one = value!({ "a": 1, "b": [{ "c": "x", "d": null }] });
        let other = value!({ "b": [{ "c": "x" }], "a": 1 });
        assert_eq!(canonical(&one), canonical(&other));
    }

    #[test]
    fn other_values_and_another_order_of_items_do() {
        assert_ne!(canonical(&value!({ "a": [1, 2] })), canonical(&value!({ "a": [2, 1] })));
        assert_ne!(canonical(&value!({ "a": "1" })), canonical(&value!({ "a": 1 })));
        assert_ne!(canonical(&value!({ "a": "b,c:1" })), canonical(&value!({ "a": "b", "c": 1 })));
    }

    #[test]
    fn a_guests_key_must_be_long() {
        assert!(check_key("k1", &Identity::anonymous()).is_err());
        assert!(check_key("3f2b8c1e-7a60-4a0e-9d3e-1c2b3a4d5e6f", &Identity::anonymous()).is_ok());
        assert!(check_key("k1", &Identity::customer(daybook_domain::CustomerId::new(KEYS))).is_ok());
        assert!(check_key("", &Identity::customer(daybook_domain::CustomerId::new(KEYS))).is_err());
    }
}

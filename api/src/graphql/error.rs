//! What a client is told when an operation could not be done. The type has no `Display` on purpose: async-graphql
//! sends the text of any `Display` error to the client, so without it a stray `?` on a fault does not compile.

use std::error::Error as StdError;
use std::sync::Arc;

use async_graphql::{Error, ErrorExtensionValues};
use daybook_eventstore::{Position, StoreError};

/// An operation that could not be done. What the shop's rules refuse is not one: that is a payload's `userErrors`.
#[derive(Debug, Clone)]
pub(crate) enum ApiError {
    /// The client may not do this.
    Forbidden,
    /// The request itself is wrong, in a way the schema cannot say.
    BadInput {
        /// The stable code.
        code: &'static str,
        /// What is wrong, for people.
        message: String,
    },
    /// The idempotency key was used with another input.
    KeyReused,
    /// The replica does not have the position asked for yet.
    Behind {
        /// The position it has.
        position: Position,
        /// How many events are missing.
        distance: i64,
    },
    /// The read model was never built.
    NotBuilt,
    /// The search engine is away or at fault; everything else goes on. Whoever runs the shop finds the cause in the log.
    SearchUnavailable(Fault),
    /// Too much is going on; the same request may be sent again.
    Overloaded,
    /// No answer in time; whether a mutation took effect is found out by sending it again with the same key.
    TimedOut,
    /// A fault of ours. The client learns nothing of it; whoever runs the shop finds it in the log.
    Internal(Fault),
    /// The same, of something stored that cannot be read: what else was asked for may well be.
    Unreadable(Fault),
}

/// A fault with its cause, carried past async-graphql to the log.
#[derive(Debug, Clone)]
pub(crate) struct Fault(Arc<dyn StdError + Send + Sync>);

impl Fault {
    /// A fault with this cause.
    pub(crate) fn of(cause: impl StdError + Send + Sync + 'static) -> Self {
        Self(Arc::new(cause))
    }

    /// What went wrong and why, cause by cause.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl ApiError {
    /// A fault with this cause.
    pub(crate) fn internal(cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::Internal(Fault::of(cause))
    }

    /// A search that the engine did not answer, with this cause.
    pub(crate) fn search_unavailable(cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::SearchUnavailable(Fault::of(cause))
    }

    /// A request that is wrong.
    pub(crate) fn bad_input(code: &'static str, message: impl Into<String>) -> Self {
        Self::BadInput { code, message: message.into() }
    }

    /// Whether the same may be asked again in a moment.
    pub(crate) const fn is_temporary(&self) -> bool {
        match self {
            Self::Behind { .. }
            | Self::NotBuilt
            | Self::SearchUnavailable(_)
            | Self::Overloaded
            | Self::TimedOut => true,
            Self::Forbidden
            | Self::BadInput { .. }
            | Self::KeyReused
            | Self::Internal(_)
            | Self::Unreadable(_) => false,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Forbidden => "FORBIDDEN",
            Self::BadInput { code, .. } => code,
            Self::KeyReused => "IDEMPOTENCY_KEY_PARAMETER_MISMATCH",
            Self::Behind { .. } => "READ_MODEL_BEHIND",
            Self::NotBuilt => "READ_MODEL_NOT_BUILT",
            Self::SearchUnavailable(_) => "SEARCH_UNAVAILABLE",
            Self::Overloaded => "OVERLOADED",
            Self::TimedOut => "TIMED_OUT",
            Self::Internal(_) | Self::Unreadable(_) => "INTERNAL_SERVER_ERROR",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Forbidden => "you may not do this".to_owned(),
            Self::BadInput { message, .. } => message.clone(),
            Self::KeyReused => "the idempotency key was used with another input".to_owned(),
            Self::Behind { position, distance } => {
                format!("the read model is at position {position}, {distance} behind what was asked for")
            }
            Self::NotBuilt => "the read model is being built, try again later".to_owned(),
            Self::SearchUnavailable(_) => "search is not available, try again later".to_owned(),
            Self::Overloaded => "too much is going on, try again".to_owned(),
            Self::TimedOut => "no answer came in time, send the same request again".to_owned(),
            Self::Internal(_) | Self::Unreadable(_) => "something went wrong on our side".to_owned(),
        }
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", error.code());
        if let ApiError::Behind { position, distance } = &error {
            extensions.set("position", position.to_string());
            extensions.set("distance", distance.to_string());
        }
        let message = error.message();
        let source = match error {
            ApiError::Internal(fault) | ApiError::Unreadable(fault) | ApiError::SearchUnavailable(fault) => {
                Some(Arc::new(fault) as Arc<dyn std::any::Any + Send + Sync>)
            }
            ApiError::Forbidden
            | ApiError::BadInput { .. }
            | ApiError::KeyReused
            | ApiError::Behind { .. }
            | ApiError::NotBuilt
            | ApiError::Overloaded
            | ApiError::TimedOut => None,
        };
        Self { message, source, extensions: Some(extensions) }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overloaded | StoreError::Database(sqlx::Error::PoolTimedOut) => Self::Overloaded,
            StoreError::TimedOut => Self::TimedOut,
            StoreError::Database(_)
            | StoreError::Migration(_)
            | StoreError::NotAtHand
            | StoreError::Closed
            | StoreError::Undecodable { .. }
            | StoreError::UnknownEvent { .. }
            | StoreError::LogDiverged { .. }
            | StoreError::Archive { .. }
            | StoreError::Archived { .. }
            | StoreError::NotArchived { .. } => Self::internal(error),
        }
    }
}

//! The messages of graphql-transport-ws.

use async_graphql::{Response as Executed, ServerError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::params::Params;

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromClient {
    /// It begins.
    ConnectionInit {
        /// Anything, such as a token.
        #[serde(default)]
        payload: Option<Value>,
    },
    /// It asks whether anyone is there.
    Ping {
        /// To be sent back.
        #[serde(default)]
        payload: Option<Value>,
    },
    /// It is there.
    Pong {},
    /// It wants an operation.
    Subscribe {
        /// Its id for it.
        id: String,
        /// The operation.
        payload: Params,
    },
    /// It has had enough of one.
    Complete {
        /// Its id for it.
        id: String,
    },
}

/// What is said to it.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ToClient<'a> {
    /// It may go on.
    ConnectionAck,
    /// Is it there?
    Ping,
    /// Someone is here.
    Pong {
        /// What it sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Value>,
    },
    /// One answer of an operation.
    Next {
        /// The client's id for it.
        id: &'a str,
        /// The answer.
        payload: &'a Executed,
    },
    /// The operation was not executed.
    Error {
        /// The client's id for it.
        id: &'a str,
        /// Why.
        payload: &'a [ServerError],
    },
    /// The operation is over.
    Complete {
        /// The client's id for it.
        id: &'a str,
    },
}

/// Why a connection ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// The client is gone.
    Gone,
    /// It sent what is no message.
    BadMessage,
    /// It asked before it began.
    Unauthorised,
    /// Its token is not good.
    Forbidden,
    /// It never began.
    InitTimedOut,
    /// It used an id twice.
    SubscriberExists(String),
    /// It began twice.
    BegunTwice,
    /// It wants more than it may have.
    TooManySubscriptions,
}

impl Close {
    /// The close code and its reason, as the protocol has them; nothing when nobody is there to be told.
    pub(super) fn frame(&self) -> Option<(u16, String)> {
        let (code, reason) = match self {
            Self::Gone => return None,
            Self::BadMessage => (4400, "Invalid message"),
            Self::Unauthorised => (4401, "Unauthorized"),
            Self::Forbidden => (4403, "Forbidden"),
            Self::InitTimedOut => (4408, "Connection initialisation timeout"),
            Self::SubscriberExists(id) => {
                // A reason has at most 123 bytes (RFC 6455 §5.5).
                let id: String = id.chars().take(20).collect();
                return Some((4409, format!("Subscriber for {id} already exists")));
            }
            Self::BegunTwice => (4429, "Too many initialisation requests"),
            Self::TooManySubscriptions => (4429, "Too many subscriptions"),
        };
        Some((code, reason.to_owned()))
    }
}

//! The routes, and what all of them share.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use daybook_domain::IdSource;
use tokio::sync::Semaphore;

use super::guard::{Guard, guard};
use super::respond::Rejection;
use super::second_step::SecondSteps;
use super::tree::LogTree;
use super::webhook::Webhooks;
use super::{graphiql, graphql};
use crate::auth::{Identity, Tokens};
use crate::graphql::{Documents, ShopSchema};

/// The bounds of an API process.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many connections are open at once, beside those that became a WebSocket; one more waits to be accepted.
    pub connections: usize,
    /// How long a connection stays open on which no request is worked on: longer than a request may take.
    pub silence: Duration,
    /// How many requests, and queries and mutations over a WebSocket, are worked on at once; one more is told to come back.
    pub concurrent: usize,
    /// How long each of them may take.
    pub timeout: Duration,
    /// How many WebSocket connections are open at once.
    pub sockets: usize,
    /// How many subscriptions a connection may have.
    pub subscriptions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            silence: Duration::from_mins(1),
            concurrent: 1_024,
            timeout: Duration::from_secs(20),
            sockets: 2_000,
            subscriptions: 50,
        }
    }
}

/// What the routes work with. Cloning shares it.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
}

struct Shared {
    schema: ShopSchema,
    documents: Documents,
    tokens: Tokens,
    ids: Arc<dyn IdSource>,
    limits: Limits,
    sockets: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

impl Api {
    /// An API on this schema, for clients with such tokens.
    pub fn new(schema: ShopSchema, tokens: Tokens, ids: Arc<dyn IdSource>, limits: Limits) -> Self {
        let documents = Documents::new(schema.names());
        let sockets = Arc::new(Semaphore::new(limits.sockets));
        let working = Arc::new(Semaphore::new(limits.concurrent));
        Self { shared: Arc::new(Shared { schema, documents, tokens, ids, limits, sockets, working }) }
    }

    pub(super) fn documents(&self) -> &Documents {
        &self.shared.documents
    }

    pub(super) fn schema(&self) -> &ShopSchema {
        &self.shared.schema
    }

    pub(super) fn tokens(&self) -> &Tokens {
        &self.shared.tokens
    }

    pub(super) fn limits(&self) -> Limits {
        self.shared.limits
    }

    pub(super) fn sockets(&self) -> &Arc<Semaphore> {
        &self.shared.sockets
    }

    /// A permit is one more request, or one more query or mutation of a WebSocket, that may be worked on.
    pub(super) fn working(&self) -> &Arc<Semaphore> {
        &self.shared.working
    }

    pub(super) fn identify(&self, headers: &HeaderMap) -> Result<Identity, Rejection> {
        self.shared.tokens.identify(headers).map_err(|_| {
            let message = "the token is malformed, expired or not signed with the shop's key";
            Rejection::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message)
        })
    }
}

/// The routes for clients. Operators' routes are added by the process, outside the bounds, so that a process that is
/// too busy for clients can still say so.
pub fn router(api: Api, webhooks: Webhooks, second_steps: SecondSteps, tree: LogTree) -> Router {
    let bounds = Guard::new(Arc::clone(api.working()), api.limits().timeout, Arc::clone(&api.shared.ids));
    Router::new()
        .route("/graphql", post(graphql::post).get(graphql::get))
        .with_state(api)
        .merge(graphiql::routes())
        .merge(webhooks.routes())
        .merge(second_steps.routes())
        .merge(tree.routes())
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(bounds, guard))
}

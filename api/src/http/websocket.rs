//! Subscriptions over a WebSocket: the graphql-transport-ws protocol
//! (<https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>), with its close codes, within bounds.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::parser::types::OperationType;
use async_graphql::{Data, Request, Response as Executed, ServerError};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use daybook_domain::Clock;
use daybook_eventstore::process::SystemClock;
use futures::stream::SplitSink;
use futures::{FutureExt, SinkExt, StreamExt};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use super::accept::MediaType;
use super::operation::{Account, Caller, Planned, kind_name, plan};
use super::origin::Origin;
use super::params::Params;
use super::respond::{Outcome, Rejection, code_errors};
use super::router::Api;
use super::wire::{Close, FromClient, ToClient};
use crate::auth::Identity;

/// The one protocol that is spoken.
const PROTOCOL: &str = "graphql-transport-ws";
/// The largest message a client may send.
const MAX_MESSAGE: usize = 256 * 1024;
/// How many messages wait for a slow client before its operations do.
const QUEUE: usize = 64;
/// How often a client is asked whether it is there; one that has said nothing since the last time is let go.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// How long a client may take to read a message.
const WRITE: Duration = Duration::from_secs(5);
/// How long a client may take to begin.
const INIT: Duration = Duration::from_secs(10);

/// Begins a connection, when there is room for one.
pub(super) fn connect(api: &Api, upgrade: WebSocketUpgrade, headers: &HeaderMap, origin: Origin) -> Response {
    let reject = |rejection: Rejection| rejection.answer(MediaType::Json);
    let Ok(permit) = Arc::clone(api.sockets()).try_acquire_owned() else {
        let message = "too many connections are open, try again";
        return reject(Rejection::new(StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED", message));
    };
    let identity = match api.identify(headers) {
        Ok(identity) => identity,
        Err(rejection) => return reject(rejection),
    };
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(MAX_MESSAGE).max_frame_size(MAX_MESSAGE);
    if upgrade.selected_protocol().is_none() {
        let message = "only the protocol graphql-transport-ws is spoken here";
        return reject(Rejection::new(StatusCode::BAD_REQUEST, "PROTOCOL_UNSUPPORTED", message));
    }
    let api = api.clone();
    upgrade.on_upgrade(move |socket| serve(socket, api, identity, origin, permit))
}

async fn serve(socket: WebSocket, api: Api, identity: Identity, origin: Origin, _room: OwnedSemaphorePermit) {
    metrics::gauge!("daybook_websockets_open").increment(1);
    let (sink, mut incoming) = socket.split();
    let (outgoing, waiting) = mpsc::channel(QUEUE);
    let mut writer = tokio::spawn(write(sink, waiting));
    let mut connection = Connection::new(api, identity, origin, outgoing.clone());
    let mut ticks = keepalive();
    let begin = tokio::time::sleep(INIT);
    tokio::pin!(begin);
    let close = loop {
        tokio::select! {
            message = incoming.next() => match message {
                Some(Ok(message)) => {
                    if let Err(close) = connection.receive(message).await {
                        break close;
                    }
                }
                Some(Err(_)) | None => break Close::Gone,
            },
            _ = &mut writer => break Close::Gone,
            Some(ended) = connection.running.join_next() => connection.forget(ended.ok()),
            () = until(connection.expires) => break Close::Forbidden,
            () = &mut begin, if !connection.begun => break Close::InitTimedOut,
            _ = ticks.tick() => {
                if let Err(close) = connection.tick().await {
                    break close;
                }
            }
        }
    };
    connection.running.abort_all();
    if let Some((code, reason)) = close.frame() {
        let frame = CloseFrame { code, reason: reason.into() };
        // A client that does not read its messages is cut off without being told why.
        drop(tokio::time::timeout(INIT, outgoing.send(Message::Close(Some(frame)))).await);
    }
    drop((connection, outgoing));
    if !writer.is_finished() {
        drop(tokio::time::timeout(INIT, writer).await);
    }
    metrics::gauge!("daybook_websockets_open").decrement(1);
}

/// When a client's token is good no more.
fn expiry(identity: &Identity) -> Option<Instant> {
    let expires = i64::try_from(identity.expires()?).unwrap_or(i64::MAX).saturating_mul(1_000);
    let left = u64::try_from(expires.saturating_sub(SystemClock.now().timestamp_millis())).unwrap_or(0);
    Instant::now().checked_add(Duration::from_millis(left))
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

fn keepalive() -> Interval {
    let mut ticks = interval_at(tokio::time::Instant::now() + KEEPALIVE, KEEPALIVE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Sends what waits, until a client does not read it.
async fn write(mut sink: SplitSink<WebSocket, Message>, mut waiting: mpsc::Receiver<Message>) {
    while let Some(message) = waiting.recv().await {
        let last = matches!(message, Message::Close(_));
        let sent = tokio::time::timeout(WRITE, sink.send(message)).await;
        if last || !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// One client's connection.
struct Connection {
    api: Api,
    identity: Identity,
    /// When nobody vouches for the identity any more.
    expires: Option<Instant>,
    origin: Origin,
    outgoing: mpsc::Sender<Message>,
    begun: bool,
    heard: bool,
    /// The operations by the client's id for them, each with a number that is used once.
    operations: HashMap<String, (u64, AbortHandle)>,
    running: JoinSet<(String, u64)>,
    next: u64,
}

impl Connection {
    fn new(api: Api, identity: Identity, origin: Origin, outgoing: mpsc::Sender<Message>) -> Self {
        Self {
            api,
            expires: expiry(&identity),
            identity,
            origin,
            outgoing,
            begun: false,
            heard: true,
            operations: HashMap::new(),
            running: JoinSet::new(),
            next: 0,
        }
    }

    async fn receive(&mut self, message: Message) -> Result<(), Close> {
        self.heard = true;
        let text = match message {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(Close::Gone),
            Message::Binary(_) => return Err(Close::BadMessage),
        };
        match serde_json::from_str(&text).map_err(|_| Close::BadMessage)? {
            FromClient::ConnectionInit { payload } => self.begin(payload).await,
            FromClient::Ping { payload } => self.send(&ToClient::Pong { payload }).await,
            FromClient::Pong {} => Ok(()),
            FromClient::Subscribe { id, payload } => self.subscribe(id, payload).await,
            FromClient::Complete { id } => {
                if let Some((_, handle)) = self.operations.remove(&id) {
                    handle.abort();
                }
                Ok(())
            }
        }
    }

    /// A browser cannot set headers on a WebSocket, so the token may come with the first message.
    async fn begin(&mut self, payload: Option<Value>) -> Result<(), Close> {
        if std::mem::replace(&mut self.begun, true) {
            return Err(Close::BegunTwice);
        }
        let token = payload
            .as_ref()
            .and_then(|payload| payload.get("Authorization").or_else(|| payload.get("authorization")));
        if let Some(token) = token {
            let token = token.as_str().ok_or(Close::Forbidden)?;
            self.identity = self.api.tokens().read(token).map_err(|_| Close::Forbidden)?;
            self.expires = expiry(&self.identity);
        }
        self.send(&ToClient::ConnectionAck).await
    }

    async fn subscribe(&mut self, id: String, mut params: Params) -> Result<(), Close> {
        if !self.begun {
            return Err(Close::Unauthorised);
        }
        if self.operations.contains_key(&id) {
            return Err(Close::SubscriberExists(id));
        }
        if self.operations.len() >= self.api.limits().subscriptions {
            return Err(Close::TooManySubscriptions);
        }
        let caller =
            Caller { identity: self.identity.clone(), origin: self.origin.clone(), idempotency_key: None };
        let query = params.query.take().ok_or(Close::BadMessage)?;
        match plan(&self.api, query, params, caller) {
            Err(error) => {
                let mut refused = Executed::from_errors(vec![*error]);
                code_errors(&mut refused);
                self.send(&ToClient::Error { id: &id, payload: &refused.errors }).await
            }
            Ok(planned) => {
                self.start(id, planned);
                Ok(())
            }
        }
    }

    fn start(&mut self, id: String, planned: Planned) {
        let number = self.next;
        self.next += 1;
        let account = Account {
            field: Arc::clone(&planned.field),
            kind: kind_name(planned.kind),
            role: self.identity.role().name(),
            correlation_id: self.origin.correlation_id,
            trace_id: self.origin.trace_id().to_owned(),
            started: Instant::now(),
        };
        let (api, outgoing, of) = (self.api.clone(), self.outgoing.clone(), id.clone());
        let origin = self.origin.clone();
        let handle = self.running.spawn(async move {
            contain(&outgoing, &of, &origin, operate(api, &outgoing, &of, planned, account)).await;
            (of, number)
        });
        self.operations.insert(id, (number, handle));
    }

    /// Forgets an operation that came to its end, unless its id is another one's by now.
    fn forget(&mut self, ended: Option<(String, u64)>) {
        if let Some((id, number)) = ended
            && self.operations.get(&id).is_some_and(|(current, _)| *current == number)
        {
            self.operations.remove(&id);
        }
    }

    async fn tick(&mut self) -> Result<(), Close> {
        if !std::mem::replace(&mut self.heard, false) {
            return Err(Close::Gone);
        }
        if self.begun { self.send(&ToClient::Ping).await } else { Ok(()) }
    }

    async fn send(&self, message: &ToClient<'_>) -> Result<(), Close> {
        send(&self.outgoing, message).await
    }
}

async fn send(outgoing: &mpsc::Sender<Message>, message: &ToClient<'_>) -> Result<(), Close> {
    let text = serde_json::to_string(message).map_err(|_| Close::Gone)?;
    outgoing.send(Message::Text(text.into())).await.map_err(|_| Close::Gone)
}

/// Contains a panic to the operation it happened in.
async fn contain(
    outgoing: &mpsc::Sender<Message>,
    id: &str,
    origin: &Origin,
    operation: impl Future<Output = ()>,
) {
    if AssertUnwindSafe(operation).catch_unwind().await.is_err() {
        metrics::counter!("daybook_http_panics_total").increment(1);
        let (correlation_id, trace_id) = (origin.correlation_id, origin.trace_id());
        tracing::error!(%correlation_id, trace_id, "an operation panicked");
        let failed = refused("INTERNAL_SERVER_ERROR", "something went wrong on our side");
        drop(send(outgoing, &ToClient::Error { id, payload: &failed.errors }).await);
    }
}

/// Executes a query or mutation within the bounds that it would have over HTTP.
async fn execute(api: &Api, request: Request) -> Executed {
    let Ok(_permit) = api.working().try_acquire() else {
        metrics::counter!("daybook_http_shed_total").increment(1);
        return refused("OVERLOADED", "too much is going on, try again");
    };
    match tokio::time::timeout(api.limits().timeout, api.schema().execute(request)).await {
        Ok(executed) => executed,
        Err(_elapsed) => {
            metrics::counter!("daybook_http_timeouts_total").increment(1);
            refused("TIMED_OUT", "no answer came in time, send the same request again")
        }
    }
}

/// What an operation that was not executed to its end is answered with.
fn refused(code: &str, message: &str) -> Executed {
    let mut error = ServerError::new(message, None);
    error.extensions.get_or_insert_default().set("code", code);
    Executed::from_errors(vec![error])
}

/// Runs an operation and sends what comes of it, until it ends or the client is gone.
async fn operate(api: Api, outgoing: &mpsc::Sender<Message>, id: &str, planned: Planned, account: Account) {
    let mut last = Executed::default();
    if planned.kind == OperationType::Subscription {
        let session = Arc::new(Data::default());
        let mut answers = api.schema().execute_stream_with_session_data(planned.request, session);
        while let Some(answer) = answers.next().await {
            last = answer;
            if deliver(outgoing, id, &mut last).await.is_err() {
                return;
            }
        }
    } else {
        last = execute(&api, planned.request).await;
        if deliver(outgoing, id, &mut last).await.is_err() {
            return;
        }
    }
    let outcome = Outcome::of(&last);
    account.close(&last, outcome);
    if outcome != Outcome::Invalid {
        drop(send(outgoing, &ToClient::Complete { id }).await);
    }
}

/// Sends one answer: an operation that does not fit the schema is an error, which ends it.
async fn deliver(outgoing: &mpsc::Sender<Message>, id: &str, answer: &mut Executed) -> Result<(), Close> {
    code_errors(answer);
    if Outcome::of(answer) == Outcome::Invalid {
        return send(outgoing, &ToClient::Error { id, payload: &answer.errors }).await;
    }
    send(outgoing, &ToClient::Next { id, payload: answer }).await
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn an_operation_that_panics_is_an_error_of_that_operation() {
        let (outgoing, mut told) = mpsc::channel(1);
        let origin = Origin::of(&HeaderMap::new(), Uuid::nil());
        let panics = async { assert!(Duration::ZERO > Duration::MAX, "a panic on purpose") };
        contain(&outgoing, "7", &origin, panics).await;
        let Some(Message::Text(text)) = told.recv().await else { panic!("nothing was told") };
        let told: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&told["type"], &told["id"]), (&Value::from("error"), &Value::from("7")));
        assert_eq!(told["payload"][0]["extensions"]["code"], "INTERNAL_SERVER_ERROR");
    }
}

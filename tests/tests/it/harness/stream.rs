//! A JetStream stream of one test, and what is in it.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, Context};
use daybook_eventstore::process::config::{ServiceUrl, Value};
use daybook_eventstore::{EventStream, Position};
use futures::StreamExt;

use super::{Database, Process, servers, unique};

/// How long the server may take to hand out what is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// A stream; the relay makes it.
#[derive(Debug)]
pub(crate) struct TestStream {
    /// Its name.
    pub(crate) name: String,
    /// The server it is on.
    pub(crate) url: String,
    context: Context,
}

/// One message of a stream.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Its sequence in the stream.
    pub(crate) sequence: u64,
    /// Its subject.
    pub(crate) subject: String,
    /// The position of its event.
    pub(crate) position: Position,
    /// Its headers.
    pub(crate) headers: async_nats::HeaderMap,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

impl TestStream {
    /// A name for a stream on the tests' NATS.
    pub(crate) async fn new() -> Self {
        Self::on(&servers().nats).await
    }

    /// A name for a stream on this NATS.
    pub(crate) async fn on(url: &str) -> Self {
        let client = async_nats::connect(url).await.expect("NATS answers");
        Self { name: unique("TEST"), url: url.to_owned(), context: jetstream::new(client) }
    }

    /// The stream as Daybook's processes reach it.
    pub(crate) async fn handle(&self) -> EventStream {
        let url = ServiceUrl::parse(&self.url).expect("a URL");
        EventStream::connect(&url, &self.name, "tests").await.expect("a URL of NATS")
    }

    /// A relay from this log to the stream; a stream that it makes begins 20 events before the head.
    pub(crate) fn relay(&self, database: &Database) -> Process {
        let settings = [
            ("EVENTS_URL", database.url.as_str()),
            ("NATS_URL", &self.url),
            ("NATS_STREAM", &self.name),
            ("NATS_STREAM_BYTES", "67108864"),
            ("NATS_REPUBLISH", "20"),
            ("LOG_FORMAT", "text"),
        ];
        Process::start("daybook-relay", &[], &settings)
    }

    /// Publishes as someone who is not the relay.
    pub(crate) async fn publish(&self, subject: &str, body: &str) {
        let sent = self.context.publish(subject.to_owned(), body.to_owned().into()).await;
        sent.expect("it is sent").await.expect("it is taken");
    }

    /// Publishes what looks like the event after this one, with the headers that the relay gives it.
    pub(crate) async fn forge_next(&self, last: &Message) {
        let mut headers = last.headers.clone();
        headers.insert("Daybook-Position", (last.position + 1).to_string());
        // What tells the server which message must be the last one is not the forger's.
        let relays = ["Nats-Expected-Last-Sequence", "Nats-Msg-Id"];
        let mut sent = async_nats::HeaderMap::new();
        for (name, values) in headers.iter().filter(|(name, _)| !relays.contains(&name.to_string().as_str()))
        {
            for value in values {
                sent.append(name.clone(), value.clone());
            }
        }
        let body = r#"{"forged": true}"#;
        let sent = self.context.publish_with_headers(last.subject.clone(), sent, body.into()).await;
        sent.expect("it is sent").await.expect("it is taken");
    }

    /// Removes the stream with all that is in it.
    pub(crate) async fn delete(&self) {
        self.context.delete_stream(&self.name).await.expect("the stream is deleted");
    }

    /// What is in the stream; nothing when there is no stream.
    pub(crate) async fn messages(&self) -> Vec<Message> {
        let Ok(stream) = self.context.get_stream(&self.name).await else { return Vec::new() };
        let count = stream.cached_info().state.messages;
        let config = pull::Config { ack_policy: AckPolicy::None, ..pull::Config::default() };
        let consumer = stream.create_consumer(config).await.expect("a consumer");
        let limit = usize::try_from(count).expect("a small stream");
        let fetched = consumer.batch().max_messages(limit.max(1)).expires(PATIENCE);
        let messages = fetched.messages().await.expect("what is there").take(limit);
        messages.map(|message| read(&message.expect("a message"))).collect().await
    }

    /// The positions in the stream, in its order.
    pub(crate) async fn positions(&self) -> Vec<Position> {
        self.messages().await.iter().map(|message| message.position).collect()
    }
}

fn read(message: &jetstream::Message) -> Message {
    let headers = message.headers.clone().unwrap_or_default();
    let position =
        headers.get("Daybook-Position").map_or(0, |position| position.as_str().parse().expect("a number"));
    Message {
        sequence: message.info().expect("a message of JetStream").stream_sequence,
        subject: message.subject.to_string(),
        position,
        headers,
        body: message.payload.to_vec(),
    }
}

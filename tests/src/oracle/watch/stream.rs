//! The stream itself, message by message, by who knows nothing of the log: what a follower in another language sees.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::HeaderValue;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{self, Context};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use daybook_eventstore::EventHash;
use futures::StreamExt as _;

use super::super::Failed;
use super::super::history::Seen;
use super::{Notes, PAUSE, digest};

/// How often the server says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long a request for messages stays with the server.
const EXPIRES: Duration = Duration::from_secs(5);

/// Follows the stream of this name from its first message, whatever becomes of the server.
pub(crate) async fn stream(context: Context, name: String, notes: Notes) {
    let mut last = 0;
    loop {
        // What breaks is begun again after the last message.
        drop(follow(&context, &name, &mut last, &notes).await);
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow(context: &Context, name: &str, last: &mut u64, notes: &Notes) -> Result<(), Failed> {
    let stream = context.get_stream(name).await?;
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: *last + 1 },
        ack_policy: AckPolicy::None,
        memory_storage: true,
        inactive_threshold: Duration::from_secs(30),
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await?;
    let asking = consumer.stream().max_messages_per_batch(200).expires(EXPIRES).heartbeat(HEARTBEAT);
    let mut messages = asking.messages().await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        // One that was lost on the way is asked for again: the server has it.
        if sequence(&message)? != *last + 1 {
            return Ok(());
        }
        *last += 1;
        notes.add(message.headers.as_ref().and_then(read).ok_or("not a message of the relay")?);
    }
    Ok(())
}

fn sequence(message: &jetstream::Message) -> Result<u64, Failed> {
    Ok(message.info()?.stream_sequence)
}

/// What the headers say of the event.
fn read(headers: &HeaderMap) -> Option<Seen> {
    let text = |name: &str| headers.get(name).map(HeaderValue::as_str);
    let (_epoch, hash) = text("Daybook-Log")?.split_once(' ')?;
    Some(Seen {
        position: text("Daybook-Position")?.parse().ok()?,
        // One that is too large for a message has only its place.
        event: text("ce-id").and_then(|id| id.parse().ok()),
        digest: digest(&EventHash(BASE64.decode(hash).ok()?.try_into().ok()?)),
    })
}

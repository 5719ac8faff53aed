//! A batch on its way: sent at once, acknowledged one by one. Each message is taken only after the one before it,
//! so when one is refused or lost, so are all that follow, and nobody can interleave.

use std::future::IntoFuture as _;

use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;

use super::resume::Place;
use super::{Relay, RelayError};
use crate::event::{RecordedEvent, Trace};
use crate::stream::{StreamError, encode, encode_place, subject};

/// Leaves a line for who follows one request through the processes.
fn note(event: &RecordedEvent) {
    if tracing::enabled!(tracing::Level::DEBUG) {
        let Trace { position, event_type, correlation_id, trace_id } = event.trace();
        let correlation_id = correlation_id.map(tracing::field::display);
        tracing::debug!(position, event_type, correlation_id, trace_id, "published");
    }
}

impl Relay {
    /// Publishes events that follow `at`, and says where the stream is then.
    pub(super) async fn publish(
        &mut self,
        mut at: Place,
        events: &[RecordedEvent],
    ) -> Result<Place, RelayError> {
        self.progress.taken(events);
        let mut sent = Vec::with_capacity(events.len());
        for ((event, sequence), position) in events.iter().zip(at.sequence..).zip(at.position + 1..) {
            if event.position != position {
                return Err(RelayError::OtherLog);
            }
            sent.push(self.send(at, sequence, event).await?);
        }
        for (event, acknowledgement) in events.iter().zip(sent) {
            let acknowledged = acknowledgement.into_future().await.map_err(StreamError::unavailable)?;
            at.sequence += 1;
            at.position = event.position;
            if acknowledged.sequence != at.sequence || acknowledged.stream != self.stream.name() {
                return Err(StreamError::Shape("sequence").into());
            }
            self.progress.published_one(event, self.clock.now());
            note(event);
        }
        Ok(at)
    }

    /// Sends one event, to be taken as the one after `sequence`.
    async fn send(
        &self,
        at: Place,
        sequence: u64,
        event: &RecordedEvent,
    ) -> Result<PublishAckFuture, RelayError> {
        let context = self.stream.context();
        let subject = subject(self.stream.name(), event);
        let message = |(headers, body)| {
            PublishMessage::build().headers(headers).expected_last_sequence(sequence).payload(body)
        };
        let sent = match context.send_publish(subject.clone(), message(encode(at.epoch, event))).await {
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                tracing::warn!(position = event.position, "too large for a message: its place is published");
                context.send_publish(subject, message(encode_place(at.epoch, event))).await
            }
            sent => sent,
        };
        Ok(sent.map_err(StreamError::unavailable)?)
    }
}

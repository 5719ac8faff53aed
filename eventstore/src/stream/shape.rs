//! The stream's configuration, and making sure that the server has it. What a server does not know it ignores in
//! silence, so what it says it has is compared with what it was asked for.

use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};

use super::subject::prefix;
use super::{EventStream, StreamError};

/// How much the stream keeps. Consumers that need older events read the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// How many bytes it may hold.
    pub bytes: i64,
    /// How long it keeps a message.
    pub age: Duration,
    /// On how many servers of a cluster it is kept.
    pub replicas: usize,
}

impl EventStream {
    /// The stream, made or changed to have these limits.
    ///
    /// # Errors
    /// When the server does not answer, or does not take the configuration.
    pub(crate) async fn ensure(&self, limits: StreamLimits) -> Result<Stream, StreamError> {
        let wanted = self.configuration(limits);
        let stream = match self.context.get_stream(&self.name).await {
            Ok(stream) => stream,
            Err(error) if is_not_found(&error.kind()) => {
                tracing::info!(stream = self.name, "making the stream");
                self.context.create_stream(wanted.clone()).await.map_err(StreamError::unavailable)?;
                self.open().await?
            }
            Err(error) => return Err(StreamError::unavailable(error)),
        };
        let Some(setting) = difference(&stream.cached_info().config, &wanted) else { return Ok(stream) };
        tracing::info!(stream = self.name, setting, "changing the stream");
        let info = self.context.update_stream(wanted.clone()).await.map_err(StreamError::unavailable)?;
        match difference(&info.config, &wanted) {
            Some(setting) => Err(StreamError::Shape(setting)),
            None => self.open().await,
        }
    }

    fn configuration(&self, limits: StreamLimits) -> Config {
        Config {
            name: self.name.clone(),
            subjects: vec![format!("{}.>", prefix(&self.name))],
            storage: StorageType::File,
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::Old,
            max_bytes: limits.bytes,
            max_age: limits.age,
            max_messages: -1,
            max_messages_per_subject: -1,
            num_replicas: limits.replicas,
            ..Config::default()
        }
    }
}

fn is_not_found(kind: &GetStreamErrorKind) -> bool {
    match kind {
        GetStreamErrorKind::JetStream(error) => error.error_code() == ErrorCode::STREAM_NOT_FOUND,
        GetStreamErrorKind::EmptyName
        | GetStreamErrorKind::Request
        | GetStreamErrorKind::InvalidStreamName => false,
    }
}

/// The first setting in which the server's configuration is not the one that is wanted.
fn difference(there: &Config, wanted: &Config) -> Option<&'static str> {
    let settings = [
        ("subjects", there.subjects == wanted.subjects),
        ("storage", there.storage == wanted.storage),
        ("retention", there.retention == wanted.retention),
        ("discard", there.discard == wanted.discard),
        ("max_bytes", there.max_bytes == wanted.max_bytes),
        ("max_age", there.max_age == wanted.max_age),
        ("max_msgs", there.max_messages == wanted.max_messages),
        ("max_msgs_per_subject", there.max_messages_per_subject == wanted.max_messages_per_subject),
        ("num_replicas", there.num_replicas == wanted.num_replicas),
    ];
    settings.into_iter().find(|(_setting, same)| !same).map(|(setting, _same)| setting)
}

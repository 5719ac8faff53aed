//! The JetStream stream: how a process reaches it. It is delivery and never truth: whoever reads it checks
//! positions and fills what is missing from the log.

mod message;
mod shape;
mod subject;

use std::error::Error;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::connection::State;
use async_nats::jetstream;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::Stream;

use crate::process::config::ServiceUrl;

pub(crate) use message::{Published, decode, encode, encode_place};
pub use shape::StreamLimits;
pub(crate) use subject::subject;

/// How long the server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often, and how many times, to look whether a connection has come.
const GLANCE: Duration = Duration::from_millis(20);
const GLANCES: usize = 25;
/// How long the server may take to answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest pause between two attempts to connect again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How many publications of a process may be unacknowledged, given-up ones included.
const UNACKNOWLEDGED: usize = 4_096;

/// The server cannot be used as configured.
#[derive(Debug, thiserror::Error)]
#[error("NATS cannot be used")]
pub struct ConnectError(#[from] async_nats::ConnectError);

/// The stream cannot be used now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// The server does not answer, or refuses.
    #[error("the stream is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// There is no connection to the server.
    #[error("there is no connection to NATS")]
    NotConnected,
    /// The server has the stream with another configuration and did not change it.
    #[error("the server did not take the stream's {0}")]
    Shape(&'static str),
}

impl StreamError {
    pub(crate) fn unavailable(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// The stream that the relay writes, on a connection that is shared by clones and comes back by itself.
#[derive(Debug, Clone)]
pub struct EventStream {
    context: jetstream::Context,
    name: String,
}

impl EventStream {
    /// The stream of this name on this server, which need not be there now.
    ///
    /// # Errors
    /// When the URL cannot be a server's.
    pub async fn connect(url: &ServiceUrl, name: &str, application: &str) -> Result<Self, ConnectError> {
        let client = ConnectOptions::new()
            .name(application)
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(Some(REQUEST_TIMEOUT))
            .reconnect_delay_callback(pause)
            .retry_on_initial_connect()
            .connect(url.expose())
            .await?;
        let context = ContextBuilder::new()
            .timeout(REQUEST_TIMEOUT)
            .ack_timeout(REQUEST_TIMEOUT)
            .max_ack_inflight(UNACKNOWLEDGED)
            .build(client);
        Ok(Self { context, name: name.to_owned() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The way to publish to it.
    pub(crate) const fn context(&self) -> &jetstream::Context {
        &self.context
    }

    /// The stream as it is now.
    pub(crate) async fn open(&self) -> Result<Stream, StreamError> {
        self.context.get_stream(&self.name).await.map_err(StreamError::unavailable)
    }

    /// Waits a little for a connection, rather than much longer for an answer that cannot come.
    pub(crate) async fn connected(&self) -> Result<(), StreamError> {
        for _ in 0..GLANCES {
            if self.ping().is_ok() {
                return Ok(());
            }
            tokio::time::sleep(GLANCE).await;
        }
        Err(StreamError::NotConnected)
    }

    /// Whether there is a connection to the server; for [`Readiness`](crate::process::Readiness).
    ///
    /// # Errors
    /// When there is none.
    pub fn ping(&self) -> Result<(), &'static str> {
        match self.context.client().connection_state() {
            State::Connected => Ok(()),
            State::Pending | State::Disconnected => Err("not connected"),
        }
    }
}

fn pause(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts.min(8)).unwrap_or(8);
    Duration::from_millis(10).saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

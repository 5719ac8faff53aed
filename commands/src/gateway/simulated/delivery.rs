//! Delivering the simulated gateway's webhooks: as often as it takes until the shop has taken them, and never in
//! any promised order.

use std::time::Duration;

use daybook_domain::Timestamp;
use futures::future::join_all;
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use tokio_util::sync::CancellationToken;

use super::books::{CHANNEL, Webhook};
use super::{SetupError, SimulatedGateway};
use crate::gateway::GatewayNotice;
use crate::gateway::webhook::{SIGNATURE_HEADER, sign};

/// How often the delivery looks without having been woken: a lost notification costs this much, never a webhook.
const SAFETY_INTERVAL: Duration = Duration::from_secs(1);
/// The least time between two looks, while others deliver what is due.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// How many webhooks are under way at once.
const BATCH: i64 = 16;
/// How long the shop may take to answer one.
const POST_LIMIT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Posts signed webhooks to the shop.
#[derive(Clone)]
pub(super) struct Courier {
    client: reqwest::Client,
    url: Url,
    secret: String,
}

impl Courier {
    pub(super) fn try_new(url: Url, secret: String) -> Result<Self, SetupError> {
        let client = reqwest::Client::builder().timeout(POST_LIMIT).build().map_err(SetupError::NoClient)?;
        Ok(Self { client, url, secret })
    }

    async fn post(&self, now: Timestamp, body: String) -> Result<(), reqwest::Error> {
        let signature = sign(&self.secret, now, body.as_bytes());
        let request = self.client.post(self.url.clone()).header(SIGNATURE_HEADER, signature);
        request.header(CONTENT_TYPE, "application/json").body(body).send().await?.error_for_status()?;
        Ok(())
    }
}

impl SimulatedGateway {
    /// Delivers webhooks as they become due, until `stop`; what is under way then is finished.
    pub async fn deliver(&self, stop: CancellationToken) {
        tokio::select! {
            () = self.bell.follow(self.books.pool(), CHANNEL) => {}
            () = self.deliver_until(&stop) => {}
        }
    }

    async fn deliver_until(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let pause = match self.deliver_due().await {
                Ok(pause) => pause,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the simulated gateway's webhooks could not be delivered");
                    SAFETY_INTERVAL
                }
            };
            tokio::select! {
                () = self.bell.wait(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Delivers what is due; returns how long it is until more will be.
    async fn deliver_due(&self) -> Result<Duration, sqlx::Error> {
        let Some(next) = self.books.next_due().await? else { return Ok(SAFETY_INTERVAL) };
        if let Ok(ahead) = (next - self.books.now()).to_std()
            && !ahead.is_zero()
        {
            return Ok(ahead.min(SAFETY_INTERVAL));
        }
        let taken = self.books.take_webhooks(BATCH).await?;
        let ends = join_all(taken.iter().map(|webhook| self.deliver_one(webhook))).await;
        ends.into_iter().collect::<Result<(), _>>()?;
        Ok(if taken.is_empty() { SHORTEST_PAUSE } else { Duration::ZERO })
    }

    async fn deliver_one(&self, webhook: &Webhook) -> Result<(), sqlx::Error> {
        match self.courier.post(self.books.now(), webhook.body.clone()).await {
            Ok(()) => self.books.delivered(webhook.event_id, webhook.copy).await,
            Err(error) => {
                let (event_id, attempts) = (webhook.event_id, webhook.attempts);
                tracing::warn!(%event_id, attempts, %error, "the shop did not take a webhook");
                self.books.postpone(webhook, self.books.now() + pause(attempts)).await
            }
        }
    }

    /// Tells one notice at once, whose first copy is written down to be told later: when the shop does not take it
    /// now, it will then.
    pub(super) async fn tell_first(&self, notice: &GatewayNotice) -> Result<(), sqlx::Error> {
        let body = serde_json::to_string(notice).map_err(|error| sqlx::Error::Encode(error.into()))?;
        match self.courier.post(self.books.now(), body).await {
            Ok(()) => self.books.delivered(notice.event_id, 1).await,
            Err(error) => {
                tracing::warn!(event_id = %notice.event_id, %error, "the shop did not take a webhook");
                Ok(())
            }
        }
    }
}

/// How long a webhook that the shop refused this often is kept back.
fn pause(attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0);
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::pause;

    #[test]
    fn pauses_double_up_to_half_a_minute_and_never_overflow() {
        let millis: Vec<u128> = [1, 2, 3, 7, 8, i32::MAX].map(|n| pause(n).as_millis()).to_vec();
        assert_eq!(millis, [250, 500, 1_000, 16_000, 30_000, 30_000]);
    }
}

//! `UmaDB`, as it is: a store of its own behind gRPC, which commits what waits together and flushes its file twice for
//! that. An event carries a tag of its stream, and an append names the events that must not be there. It has no
//! decisions, so reading, deciding and appending is what its documentation shows, by hand.

use std::iter;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use cqrs_es::Aggregate as _;
use daybook_domain::IdSource as _;
use daybook_eventstore::process::SystemIds;
use umadb_client::{AsyncUmaDbClient, UmaDbClient};
use umadb_dcb::{DcbAppendCondition, DcbError, DcbEvent, DcbEventStoreAsync as _, DcbQuery, DcbQueryItem};

use super::{Contestant, Failed};
use crate::basket::{Basket, BasketEvent, Line, metadata};
use crate::workload::{PRIOR, stream};

const TYPE: &str = "LineAdded";
/// Each carries many calls at a time. With one or with 32 it was slower.
const CONNECTIONS: usize = 4;
/// How many events are written at once beforehand.
const SEEDS: usize = 1_000;

pub(super) struct Umadb {
    clients: Vec<AsyncUmaDbClient>,
    next: AtomicUsize,
}

fn tag(stream: &str) -> String {
    format!("basket:{stream}")
}

fn of_stream(stream: &str) -> DcbQuery {
    DcbQuery::new().item(DcbQueryItem::new().types([TYPE]).tags([tag(stream)]))
}

fn event(stream: &str) -> Result<DcbEvent, Failed> {
    let data = serde_json::to_vec(&BasketEvent::LineAdded(Line::some()))?;
    Ok(DcbEvent::new().event_type(TYPE).tags([tag(stream)]).data(data).metadata(metadata(SystemIds.next())))
}

/// Writes the streams that are there beforehand, round after round of all of them.
pub(crate) async fn seed(url: &str, streams: u32) -> Result<(), Failed> {
    let client = UmaDbClient::new(url.to_owned()).connect_async().await?;
    let mut events = Vec::with_capacity(SEEDS);
    for number in (0..PRIOR).flat_map(|_| 0..streams) {
        events.push(event(&stream(number))?);
        if events.len() == SEEDS {
            client.append(std::mem::take(&mut events), None, None).await?;
        }
    }
    if !events.is_empty() {
        client.append(events, None, None).await?;
    }
    Ok(())
}

impl Umadb {
    pub(super) async fn start(url: &str, callers: usize) -> Result<Self, Failed> {
        let mut clients = Vec::new();
        for _ in 0..callers.min(CONNECTIONS) {
            clients.push(UmaDbClient::new(url.to_owned()).connect_async().await?);
        }
        Ok(Self { clients, next: AtomicUsize::new(0) })
    }

    fn client(&self) -> &AsyncUmaDbClient {
        &self.clients[self.next.fetch_add(1, Ordering::Relaxed) % self.clients.len()]
    }

    async fn append(&self, stream: &str, after: Option<u64>, events: Vec<DcbEvent>) -> Result<(), DcbError> {
        let condition = DcbAppendCondition::new(of_stream(stream)).after(after);
        self.client().append(events, Some(condition), None).await.map(drop)
    }
}

#[async_trait]
impl Contestant for Umadb {
    async fn append_new(&self, stream: &str, events: usize) -> Result<(), Failed> {
        let events = iter::repeat_with(|| event(stream)).take(events).collect::<Result<_, _>>()?;
        Ok(self.append(stream, None, events).await?)
    }

    async fn decide(&self, stream: &str) -> Result<(), Failed> {
        loop {
            let (found, head) =
                self.client().read_with_head(Some(of_stream(stream)), None, false, None).await?;
            let mut basket = Basket::default();
            for one in found {
                basket.apply(serde_json::from_slice(&one.event.data)?);
            }
            match self.append(stream, head, vec![event(stream)?]).await {
                // Somebody else was first.
                Err(DcbError::IntegrityError(_)) => {}
                appended => return Ok(appended?),
            }
        }
    }
}

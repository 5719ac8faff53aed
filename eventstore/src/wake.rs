//! A wake-up when the log grows, by `LISTEN/NOTIFY`, so that nothing polls when idle. Every listener is woken by every
//! commit, which costs more than the commit when there are ten of them, so only who has no better source listens.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{PgPool, Row};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::event::Position;
use crate::listener::Listener;

/// The channel that the append function notifies.
const CHANNEL: &str = "daybook_events";
/// When to look again after the log was seen to grow. It tells of its growth at most every 4 ms, and what it does not
/// tell of may be a little longer on its way.
const SECOND_LOOKS: [Duration; 4] = [
    Duration::from_millis(4),
    Duration::from_millis(12),
    Duration::from_millis(40),
    Duration::from_millis(120),
];
/// How often a reader looks without having been woken: a lost notification costs this much, never an event.
const SAFETY_INTERVAL: Duration = Duration::from_secs(1);
/// How long to wait before listening again after the connection failed.
const RECONNECT: Duration = Duration::from_millis(250);
/// How long somebody must want to be woken before it is worth a connection.
const HESITATION: Duration = Duration::from_millis(50);

/// Tells followers of the log that there may be something new.
#[derive(Debug, Clone)]
pub struct Wake {
    seen: watch::Receiver<Position>,
    wanted: Arc<watch::Sender<usize>>,
}

/// One who wants to be woken, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Wanted(Arc<watch::Sender<usize>>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.send_modify(|wanted| *wanted -= 1);
    }
}

impl Wake {
    /// Listens on the primary that the pool leads to, while anybody wants to be woken, until the returned handle is
    /// aborted.
    pub fn listen(pool: PgPool) -> (Self, JoinHandle<()>) {
        let (tell, seen) = watch::channel(0);
        let (wanted, wants) = watch::channel(0);
        (Self { seen, wanted: Arc::new(wanted) }, tokio::spawn(follow(pool, tell, wants)))
    }

    /// Wants to be woken. Without it, [`Wake::wait`] may only keep its safety interval.
    pub(crate) fn want(&self) -> Wanted {
        self.wanted.send_modify(|wanted| *wanted += 1);
        Wanted(Arc::clone(&self.wanted))
    }

    /// The last position that was told of; the log may be further.
    pub fn position(&self) -> Position {
        *self.seen.borrow()
    }

    /// Waits until the log has grown since the last call, or a safety interval has passed; says whether it has grown.
    pub async fn wait(&mut self) -> bool {
        match tokio::time::timeout(SAFETY_INTERVAL, self.seen.changed()).await {
            Ok(Ok(())) => true,
            Ok(Err(_gone)) => {
                // The listener is gone: without it, this is the interval's pace.
                tokio::time::sleep(SAFETY_INTERVAL).await;
                false
            }
            Err(_elapsed) => false,
        }
    }
}

async fn follow(pool: PgPool, tell: watch::Sender<Position>, mut wants: watch::Receiver<usize>) {
    // It ends when no follower is left.
    while wants.wait_for(|wanted| *wanted > 0).await.is_ok() {
        let nobody = wants.wait_for(|wanted| *wanted == 0);
        if tokio::time::timeout(HESITATION, nobody).await.is_ok() {
            continue;
        }
        if let Err(error) = listen_once(&pool, &tell, &mut wants).await {
            tracing::warn!(%error, "lost the log's notifications; listening again");
            tokio::time::sleep(RECONNECT).await;
        }
    }
}

/// Listens until nobody wants it any more, or the connection is gone, and notifications with it.
async fn listen_once(
    pool: &PgPool,
    tell: &watch::Sender<Position>,
    wants: &mut watch::Receiver<usize>,
) -> Result<(), sqlx::Error> {
    let mut listener = Listener::listen(&pool.connect_options(), CHANNEL).await?;
    // What was appended while nobody listened.
    tell.send_replace(head(&mut listener).await?);
    let mut looks = SECOND_LOOKS.iter();
    let mut grown_at = Instant::now();
    loop {
        let look = looks.as_slice().first().copied();
        let told = tokio::select! {
            told = listener.heard() => Some(told?.parse().unwrap_or(0)),
            () = tokio::time::sleep_until(grown_at + look.unwrap_or_default()), if look.is_some() => None,
            _ = wants.wait_for(|wanted| *wanted == 0) => return Ok(()),
        };
        let position = match told {
            Some(position) => position,
            None => head(&mut listener).await?,
        };
        looks.next();
        let grown = tell.send_if_modified(|before| std::mem::replace(before, position) != position);
        if grown || told.is_some() {
            (looks, grown_at) = (SECOND_LOOKS.iter(), Instant::now());
        }
    }
}

async fn head(listener: &mut Listener) -> Result<Position, sqlx::Error> {
    listener.fetch_one("SELECT position FROM log_head").await?.try_get(0)
}

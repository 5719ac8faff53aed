//! Hearing a database's notifications, on a connection of its own that is known to live. Silence says nothing: it may
//! be that nothing happens, or that the other machine is gone and nobody can say so any more.

use std::time::Duration;

use sqlx::Executor;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions, PgRow};

/// After how much silence the connection is asked whether it lives.
const SILENCE: Duration = Duration::from_secs(5);
/// How long it may take to answer, and the database to accept it.
const ANSWER: Duration = Duration::from_secs(5);

/// Hears what one channel is notified of.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Listener {
    /// Listens on the database that these options lead to. What was notified before is not heard.
    ///
    /// # Errors
    /// When the database does not answer in time.
    pub async fn listen(options: &PgConnectOptions, channel: &str) -> Result<Self, sqlx::Error> {
        // When it is this machine that vanishes, the server must find out.
        let options = options.clone().options([
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ]);
        // Not one of a pool's that others wait for: one that died hangs until its machine gives it up.
        let alone =
            PgPoolOptions::new().max_connections(1).acquire_timeout(ANSWER).connect_lazy_with(options);
        let listening = async {
            let mut listener = PgListener::connect_with(&alone).await?;
            // What is lost is told, and not found again silently.
            listener.eager_reconnect(false);
            listener.listen(channel).await?;
            Ok(Self(listener))
        };
        in_time(listening).await
    }

    /// The one row that a query answers with, asked on the same connection.
    pub(crate) async fn fetch_one(&mut self, statement: &str) -> Result<PgRow, sqlx::Error> {
        in_time(sqlx::query(statement).fetch_one(&mut self.0)).await
    }

    /// The next notification's payload; dropping the future loses none.
    ///
    /// # Errors
    /// When the connection is lost, and notifications with it: who goes on listens anew.
    pub async fn heard(&mut self) -> Result<String, sqlx::Error> {
        loop {
            match tokio::time::timeout(SILENCE, self.0.try_recv()).await {
                Ok(heard) => {
                    let heard = heard?.ok_or(sqlx::Error::PoolClosed)?;
                    return Ok(heard.payload().to_owned());
                }
                Err(_silence) => in_time((&mut self.0).execute("SELECT")).await.map(drop)?,
            }
        }
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(ANSWER, call).await.map_err(|_elapsed| sqlx::Error::PoolTimedOut)?
}

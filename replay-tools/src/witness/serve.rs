//! The connections of those who ask: so many at once, and none for long on which nothing is asked.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How many connections there may be at once; others wait to be accepted.
const CONNECTIONS: usize = 128;
/// How long it may take until somebody has begun to ask, also for the next time.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a connection is kept at most, whatever goes on there: others wait for its place.
const LIFE: Duration = Duration::from_mins(1);
/// How long what is asked when the process is to end may take.
const END: Duration = Duration::from_secs(5);
/// The pause after the system had no connection to give.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves the routes until told to stop; what was asked by then is answered.
pub(super) async fn serve(listener: TcpListener, routes: Router, stop: CancellationToken) {
    let (free, ending) = (Arc::new(Semaphore::new(CONNECTIONS)), GracefulShutdown::new());
    let mut protocol = Builder::new(TokioExecutor::new()).http1_only();
    protocol.http1().timer(TokioTimer::new()).header_read_timeout(SILENCE);
    loop {
        let (client, place) = tokio::select! {
            accepted = accept(&listener, &free) => accepted,
            () = stop.cancelled() => break,
        };
        let service = TowerToHyperService::new(routes.clone());
        let connection = protocol.serve_connection(TokioIo::new(client), service).into_owned();
        let connection = ending.watch(connection);
        tokio::spawn(async move {
            // How it ended is the client's business.
            drop(tokio::time::timeout(LIFE, connection).await);
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(END, ending.shutdown()).await.is_err() {
        tracing::warn!("somebody was still asking when the witness ended");
    }
}

/// The next client, once there is a place for one.
async fn accept(listener: &TcpListener, free: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // Never closed; were it, there would be nothing to bound.
    let place = Arc::clone(free).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((client, _address)) => return (client, place),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

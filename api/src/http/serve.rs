//! The connections of clients: so many at once and no more, and none for long on which nothing goes on. It knows nothing
//! of what they ask for.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::future::RouteFuture;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tower::util::MapFuture;

use super::Limits;

/// How long a client may take to ask something at all.
const FIRST: Duration = Duration::from_secs(10);
/// The pause after the system had no connection to give, as when the process has too many files open.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves the routes until told to stop; what was asked by then is answered.
pub(crate) async fn serve(listener: TcpListener, routes: Router, limits: Limits, stop: CancellationToken) {
    let (free, ending) = (Arc::new(Semaphore::new(limits.connections)), GracefulShutdown::new());
    loop {
        let (client, place) = tokio::select! {
            accepted = accept(&listener, &free) => accepted,
            () = stop.cancelled() => break,
        };
        tokio::spawn(attend(client, place, routes.clone(), limits.silence, ending.watcher()));
    }
    drop(listener);
    ending.shutdown().await;
}

/// The next client, once there is a place for one; until then clients wait to be accepted.
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

/// Serves one client, until it goes or nothing has gone on for so long.
async fn attend(
    client: TcpStream,
    _place: Option<OwnedSemaphorePermit>,
    routes: Router,
    silence: Duration,
    ending: Watcher,
) {
    let (working, idle) = watch::channel(0);
    let counted = MapFuture::new(routes, move |answering: RouteFuture<Infallible>| {
        let at_work = AtWork::new(working.clone());
        async move {
            let answered = answering.await;
            drop(at_work);
            answered
        }
    });
    let mut protocol = Builder::new(TokioExecutor::new());
    protocol.http2().enable_connect_protocol();
    let service = TowerToHyperService::new(counted);
    let connection = protocol.serve_connection_with_upgrades(TokioIo::new(client), service);
    tokio::select! {
        // How it ended is the client's business. One that became a WebSocket goes on elsewhere.
        _ended = ending.watch(connection) => {}
        () = silent(idle, silence) => {}
    }
}

/// Returns when no request has been worked on for so long, or none has come soon after the connection.
async fn silent(mut working: watch::Receiver<usize>, silence: Duration) {
    if tokio::time::timeout(FIRST.min(silence), working.changed()).await.is_err() {
        return;
    }
    while working.wait_for(|working| *working == 0).await.is_ok() {
        if tokio::time::timeout(silence, working.changed()).await.is_err() {
            return;
        }
    }
}

/// Counts a request for as long as it is worked on.
struct AtWork(watch::Sender<usize>);

impl AtWork {
    fn new(working: watch::Sender<usize>) -> Self {
        working.send_modify(|working| *working += 1);
        Self(working)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.send_modify(|working| *working -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_util::sync::DropGuard;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    async fn serving(limits: Limits) -> (SocketAddr, DropGuard) {
        let slow = || async { tokio::time::sleep(Duration::from_millis(500)).await };
        let routes = Router::new().route("/quick", get(|| async {})).route("/slow", get(slow));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let (address, stop) = (listener.local_addr().expect("its address"), CancellationToken::new());
        tokio::spawn(serve(listener, routes, limits, stop.clone()));
        (address, stop.drop_guard())
    }

    /// What a client is told that says this and then waits for the end.
    async fn told(client: &mut TcpStream, said: &str) -> String {
        client.write_all(said.as_bytes()).await.expect("it is sent");
        let mut told = String::new();
        // A connection that is reset has ended as well.
        drop(tokio::time::timeout(SOON, client.read_to_string(&mut told)).await.expect("it ends"));
        told
    }

    #[tokio::test]
    async fn a_connection_on_which_nothing_goes_on_ends() {
        let limits = Limits { silence: Duration::from_millis(100), ..Limits::default() };
        let (address, _serving) = serving(limits).await;
        for said in ["", "P", "PRI * HTTP/2.0\r\n", "GET /quick HTTP/1.1\r\nHost: "] {
            let mut client = TcpStream::connect(address).await.expect("a connection");
            assert_eq!(told(&mut client, said).await, "", "after {said:?}");
        }
        for path in ["quick", "slow"] {
            let mut client = TcpStream::connect(address).await.expect("a connection");
            let told = told(&mut client, &format!("GET /{path} HTTP/1.1\r\nHost: shop\r\n\r\n")).await;
            assert!(told.starts_with("HTTP/1.1 200 OK\r\n"), "{told:?}");
        }
    }

    #[tokio::test]
    async fn one_connection_too_many_waits_for_a_place() {
        let limits = Limits { connections: 1, silence: Duration::from_millis(300), ..Limits::default() };
        let (address, _serving) = serving(limits).await;
        let mut first = TcpStream::connect(address).await.expect("a connection");
        first.write_all(b"GET /quick HTTP/1.1\r\nHost: shop\r\n\r\n").await.expect("it is sent");
        let mut answer = [0; 15];
        first.read_exact(&mut answer).await.expect("an answer");
        let mut second = TcpStream::connect(address).await.expect("the system accepts it");
        let asked = told(&mut second, "GET /quick HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").await;
        assert!(asked.starts_with("HTTP/1.1 200 OK\r\n"), "{asked:?}");
        let (mut rest, now) = (String::new(), Duration::from_millis(100));
        let ended = tokio::time::timeout(now, first.read_to_string(&mut rest)).await;
        assert!(ended.is_ok(), "the first had gone by then");
    }
}

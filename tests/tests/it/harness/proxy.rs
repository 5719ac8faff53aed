//! A way to a server that can break: it falls silent, as when a machine vanishes, or is cut off, as in an outage.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How the way is; each change is the end of the connections that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Those that were there hear nothing any more, and are not told.
    Vanished,
    Cut,
}

/// Passes on what it is sent, until it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// Where it is, on the loopback interface.
    pub(crate) port: u16,
    way: watch::Sender<Way>,
    passing_on: JoinHandle<()>,
}

impl Proxy {
    /// A way to the server at this address.
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let way = watch::Sender::new(Way::Open);
        let passing_on = tokio::spawn(accept(listener, server, way.clone()));
        Self { port, way, passing_on }
    }

    /// All connections fall silent; new ones are passed on.
    pub(crate) fn vanish(&self) {
        self.way.send_replace(Way::Vanished);
    }

    /// All connections end, and new ones do at once.
    pub(crate) fn cut(&self) {
        self.way.send_replace(Way::Cut);
    }

    /// New connections are passed on again.
    pub(crate) fn mend(&self) {
        self.way.send_replace(Way::Open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.passing_on.abort();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, way: watch::Sender<Way>) {
    // They end with this.
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.expect("a connection");
        let way = way.subscribe();
        if *way.borrow() != Way::Cut {
            connections.spawn(pass_on(client, server, way));
        }
    }
}

async fn pass_on(mut client: TcpStream, server: SocketAddr, mut way: watch::Receiver<Way>) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = way.changed() => {
            if *way.borrow() == Way::Vanished {
                std::future::pending::<()>().await;
            }
        }
    }
}

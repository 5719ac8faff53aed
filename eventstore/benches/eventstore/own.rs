//! The server of a contestant that does not store in PostgreSQL: a process with a folder of its own, both of which are
//! gone when it is dropped. The folder is where the private PostgreSQL has its own.

use std::fs;
use std::io::{self, BufRead as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, process, thread};

use tokio::sync::oneshot;
use umadb_server::{ServerOptions, StorageOptions, start_server_with_options};

use crate::contestants::{Failed, umadb};

/// How long it may take until it can be reached.
const PATIENCE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(10);

/// What to serve, and where.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Serving {
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    address: String,
}

/// Serves for as long as somebody holds its standard input, with the settings that the program of `UmaDB` has by default.
pub(crate) async fn serve(serving: Serving) -> Result<(), Failed> {
    thread::spawn(|| {
        drop(io::stdin().lock().read_line(&mut String::new()));
        process::exit(0);
    });
    let storage = StorageOptions::default().db_path(serving.folder);
    let options = ServerOptions { listen_addr: serving.address, tls: None, api_key: None, storage };
    let (_stop, stopped) = oneshot::channel();
    start_server_with_options(options, stopped).await.map_err(|error| error.to_string().into())
}

/// A server that runs.
pub(crate) struct Running {
    // Dropped in this order.
    process: Process,
    _folder: Folder,
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays in the temporary folder harms nobody.
        drop(fs::remove_dir_all(&self.0));
    }
}

struct Process {
    child: Child,
    address: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Process {
    async fn start(folder: &Path) -> Result<Self, Failed> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let child = Command::new(env::current_exe()?)
            .args(["serve", "--address", &address, "--folder"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let started = Self { child, address };
        let reached = async {
            while tokio::net::TcpStream::connect(&started.address).await.is_err() {
                tokio::time::sleep(GLANCE).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.map_err(|_| "a contestant's server does not start")?;
        Ok(started)
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Running {
    /// A new one, with so many streams.
    pub(crate) async fn start(streams: u32) -> Result<Self, Failed> {
        let folder = Folder(env::temp_dir().join(format!("daybook-bench-{}", process::id())));
        fs::create_dir(&folder.0)?;
        if streams > 0 {
            // Another process, so that what it took for this is not counted.
            let process = Process::start(&folder.0).await?;
            umadb::seed(&process.url(), streams).await?;
        }
        Ok(Self { process: Process::start(&folder.0).await?, _folder: folder })
    }

    pub(crate) fn url(&self) -> String {
        self.process.url()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.child.id()
    }
}

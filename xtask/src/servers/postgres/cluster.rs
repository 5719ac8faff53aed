//! What a primary and its replica have in common: a data folder, a port, a configuration, a process.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{During, Result};
use crate::process::{Account, Launch, Signal};
use crate::servers::{Profile, Site, make, remove};
use crate::tools::Tool;

use super::Connection;

/// How long a fast shutdown may take: it ends with a checkpoint.
const GRACE: Duration = Duration::from_secs(30);

/// One PostgreSQL cluster on disk.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) data: PathBuf,
    pub(super) connection: Connection,
    pub(super) account: Option<Account>,
    profile: Profile,
    log: PathBuf,
    name: &'static str,
}

impl Cluster {
    pub(super) fn new(site: &Site, profile: Profile, name: &'static str, port: u16) -> Self {
        Self {
            data: site.postgres_home.join(name),
            connection: Connection { port, password: site.password.clone() },
            account: site.account.clone(),
            profile,
            log: site.log(name),
            name,
        }
    }

    pub(super) fn profile(&self) -> Profile {
        self.profile
    }

    /// Whether the cluster was made: it is moved to its place only when it is whole.
    pub(super) fn exists(&self) -> bool {
        self.data.join("PG_VERSION").exists()
    }

    /// Makes the data folder with a program that fills an empty one; a half-filled one is never taken for whole.
    pub(super) fn create(&self, fill: impl FnOnce(&Path) -> Launch) -> Result<()> {
        remove(&self.data)?;
        let half = self.data.with_extension("half");
        remove(&half)?;
        self.folder(&half)?;
        fill(&half).account(self.account.as_ref()).env("LC_ALL", locale()).run()?;
        self.write(&half.join("daybook.conf"), "")?;
        let main = half.join("postgresql.conf");
        let text = fs::read_to_string(&main).during(|| format!("cannot read {}", main.display()))?;
        if !text.contains("daybook.conf") {
            self.write(&main, &format!("{text}\ninclude 'daybook.conf'\n"))?;
        }
        fs::rename(&half, &self.data).during(|| format!("cannot name {}", self.data.display()))
    }

    /// Writes the configuration of this start.
    pub(super) fn configure(&self, more: &str) -> Result<()> {
        let (port, name, connections) = (self.connection.port, self.name, self.profile.max_connections);
        let Profile { shared_buffers, max_wal_size, min_wal_size, .. } = self.profile;
        let (fsync, full_page_writes) = if self.profile.durable { ("on", "on") } else { ("off", "off") };
        let text = format!(
            "port = {port}\n\
             cluster_name = '{name}'\n\
             listen_addresses = '127.0.0.1'\n\
             unix_socket_directories = ''\n\
             max_connections = {connections}\n\
             shared_buffers = '{shared_buffers}'\n\
             fsync = {fsync}\n\
             full_page_writes = {full_page_writes}\n\
             synchronous_commit = on\n\
             wal_level = replica\n\
             max_wal_senders = 10\n\
             max_replication_slots = 10\n\
             max_slot_wal_keep_size = '4GB'\n\
             max_wal_size = '{max_wal_size}'\n\
             min_wal_size = '{min_wal_size}'\n\
             hot_standby = on\n\
             hot_standby_feedback = on\n\
             max_standby_streaming_delay = '5s'\n\
             wal_receiver_status_interval = '1s'\n\
             wal_retrieve_retry_interval = '500ms'\n\
             jit = off\n\
             timezone = 'UTC'\n\
             log_timezone = 'UTC'\n\
             log_line_prefix = '%m [%p] %u@%d '\n\
             {more}"
        );
        self.write(&self.data.join("daybook.conf"), &text)
    }

    pub(super) fn launch(&self) -> Result<Launch> {
        let launch = Launch::new(self.programs()?.join("postgres"))
            .arg("-D")
            .arg(&self.data)
            .env("LC_ALL", locale())
            .account(self.account.as_ref())
            .log_to(&self.log);
        // PostgreSQL's "fast" shutdown: it ends its clients' sessions instead of waiting for them.
        Ok(launch.stop_with(Signal::INT, GRACE).on_orphan(Signal::INT))
    }

    /// The programs that fit the data, or the newest ones while there is none.
    pub(super) fn programs(&self) -> Result<PathBuf> {
        let written_by = fs::read_to_string(self.data.join("PG_VERSION")).unwrap_or_default();
        let found = match written_by.trim().parse() {
            Ok(major) => Tool::Postgres.get_major(major)?,
            Err(_) => Tool::Postgres.get()?,
        };
        Ok(found.folder)
    }

    /// Writes a file that belongs to PostgreSQL's account and that nobody else reads.
    pub(super) fn write(&self, file: &Path, text: &str) -> Result<()> {
        fs::write(file, text).during(|| format!("cannot write {}", file.display()))?;
        self.keep_private(file, 0o600)
    }

    fn folder(&self, folder: &Path) -> Result<()> {
        make(folder)?;
        self.keep_private(folder, 0o700)
    }

    fn keep_private(&self, path: &Path, mode: u32) -> Result<()> {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(path, permissions).during(|| format!("cannot protect {}", path.display()))?;
        self.account.as_ref().map_or(Ok(()), |account| account.own(path))
    }
}

/// A locale that every machine has and that knows all letters.
pub(super) fn locale() -> &'static str {
    if cfg!(target_os = "macos") { "C" } else { "C.UTF-8" }
}

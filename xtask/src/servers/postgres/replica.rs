//! The streaming replica: a hot standby that follows the primary through a physical slot.

use std::path::Path;

use crate::failure::Result;
use crate::probe::Probe;
use crate::process::Launch;
use crate::servers::{Profile, Program, Site};

use super::Connection;
use super::cluster::Cluster;
use super::connection::SUPERUSER;

/// The slot that keeps the primary's log until this replica has it.
const SLOT: &str = "daybook_replica";

/// A PostgreSQL replica on the loopback interface. Its primary must run whenever it starts.
#[derive(Debug)]
pub struct Replica {
    cluster: Cluster,
    primary: Connection,
}

impl Replica {
    /// The replica of a site's primary.
    pub fn new(site: &Site, profile: Profile, port: u16, primary: Connection) -> Self {
        Self { cluster: Cluster::new(site, profile, "postgres-replica", port), primary }
    }

    /// Copies the primary anew, through a new slot.
    fn create(&self) -> Result<()> {
        self.primary.query(
            "postgres",
            &format!("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '{SLOT}'"),
        )?;
        self.primary
            .query("postgres", &format!("select pg_create_physical_replication_slot('{SLOT}', true)"))?;
        let program = self.cluster.programs()?.join("pg_basebackup");
        self.cluster.create(|folder| {
            self.primary
                .reach(Launch::new(program))
                .args(["--wal-method=stream", "--checkpoint=fast", "--slot", SLOT, "--pgdata"])
                .arg(folder)
        })
    }

    /// Whether the primary still holds all that this replica has not received. It does not when the primary
    /// was made anew, or when the replica was away for longer than the primary keeps its log.
    fn can_follow(&self) -> Result<bool> {
        let held = format!(
            "select 1 from pg_replication_slots where slot_name = '{SLOT}' and wal_status in ('reserved', 'extended')"
        );
        Ok(!self.primary.query("postgres", &held)?.is_empty())
    }
}

impl Program for Replica {
    fn name(&self) -> &'static str {
        "postgres-replica"
    }

    fn url(&self) -> String {
        self.cluster.connection.url()
    }

    fn data(&self) -> &Path {
        &self.cluster.data
    }

    fn prepare(&self) -> Result<()> {
        if !self.cluster.exists() || !self.can_follow()? {
            self.create()?;
        }
        let Connection { port, password } = &self.primary;
        self.cluster.configure(&format!(
            "primary_conninfo = 'host=127.0.0.1 port={port} user={SUPERUSER} password={password} application_name=daybook_replica'\n\
             primary_slot_name = '{SLOT}'\n"
        ))?;
        self.cluster.write(&self.cluster.data.join("standby.signal"), "")
    }

    fn launch(&self) -> Result<Launch> {
        self.cluster.launch()
    }

    fn probe(&self) -> Probe {
        Probe::Replica(self.cluster.connection.clone())
    }
}

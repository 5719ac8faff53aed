//! The primary: the only cluster that is ever written to.

use std::fs;
use std::path::Path;

use crate::failure::Result;
use crate::probe::Probe;
use crate::process::Launch;
use crate::servers::{Profile, Program, Site};

use super::Connection;
use super::cluster::{Cluster, locale};
use super::connection::SUPERUSER;

/// A PostgreSQL primary on the loopback interface.
#[derive(Debug)]
pub struct Primary {
    cluster: Cluster,
}

impl Primary {
    /// The primary of a site.
    pub fn new(site: &Site, profile: Profile, port: u16) -> Self {
        Self { cluster: Cluster::new(site, profile, "postgres-primary", port) }
    }

    /// How to reach it.
    pub fn connection(&self) -> Connection {
        self.cluster.connection.clone()
    }

    fn create(&self) -> Result<()> {
        let initdb = self.cluster.programs()?.join("initdb");
        let password = self.cluster.data.with_extension("password");
        self.cluster.write(&password, &self.cluster.connection.password)?;
        let made = self.cluster.create(|folder| {
            // Passwords cross the loopback interface in clear: only root could listen there, and a client
            // that opens hundreds of connections in a debug build is spared the hashing of SCRAM.
            Launch::new(initdb)
                .args(["--encoding=UTF8", "--data-checksums", "--auth-host=password", "--auth-local=reject"])
                .arg(format!("--locale={}", locale()))
                .arg(format!("--username={SUPERUSER}"))
                .arg(format!("--pwfile={}", password.display()))
                .arg("--pgdata")
                .arg(folder)
        });
        // Its one reader is done with it, and a file that stays is still private and still right.
        drop(fs::remove_file(&password));
        made
    }
}

impl Program for Primary {
    fn name(&self) -> &'static str {
        "postgres-primary"
    }

    fn url(&self) -> String {
        self.cluster.connection.url()
    }

    fn data(&self) -> &Path {
        &self.cluster.data
    }

    fn prepare(&self) -> Result<()> {
        if !self.cluster.exists() {
            self.create()?;
        }
        self.cluster.configure("")
    }

    fn launch(&self) -> Result<Launch> {
        self.cluster.launch()
    }

    fn probe(&self) -> Probe {
        Probe::Primary(self.connection())
    }

    fn settle(&self) -> Result<()> {
        for database in self.cluster.profile().databases {
            let known = format!("select 1 from pg_database where datname = '{database}'");
            if self.cluster.connection.query("postgres", &known)?.is_empty() {
                self.cluster.connection.query("postgres", &format!("create database {database}"))?;
            }
        }
        Ok(())
    }
}

//! How to reach one cluster as its superuser.

use serde::{Deserialize, Serialize};

use crate::failure::Result;
use crate::process::Launch;
use crate::tools::Tool;

/// The superuser of a private cluster.
pub(super) const SUPERUSER: &str = "daybook";

/// The port and the password of a private cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its port on the loopback interface.
    pub port: u16,
    /// The password of its superuser.
    pub password: String,
}

impl Connection {
    /// Where clients reach the cluster; a slash and a database's name complete it.
    pub fn url(&self) -> String {
        format!("postgres://{SUPERUSER}:{}@127.0.0.1:{}", self.password, self.port)
    }

    /// Runs one statement and returns what it printed, unadorned.
    pub fn query(&self, database: &str, statement: &str) -> Result<String> {
        let psql = Tool::Postgres.get()?.folder.join("psql");
        self.reach(Launch::new(psql))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"])
            .args(["--dbname", database, "--command", statement])
            .run()
    }

    /// Tells a client program how to reach the cluster.
    pub(super) fn reach(&self, program: Launch) -> Launch {
        program
            .args([
                "--host",
                "127.0.0.1",
                "--port",
                &self.port.to_string(),
                "--username",
                SUPERUSER,
                "--no-password",
            ])
            .env("PGPASSWORD", &self.password)
            .env("PGCONNECT_TIMEOUT", "3")
    }
}

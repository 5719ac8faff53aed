//! The processes Daybook consists of, and the environment that configures them. Starts nothing.

use std::path::Path;
use std::time::Duration;

use crate::failure::Result;
use crate::home::Secrets;
use crate::ports::Ports;
use crate::process::{Launch, Signal};
use crate::servers::{Addresses, Site};

/// The program that migrates, imports and replays.
pub const REPLAY: &str = "daybook-replay";

/// The name of a private instance's log.
const ORIGIN: &str = "localhost/daybook";

/// How long a process may take to stop before it is killed: longer than it promises to, on a machine that is busy.
pub const GRACE: Duration = Duration::from_secs(25);

/// One process of Daybook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its name in logs, in the state and to a person.
    pub name: &'static str,
    /// The program it runs.
    pub program: &'static str,
    /// The projection it serves, for a projector.
    pub projection: Option<&'static str>,
}

/// Every process of Daybook, in the order they are shown.
pub const PROCESSES: [Process; 12] = [
    Process { name: "daybook-api", program: "daybook-api", projection: None },
    Process { name: "daybook-relay", program: "daybook-relay", projection: None },
    Process { name: "daybook-worker", program: "daybook-worker", projection: None },
    projector("daybook-projector-orders", "orders"),
    projector("daybook-projector-carts", "carts"),
    projector("daybook-projector-products", "products"),
    projector("daybook-projector-stock", "stock"),
    projector("daybook-projector-carts-hot", "carts-hot"),
    projector("daybook-projector-stock-hot", "stock-hot"),
    projector("daybook-projector-search", "search"),
    projector("daybook-projector-audit", "audit"),
    projector("daybook-projector-notary", "notary"),
];

const fn projector(name: &'static str, projection: &'static str) -> Process {
    Process { name, program: "daybook-projector", projection: Some(projection) }
}

/// Every program that must be built, each once.
pub fn programs() -> Vec<&'static str> {
    let mut programs: Vec<_> = PROCESSES.iter().map(|process| process.program).collect();
    programs.push(REPLAY);
    programs.sort_unstable();
    programs.dedup();
    programs
}

/// What every process is told: where the servers are, and the secrets.
#[derive(Debug, Clone)]
pub struct Environment {
    shared: Vec<(&'static str, String)>,
    api_port: u16,
}

impl Environment {
    /// The environment on these servers, with the API on this port.
    pub fn new(servers: &Addresses, secrets: &Secrets, api_port: u16) -> Self {
        let mut shared = vec![
            ("DAYBOOK_EVENTS_URL", format!("{}/daybook_events", servers.primary)),
            ("DAYBOOK_READ_URL", format!("{}/daybook_read", servers.primary)),
            ("DAYBOOK_READ_REPLICA_URL", format!("{}/daybook_read", servers.replica)),
            ("DAYBOOK_NATS_URL", servers.nats.clone()),
            ("DAYBOOK_REDIS_URL", servers.redis.clone()),
            ("DAYBOOK_VAULT_KEY", secrets.vault_key.clone()),
            ("DAYBOOK_TOKEN_KEY", secrets.token_key.clone()),
            ("DAYBOOK_WEBHOOK_SECRET", secrets.webhook_secret.clone()),
            ("DAYBOOK_NOTARY_KEY", secrets.notary_key.clone()),
            ("DAYBOOK_NOTARY_ORIGIN", ORIGIN.to_owned()),
            ("DAYBOOK_WEBHOOK_URL", format!("http://127.0.0.1:{api_port}/webhooks/payment")),
        ];
        // Said also where there is none: our own environment may name a server that is not for this.
        let (url, key) = servers.search.as_ref().map_or(("", ""), |search| (&search.url, &search.key));
        shared.extend([("DAYBOOK_MEILI_URL", url.to_owned()), ("DAYBOOK_MEILI_KEY", key.to_owned())]);
        if std::env::var_os("DAYBOOK_LOG").is_none() {
            shared.push(("DAYBOOK_LOG", "info".into()));
        }
        Self { shared, api_port }
    }

    /// The settings, as variables.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.shared.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// How to start one program that ends by itself.
    pub fn command(&self, program: &Path) -> Launch {
        self.shared.iter().fold(Launch::new(program), |launch, (name, value)| launch.env(name, value))
    }

    /// How to start a process, and where it answers for its health.
    pub fn process(
        &self,
        process: Process,
        programs: &Path,
        site: &Site,
        ports: &mut Ports,
    ) -> Result<(Launch, String)> {
        let port = ports.take(process.name)?;
        let launch = self
            .command(&programs.join(process.program))
            .args(process.projection)
            .env("DAYBOOK_OPS_LISTEN", format!("127.0.0.1:{port}"))
            .log_to(&site.log(process.name))
            .stop_with(Signal::TERM, GRACE);
        let launch = if process.program == "daybook-api" {
            launch.env("DAYBOOK_LISTEN", format!("127.0.0.1:{}", self.api_port))
        } else {
            launch
        };
        Ok((launch, format!("http://127.0.0.1:{port}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_built_once() {
        assert_eq!(
            programs(),
            ["daybook-api", "daybook-projector", "daybook-relay", "daybook-replay", "daybook-worker"]
        );
    }

    #[test]
    fn no_two_processes_share_a_name() {
        let mut names: Vec<_> = PROCESSES.iter().map(|process| process.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PROCESSES.len());
    }
}

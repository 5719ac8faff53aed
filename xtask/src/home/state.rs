//! What is remembered between starts, and what `status` and `down` need to know of a running Daybook.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::{During, Result};
use crate::ports::Ports;
use crate::probe::Probe;

use super::write_private;

/// The contents of `.daybook/state.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The ports of the last start.
    pub ports: Ports,
    /// Where PostgreSQL's data is: outside the checkout when its account cannot reach that.
    pub postgres_home: Option<PathBuf>,
    /// The supervisor that found everything ready.
    pub ready_under: Option<u32>,
    /// Every process that was started.
    pub processes: Vec<Recorded>,
}

/// What a process is to the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A server Daybook runs on.
    Server,
    /// A process of Daybook.
    Daybook,
}

/// One process that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its id, while it runs.
    pub pid: Option<u32>,
    /// Where it is reached.
    pub url: String,
    /// How to ask whether it is ready.
    pub probe: Probe,
    /// The command that started it, by which it is known again.
    pub command: String,
}

impl State {
    /// The state of this folder; an empty one before the first start.
    pub fn load(home: &Path) -> Result<Self> {
        let file = file(home);
        if !file.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(&file).during(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).during(|| format!("cannot understand {}", file.display()))
    }

    /// Keeps the state.
    pub fn save(&self, home: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).during(|| "cannot keep the state".into())?;
        write_private(&file(home), &text)
    }
}

fn file(home: &Path) -> PathBuf {
    home.join("state.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::Scratch;
    use crate::servers::postgres::Connection;

    #[test]
    fn the_state_survives_a_restart() {
        let scratch = Scratch::new().expect("a scratch folder");
        let home = &scratch.site().home;
        assert_eq!(State::load(home).expect("no state yet"), State::default());
        let primary = Recorded {
            name: "postgres-primary".into(),
            kind: Kind::Server,
            pid: Some(7),
            url: "postgres://127.0.0.1:1".into(),
            probe: Probe::Primary(Connection { port: 1, password: "p".into() }),
            command: "postgres -D data".into(),
        };
        let mut state = State { ready_under: Some(3), processes: vec![primary], ..State::default() };
        state.ports.take("nats").expect("a port");
        state.save(home).expect("saved");
        assert_eq!(State::load(home).expect("loaded"), state);
    }
}

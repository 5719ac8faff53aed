//! The shop that runs in this checkout, found by what its supervisor recorded.

use std::path::Path;

use crate::failure::{Failure, Result};
use crate::home::{Lock, Recorded, Secrets, State};

use super::{Client, Role, Token};

/// The process whose address is the API's.
const API: &str = "daybook-api";

/// A shop that is open: where its API is, and the key that development tokens are signed with.
#[derive(Debug, Clone)]
pub struct Shop {
    /// The API's port on our own machine.
    pub port: u16,
    token_key: String,
}

impl Shop {
    /// The shop with its API on this port and this token key.
    pub fn new(port: u16, token_key: String) -> Self {
        Self { port, token_key }
    }

    /// The shop that `cargo xtask up` runs from this folder. Fails when there is none, and when it is not ready.
    pub fn running(home: &Path) -> Result<Self> {
        let Some(supervisor) = Lock::holder(home) else {
            return Err(Failure::new("Daybook is not running: start it with `cargo xtask up`"));
        };
        let state = State::load(home)?;
        if state.ready_under != Some(supervisor) {
            return Err(Failure::new(
                "Daybook is still starting: `cargo xtask status` tells when it is ready",
            ));
        }
        let port = state.processes.iter().find(|process| process.name == API).and_then(port_of);
        let port = port.ok_or_else(|| Failure::new("Daybook runs without an API: start it again"))?;
        Ok(Self { port, token_key: Secrets::load_or_make(home)?.token_key })
    }

    /// A client who is nobody in particular: a guest.
    pub fn guest(&self) -> Client {
        Client::new(self.port, None)
    }

    /// A client who is one of the shop's people.
    pub fn person(&self, role: Role, name: &str) -> Result<Client> {
        Ok(Client::new(self.port, Some(&self.token(role, name)?)))
    }

    /// What says to the API that a client is this.
    pub fn token(&self, role: Role, name: &str) -> Result<Token> {
        Token::sign(&self.token_key, role, name)
    }
}

fn port_of(process: &Recorded) -> Option<u16> {
    process.url.rsplit(':').next()?.trim_end_matches('/').parse().ok()
}

#[cfg(test)]
mod tests {
    use crate::home::Kind;
    use crate::probe::Probe;
    use crate::servers::Scratch;

    use super::*;

    #[test]
    fn the_port_is_read_from_the_address() {
        let url = "http://127.0.0.1:8080".to_owned();
        let (name, probe) = (API.to_owned(), Probe::Http { url: url.clone() });
        let process = Recorded { name, kind: Kind::Daybook, pid: None, url, probe, command: String::new() };
        assert_eq!(port_of(&process), Some(8_080));
    }

    #[test]
    fn where_nothing_runs_a_person_is_told_how_to_start_it() {
        let scratch = Scratch::new().expect("a scratch folder");
        let told = Shop::running(&scratch.site().home).expect_err("nothing runs").chain();
        assert!(told.contains("cargo xtask up"), "{told}");
    }
}

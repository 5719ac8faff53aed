//! Free ports on the loopback interface, remembered so that addresses survive a restart.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Result};
use crate::random;

/// Below every system's range for outgoing connections, which would otherwise take a port between our
/// look and the server's start.
const LOWEST: u16 = 20_000;
const RANGE: u16 = 10_000;
const ATTEMPTS: usize = 100;

/// Which port each name has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ports(BTreeMap<String, u16>);

impl Ports {
    /// The port of this name: the one from last time if nobody took it since, else a new free one.
    pub fn take(&mut self, name: &str) -> Result<u16> {
        if let Some(&port) = self.0.get(name)
            && is_free(port)
        {
            return Ok(port);
        }
        for _ in 0..ATTEMPTS {
            let port = LOWEST + u16::from_be_bytes(random::bytes()?) % RANGE;
            if !self.0.values().any(|&taken| taken == port) && is_free(port) {
                self.0.insert(name.to_owned(), port);
                return Ok(port);
            }
        }
        Err(Failure::new(format!("no free port for {name} between {LOWEST} and {}", LOWEST + RANGE)))
    }
}

/// Whether nobody listens on this port of the loopback interface.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_remembered_until_someone_takes_it() {
        let mut ports = Ports::default();
        let first = ports.take("nats").expect("a free port");
        assert_eq!(ports.take("nats").expect("the same port"), first);
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).expect("the port is free");
        assert_ne!(ports.take("nats").expect("another port"), first);
    }

    #[test]
    fn two_names_never_share_a_port() {
        let mut ports = Ports::default();
        let all: Vec<u16> = (0..50).map(|n| ports.take(&n.to_string()).expect("a free port")).collect();
        let mut unique = all.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), all.len());
    }
}

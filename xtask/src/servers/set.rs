//! All the servers Daybook runs on, in the order they are started.

use std::path::PathBuf;

use crate::failure::{Failure, Result};
use crate::home::Recorded;
use crate::ports::Ports;
use crate::tools;

use super::postgres::{Primary, Replica};
use super::{Meilisearch, Nats, Profile, Redis, Server, Site};

/// The search engine, where there is one beside PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Where clients reach it.
    pub url: String,
    /// The key it asks for; empty when it asks for none.
    pub key: String,
}

/// Where the servers are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The PostgreSQL primary's address, without a database.
    pub primary: String,
    /// The PostgreSQL replica's address, without a database.
    pub replica: String,
    /// The NATS server's address.
    pub nats: String,
    /// The Redis server's address.
    pub redis: String,
    /// The search engine, ours or the one that `DAYBOOK_MEILI_URL` names.
    pub search: Option<Search>,
}

/// The whole set of private servers.
#[derive(Debug)]
pub struct Servers {
    /// Each server, in the order it is started.
    pub servers: Vec<Server>,
    /// Where they are reached.
    pub addresses: Addresses,
}

impl Addresses {
    /// Where servers are that are recorded as running.
    pub fn recorded(processes: &[Recorded], meilisearch_key: &str) -> Result<Self> {
        let find =
            |name: &str| processes.iter().find(|process| process.name == name).map(|one| one.url.clone());
        let get =
            |name: &str| find(name).ok_or_else(|| Failure::new(format!("{name} is not recorded as running")));
        let ours = find("meilisearch").map(|url| Search { url, key: meilisearch_key.to_owned() });
        Ok(Self {
            primary: get("postgres-primary")?,
            replica: get("postgres-replica")?,
            nats: get("nats")?,
            redis: get("redis")?,
            search: given_search().or(ours),
        })
    }
}

impl Servers {
    /// Plans the set at a site; nothing runs yet.
    pub fn plan(site: &Site, profile: Profile, ports: &mut Ports, meilisearch_key: &str) -> Result<Self> {
        let primary = Primary::new(site, profile, ports.take("postgres-primary")?);
        let connection = primary.connection();
        let replica = Replica::new(site, profile, ports.take("postgres-replica")?, connection);
        let nats = ports.take("nats")?;
        let nats = Nats::new(site.home.join("nats"), site.log("nats"), nats, ports.take("nats-monitor")?);
        let redis = Redis::new(site.home.join("redis"), site.log("redis"), ports.take("redis")?);
        let mut servers =
            vec![Server::new(primary), Server::new(replica), Server::new(nats), Server::new(redis)];
        let given = given_search().filter(|_| profile.lasting);
        let search = match (given, tools::on_path("meilisearch")) {
            (Some(given), _) => Some(given),
            (None, Some(program)) => {
                let server = meilisearch(site, program, ports.take("meilisearch")?, meilisearch_key);
                let search = Search { url: server.url(), key: meilisearch_key.to_owned() };
                servers.push(server);
                Some(search)
            }
            (None, None) => None,
        };
        let [primary, replica, nats, redis] = [0, 1, 2, 3].map(|index: usize| servers[index].url());
        Ok(Self { servers, addresses: Addresses { primary, replica, nats, redis, search } })
    }

    /// Stops every server, the last one started first.
    pub fn stop(&mut self) {
        while let Some(mut server) = self.servers.pop() {
            server.stop();
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.stop();
    }
}

fn meilisearch(site: &Site, program: PathBuf, port: u16, key: &str) -> Server {
    let data = site.home.join("meilisearch");
    Server::new(Meilisearch::new(program, data, site.log("meilisearch"), port, key.to_owned()))
}

fn given_search() -> Option<Search> {
    let url = std::env::var("DAYBOOK_MEILI_URL").ok().filter(|url| !url.is_empty())?;
    Some(Search { url, key: std::env::var("DAYBOOK_MEILI_KEY").unwrap_or_default() })
}

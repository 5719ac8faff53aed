//! A temporary folder with servers of one's own, for whoever must kill, wipe or overload one.

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{During, Result};
use crate::ports::Ports;
use crate::random;
use crate::tools;

use super::postgres::{Primary, Replica};
use super::{Meilisearch, Nats, Profile, Program, Redis, Server, Site, make, remove};

/// How long a killed server may take to be gone.
const DYING: Duration = Duration::from_secs(2);
const PREFIX: &str = "daybook-scratch-";

/// A temporary folder that is removed when this is dropped. Drop the servers in it first.
#[derive(Debug)]
pub struct Scratch {
    site: Site,
    ports: Ports,
    _owned: File,
}

impl Scratch {
    /// A new folder, and the end of every folder whose owner was killed.
    pub fn new() -> Result<Self> {
        let parent = env::temp_dir();
        sweep(&parent);
        let home = parent.join(format!("{PREFIX}{}", random::hex::<6>()?));
        make(&home)?;
        // Other accounts must pass through on the way to PostgreSQL's own folder.
        fs::set_permissions(&home, fs::Permissions::from_mode(0o711))
            .during(|| format!("cannot open up {}", home.display()))?;
        let owned = own(&home)?;
        let elsewhere = Path::new("/var/tmp").join(home.file_name().unwrap_or_default());
        let site = Site::open(&home, &elsewhere, random::hex::<16>()?)?;
        Ok(Self { site, ports: Ports::default(), _owned: owned })
    }

    /// The place to start servers in.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// A PostgreSQL primary and its replica, running.
    pub fn postgres(&mut self, profile: Profile) -> Result<(Server, Server)> {
        let primary = Primary::new(&self.site, profile, self.ports.take("primary")?);
        let replica = Replica::new(&self.site, profile, self.ports.take("replica")?, primary.connection());
        let primary = started(primary)?;
        Ok((primary, started(replica)?))
    }

    /// A PostgreSQL primary alone, running.
    pub fn primary(&mut self, profile: Profile) -> Result<Server> {
        started(Primary::new(&self.site, profile, self.ports.take("primary")?))
    }

    /// A NATS server, running.
    pub fn nats(&mut self) -> Result<Server> {
        let (port, monitor) = (self.ports.take("nats")?, self.ports.take("nats-monitor")?);
        started(Nats::new(self.site.home.join("nats"), self.site.log("nats"), port, monitor))
    }

    /// A Redis server, running.
    pub fn redis(&mut self) -> Result<Server> {
        let port = self.ports.take("redis")?;
        started(Redis::new(self.site.home.join("redis"), self.site.log("redis"), port))
    }

    /// A Meilisearch server that asks for this key, running; nothing where the machine has none.
    pub fn meilisearch(&mut self, key: &str) -> Result<Option<Server>> {
        let Some(program) = tools::on_path("meilisearch") else { return Ok(None) };
        let (port, data) = (self.ports.take("meilisearch")?, self.site.home.join("meilisearch"));
        let log = self.site.log("meilisearch");
        started(Meilisearch::new(program, data, log, port, key.to_owned())).map(Some)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for folder in [&self.site.postgres_home, &self.site.home] {
            // A server that is dying with its owner may write for another moment. What stays after that, the
            // next one's sweep removes.
            let until = Instant::now() + DYING;
            while remove(folder).is_err() && Instant::now() < until {
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

fn started(program: impl Program + 'static) -> Result<Server> {
    let mut server = Server::new(program);
    server.start()?;
    Ok(server)
}

/// Marks a folder as in use for as long as the returned file is open, however its owner ends.
fn own(home: &Path) -> Result<File> {
    let cannot = || format!("cannot mark {}", home.display());
    let unnamed = home.join("owned.new");
    let mark = File::create(&unnamed).during(cannot)?;
    mark.lock().during(cannot)?;
    // Named only once it is locked, so that no sweep ever meets it unlocked.
    fs::rename(&unnamed, home.join("owned")).during(cannot)?;
    Ok(mark)
}

/// Removes the folders of owners that were killed before they could.
fn sweep(parent: &Path) {
    for home in fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if is_scratch(&home) && is_abandoned(&home) {
            // Another sweep may be at it too; either of them will do.
            drop(remove(&Path::new("/var/tmp").join(home.file_name().unwrap_or_default())));
            drop(remove(&home));
        }
    }
}

fn is_scratch(home: &Path) -> bool {
    home.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
}

fn is_abandoned(home: &Path) -> bool {
    // A folder without its mark is being made at this moment.
    File::open(home.join("owned")).is_ok_and(|mark| mark.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_is_never_swept_and_an_abandoned_one_always() {
        let scratch = Scratch::new().expect("a scratch folder");
        let home = scratch.site().home.clone();
        sweep(&env::temp_dir());
        assert!(home.exists());
        let abandoned =
            env::temp_dir().join(format!("{PREFIX}{}", random::hex::<6>().expect("random bytes")));
        make(&abandoned).expect("a folder");
        drop(own(&abandoned).expect("a mark"));
        sweep(&env::temp_dir());
        assert!(!abandoned.exists());
        drop(scratch);
        assert!(!home.exists());
    }

    #[test]
    fn a_wiped_nats_starts_again_on_the_same_port() {
        let mut scratch = Scratch::new().expect("a scratch folder");
        let mut nats = scratch.nats().expect("nats starts");
        let url = nats.url();
        nats.wipe().expect("nats is wiped");
        assert!(nats.probe().ask().is_err());
        nats.start().expect("nats starts again");
        assert_eq!(nats.url(), url);
        assert_eq!(nats.probe().ask(), Ok(()));
    }

    #[test]
    fn the_replica_follows_a_primary_that_was_killed() {
        let mut scratch = Scratch::new().expect("a scratch folder");
        let (mut primary, replica) = scratch.postgres(Profile::TEST).expect("both start");
        primary.kill();
        primary.start().expect("the primary starts again");
        let until = Instant::now() + Duration::from_secs(20);
        while replica.probe().ask().is_err() && Instant::now() < until {
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(replica.probe().ask(), Ok(()));
    }
}

//! The folder of a running Daybook, `.daybook/`: its secrets, its state, and the lock that says who runs it.
//!
//! Nothing in it is ever committed, and what is secret in it only its owner reads.

mod lock;
mod secrets;
mod state;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub use lock::Lock;
pub use secrets::Secrets;
pub use state::{Kind, Recorded, State};

use crate::failure::{During, Result};
use crate::servers::remove;

/// What outlives `--fresh`: the lock, which is held meanwhile, and the logs, which are being written.
const KEPT: [&str; 2] = ["lock", "logs"];

/// Removes all data, here and where PostgreSQL's had to go, so that the next start begins from nothing.
pub fn wipe(home: &Path, elsewhere: &Path) -> Result<()> {
    if let Some(folder) = State::load(home)?.postgres_home {
        remove(&folder)?;
    }
    remove(elsewhere)?;
    let entries = fs::read_dir(home).during(|| format!("cannot read {}", home.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if KEPT.iter().any(|kept| entry.file_name() == *kept) {
            continue;
        }
        if path.is_dir() {
            remove(&path)?;
        } else {
            fs::remove_file(&path).during(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Writes a file that only its owner reads, whole or not at all.
fn write_private(file: &Path, text: &str) -> Result<()> {
    let draft = file.with_extension("new");
    let cannot = || format!("cannot write {}", file.display());
    let mut options = OpenOptions::new();
    let mut open = options.create(true).write(true).truncate(true).mode(0o600).open(&draft).during(cannot)?;
    open.write_all(text.as_bytes()).during(cannot)?;
    fs::rename(&draft, file).during(cannot)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::servers::{Scratch, make};

    #[test]
    fn a_wipe_takes_the_data_and_leaves_the_logs() {
        let scratch = Scratch::new().expect("a scratch folder");
        let (home, elsewhere) = (scratch.site().home.join("home"), scratch.site().home.join("elsewhere"));
        for folder in [home.join("nats"), home.join("logs"), elsewhere.clone()] {
            make(&folder).expect("a folder");
        }
        let secrets = Secrets::load_or_make(&home).expect("secrets");
        wipe(&home, &elsewhere).expect("a wipe");
        assert!(home.join("logs").exists() && !home.join("nats").exists() && !elsewhere.exists());
        assert_ne!(Secrets::load_or_make(&home).expect("secrets").vault_key, secrets.vault_key);
    }

    #[test]
    fn nobody_else_reads_the_secrets_and_they_stay_the_same() {
        let scratch = Scratch::new().expect("a scratch folder");
        let home = &scratch.site().home;
        let first = Secrets::load_or_make(home).expect("secrets");
        assert_eq!(Secrets::load_or_make(home).expect("secrets"), first);
        assert_eq!(first.vault_key.len(), 64);
        let file = home.join("secrets.json");
        let before = fs::read_to_string(&file).expect("a file").replace(&first.notary_key, "");
        fs::write(&file, before.replace(",\n  \"notary_key\": \"\"", "")).expect("a file of before");
        let second = Secrets::load_or_make(home).expect("secrets");
        assert_eq!((second.notary_key.len(), &second.vault_key), (64, &first.vault_key));
        assert_eq!(Secrets::load_or_make(home).expect("secrets"), second);
        let mode = fs::metadata(home.join("secrets.json")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

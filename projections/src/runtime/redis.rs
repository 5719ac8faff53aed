//! Read models in Redis: a hash per version with its rows and its checkpoint, written by one script; a pointer to the
//! version that readers see. Redis may lose all of it at any time: then the version is built again, and until it
//! has caught up there is no pointer, so that readers ask Postgres.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use daybook_eventstore::{Checkpoint, EventHash, Position, begin_tx};
use fred::clients::Client;
use fred::interfaces::{HashesInterface, KeysInterface, LuaInterface};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::compare::{Comparing, Comparison, compare_paged};
use super::error::{RuntimeError, TargetError};
use super::fold::{Folded, Keyed, Parked, Stored, by_key, fold_keys};
use super::model::ReadModel;
use super::target::{Applied, Batch, Purpose, Target};
use super::versions::Version;
use super::{parked, versions};

/// The fields of a version's hash that are no rows: where it stands.
pub(super) const CHECKPOINT: [&str; 3] = ["!epoch", "!position", "!hash"];

/// Moves the checkpoint and writes the rows, both or neither.
/// Keys: the version. Arguments: the position and hash it must be at; epoch, position and hash it will be at; then
/// keys and rows by turns, an empty row being one to be removed.
const APPLY: &str = "
local at = redis.call('HMGET', KEYS[1], '!position', '!hash')
if not at[1] then
  if ARGV[1] ~= '0' then return 'lost' end
elseif at[1] ~= ARGV[1] or at[2] ~= ARGV[2] then
  return 'fenced'
end
for i = 6, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[i])
  else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
redis.call('HSET', KEYS[1], '!epoch', ARGV[3], '!position', ARGV[4], '!hash', ARGV[5])
return 'done'";

/// Points readers to a version, when it is there and not behind the one they see.
/// Keys: the pointer, the version, the version they see. Arguments: the version's number.
const EXPOSE: &str = "
local new = redis.call('HMGET', KEYS[2], '!epoch', '!position')
if not new[1] then return 'absent' end
local old = redis.call('HMGET', KEYS[3], '!epoch', '!position')
if redis.call('GET', KEYS[1]) and old[1] == new[1] and tonumber(old[2]) > tonumber(new[2]) then
  return 'behind'
end
redis.call('SET', KEYS[1], ARGV[1])
return 'done'";

/// Takes the pointer away when it is to this version. Keys: the pointer. Arguments: the version's number.
const CONCEAL: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 'done'";

/// The keys of one read model; the braces keep them together in a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Keys(String);

impl Keys {
    pub(crate) fn of(prefix: &str, name: &str) -> Self {
        Self(format!("{{{prefix}{name}}}"))
    }

    /// What all of them begin with.
    pub(crate) fn base(&self) -> &str {
        &self.0
    }

    /// The number of the version that readers see.
    pub(crate) fn live(&self) -> String {
        format!("{}:live", self.0)
    }

    pub(super) fn version(&self, version: impl std::fmt::Display) -> String {
        format!("{}@{version}", self.0)
    }
}

/// A read model's hashes in Redis. Its versions and parked events are registered in the read database.
pub(crate) struct RedisTarget<M> {
    name: &'static str,
    pub(super) redis: Client,
    pub(super) keys: Keys,
    register: PgPool,
    /// The versions of which no key stands still, as far as their followers here know.
    sound: Mutex<HashSet<i32>>,
    model: PhantomData<fn() -> M>,
}

impl<M: ReadModel> RedisTarget<M> {
    pub(crate) fn new(name: &'static str, redis: Client, prefix: &str, register: PgPool) -> Self {
        let keys = Keys::of(prefix, name);
        Self { name, redis, keys, register, sound: Mutex::default(), model: PhantomData }
    }

    fn sound(&self) -> MutexGuard<'_, HashSet<i32>> {
        self.sound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn load(&self, version: i32, keyed: &[Keyed]) -> Result<HashMap<String, Stored>, TargetError> {
        if keyed.is_empty() {
            return Ok(HashMap::new());
        }
        let keys: Vec<&str> = keyed.iter().map(|keyed| keyed.key.as_str()).collect();
        let rows: Vec<Option<String>> = self.redis.hmget(self.keys.version(version), keys).await?;
        let stored = keyed.iter().zip(rows);
        Ok(stored.filter_map(|(keyed, row)| Some((keyed.key.clone(), decode(&row?)?))).collect())
    }

    async fn stops(&self, version: i32, keyed: &[Keyed]) -> Result<HashMap<String, Position>, TargetError> {
        if self.sound().contains(&version) {
            return Ok(HashMap::new());
        }
        Ok(parked::stops(&self.register, (self.name, version), keyed).await?)
    }

    async fn write(
        &self,
        version: i32,
        folded: &[Folded<'_, M::Row>],
        (from, to): (&Checkpoint, &Checkpoint),
    ) -> Result<(), TargetError> {
        let mut arguments = vec![
            from.position.to_string(),
            hex(from.hash),
            to.epoch.to_string(),
            to.position.to_string(),
            hex(to.hash),
        ];
        for key in folded {
            let Some(position) = key.position() else { continue };
            let row = key.row.as_ref().map(|row| encode(position, row)).transpose()?;
            arguments.extend([key.key.to_owned(), row.unwrap_or_default()]);
        }
        let answer: String = self.redis.eval(APPLY, vec![self.keys.version(version)], arguments).await?;
        match answer.as_str() {
            "lost" => Err(TargetError::Lost),
            "fenced" => Err(TargetError::Fenced),
            _ => Ok(()),
        }
    }

    /// Notes in the register what is parked, in a transaction of its own.
    async fn settle(&self, version: i32, parked: &[Parked], retried: &[Position]) -> Result<(), TargetError> {
        self.forget(version);
        let mut tx = begin_tx(&self.register).await?;
        parked::settle(&mut tx, (self.name, version), parked, retried).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn point(&self, version: i32) -> Result<(), TargetError> {
        let live: Option<String> = self.redis.get(self.keys.live()).await?;
        let seen = self.keys.version(live.unwrap_or_default());
        let keys = vec![self.keys.live(), self.keys.version(version), seen];
        let answer: String = self.redis.eval(EXPOSE, keys, vec![version.to_string()]).await?;
        if answer == "behind" { Err(TargetError::Behind) } else { Ok(()) }
    }

    async fn wipe(&self, version: i32) -> Result<(), TargetError> {
        self.conceal(version).await?;
        let _removed: i64 = self.redis.unlink(self.keys.version(version)).await?;
        Ok(())
    }
}

#[async_trait]
impl<M: ReadModel> Target for RedisTarget<M> {
    fn kind(&self) -> &'static str {
        "redis"
    }

    fn revision(&self) -> i32 {
        M::REVISION
    }

    fn sources(&self) -> &'static [&'static str] {
        M::SOURCES
    }

    async fn create(&self, _tx: &mut PgConnection, version: i32) -> Result<(), TargetError> {
        // Another installation's, that used this Redis before.
        self.wipe(version).await
    }

    async fn expose(&self, _tx: &mut PgConnection, version: i32) -> Result<(), TargetError> {
        self.point(version).await
    }

    async fn caught_up(&self, version: i32) -> Result<(), TargetError> {
        self.point(version).await
    }

    async fn conceal(&self, version: i32) -> Result<(), TargetError> {
        let _done: String =
            self.redis.eval(CONCEAL, vec![self.keys.live()], vec![version.to_string()]).await?;
        Ok(())
    }

    async fn discard(&self, _tx: &mut PgConnection, version: i32) -> Result<(), TargetError> {
        self.wipe(version).await
    }

    async fn checkpoint(&self, version: i32) -> Result<Option<Checkpoint>, TargetError> {
        let fields = CHECKPOINT.to_vec();
        let at: Vec<Option<String>> = self.redis.hmget(self.keys.version(version), fields).await?;
        Ok(read_checkpoint(&at))
    }

    async fn note(&self, version: i32, at: &Checkpoint) -> Result<(), TargetError> {
        // Only its follower parks events of a version, so none are from here on until it does.
        if versions::record(&self.register, (self.name, version), at).await? == Some(0) {
            self.sound().insert(version);
        } else {
            self.forget(version);
        }
        Ok(())
    }

    fn forget(&self, version: i32) {
        self.sound().remove(&version);
    }

    async fn apply(&self, version: i32, batch: Batch) -> Result<Applied, TargetError> {
        let (retrying, retried) = (batch.purpose == Purpose::Retry, batch.retried());
        let keyed = by_key::<M>(batch.events, &batch.upcasters);
        let stops = if retrying { HashMap::new() } else { self.stops(version, &keyed).await? };
        let stored = self.load(version, &keyed).await?;
        let folded = fold_keys::<M>(&keyed, &stored, &stops);
        let parked: Vec<_> = folded.iter().flat_map(|key| key.parked.iter().cloned()).collect();
        // Parked before the checkpoint passes them, freed after they are in their rows: a crash between repeats.
        if !parked.is_empty() && !retrying {
            self.settle(version, &parked, &retried).await?;
        }
        self.write(version, &folded, (&batch.from, &batch.to)).await?;
        if retrying {
            self.settle(version, &parked, &retried).await?;
        }
        Ok(Applied { keys: folded.len(), parked: parked.len() })
    }

    async fn compare(
        &self,
        versions: [&Version; 2],
        within: &Comparing<'_>,
    ) -> Result<Comparison, RuntimeError> {
        compare_paged::<M, Self>(self, within, versions).await
    }
}

/// A row as Redis keeps it: its position, a space, and its JSON.
fn encode(position: Position, row: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    Ok(format!("{position} {}", serde_json::to_string(row)?))
}

/// Reads a row back.
pub(crate) fn decode(text: &str) -> Option<Stored> {
    let (position, doc) = text.split_once(' ')?;
    Some(Stored { position: position.parse().ok()?, doc: doc.to_owned() })
}

/// Reads a checkpoint from its fields; what is not one was not written by us, and is built over.
pub(super) fn read_checkpoint(fields: &[Option<String>]) -> Option<Checkpoint> {
    let [Some(epoch), Some(position), Some(hash)] = fields else { return None };
    let (epoch, position) = (Uuid::parse_str(epoch).ok()?, position.parse().ok()?);
    Some(Checkpoint { epoch, position, hash: unhex(hash)? })
}

fn hex(hash: EventHash) -> String {
    hash.0.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<EventHash> {
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(EventHash(hash))
}

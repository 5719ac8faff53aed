//! The keys to people's keys: what is wrapped by one is wrapped by another, and nothing else changes. And what an operator
//! does to forget people, and to forget them again.

use std::fmt::Write as _;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use daybook_domain::{Sealed, SubjectId};
use daybook_eventstore::process::SystemIds;
use daybook_eventstore::{
    ConfiguredKeys, KeyId, Keyring, KeyringError, PlainKey, Unwrapped, Vault, VaultError, Wrapped,
};
use futures::future::join_all;
use futures::{StreamExt as _, stream};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Executor as _, PgPool};
use tokio::process::Command;

use crate::harness::shop::{SOON, TestShop};
use crate::harness::{Database, Process, Proxy, eventually, servers};
use crate::process::{ask, operators_address};

/// The key of every test's shop, another one, and one that somebody gave by mistake.
const OLD: [u8; 32] = [7; 32];
const NEW: [u8; 32] = [8; 32];
const WRONG: [u8; 32] = [9; 32];
/// What was sealed for people, and for whom.
type SealedFor = Vec<(SubjectId, Sealed)>;

fn hex(key: [u8; 32]) -> String {
    key.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("a string takes all");
        digits
    })
}

fn vault(pool: &PgPool, current: [u8; 32], others: &[[u8; 32]]) -> Vault {
    Vault::new(pool.clone(), ConfiguredKeys::try_new(current, others).expect("keys"))
}

/// What the command line of a shop with these keys says and ends with.
async fn replay(shop: &TestShop, keys: (&[u8; 32], &[[u8; 32]]), arguments: &[&str]) -> (i32, String) {
    let (current, others) = keys;
    let others: Vec<String> = others.iter().map(|key| hex(*key)).collect();
    let mut program = Command::new(servers().binaries.join("daybook-replay"));
    program
        .args(arguments)
        .env("DAYBOOK_EVENTS_URL", &shop.events.url)
        .env("DAYBOOK_VAULT_KEY", hex(*current))
        .env("DAYBOOK_VAULT_OTHER_KEYS", others.join(","))
        .env("DAYBOOK_LOG", "warn");
    let output = program.output().await.expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(said).expect("text"))
}

/// Seals something for this many new people, by each of the vaults in turn.
async fn seal(vaults: &[&Vault], count: usize) -> SealedFor {
    let people = stream::iter(0..count).map(|n| async move {
        let person = SubjectId::generate(&SystemIds);
        let sealed = vaults[n % vaults.len()].seal(person, &person.to_string()).await.expect("it is sealed");
        (person, sealed)
    });
    people.buffer_unordered(16).collect().await
}

/// Checks that a vault opens all of it.
async fn opens(vault: &Vault, all: &[(SubjectId, Sealed)]) {
    for some in all.chunks(500) {
        let people: Vec<SubjectId> = some.iter().map(|(person, _)| *person).collect();
        let mut keys = vault.keys(&people).await.expect("the keys");
        for (person, sealed) in some {
            let opened: String = keys.remove(person).expect("a key").open(sealed).expect("it opens");
            assert_eq!(opened, person.to_string());
        }
    }
}

/// What tells one state of the log from any other.
async fn log(shop: &TestShop) -> (i64, String) {
    sqlx::query_as(
        "SELECT count(*), md5(coalesce(string_agg(e::text, ';' ORDER BY position), '')) FROM events e",
    )
    .fetch_one(&shop.events.pool)
    .await
    .expect("the log")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_taken_over_by_another_while_people_come_and_go_and_then_is_not_needed() {
    let shop = TestShop::open().await;
    let pool = &shop.events.pool;
    let lantern = shop.product(1_000, 9).await;
    shop.cart(&[lantern]).await;
    let before = vault(pool, OLD, &[NEW]);
    before.check().await.expect("it opens");
    let mut all = seal(&[&before], 1_300).await;
    // Some are from before keys had names.
    pool.execute("UPDATE vault_keys SET key_id = '' WHERE subject_id::text < '8' OR random() < 0.5")
        .await
        .expect("they have none");
    let leaving = all.split_off(1_250);
    let as_it_was = log(&shop).await;

    let both: (&[u8; 32], &[[u8; 32]]) = (&NEW, &[OLD]);
    let after = vault(pool, NEW, &[OLD]);
    let (rewrapping, mixed) = (["vault", "rewrap"], [&before, &after]);
    let (rewrapping, coming, ()) = tokio::join!(replay(&shop, both, &rewrapping), seal(&mixed, 600), async {
        for (person, _) in &leaving {
            before.forget(*person).await.expect("they are forgotten");
        }
    });
    // It may have come to its end before the last one was made by who did not know of it.
    assert!(rewrapping.0 == 0 || rewrapping.1.contains("meanwhile"), "{rewrapping:?}");
    all.extend(coming);
    let more = seal(&[&before], 3).await;
    let (code, said) = replay(&shop, both, &["vault", "rewrap"]).await;
    all.extend(more);
    let people = all.len() + 1;
    assert!(code == 0 && said.contains("DAYBOOK_VAULT_OTHER_KEYS can be taken away"), "{code}: {said}");
    for line in [
        format!("{people:>12}  local-"),
        format!("{:>12}  local-", 0),
        format!("{:>12}  destroyed", leaving.len()),
    ] {
        assert!(said.contains(&line), "{line:?} is not in {said}");
    }
    assert_eq!(said.lines().count(), 4, "{said}");
    assert_eq!(replay(&shop, both, &["vault", "rewrap"]).await, (code, said), "twice is once");
    assert_eq!(log(&shop).await, as_it_was);

    let only_new = vault(pool, NEW, &[]);
    only_new.check().await.expect("it needs no other");
    opens(&only_new, &all).await;
    for (person, sealed) in &leaving {
        assert!(
            matches!(only_new.open::<String>(sealed).await, Err(VaultError::Forgotten)),
            "{person} is back"
        );
    }
    let only_old = vault(pool, OLD, &[]);
    assert!(matches!(only_old.open::<String>(&all[0].1).await, Err(VaultError::UnknownKey(_))));
    let unopened = only_old.check().await.expect_err("it has not the key");
    assert!(unopened.is_of_configuration(), "{unopened}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_the_key_says_so_in_one_line_and_does_not_start() {
    let shop = TestShop::open().await;
    seal(&[&shop.shop.vault], 1).await;
    let common = shop.settings();
    let mut settings: Vec<(&str, &str)> =
        common.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (wrong, nameless) = (hex(NEW), "UPDATE vault_keys SET key_id = ''; DELETE FROM vault_secrets");
    settings.extend([
        ("VAULT_KEY", wrong.as_str()),
        ("LISTEN", "127.0.0.1:0"),
        ("READ_URL", &shop.events.url),
    ]);
    let token_key = "09".repeat(32);
    settings.push(("TOKEN_KEY", &token_key));
    settings.push(("LOG", "error"));
    for (before, reason) in [
        ("SELECT 1", "is none of the keys that are configured"),
        (nameless, "by none of the keys that are configured"),
    ] {
        sqlx::raw_sql(before).execute(&shop.events.pool).await.expect("the vault is another one");
        for binary in ["daybook-api", "daybook-worker"] {
            let mut process = Process::start(binary, &[], &settings);
            assert_eq!(process.ended(SOON).await.code(), Some(2));
            let said = process.output();
            assert!(
                said.starts_with(&format!("{binary}: DAYBOOK_VAULT_KEY is wrong: the vault has keys")),
                "{said}"
            );
            assert!(said.trim_end().ends_with(reason) && said.lines().count() == 1, "{said}");
        }
        let (code, said) = replay(&shop, (&NEW, &[]), &["vault", "rewrap"]).await;
        assert!(code == 2 && said.contains(reason), "{code}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_finds_its_database_later_is_ready_only_if_its_keys_open_the_vault() {
    let shop = TestShop::open().await;
    seal(&[&shop.shop.vault], 1).await;
    let port = PgConnectOptions::clone(&shop.events.pool.connect_options()).get_port();
    let proxy = Proxy::to(([127, 0, 0, 1], port).into()).await;
    proxy.cut();
    let through = shop.events.url.replace(&format!(":{port}"), &format!(":{}", proxy.port));
    let told = [("EVENTS_URL", through.as_str()), ("OPS_LISTEN", "127.0.0.1:0"), ("LOG_FORMAT", "text")];
    let wrong = hex(NEW);
    let workers = [shop.worker(&told), shop.worker(&[&told[..], &[("VAULT_KEY", &wrong)]].concat())];
    let addresses = join_all(workers.iter().map(operators_address)).await;
    for (worker, key) in workers.iter().zip([OLD, NEW]) {
        let keys = ConfiguredKeys::try_new(key, &[]).expect("keys");
        eventually(SOON, "it tells which key wraps", || async {
            worker.output().contains(keys.current().as_str()).then_some(())
        })
        .await;
    }
    for address in &addresses {
        eventually(SOON, "it misses something", || async {
            (ask(address, "/readyz").await.0 == 503).then_some(())
        })
        .await;
    }
    proxy.mend();
    for (address, wanted) in addresses.iter().zip([r#""up":true"#, "none of the keys that are configured"]) {
        eventually(SOON, wanted, || async { ask(address, "/readyz").await.1.contains(wanted).then_some(()) })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_keys_stop_nobody_and_go_when_their_people_are_forgotten() {
    let shop = TestShop::open().await;
    let pool = &shop.events.pool;
    let before = vault(pool, OLD, &[NEW]);
    before.check().await.expect("it opens");
    let people = seal(&[&before], 4).await;
    // One of them is from before keys had names.
    let damage = "UPDATE vault_keys SET key_id = CASE subject_id WHEN $1 THEN '' ELSE key_id END, \
         wrapped_key = set_byte(wrapped_key, 20, get_byte(wrapped_key, 20) # 1) WHERE subject_id IN ($1, $2)";
    let damaged = sqlx::query(damage).bind(people[0].0.uuid()).bind(people[1].0.uuid());
    damaged.execute(pool).await.expect("they are damaged");

    let (code, said) = replay(&shop, (&NEW, &[OLD]), &["vault", "rewrap"]).await;
    assert!(code == 1 && said.contains("2 keys are damaged"), "{code}: {said}");
    for others in [&[OLD][..], &[]] {
        let after = vault(pool, NEW, others);
        after.check().await.expect("the others open");
        opens(&after, &people[2..]).await;
    }
    let (code, said) = replay(&shop, (&NEW, &[]), &["vault", "rewrap"]).await;
    assert!(code == 1, "{code}: {said}");
    let names = [people[0].0.to_string(), people[1].0.to_string()];
    let (code, said) = replay(&shop, (&NEW, &[]), &["forget", &names[0], &names[1]]).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = replay(&shop, (&NEW, &[]), &["vault", "rewrap"]).await;
    assert!(code == 0 && said.contains("can be taken away"), "{code}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_one_process_has_by_mistake_stops_none_of_the_others() {
    let shop = TestShop::open().await;
    let pool = &shop.events.pool;
    let before = vault(pool, OLD, &[NEW]);
    before.check().await.expect("it opens");
    let people = seal(&[&before], 3).await;
    let mistaken = vault(pool, WRONG, &[OLD]);
    mistaken.check().await.expect("it opens all that is there yet");
    let theirs = seal(&[&mistaken], 2).await;

    let others = vault(pool, NEW, &[OLD]);
    others.check().await.expect("it opens the vault's own secret");
    opens(&others, &people).await;
    let (code, said) = replay(&shop, (&NEW, &[OLD]), &["vault", "rewrap"]).await;
    assert!(
        code == 1 && said.contains("2 keys are wrapped by keys that are not configured"),
        "{code}: {said}"
    );
    let only_new = vault(pool, NEW, &[]);
    only_new.check().await.expect("it opens the vault's own secret");
    opens(&only_new, &people).await;
    // Where there is no secret, a process that does not know all keys must not be the one that makes it.
    let told: i64 =
        sqlx::query_scalar("WITH gone AS (DELETE FROM vault_secrets RETURNING 1) SELECT count(*) FROM gone")
            .fetch_one(pool)
            .await
            .expect("it is gone");
    assert_eq!(told, 1);
    let unopened = vault(pool, NEW, &[OLD]).check().await.expect_err("it has not all the keys");
    assert!(unopened.is_of_configuration(), "{unopened}");

    let (code, said) = replay(&shop, (&NEW, &[WRONG]), &["vault", "rewrap"]).await;
    assert!(code == 0 && said.contains("can be taken away"), "{code}: {said}");
    opens(&vault(pool, NEW, &[]), &[people, theirs].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_keys_are_needed_until_the_vaults_own_secret_is_wrapped_anew() {
    let shop = TestShop::open().await;
    let pool = &shop.events.pool;
    vault(pool, OLD, &[]).check().await.expect("it makes the secret");
    let keep = "CREATE RULE it_stays AS ON UPDATE TO vault_secrets DO INSTEAD NOTHING";
    pool.execute(keep).await.expect("it stays as it is");
    let (code, said) = replay(&shop, (&NEW, &[OLD]), &["vault", "rewrap"]).await;
    assert!(code == 1 && said.contains("the vault's own secret is not wrapped"), "{code}: {said}");
    pool.execute("DROP RULE it_stays ON vault_secrets").await.expect("it may change");
    let (code, said) = replay(&shop, (&NEW, &[OLD]), &["vault", "rewrap"]).await;
    assert!(code == 0 && said.contains("can be taken away"), "{code}: {said}");
}

/// The fingerprint that the code before secrets were kept made of this input under the old key.
const BEFORE: &str = "4c85f3258db59644b4422c4c383fd885dde8343ecf96934aee60e1bddbe11b3b";

async fn fingerprint(vault: &Vault) -> String {
    let fingerprint = vault.fingerprint(&[b"pay", b"10.00"]).await.expect("a fingerprint");
    hex(fingerprint.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn fingerprints_stay_what_they_were_whichever_key_wraps_and_whoever_asks_first() {
    let database = Database::events().await;
    assert_eq!(fingerprint(&vault(&database.pool, OLD, &[])).await, BEFORE);
    // A shop from before that takes the new program and a new key at once.
    let database = Database::events().await;
    let pool = &database.pool;
    let person = SubjectId::generate(&SystemIds);
    vault(pool, OLD, &[]).seal(person, &"something").await.expect("it is sealed");
    let from_before = "UPDATE vault_keys SET key_id = ''; DELETE FROM vault_secrets";
    sqlx::raw_sql(from_before).execute(pool).await.expect("it is as it was");
    let vaults: Vec<Vault> = (0..8).map(|_| vault(pool, NEW, &[OLD])).collect();
    assert_eq!(join_all(vaults.iter().map(fingerprint)).await, [BEFORE; 8]);
    let all = vault(pool, NEW, &[OLD]);
    let mut after = None;
    while let Some(some) = all.rewrap(after).await.expect("it is rewrapped") {
        after = Some(some.last);
    }
    assert_eq!(fingerprint(&vault(pool, NEW, &[])).await, BEFORE);

    // In a new shop, whoever is first says what it is.
    let database = Database::events().await;
    let pool = &database.pool;
    let vaults: Vec<Vault> = (0..8)
        .map(|n| if n % 2 == 0 { vault(pool, OLD, &[NEW]) } else { vault(pool, NEW, &[OLD]) })
        .collect();
    let told = join_all(vaults.iter().map(fingerprint)).await;
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM vault_secrets").fetch_one(pool).await.expect("a count");
    assert_eq!(kept, 1);
}

/// How whoever keeps the keys answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Willing,
    Failing,
    Silent,
}

/// Keys that are somewhere else, and sometimes out of reach.
struct Elsewhere {
    keys: ConfiguredKeys,
    mood: Arc<Mutex<Mood>>,
}

impl Elsewhere {
    async fn reach(&self) -> Result<&ConfiguredKeys, KeyringError> {
        let mood = *self.mood.lock().expect("not poisoned");
        match mood {
            Mood::Willing => Ok(&self.keys),
            Mood::Failing => Err(KeyringError::Failed("nobody answers".into())),
            Mood::Silent => pending().await,
        }
    }
}

#[async_trait]
impl Keyring for Elsewhere {
    fn current(&self) -> &KeyId {
        self.keys.current()
    }

    async fn wrap(&self, key: &PlainKey, context: &[u8]) -> Result<Wrapped, KeyringError> {
        self.reach().await?.wrap(key, context).await
    }

    async fn unwrap(&self, wrapped: &Wrapped, context: &[u8]) -> Result<Unwrapped, KeyringError> {
        self.reach().await?.unwrap(wrapped, context).await
    }
}

#[tokio::test]
async fn keys_may_be_kept_elsewhere_and_be_out_of_reach() {
    let database = Database::events().await;
    let mood = Arc::new(Mutex::new(Mood::Willing));
    let is = |now: Mood| *mood.lock().expect("not poisoned") = now;
    let elsewhere = || {
        let keys = ConfiguredKeys::try_new(OLD, &[]).expect("keys");
        Vault::new(database.pool.clone(), Elsewhere { keys, mood: Arc::clone(&mood) })
    };
    let (one, other) = (elsewhere(), elsewhere());
    let (person, stranger) = (SubjectId::generate(&SystemIds), SubjectId::generate(&SystemIds));
    let sealed = one.seal(person, &"something").await.expect("it is sealed");
    // No secret follows from keys that nobody has: it is a new one, and everybody's.
    let told = [fingerprint(&one).await, fingerprint(&other).await];
    assert!(told[0] == told[1] && told[0] != BEFORE, "{told:?}");
    is(Mood::Failing);
    let failed = other.open::<String>(&sealed).await.expect_err("nobody answers");
    assert!(matches!(failed, VaultError::Keyring(_)) && !failed.is_of_configuration(), "{failed}");
    assert!(matches!(other.seal(stranger, &"something").await, Err(VaultError::Keyring(_))));
    is(Mood::Silent);
    let (opened, made) = tokio::join!(other.open::<String>(&sealed), other.seal(stranger, &"something"));
    assert!(matches!((opened, made), (Err(VaultError::TimedOut), Err(VaultError::TimedOut))));
    // What was unwrapped once is not asked for again as long as it is there.
    assert_eq!(one.open::<String>(&sealed).await.expect("it has the key in memory"), "something");
    one.forget(person).await.expect("nobody is needed for it");
    assert!(matches!(other.open::<String>(&sealed).await, Err(VaultError::Forgotten)));
}

/// Keys whose keeper takes so long to wrap that somebody is forgotten meanwhile.
struct Slow {
    keys: ConfiguredKeys,
    forgets: Vault,
    whom: SubjectId,
}

#[async_trait]
impl Keyring for Slow {
    fn current(&self) -> &KeyId {
        self.keys.current()
    }

    async fn wrap(&self, key: &PlainKey, context: &[u8]) -> Result<Wrapped, KeyringError> {
        self.forgets.forget(self.whom).await.expect("they are forgotten");
        self.keys.wrap(key, context).await
    }

    async fn unwrap(&self, wrapped: &Wrapped, context: &[u8]) -> Result<Unwrapped, KeyringError> {
        self.keys.unwrap(wrapped, context).await
    }
}

#[tokio::test]
async fn who_is_forgotten_while_keys_are_wrapped_anew_stays_forgotten() {
    let database = Database::events().await;
    let before = vault(&database.pool, OLD, &[]);
    let people = seal(&[&before], 2).await;
    let keys = ConfiguredKeys::try_new(NEW, &[OLD]).expect("keys");
    let (whom, sealed) = &people[0];
    let slow = Vault::new(database.pool.clone(), Slow { keys, forgets: before, whom: *whom });
    let rewrapped = slow.rewrap(None).await.expect("they are rewrapped").expect("some");
    assert_eq!((rewrapped.seen, rewrapped.done, rewrapped.damaged), (2, 1, 0));
    assert_eq!(slow.rewrap(Some(rewrapped.last)).await.expect("it is looked"), None);
    let after = vault(&database.pool, NEW, &[]);
    assert!(matches!(after.open::<String>(sealed).await, Err(VaultError::Forgotten)));
    opens(&after, &people[1..]).await;
}

/// Keys whose keeper takes half of what a key is used without being asked for, and forgets people while it does.
struct Slower {
    keys: ConfiguredKeys,
    forgets: Vault,
    whom: Vec<SubjectId>,
}

#[async_trait]
impl Keyring for Slower {
    fn current(&self) -> &KeyId {
        self.keys.current()
    }

    async fn wrap(&self, key: &PlainKey, context: &[u8]) -> Result<Wrapped, KeyringError> {
        self.keys.wrap(key, context).await
    }

    async fn unwrap(&self, wrapped: &Wrapped, context: &[u8]) -> Result<Unwrapped, KeyringError> {
        self.forgets.forget_all(&self.whom).await.expect("they are forgotten");
        tokio::time::sleep(Duration::from_millis(2_600)).await;
        self.keys.unwrap(wrapped, context).await
    }
}

#[tokio::test]
async fn who_was_forgotten_while_many_keys_were_unwrapped_is_not_remembered_longer_for_it() {
    let database = Database::events().await;
    let forgets = vault(&database.pool, OLD, &[]);
    // So many that they are unwrapped in two turns.
    let people = seal(&[&forgets], 32).await;
    let keys = ConfiguredKeys::try_new(OLD, &[]).expect("keys");
    let whom: Vec<SubjectId> = people.iter().map(|(person, _)| *person).collect();
    let slower = Vault::new(database.pool.clone(), Slower { keys, forgets, whom: whom.clone() });
    assert_eq!(slower.keys(&whom).await.expect("they were there").len(), 32);
    for (person, sealed) in &people {
        let opened = slower.open::<String>(sealed).await;
        assert!(matches!(opened, Err(VaultError::Forgotten)), "{person} is remembered: {opened:?}");
    }
}

/// Who was forgotten, by whom, as the log has it.
async fn forgotten(shop: &TestShop) -> Vec<(String, String)> {
    sqlx::query_as(
        "SELECT aggregate_id, metadata::jsonb ->> 'actor' FROM events WHERE event_type = 'PersonForgotten'
         ORDER BY position",
    )
    .fetch_all(&shop.events.pool)
    .await
    .expect("the events")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_forgets_people_and_again_when_a_backup_has_brought_them_back() {
    let shop = TestShop::open().await;
    let ask = async |arguments: &[&str]| replay(&shop, (&OLD, &[]), arguments).await;
    let people = seal(&[&shop.shop.vault], 4).await;
    let names: Vec<String> = people.iter().map(|(person, _)| person.to_string()).collect();
    // A backup of the vault, with which three of them come back, one of whom it never knew.
    let backup = "CREATE TABLE backup AS SELECT * FROM vault_keys WHERE subject_id <> $1";
    let backup = backup.replace("$1", &format!("'{}'", names[2]));
    shop.events.pool.execute(backup.as_str()).await.expect("a backup");

    let stranger = SubjectId::generate(&SystemIds).to_string();
    let (code, said) = ask(&["forget", &stranger]).await;
    assert!(code == 4 && said.contains(&format!("nothing was ever sealed for {stranger}")), "{code}: {said}");
    assert_eq!(ask(&["forget", "ada"]).await.0, 2);
    assert_eq!(ask(&["forget"]).await.0, 2);
    assert_eq!(forgotten(&shop).await, []);
    let (code, said) = ask(&["forget", &names[0], &names[1], &names[2]]).await;
    assert!(code == 0 && said.lines().count() == 3 && said.contains("is destroyed"), "{code}: {said}");
    let (code, said) = ask(&["forget", &names[0]]).await;
    assert_eq!((code, said), (0, format!("{} had been forgotten already\n", names[0])));
    let on_record: Vec<_> =
        names[..3].iter().map(|id| (id.clone(), "operator:daybook-replay".to_owned())).collect();
    assert_eq!(forgotten(&shop).await, on_record);
    let everyone = "3 people were forgotten; 0 of them were not so in the vault, and are again\n";
    assert_eq!(ask(&["forget", "--again"]).await, (0, everyone.to_owned()));

    // What an operator keeps beside the database.
    let (code, list) = ask(&["tail", "--from", "1", "--type", "PersonForgotten", "--json"]).await;
    let list = list.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let list: Vec<_> = list.map(|event| event["fields"]["subject_id"].as_str().map(str::to_owned)).collect();
    assert_eq!((code, list), (0, names[..3].iter().cloned().map(Some).collect()));

    let restore = "TRUNCATE vault_keys; INSERT INTO vault_keys SELECT * FROM backup";
    sqlx::raw_sql(restore).execute(&shop.events.pool).await.expect("it is restored");
    let elsewhere = || shop.elsewhere().vault;
    assert_eq!(elsewhere().open::<String>(&people[0].1).await.expect("she is back"), names[0]);
    let again = "3 people were forgotten; 3 of them were not so in the vault, and are again\n";
    assert_eq!(ask(&["forget", "--again"]).await, (0, again.to_owned()));
    for (_, sealed) in &people[..3] {
        assert!(matches!(elsewhere().open::<String>(sealed).await, Err(VaultError::Forgotten)));
    }
    let anew = elsewhere().seal(people[2].0, &"something").await;
    assert!(
        matches!(anew, Err(VaultError::Forgotten)),
        "nothing new is sealed for who was not in the backup"
    );
    assert_eq!(elsewhere().open::<String>(&people[3].1).await.expect("nobody forgot him"), names[3]);
    assert_eq!(forgotten(&shop).await, on_record, "it is on record already");

    // Nobody has to think of it: a worker does when it starts.
    sqlx::raw_sql(restore).execute(&shop.events.pool).await.expect("it is restored");
    let worker = shop.worker(&[]);
    eventually(SOON, "they are gone again", || async {
        matches!(elsewhere().open::<String>(&people[1].1).await, Err(VaultError::Forgotten)).then_some(())
    })
    .await;
    let line = "people were back who had been forgotten";
    eventually(SOON, "the worker tells of it", || async { worker.output().contains(line).then_some(()) })
        .await;
}

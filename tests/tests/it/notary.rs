//! The notary: what it signs is the log, whoever dies meanwhile, and nothing that it signed is ever contradicted.

use std::sync::Arc;
use std::time::Duration;

use daybook_eventstore::process::SystemClock;
use daybook_eventstore::proof::{
    Facts, Note, SigningKey, Signs, Subtree, TILE_WIDTH, Tile, TreeHash, TreeHead, is_consistent, is_included,
};
use daybook_eventstore::{FeedSource, LogReader, Selection};
use daybook_projections::notary::{self, Notary, NotaryError};
use daybook_projections::runtime::Context;
use sqlx::Executor as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::feed::{from_the_start, source};
use crate::harness::{Database, TestStream, Writer, eventually};

pub(super) const SOON: Duration = Duration::from_secs(30);
pub(super) const AT_ONCE: Duration = Duration::from_millis(50);
pub(super) const NEVER: Duration = Duration::from_hours(24);

/// A log, and where a notary keeps its tree.
pub(super) struct Setting {
    pub(super) events: Database,
    pub(super) read: Database,
    pub(super) writer: Writer,
}

/// A notary at work.
pub(super) struct Working {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Working {
    pub(super) fn start(notary: Notary) -> Self {
        let stop = CancellationToken::new();
        Self { task: tokio::spawn(notary.run(stop.clone())), stop }
    }

    /// Ends it in good order.
    pub(super) async fn end(self) {
        self.stop.cancel();
        self.task.await.expect("it ends");
    }
}

pub(super) fn key() -> SigningKey {
    SigningKey::of("shop.example/log", Signs::Log, [7; 32]).expect("a key")
}

impl Setting {
    pub(super) async fn new() -> Self {
        let events = Database::events().await;
        let writer = Writer::new(&events);
        Self { events, read: Database::read().await, writer }
    }

    pub(super) fn notary(&self, every: Duration) -> Notary {
        let context =
            Context { log: source(&self.events), read: self.read.pool.clone(), clock: Arc::new(SystemClock) };
        Notary::new(context, key(), every)
    }

    pub(super) fn start(&self, every: Duration) -> Working {
        Working::start(self.notary(every))
    }

    /// The head that was signed last.
    pub(super) async fn signed(&self) -> Option<TreeHead> {
        let note = notary::checkpoint(&self.read.pool).await.expect("the tree is there")?;
        let note: Note = note.parse().expect("a note");
        Some(TreeHead::of(&note, key().verifying()).expect("it counts"))
    }

    /// The same once it is of so many events.
    pub(super) async fn signed_at(&self, size: i64) -> TreeHead {
        let size = u64::try_from(size).expect("a size");
        let signed = || async { self.signed().await.filter(|head| head.size == size) };
        eventually(SOON, &format!("{size} events are signed"), signed).await
    }

    /// Waits until the notary has the tree up to here.
    pub(super) async fn followed_to(&self, size: i64) {
        let followed = "SELECT count(*) FROM notary WHERE position = $1";
        eventually(SOON, "the log is followed", || async {
            let there: i64 =
                sqlx::query_scalar(followed).bind(size).fetch_one(&self.read.pool).await.expect("a count");
            (there == 1).then_some(())
        })
        .await;
    }

    /// Why a notary that begins now cannot go on.
    pub(super) async fn fails(&self) -> NotaryError {
        let (notary, stop) = (self.notary(AT_ONCE), CancellationToken::new());
        let failed = tokio::time::timeout(SOON, notary.lead(&mut None, &stop)).await.expect("it fails soon");
        failed.expect_err("it cannot go on")
    }

    /// Where the log stands.
    pub(super) async fn head(&self) -> i64 {
        LogReader::new(self.events.pool.clone()).head().await.expect("the log is there").position
    }

    /// The hashes of all events, from the log itself.
    pub(super) async fn entries(&self) -> Vec<TreeHash> {
        let reader = LogReader::new(self.events.pool.clone());
        let mut scan = reader.scan(Selection::after(0), 1_000);
        let mut entries = Vec::new();
        while let Some(batch) = scan.next().await.expect("the log is there") {
            entries.extend(batch.events().map(|event| Facts::of(event).expect("an event").hash()));
        }
        entries
    }
}

/// RFC 6962, section 2.1, word for word.
pub(super) fn root(entries: &[TreeHash]) -> TreeHash {
    match entries {
        [] => TreeHash::of_nothing(),
        [one] => *one,
        several => {
            let (left, right) = several.split_at(several.len().next_power_of_two() / 2);
            TreeHash::join(&root(left), &root(right))
        }
    }
}

#[tokio::test]
async fn what_is_signed_is_the_log_and_every_event_of_it_is_proved() {
    let setting = Setting::new().await;
    let first = setting.writer.append(700).await;
    let working = setting.start(AT_ONCE);
    let before = setting.signed_at(first).await;
    let then = setting.writer.append(333).await;
    let head = setting.signed_at(then).await;
    working.end().await;

    let entries = setting.entries().await;
    assert_eq!((before.root, head.root), (root(&entries[..700]), root(&entries)));
    let pool = &setting.read.pool;
    let path = notary::consistency(pool, before.size, head.size).await.expect("the tree").expect("all of it");
    assert!(is_consistent((before.size, before.root), (head.size, head.root), &path));
    for index in [0, 1, 255, 256, 511, 699, 700, 1_032] {
        let path = notary::inclusion(pool, index, head.size).await.expect("the tree").expect("all of it");
        let entry = entries[usize::try_from(index).expect("few")];
        assert!(is_included(entry, index, head.size, &path, head.root), "{index}");
    }
    assert_eq!(notary::inclusion(pool, 0, 3_000).await.expect("the tree"), None, "there are not so many");
    let found = notary::checkpoint_after(pool, 701).await.expect("the tree").expect("one");
    assert!(found.starts_with("shop.example/log\n1033\n"), "{found}");
}

#[tokio::test]
async fn tiles_have_the_hashes_of_the_entries_and_of_full_tiles() {
    let setting = Setting::new().await;
    let size = setting.writer.append(600).await;
    let working = setting.start(AT_ONCE);
    setting.signed_at(size).await;
    working.end().await;
    let entries = setting.entries().await;
    let tile = async |level, number| {
        let hashes = notary::tile(&setting.read.pool, Tile { level, number }).await.expect("the tree")?;
        Some(hashes.chunks(32).map(|hash| TreeHash(hash.try_into().expect("a hash"))).collect::<Vec<_>>())
    };
    let width = usize::try_from(TILE_WIDTH).expect("few");
    for (number, expected) in (0..).zip(entries.chunks(width)) {
        assert_eq!(tile(0, number).await.as_deref(), Some(expected));
    }
    let above: Vec<TreeHash> = entries.chunks_exact(width).map(root).collect();
    assert_eq!(tile(1, 0).await, Some(above));
    assert_eq!((tile(0, 3).await, tile(2, 0).await), (None, None));
    assert_eq!(Tile::of(Subtree { level: 8, number: 1 }), (Tile { level: 1, number: 0 }, 1..2));
}

#[tokio::test]
async fn what_is_there_is_signed_when_the_notary_ends_and_an_empty_log_is_not() {
    let setting = Setting::new().await;
    for every in [NEVER, Duration::from_millis(1)] {
        let working = setting.start(every);
        setting.followed_to(0).await;
        working.end().await;
        assert_eq!(setting.signed().await, None);
    }
    let size = setting.writer.append(5).await;
    let working = setting.start(NEVER);
    setting.followed_to(size).await;
    assert_eq!(setting.signed().await, None);
    working.end().await;
    assert_eq!(setting.signed_at(size).await.root, root(&setting.entries().await));
}

#[tokio::test]
async fn one_of_several_notaries_keeps_the_tree_and_another_takes_over_wherever_it_dies() {
    let setting = Setting::new().await;
    let mut working: Vec<Working> = Vec::new();
    for _ in 0..12 {
        working.push(setting.start(AT_ONCE));
        let size = setting.writer.append(97).await;
        if working.len() == 3 {
            // In the middle of anything.
            working.remove(0).task.abort();
        }
        setting.signed_at(size).await;
    }
    let size = setting.writer.append(1).await;
    let head = setting.signed_at(size).await;
    assert_eq!(head.root, root(&setting.entries().await));
    for one in working {
        one.end().await;
    }
    assert_eq!(setting.signed().await, Some(head));
}

#[tokio::test]
async fn a_log_that_is_restored_whole_goes_on_and_one_that_lost_what_was_signed_is_never_signed_again() {
    let setting = Setting::new().await;
    let size = setting.writer.append(50).await;
    let working = setting.start(AT_ONCE);
    setting.signed_at(size).await;
    working.end().await;

    let log = &setting.events.pool;
    log.execute("UPDATE log_head SET epoch = gen_random_uuid()").await.expect("a restore");
    let size = setting.writer.append(1).await;
    let working = setting.start(AT_ONCE);
    let head = setting.signed_at(size).await;
    working.end().await;
    assert_eq!(head.root, root(&setting.entries().await));

    let lose = "ALTER TABLE events DISABLE TRIGGER USER; DELETE FROM events WHERE position = 51; \
         ALTER TABLE events ENABLE TRIGGER USER; UPDATE log_head SET epoch = gen_random_uuid(), position = 50";
    log.execute(sqlx::raw_sql(lose)).await.expect("a restore to an earlier moment");
    Writer::new(&setting.events).append(3).await;
    let failed = setting.fails().await;
    assert!(matches!(failed, NotaryError::Replaced { position: 51 }), "{failed}");
    assert_eq!(setting.signed().await, Some(head));
}

#[tokio::test]
async fn an_event_whose_names_are_too_long_for_the_tree_is_told_of() {
    let setting = Setting::new().await;
    let long = "x".repeat(70_000);
    let insert = format!(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, \
         event_id, recorded_at) VALUES ('A', 'a', 1, '{long}', '1', '{{}}', '{{}}', 1, gen_random_uuid(), now()); \
         UPDATE log_head SET position = 1"
    );
    setting.events.pool.execute(sqlx::raw_sql(&insert)).await.expect("nobody but a superuser writes so");
    let failed = setting.fails().await;
    assert!(matches!(failed, NotaryError::TooLong { position: 1 }), "{failed}");
}

#[tokio::test]
async fn what_the_stream_says_and_the_log_does_not_have_reaches_no_tree() {
    let setting = Setting::new().await;
    let stream = TestStream::new().await;
    let _relay = stream.relay(&setting.events);
    let size = setting.writer.append(3).await;
    let published = || async { stream.messages().await.into_iter().find(|last| last.position == size) };
    let last = eventually(SOON, "the relay has published", published).await;
    let log = FeedSource { stream: Some(stream.handle().await), ..source(&setting.events) };
    let mut believer = from_the_start(log.clone(), "believer").await;
    let context = Context { log, read: setting.read.pool.clone(), clock: Arc::new(SystemClock) };
    let working = Working::start(Notary::new(context, key(), AT_ONCE));
    let head = setting.signed_at(size).await;
    while believer.checkpoint().position < size {
        tokio::time::timeout(SOON, believer.next(10)).await.expect("it comes").expect("the log is there");
    }

    stream.forge_next(&last).await;
    // Whoever follows the stream takes it for the next event.
    let events =
        tokio::time::timeout(SOON, believer.next(1)).await.expect("it comes").expect("it is believed");
    assert_eq!((events[0].position, events[0].payload.as_str()), (size + 1, "{\"forged\": true}"));
    assert_eq!((setting.signed().await, setting.head().await), (Some(head), size));
    let size = setting.writer.append(5).await;
    assert_eq!(setting.signed_at(size).await.root, root(&setting.entries().await));
    working.end().await;
}

/// What keeps the tree and the checkpoints, all gone.
const LOSE: &str = "DELETE FROM notary; DELETE FROM notary_tiles";

#[tokio::test]
async fn a_tree_that_was_lost_is_made_again_and_that_alarms_nobody() {
    let setting = Setting::new().await;
    for _ in 0..4 {
        setting.writer.append(5_000).await;
    }
    let working = setting.start(AT_ONCE);
    let before = setting.signed_at(20_000).await;
    working.end().await;
    setting.read.pool.execute(sqlx::raw_sql(LOSE)).await.expect("it is lost");
    let size = setting.writer.append(1).await;
    let (notary, stop, mut signed) =
        (setting.notary(Duration::from_millis(1)), CancellationToken::new(), None);
    let (led, head) = tokio::join!(notary.lead(&mut signed, &stop), async {
        let head = setting.signed_at(size).await;
        stop.cancel();
        head
    });
    led.expect("nothing is wrong");
    let entries = setting.entries().await;
    assert_eq!((before.root, head.root), (root(&entries[..20_000]), root(&entries)));
}

#[tokio::test]
async fn nothing_is_believed_that_is_kept_beyond_what_was_signed() {
    let setting = Setting::new().await;
    let size = setting.writer.append(100).await;
    let working = setting.start(AT_ONCE);
    setting.signed_at(size).await;
    working.end().await;
    // Somebody with the read database alone makes the tree go on, and forges where the notary stands.
    let size = setting.writer.append(30).await;
    let forge = "UPDATE notary SET position = 120, event_hash = decode(repeat('ab', 32), 'hex'); \
         UPDATE notary_tiles SET hashes = hashes || decode(repeat('cd', 640), 'hex') WHERE level = 0";
    setting.read.pool.execute(sqlx::raw_sql(forge)).await.expect("they may");
    let working = setting.start(AT_ONCE);
    let head = setting.signed_at(size).await;
    working.end().await;
    assert_eq!(head.root, root(&setting.entries().await));
    let kept = notary::tile(&setting.read.pool, Tile { level: 0, number: 0 }).await.expect("the tree");
    let entries: Vec<u8> = setting.entries().await.iter().flat_map(|hash| hash.0).collect();
    assert_eq!(kept, Some(entries));
}

#[tokio::test]
async fn a_notary_remembers_what_it_signed_when_nobody_else_does() {
    let setting = Setting::new().await;
    let size = setting.writer.append(40).await;
    let (notary, mut signed) = (setting.notary(AT_ONCE), None);
    let stop = CancellationToken::new();
    let (led, _head) = tokio::join!(notary.lead(&mut signed, &stop), async {
        setting.signed_at(size).await;
        stop.cancel();
    });
    led.expect("nothing is wrong");
    let alter =
        "ALTER TABLE events DISABLE TRIGGER USER; UPDATE events SET payload = '{}' WHERE position = 7";
    setting.events.pool.execute(sqlx::raw_sql(alter)).await.expect("a superuser may");
    let lose = format!("{LOSE}; DELETE FROM notary_checkpoints");
    setting.read.pool.execute(sqlx::raw_sql(&lose)).await.expect("a superuser may");
    let led = tokio::time::timeout(SOON, notary.lead(&mut signed, &CancellationToken::new())).await;
    let failed = led.expect("it fails soon").expect_err("it signed something else");
    assert!(matches!(failed, NotaryError::Contradicted { signed: 40, .. }), "{failed}");
    assert_eq!(setting.signed().await, None);
}

#[tokio::test]
async fn what_the_log_lost_is_not_signed_when_the_notary_ends() {
    let setting = Setting::new().await;
    let size = setting.writer.append(50).await;
    let working = setting.start(AT_ONCE);
    let head = setting.signed_at(size).await;
    working.end().await;
    let size = setting.writer.append(10).await;
    let working = setting.start(NEVER);
    setting.followed_to(size).await;
    let restore = "ALTER TABLE events DISABLE TRIGGER USER; DELETE FROM events WHERE position > 55; \
         ALTER TABLE events ENABLE TRIGGER USER; UPDATE log_head SET epoch = gen_random_uuid(), position = 55";
    setting.events.pool.execute(sqlx::raw_sql(restore)).await.expect("a restore to an earlier moment");
    Writer::new(&setting.events).append(5).await;
    working.end().await;
    let signed = setting.signed().await.expect("it was signed before");
    let entries = setting.entries().await;
    // It may have found that out in time.
    assert!(signed == head || signed.root == root(&entries), "{signed:?}");

    let working = setting.start(AT_ONCE);
    assert_eq!(setting.signed_at(60).await.root, root(&entries));
    working.end().await;
}

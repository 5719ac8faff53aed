//! What a superuser does to the log with all guards off is found, and located; and what an auditor asks on the command line.

use daybook_eventstore::proof::{Facts, Note};
use daybook_eventstore::{Archives, LogReader, Partitions, Position};
use daybook_projections::notary::{self, AuditError, Audited, NotaryError, Trusted};
use sqlx::Executor as _;
use tokio::process::Command;
use xtask::servers::Scratch;

use crate::harness::{counterpart, servers};
use crate::notary::{AT_ONCE, Setting, key};

/// How many events are signed, and how many more there are in the tree.
const SIGNED: i64 = 600;
const MORE: i64 = 40;

/// A log whose first events are signed, at 400 and at 600, and the rest only in the tree.
async fn signed() -> Setting {
    let setting = Setting::new().await;
    for _ in 0..SIGNED / 200 {
        setting.writer.append(200).await;
        let working = setting.start(AT_ONCE);
        let size = setting.head().await;
        setting.signed_at(size).await;
        working.end().await;
    }
    setting.writer.append(usize::try_from(MORE).expect("few")).await;
    let working = setting.start(AT_ONCE);
    setting.signed_at(SIGNED + MORE).await;
    working.end().await;
    let last = "DELETE FROM notary_checkpoints WHERE size = $1";
    sqlx::query(last).bind(SIGNED + MORE).execute(&setting.read.pool).await.expect("it was not signed");
    setting
}

async fn audit(setting: &Setting, others: &[Note]) -> Result<Audited, AuditError> {
    let keys = [key().verifying().clone()];
    let reader = LogReader::new(setting.events.pool.clone());
    let trusted = Trusted { log: &keys, witnesses: &[] };
    notary::audit(&reader, Some(&setting.read.pool), trusted, others, |_, _| {}).await
}

/// What is found once a superuser has done this to the log.
async fn found(setting: &Setting, done: &str) -> AuditError {
    let done = format!(
        "ALTER TABLE events DISABLE TRIGGER USER; DROP INDEX IF EXISTS events_position; {done}; \
         ALTER TABLE events ENABLE TRIGGER USER"
    );
    setting.events.pool.execute(sqlx::raw_sql(&done)).await.expect("a superuser may");
    let error = audit(setting, &[]).await.expect_err("it is not what was signed");
    assert!(error.is_finding(), "{error}");
    error
}

#[tokio::test]
async fn a_log_that_nobody_touched_is_as_it_was_signed() {
    let setting = signed().await;
    let audited = audit(&setting, &[]).await.expect("nothing is wrong");
    assert_eq!((audited.events, audited.signed, audited.checkpoints), (640, 600, 3));
    assert_eq!(audited.damaged, [0_u64; 0]);
}

#[tokio::test]
async fn an_event_that_was_edited_is_found() {
    let edits = [
        "UPDATE events SET payload = '{}' WHERE position = 123",
        "UPDATE events SET metadata = (metadata::text || ' ')::json WHERE position = 123",
        "UPDATE events SET recorded_at = recorded_at + interval '1 microsecond' WHERE position = 123",
        "UPDATE events SET event_type = 'ThingUndone' WHERE position = 123",
        "UPDATE events SET event_id = gen_random_uuid() WHERE position = 123",
    ];
    for edit in edits {
        let error = found(&signed().await, edit).await;
        assert!(matches!(error, AuditError::Altered { position: 123, signed: 200 }), "{edit}: {error}");
    }
}

#[tokio::test]
async fn events_that_were_exchanged_are_found() {
    let error = found(
        &signed().await,
        "UPDATE events SET position = 1000 WHERE position = 301; UPDATE events SET position = 301 WHERE position = 307; \
         UPDATE events SET position = 307 WHERE position = 1000",
    )
    .await;
    assert!(matches!(error, AuditError::Altered { position: 301, signed: 400 }), "{error}");
}

#[tokio::test]
async fn an_event_that_was_removed_is_found_wherever_it_was() {
    for position in [1_u64, 300, 600, 640] {
        let error = found(&signed().await, &format!("DELETE FROM events WHERE position = {position}")).await;
        let missing = matches!(error, AuditError::Missing { position: there } if there == position);
        assert!(missing, "{position}: {error}");
    }
    // The end, with the head of the log.
    let end = "DELETE FROM events WHERE position > 500; UPDATE log_head SET position = 500";
    let error = found(&signed().await, end).await;
    assert!(matches!(error, AuditError::Shorter { log: 500, signed: 600 }), "{error}");
    // All that followed moved down.
    let closed = "DELETE FROM events WHERE position = 300; UPDATE events SET position = position - 1 WHERE position > 300; \
         UPDATE log_head SET position = position - 1";
    let error = found(&signed().await, closed).await;
    assert!(matches!(error, AuditError::Altered { position: 300, signed: 400 }), "{error}");
}

#[tokio::test]
async fn an_event_that_was_put_in_is_found() {
    let put = |position: &str| {
        format!(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, \
             position, event_id, recorded_at) SELECT 'Thing', 'another', 1, event_type, event_version, payload, metadata, \
             {position}, gen_random_uuid(), recorded_at FROM events WHERE position = 300"
        )
    };
    let error = found(&signed().await, &put("position")).await;
    assert!(matches!(error, AuditError::Doubled { position: 300 }), "{error}");
    let moved = format!(
        "UPDATE events SET position = position + 1 WHERE position > 300; {}; UPDATE log_head SET position = position + 1",
        put("301")
    );
    let error = found(&signed().await, &moved).await;
    assert!(matches!(error, AuditError::Altered { position: 301, signed: 400 }), "{error}");
}

/// One more event of somebody's stream at this position, in this table.
fn stray(table: &str, position: &str) -> String {
    format!(
        "INSERT INTO {table} (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, \
         event_id, recorded_at) SELECT aggregate_type, aggregate_id, 1000, event_type, event_version, payload, metadata, \
         {position}, gen_random_uuid(), recorded_at FROM events WHERE position = 300"
    )
}

#[tokio::test]
async fn an_event_where_no_reader_looks_is_found() {
    for position in [-1_i64, 0, 1_000] {
        let error = found(&signed().await, &stray("events", &position.to_string())).await;
        assert!(matches!(error, AuditError::Hidden { position: there } if there == position), "{error}");
    }
    // In a table of its own, with which every guard of the log may stay.
    for position in [300_u64, 640] {
        let child =
            format!("CREATE TABLE more () INHERITS (events); {}", stray("more", &position.to_string()));
        let error = found(&signed().await, &child).await;
        assert!(matches!(error, AuditError::Doubled { position: there } if there == position), "{error}");
    }
}

#[tokio::test]
async fn a_second_event_is_found_where_a_reader_goes_on_after_the_first() {
    let setting = Setting::new().await;
    for _ in 0..11 {
        setting.writer.append(5_000).await;
    }
    let working = setting.start(AT_ONCE);
    setting.signed_at(55_000).await;
    working.end().await;
    // A scan asks for so many at a time, so the next question begins after both.
    let child = format!("CREATE TABLE more () INHERITS (events); {}", stray("more", "50000"));
    let error = found(&setting, &child).await;
    // Whichever of the two the scan was given.
    let is_told = matches!(
        error,
        AuditError::Doubled { position: 50_000 } | AuditError::Altered { position: 50_000, .. }
    );
    assert!(is_told, "{error}");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_found() {
    let error =
        found(&signed().await, "UPDATE events SET recorded_at = 'infinity' WHERE position = 300").await;
    assert!(matches!(error, AuditError::Unreadable { after } if after < 300), "{error}");
}

#[tokio::test]
async fn a_large_log_whose_old_part_is_in_archives_is_verified_while_it_grows() {
    let setting = Setting::new().await;
    for _ in 0..14 {
        setting.writer.append(5_000).await;
    }
    let working = setting.start(AT_ONCE);
    let partitions = Partitions::new(setting.events.pool.clone());
    let scratch = Scratch::new().expect("a folder");
    let archives = Archives::in_folder(scratch.site().home.clone());
    setting.events.pool.execute("SELECT extend_event_directory(1000)").await.expect("a directory");
    let cut = partitions.cut(Position::MAX, 30_000).await.expect("the log is there").expect("a partition");
    partitions.archive(cut.last, &archives).await.expect("a file");
    partitions.detach(cut.last, &archives).await.expect("it is archived");
    setting.signed_at(70_000).await;

    let reader = LogReader::new(setting.events.pool.clone()).with_archives(Some(archives));
    let keys = [key().verifying().clone()];
    let trusted = Trusted { log: &keys, witnesses: &[] };
    let verify = async || notary::audit(&reader, Some(&setting.read.pool), trusted, &[], |_, _| {}).await;
    let (verified, ()) = tokio::join!(
        async {
            for _ in 0..3 {
                let audited = verify().await.expect("nothing is wrong");
                assert!(audited.signed >= 70_000 && audited.damaged.is_empty(), "{audited:?}");
            }
        },
        async {
            for _ in 0..60 {
                setting.writer.append(20).await;
            }
        }
    );
    let () = verified;
    working.end().await;
    let position = cut.last - 5;
    let done = format!("ALTER TABLE events DISABLE TRIGGER USER; {}", stray_of_any(position));
    setting.events.pool.execute(sqlx::raw_sql(&done)).await.expect("a superuser may");
    let error = verify().await.expect_err("its place is in the archive");
    assert!(matches!(error, AuditError::Hidden { position: there } if there == position), "{error}");
}

/// An event at a position that has left the database.
fn stray_of_any(position: i64) -> String {
    stray("events", &position.to_string())
        .replace("position = 300", "position = (SELECT max(position) FROM events)")
}

#[tokio::test]
async fn the_first_of_several_is_told() {
    let both =
        "UPDATE events SET payload = '{}' WHERE position = 290; DELETE FROM events WHERE position = 300";
    let error = found(&signed().await, both).await;
    assert!(matches!(error, AuditError::Differs { position: 290 }), "{error}");
    let unsigned = "UPDATE events SET payload = '{}' WHERE position IN (620, 630)";
    let error = found(&signed().await, unsigned).await;
    assert!(matches!(error, AuditError::Differs { position: 620 }), "{error}");
}

#[tokio::test]
async fn who_alters_the_tree_too_cannot_alter_what_was_signed() {
    let setting = signed().await;
    let kept: Note = notary::checkpoint_after(&setting.read.pool, 600)
        .await
        .expect("the tree")
        .expect("a checkpoint")
        .parse()
        .expect("a note");
    // A tree of the altered log, by a notary who begins anew and has no key of ours.
    let alter =
        "ALTER TABLE events DISABLE TRIGGER USER; UPDATE events SET payload = '{}' WHERE position = 123";
    setting.events.pool.execute(sqlx::raw_sql(alter)).await.expect("a superuser may");
    let forget = "DELETE FROM notary; DELETE FROM notary_tiles";
    setting.read.pool.execute(sqlx::raw_sql(forget)).await.expect("a superuser may");
    let failed = setting.fails().await;
    assert!(matches!(failed, NotaryError::Contradicted { signed: 600, .. }), "{failed}");
    let error = audit(&setting, &[]).await.expect_err("it contradicts what was signed");
    assert!(matches!(error, AuditError::Otherwise { after: 0, signed: 200 }), "{error}");

    // Without the checkpoints too, the copy that somebody kept tells.
    setting.read.pool.execute("DELETE FROM notary_checkpoints").await.expect("a superuser may");
    let error = audit(&setting, &[]).await.expect_err("nothing tells");
    assert!(matches!(error, AuditError::Nothing) && !error.is_finding(), "{error}");
    let error = audit(&setting, &[kept]).await.expect_err("it contradicts what was signed");
    assert!(matches!(error, AuditError::Otherwise { after: 0, signed: 600 }), "{error}");
}

#[tokio::test]
async fn a_checkpoint_that_was_forged_is_found_and_a_damaged_tree_is_no_altered_log() {
    let setting = signed().await;
    let damage = "UPDATE notary_tiles SET hashes = set_byte(hashes, 5 * 32, 255 - get_byte(hashes, 5 * 32)) \
         WHERE level = 0 AND number = 1";
    setting.read.pool.execute(damage).await.expect("a superuser may");
    assert_eq!(audit(&setting, &[]).await.expect("the log is as it was").damaged, [256 + 6]);
    let forge =
        "UPDATE notary_checkpoints SET note = replace(note, E'\\n400\\n', E'\\n401\\n') WHERE size = 400";
    setting.read.pool.execute(forge).await.expect("a superuser may");
    let error = audit(&setting, &[]).await.expect_err("nobody signed it");
    assert!(matches!(error, AuditError::Checkpoint { size: Some(400), .. }), "{error}");
}

#[tokio::test]
async fn a_checkpoint_that_is_none_or_is_of_another_size_is_found() {
    for forge in [
        "UPDATE notary_checkpoints SET note = 'nothing' WHERE size = 400",
        "UPDATE notary_checkpoints SET size = 399 WHERE size = 400",
        "UPDATE notary_checkpoints SET size = 9000000000000000000 WHERE size = 400",
    ] {
        let setting = signed().await;
        setting.read.pool.execute(forge).await.expect("a superuser may");
        let error = audit(&setting, &[]).await.expect_err("nobody signed it");
        assert!(matches!(error, AuditError::Checkpoint { size: Some(_), .. }), "{forge}: {error}");
    }
}

#[tokio::test]
async fn a_damaged_tree_accuses_nobody_who_is_innocent() {
    let setting = signed().await;
    let damage = "UPDATE notary_tiles SET hashes = set_byte(hashes, 0, 255 - get_byte(hashes, 0)) WHERE level = 0 AND number = 0";
    setting.read.pool.execute(damage).await.expect("a superuser may");
    let error = found(&setting, "UPDATE events SET payload = '{}' WHERE position = 123").await;
    assert!(matches!(error, AuditError::Otherwise { after: 0, signed: 200 }), "{error}");
}

/// What `daybook-replay` says, and its exit code.
pub(super) async fn ask(setting: &Setting, arguments: &[&str]) -> (i32, String) {
    ask_without(setting, arguments, "DAYBOOK_NOTHING").await
}

/// The same without this setting.
async fn ask_without(setting: &Setting, arguments: &[&str], setting_name: &str) -> (i32, String) {
    let mut program = Command::new(servers().binaries.join("daybook-replay"));
    program
        .args(arguments)
        .env("DAYBOOK_EVENTS_URL", &setting.events.url)
        .env("DAYBOOK_READ_URL", &setting.read.url)
        .env("DAYBOOK_NOTARY_KEY", "07".repeat(32))
        .env("DAYBOOK_NOTARY_ORIGIN", "shop.example/log")
        .env("DAYBOOK_LOG", "warn")
        .env_remove(setting_name);
    let output = program.output().await.expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(said).expect("text"))
}

#[tokio::test]
async fn an_auditor_verifies_proves_and_checks() {
    let setting = signed().await;
    let (code, said) = ask(&setting, &["verify"]).await;
    assert!(code == 0 && said.starts_with("the first 600 events are as they were signed, by 3 checkpoints\nNOT SIGNED yet: the last 40 events"), "{code}: {said}");
    let (code, key) = ask(&setting, &["notary-key"]).await;
    let key = key.trim();
    assert!(code == 0 && key.starts_with("shop.example/log+"), "{code}: {key}");
    let (code, said) = ask(&setting, &["consistency", "200", "600"]).await;
    assert_eq!((code, said.trim()), (0, "the log of 600 events begins with the one of 200"));
    let (code, said) = ask(&setting, &["consistency", "201", "600"]).await;
    assert!(code == 1 && said.contains("the next one is of 400"), "{code}: {said}");

    let file = std::env::temp_dir().join(crate::harness::unique("proof")).with_extension("tlog-proof");
    let path = file.to_str().expect("a path");
    let (code, said) = ask(&setting, &["prove", "123", "--out", path]).await;
    assert_eq!((code, said.as_str()), (0, ""));
    let (code, said) = ask(&setting, &["check", path, "--key", key]).await;
    assert!(
        code == 0 && said.contains("is in shop.example/log at position 123, among the 600"),
        "{code}: {said}"
    );
    let (code, said) = ask(&setting, &["prove", "630"]).await;
    assert!(code == 1 && said.contains("nothing is signed yet"), "{code}: {said}");

    // With a checkpoint of one's own the tree is not needed.
    let kept = std::env::temp_dir().join(crate::harness::unique("checkpoint"));
    let note = notary::checkpoint(&setting.read.pool).await.expect("the tree").expect("a checkpoint");
    std::fs::write(&kept, note).expect("the file");
    let alone = ["verify", "--key", key, "--checkpoint", kept.to_str().expect("a path")];
    let (code, said) = ask_without(&setting, &alone, "DAYBOOK_READ_URL").await;
    assert!(
        code == 0 && said.starts_with("the first 600 events are as they were signed, by 1"),
        "{code}: {said}"
    );
    std::fs::remove_file(&kept).expect("the file goes");
    let (code, said) = ask(&setting, &["check", path, "--key", key, "--witness", key]).await;
    assert!(code == 2 && said.contains("not a witness's key"), "{code}: {said}");

    // A digit more in the payload, which is in the file in base64.
    let proof = std::fs::read_to_string(&file).expect("the file");
    let index = proof.replace("index 122", "index 123");
    std::fs::write(&file, index).expect("the file");
    let (code, said) = ask(&setting, &["check", path, "--key", key]).await;
    assert!(code == 3 && said.contains("it proves nothing"), "{code}: {said}");
    std::fs::remove_file(&file).expect("the file goes");

    let alter =
        "ALTER TABLE events DISABLE TRIGGER USER; UPDATE events SET payload = '{}' WHERE position = 123";
    setting.events.pool.execute(sqlx::raw_sql(alter)).await.expect("a superuser may");
    let (code, said) = ask(&setting, &["verify"]).await;
    assert!(code == 3 && said.contains("at position 123 is not the one"), "{code}: {said}");
    let (code, said) = ask(&setting, &["prove", "123"]).await;
    assert!(
        code == 3 && said.contains("at position 123, or the tree, is not what was signed"),
        "{code}: {said}"
    );
}

/// How many events are proved one by one.
const PROVED: [i64; 8] = [1, 2, 123, 200, 201, 399, 512, 600];

#[tokio::test]
async fn a_verifier_that_nobody_here_wrote_comes_to_the_same_trees() {
    const TEST: &str = "a_verifier_that_nobody_here_wrote_comes_to_the_same_trees";
    let setting = signed().await;
    let folder = std::env::temp_dir().join(crate::harness::unique("proofs"));
    std::fs::create_dir(&folder).expect("a folder");
    let files: Vec<String> =
        PROVED.iter().map(|position| folder.join(position.to_string()).display().to_string()).collect();
    for (position, file) in PROVED.iter().zip(&files).rev() {
        // The newest checkpoint there is, as it was when that was the next one.
        let later = "DELETE FROM notary_checkpoints WHERE size >= $1 + 200";
        sqlx::query(later).bind(position).execute(&setting.read.pool).await.expect("they are lost");
        let (code, said) = ask(&setting, &["prove", &position.to_string(), "--out", file]).await;
        assert_eq!((code, said.as_str()), (0, ""));
    }
    // The whole tree, from the entries of its leaves.
    let reader = LogReader::new(setting.events.pool.clone());
    let mut leaves = String::new();
    for event in reader.read(0, 600).await.expect("the log") {
        let entry = Facts::from(&event).entry();
        leaves.extend(entry.bytes().map(|byte| format!("{byte:02x}")));
        leaves.push('\n');
    }
    let tree = folder.join("leaves");
    std::fs::write(&tree, leaves).expect("a file");
    let mut arguments = vec!["--tree", tree.to_str().expect("a path")];
    arguments.extend(files.iter().map(String::as_str));
    let Some(said) = counterpart(TEST, "proof.py", &arguments, "").await else { return };
    let (proved, grown) = said.split_at(PROVED.len());
    for (said, position) in proved.iter().zip(PROVED) {
        assert_eq!(said["position"], position);
        // The root that was signed is the root of the tree that it built itself.
        let built = grown.iter().find(|one| one["size"] == said["size"]).expect("the tree of that size");
        assert_eq!(said["root"], built["root"], "{said}");
    }
    let sizes: Vec<_> = grown.iter().map(|one| one["size"].as_i64().expect("a size")).collect();
    assert_eq!(sizes, [200, 400, 600]);

    // And it is not one that believes everything.
    let altered = std::fs::read_to_string(&files[2]).expect("a proof").replace("index 122", "index 121");
    std::fs::write(&files[2], altered).expect("a file");
    let checking = tokio::spawn(async move { counterpart(TEST, "proof.py", &[&files[2]], "").await });
    assert!(checking.await.is_err(), "it is refused");
}

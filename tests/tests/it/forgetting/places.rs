//! Every place in which something about a person might be.

use std::path::Path;

use fred::interfaces::ClientLike as _;
use fred::types::{CustomCommand, Value as RedisValue};
use sqlx::PgPool;

use super::words::Words;
use crate::harness::stack::Stack;
use crate::harness::{TestStream, counterpart};

/// What was found: where, and which word.
pub(super) type Found = Vec<(String, &'static str)>;

/// Notes the words that stand in a text.
fn note(found: &mut Found, words: &Words, place: &str, text: &str) {
    for word in words.within(text) {
        if !found.iter().any(|(at, noted)| at == place && *noted == word) {
            found.push((place.to_owned(), word));
        }
    }
}

/// In all but the files that were written for somebody else.
pub(super) async fn search(stack: &Stack, words: &Words) -> Found {
    let mut found = database("events", &stack.shop.events.pool, words).await;
    found.extend(database("read", &stack.read.pool, words).await);
    found.extend(redis(stack, words).await);
    found.extend(stream(stack, words).await);
    for ((binary, name), output) in stack.outputs() {
        note(&mut found, words, &format!("log of {binary} {name}"), &output);
    }
    found
}

/// In every column of every table.
async fn database(which: &str, pool: &PgPool, words: &Words) -> Found {
    let tables: Vec<(String, String)> = sqlx::query_as(
        "SELECT format('%I.%I', n.nspname, c.relname),
             format('SELECT concat_ws(E''\\n'', %s) FROM %I.%I',
                 string_agg(format('%I::text', a.attname), ', ' ORDER BY a.attnum), n.nspname, c.relname)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
             AND n.nspname NOT LIKE 'pg_toast%' GROUP BY n.nspname, c.relname",
    )
    .fetch_all(pool)
    .await
    .expect("the tables");
    assert!(tables.len() > 5, "{tables:?}");
    let mut found = Vec::new();
    for (table, rows) in tables {
        let rows: Vec<String> = sqlx::query_scalar(&rows).fetch_all(pool).await.expect("the rows");
        for row in rows {
            note(&mut found, words, &format!("{which}: {table}"), &row);
        }
    }
    found
}

/// In every key of Redis, and what it has.
async fn redis(stack: &Stack, words: &Words) -> Found {
    let client = daybook_projections::read::hot::connect(&stack.redis.url()).expect("a client");
    client.wait_for_connect().await.expect("a connection");
    let ask = async |command: &'static str, arguments: &[&str]| -> Vec<String> {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let command = CustomCommand::new_static(command, None::<u16>, false);
        let answer: RedisValue = client.custom(command, arguments).await.expect("an answer");
        let parts = answer.into_array();
        let text = |part: RedisValue| {
            part.into_bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
        };
        parts.into_iter().map(text).collect()
    };
    let (mut found, keys) = (Vec::new(), ask("KEYS", &["*"]).await);
    assert!(!keys.is_empty());
    for key in keys {
        note(&mut found, words, "redis", &key);
        let kind = ask("TYPE", &[&key]).await.concat();
        let parts = match kind.as_str() {
            "hash" => ask("HGETALL", &[&key]).await,
            "string" => ask("GET", &[&key]).await,
            "set" => ask("SMEMBERS", &[&key]).await,
            "list" => ask("LRANGE", &[&key, "0", "-1"]).await,
            "zset" => ask("ZRANGE", &[&key, "0", "-1"]).await,
            other => panic!("nobody looks into a {other}"),
        };
        for part in parts {
            note(&mut found, words, "redis", &part);
        }
    }
    found
}

/// The stream that the relay writes.
async fn of(stack: &Stack) -> TestStream {
    let mut stream = TestStream::on(&stack.nats.url()).await;
    "DAYBOOK".clone_into(&mut stream.name);
    stream
}

/// How many messages there are.
pub(super) async fn published(stack: &Stack) -> usize {
    of(stack).await.messages().await.len()
}

/// In every message of the stream.
async fn stream(stack: &Stack, words: &Words) -> Found {
    let (mut found, messages) = (Vec::new(), of(stack).await.messages().await);
    assert!(!messages.is_empty());
    for message in messages {
        note(&mut found, words, "stream", &message.subject);
        note(&mut found, words, "stream", &String::from_utf8_lossy(&message.body));
        for (name, values) in message.headers.iter() {
            note(&mut found, words, "stream", &format!("{name}: {values:?}"));
        }
    }
    found
}

/// In everything that an export wrote; nothing where nobody reads Parquet.
pub(super) async fn export(test: &str, folder: &Path, words: &Words) -> Option<Found> {
    let datasets =
        std::fs::read_dir(folder).expect("the export").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = datasets.partition(|path| path.is_dir());
    assert!(folders.len() > 10, "{folders:?}");
    let mut found = Vec::new();
    for file in files {
        note(&mut found, words, "export", &std::fs::read_to_string(file).expect("the manifest"));
    }
    let rows = folders.iter().map(|folder| {
        format!(
            "SELECT CAST(t AS VARCHAR) FROM read_parquet('{}/*/*.parquet', union_by_name = true) t",
            folder.display()
        )
    });
    let rows = counterpart(test, "query.py", &[], &rows.collect::<Vec<_>>().join(" UNION ALL ")).await?;
    assert!(!rows.is_empty());
    for row in rows {
        note(&mut found, words, "export", row[0].as_str().expect("a text"));
    }
    Some(found)
}

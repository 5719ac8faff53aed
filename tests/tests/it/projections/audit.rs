//! The auditor's index beside a plain look through everything, on a log that is longer than a span of it and on which events did
//! not happen in the order in which they were recorded.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use daybook_domain::inspection::Sought;
use daybook_domain::{CustomerId, Timestamp};
use daybook_eventstore::Position;
use daybook_projections::audit::query::{self, AuditPage};
use uuid::Uuid;

use super::shop::Shop;

/// How many events there are: five spans of them, and a part of one.
const EVENTS: i64 = 5_500;

/// When the event at a position happened: about a minute after the one before it, give or take two hours, and now and then a
/// week too early.
fn moment(position: Position) -> Timestamp {
    let jitter = position * 7_919 % 241 - 120;
    let early = if position % 97 == 0 { 7 * 24 * 60 } else { 0 };
    let first = DateTime::from_timestamp(1_700_000_000, 0).expect("a moment");
    first + TimeDelta::minutes(position + jitter - early)
}

fn actor(position: Position) -> String {
    format!("staff:{}", position % 3)
}

fn customer(position: Position) -> Uuid {
    Uuid::from_u128(u128::try_from(position % 10).expect("a position"))
}

async fn filled() -> Shop {
    let shop = Shop::open().await;
    let (mut metadata, mut payloads) = (Vec::new(), Vec::new());
    for position in 1..=EVENTS {
        let (command, at) =
            (Uuid::from_u128(u128::try_from(position).expect("a position")), moment(position));
        metadata.push(
            serde_json::json!({
                "actor": actor(position), "command_id": command, "correlation_id": command,
                "occurred_at": at.to_rfc3339(),
            })
            .to_string(),
        );
        payloads.push(serde_json::json!({ "Forgotten": { "subject_id": customer(position) } }).to_string());
    }
    let happened = "WITH head AS (UPDATE log_head SET position = $1)
        INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position,
                            event_id, recorded_at)
        SELECT 'Person', 'p' || n, 1, 'PersonForgotten', '1', payload::json, metadata::json, n, gen_random_uuid(), now()
        FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS new (payload, metadata, n)";
    let happened = sqlx::query(happened).bind(EVENTS).bind(payloads).bind(metadata);
    happened.execute(&shop.events.pool).await.expect("it happened");
    shop
}

/// All that is found, in pages.
async fn found(shop: &Shop, sought: &Sought, newest_first: bool) -> Vec<Position> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = AuditPage { first: 700, after, newest_first };
        let found = query::find(&shop.db, sought, page).await.expect("the index answers");
        assert_eq!((found.extent.as_of, found.extent.unindexed), (EVENTS, 0));
        after = found.positions.last().copied();
        let is_last = found.positions.len() < 700;
        all.extend(found.positions);
        if is_last {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_looked_for_is_found_wherever_and_whenever_it_happened() {
    let shop = filled().await;
    let _projector = shop.project("audit");
    shop.live_at("audit", EVENTS).await;
    let at = |minutes: i64| Some(moment(1) + TimeDelta::minutes(minutes));
    let times =
        [(None, None), (at(2_000), None), (None, at(2_000)), (at(900), at(1_300)), (at(3_000), at(3_001))];
    let beyond = [(at(100_000), None), (None, at(-100_000))];
    let actors = [None, Some("staff:1".to_owned()), Some("staff:9".to_owned())];
    let customers = [None, Some(CustomerId::new(customer(4)))];
    let mut counts = BTreeMap::new();
    for (from, to) in times.into_iter().chain(beyond) {
        for (actor_sought, customer_id) in actors.iter().flat_map(|one| customers.map(|other| (one, other))) {
            let sought = Sought { from, to, actor: actor_sought.clone(), customer_id, ..Sought::default() };
            let is_one = |position: &Position| {
                let happened = moment(*position);
                from.is_none_or(|from| happened >= from)
                    && to.is_none_or(|to| happened < to)
                    && actor_sought.as_ref().is_none_or(|one| *one == actor(*position))
                    && customer_id.is_none_or(|one| one.uuid() == customer(*position))
            };
            let expected: Vec<Position> = (1..=EVENTS).filter(is_one).collect();
            assert_eq!(found(&shop, &sought, false).await, expected, "{sought:?}");
            let backwards: Vec<Position> = expected.iter().rev().copied().collect();
            assert_eq!(found(&shop, &sought, true).await, backwards, "{sought:?}");
            let count = query::count(&shop.db, &sought).await.expect("the index answers");
            assert_eq!(usize::try_from(count), Ok(expected.len()), "{sought:?}");
            *counts.entry(expected.is_empty()).or_insert(0) += 1;
        }
    }
    assert!(counts[&false] > 15 && counts[&true] > 5, "{counts:?}");
}

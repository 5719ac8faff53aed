//! `disintegrate` with `disintegrate-postgres`, as they are: a decision loads its state by a query, and its events are
//! appended in a serializable transaction that looks whether anything has come that the query would have found. It
//! keeps no metadata beside an event, so that is part of the payload.

use std::collections::HashMap;
use std::convert::Infallible;
use std::iter;
use std::str::FromStr as _;

use async_trait::async_trait;
use cqrs_es::Aggregate as _;
use daybook_domain::IdSource as _;
use daybook_eventstore::process::SystemIds;
use disintegrate::serde::json::Json;
use disintegrate::{Decision, DecisionError, Event, NoSnapshot, StateMutate, StateQuery};
use disintegrate_postgres::{PgDecisionMaker, PgEventStore, decision_maker};
use serde::{Deserialize, Serialize};
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor as _, PgConnection, PgPool};

use super::{Contestant, Failed};
use crate::basket::{Basket, BasketEvent, Line, metadata};
use crate::workload::PRIOR;

/// What PostgreSQL answers to a transaction that cannot have been alone.
const NOT_SERIALIZABLE: &str = "40001";

/// One of its functions has a number in a notation that PostgreSQL knows from 16 on. Nothing else is changed.
const FOR_POSTGRES_15: &str = "DO $$ BEGIN EXECUTE replace( \
     pg_get_functiondef('event_store_begin_epoch'::regproc), '0xFFFFFFFF', '4294967295'); END $$";

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
enum Happened {
    LineAdded {
        #[id]
        basket_id: String,
        line: Line,
        metadata: HashMap<String, String>,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize, StateQuery)]
#[state_query(Happened)]
struct State {
    #[id]
    basket_id: String,
    basket: Basket,
}

impl StateMutate for State {
    fn mutate(&mut self, event: Happened) {
        let Happened::LineAdded { line, .. } = event;
        self.basket.apply(BasketEvent::LineAdded(line));
    }
}

/// Puts lines in.
#[derive(Debug, Clone)]
struct Add {
    basket_id: String,
    lines: Vec<Line>,
}

impl Decision for Add {
    type Event = Happened;
    type StateQuery = State;
    type Error = Infallible;

    fn state_query(&self) -> State {
        State { basket_id: self.basket_id.clone(), basket: Basket::default() }
    }

    fn process(&self, _: &State) -> Result<Vec<Happened>, Infallible> {
        let metadata = metadata(SystemIds.next());
        let added = |line: &Line| Happened::LineAdded {
            basket_id: self.basket_id.clone(),
            line: line.clone(),
            metadata: metadata.clone(),
        };
        Ok(self.lines.iter().map(added).collect())
    }
}

pub(super) struct Disintegrate(PgDecisionMaker<Happened, Json<Happened>, NoSnapshot>);

pub(super) async fn prepare(database: &str) -> Result<(), Failed> {
    let options = PgConnectOptions::from_str(database)?.options([("check_function_bodies", "off")]);
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
    PgEventStore::<Happened, _>::try_new(pool.clone(), Json::default()).await?;
    pool.execute(FOR_POSTGRES_15).await?;
    pool.close().await;
    Ok(())
}

/// Writes the streams that are there beforehand, round after round of all of them.
pub(crate) async fn seed(connection: &mut PgConnection, streams: u32) -> Result<(), Failed> {
    if streams == 0 {
        return Ok(());
    }
    let id = "lpad(to_hex(s), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(s), 12, '0')";
    let add = Add { basket_id: "BASKET".to_owned(), lines: vec![Line::some()] };
    let event = add.process(&add.state_query())?.pop().ok_or("nothing happened")?;
    let payload = serde_json::to_string(&event)?;
    let script = format!(
        "INSERT INTO event (event_type, payload, basket_id) \
         SELECT 'LineAdded', convert_to(replace('{payload}', 'BASKET', id), 'UTF8'), id \
         FROM (SELECT n, s, {id} AS id FROM generate_series(1, {PRIOR}) n, generate_series(0, {streams} - 1) s) e \
         ORDER BY n, s"
    );
    connection.execute(sqlx::raw_sql(&script)).await?;
    // What nobody has read yet is not a reader's fault.
    connection.execute("VACUUM (ANALYZE) event").await?;
    Ok(())
}

impl Disintegrate {
    pub(super) fn start(pool: PgPool) -> Self {
        Self(decision_maker(PgEventStore::new_uninitialized(pool, Json::default()), NoSnapshot))
    }

    /// Decides again when somebody else was first, which is for its callers to do.
    async fn execute(&self, stream: &str, events: usize) -> Result<(), Failed> {
        let lines = iter::repeat_with(Line::some).take(events).collect();
        let add = Add { basket_id: stream.to_owned(), lines };
        loop {
            match self.0.make(add.clone()).await {
                Err(error) if was_outrun(&error) => {}
                made => return Ok(made.map(drop)?),
            }
        }
    }
}

fn was_outrun(error: &DecisionError<Infallible>) -> bool {
    use disintegrate_postgres::Error;
    let (DecisionError::StateStore(error) | DecisionError::EventStore(error)) = error else { return false };
    match error.downcast_ref() {
        Some(Error::Concurrency) => true,
        Some(Error::Database(error)) => {
            let code = error.as_database_error().and_then(DatabaseError::code);
            code.as_deref() == Some(NOT_SERIALIZABLE)
        }
        _ => false,
    }
}

#[async_trait]
impl Contestant for Disintegrate {
    async fn append_new(&self, stream: &str, events: usize) -> Result<(), Failed> {
        self.execute(stream, events).await
    }

    async fn decide(&self, stream: &str) -> Result<(), Failed> {
        self.execute(stream, 1).await
    }
}

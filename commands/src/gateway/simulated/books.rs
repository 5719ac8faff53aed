//! The simulated gateway's books: the only code that knows its tables.

use std::sync::Arc;

use chrono::TimeDelta;
use daybook_domain::{Clock, Currency, Money, OrderId, PaymentId, Timestamp};
use daybook_eventstore::begin_tx;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Postgres, Row, Transaction};
use uuid::Uuid;

use super::charge::{ActionResult, Charge, ChargeStatus};
use crate::gateway::GatewayNotice;

/// The channel on which the delivery hears of webhooks that another process wrote down.
pub(super) const CHANNEL: &str = "daybook_simulated_gateway";
/// How long the delivery of one webhook is left alone once somebody has taken it up.
const LEASE: TimeDelta = TimeDelta::seconds(15);
/// A webhook that was refused this often, over about a day, is left for people to look at.
const MAX_ATTEMPTS: i32 = 3_000;

const CHARGE: &str = "reference, payment_id, order_id, correlation_id, traceparent, card, status, currency, amount, \
     captured, voided, refunded, failed_refunds";

/// The simulated gateway's books in this database.
#[derive(Clone)]
pub struct SimulatedBooks {
    pool: PgPool,
    clock: Arc<dyn Clock>,
}

/// A request's key, and what was asked under it.
pub(super) struct Request {
    pub(super) key: String,
    pub(super) input: String,
}

/// A notice to be told so many times from a moment on.
pub(super) struct Told<'a> {
    pub(super) notice: &'a GatewayNotice,
    pub(super) copies: i32,
    pub(super) due_at: Timestamp,
}

/// A webhook that somebody has taken up.
pub(super) struct Webhook {
    pub(super) event_id: Uuid,
    pub(super) copy: i32,
    pub(super) body: String,
    pub(super) attempts: i32,
}

/// What the books say of a request.
pub(super) enum Known<T> {
    /// It is new.
    New(T),
    /// It was answered so before.
    Answered(String),
    /// Its key was used for something else.
    KeyReused,
}

impl SimulatedBooks {
    /// The books in this database, kept by this clock.
    pub fn new(pool: PgPool, clock: Arc<dyn Clock>) -> Self {
        Self { pool, clock }
    }

    /// The charges made for an order; there is never more than one that holds or took money, unless the shop
    /// asked for more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn charges_of(&self, order_id: OrderId) -> Result<Vec<Charge>, sqlx::Error> {
        let statement =
            format!("SELECT {CHARGE} FROM simulated_gateway.charges WHERE order_id = $1 ORDER BY reference");
        let rows = sqlx::query(&statement).bind(order_id.uuid()).fetch_all(&self.pool).await?;
        rows.iter().map(decode).collect()
    }

    /// Every charge ever made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn charges(&self) -> Result<Vec<Charge>, sqlx::Error> {
        let statement = format!("SELECT {CHARGE} FROM simulated_gateway.charges ORDER BY reference");
        let rows = sqlx::query(&statement).fetch_all(&self.pool).await?;
        rows.iter().map(decode).collect()
    }

    /// Where the charge with this reference stands; nothing when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn status_of(&self, reference: &str) -> Result<Option<ChargeStatus>, sqlx::Error> {
        let statement = "SELECT status FROM simulated_gateway.charges WHERE reference = $1";
        let found: Option<String> =
            sqlx::query_scalar(statement).bind(reference).fetch_optional(&self.pool).await?;
        found.as_deref().map(status).transpose()
    }

    /// How many webhooks the shop has not yet taken.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhooks_waiting(&self) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("SELECT count(*) FROM simulated_gateway.webhooks").fetch_one(&self.pool).await
    }

    /// Ends the second step of the charge with this reference, when it is in one, and tells the shop; returns
    /// where the charge stands then, or nothing when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn complete_action(
        &self,
        reference: &str,
        result: ActionResult,
    ) -> Result<Option<ChargeStatus>, sqlx::Error> {
        let mut tx = begin_tx(&self.pool).await?;
        let Some(mut charge) = lock(&mut tx, reference).await? else { return Ok(None) };
        if let Some(outcome) = charge.complete(result) {
            let notice = GatewayNotice {
                event_id: Uuid::new_v5(&charge.payment_id.uuid(), b"second step"),
                payment_id: charge.payment_id,
                correlation_id: charge.correlation_id,
                traceparent: charge.traceparent.clone(),
                outcome,
            };
            update(&mut tx, &charge).await?;
            tell(&mut tx, &Told { notice: &notice, copies: 1, due_at: self.now() }).await?;
            sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(&mut *tx).await?;
            tx.commit().await?;
        }
        Ok(Some(charge.status))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Opens a charge and answers the request for it, all in one round trip.
    pub(super) async fn open(
        &self,
        request: &Request,
        charge: &Charge,
        answer: &str,
        told: Option<&Told<'_>>,
    ) -> Result<Known<()>, sqlx::Error> {
        let fresh: bool = sqlx::query_scalar(
            "WITH fresh AS (
                 INSERT INTO simulated_gateway.requests (idempotency_key, input, answer) VALUES ($1, $2, $3)
                 ON CONFLICT DO NOTHING RETURNING 1
             ), charge AS (
                 INSERT INTO simulated_gateway.charges
                     (reference, payment_id, order_id, correlation_id, traceparent, card, status, currency, amount)
                 SELECT $4, $5, $6, $7, $8, $9, $10, $11, $12 WHERE EXISTS (SELECT FROM fresh)
             ), told AS (
                 INSERT INTO simulated_gateway.webhooks (event_id, copy, body, due_at)
                 SELECT $13, copy, $14, $15 FROM generate_series(1, $16) AS copy WHERE EXISTS (SELECT FROM fresh)
             )
             SELECT EXISTS (SELECT FROM fresh)",
        )
        .bind(&request.key)
        .bind(&request.input)
        .bind(answer)
        .bind(&charge.reference)
        .bind(charge.payment_id.uuid())
        .bind(charge.order_id.uuid())
        .bind(charge.correlation_id)
        .bind(&charge.traceparent)
        .bind(&charge.card)
        .bind(charge.status.as_str())
        .bind(charge.amount.currency().code())
        .bind(charge.amount.minor())
        .bind(told.map(|told| told.notice.event_id))
        .bind(told.map(|told| encode(told.notice)).transpose()?)
        .bind(told.map(|told| told.due_at))
        .bind(told.map_or(0, |told| told.copies))
        .fetch_one(&self.pool)
        .await?;
        if fresh {
            return Ok(Known::New(()));
        }
        let mut connection = self.pool.acquire().await?;
        let (input, answer) = find(&mut connection, &request.key).await?;
        Ok(if input == request.input { Known::Answered(answer) } else { Known::KeyReused })
    }

    /// Begins what is done under a key: in the transaction that it ends in, nobody else does it.
    pub(super) async fn begin(
        &self,
        request: &Request,
    ) -> Result<Known<Transaction<'static, Postgres>>, sqlx::Error> {
        let mut tx = begin_tx(&self.pool).await?;
        let fresh = sqlx::query(
            "INSERT INTO simulated_gateway.requests (idempotency_key, input, answer) VALUES ($1, $2, '')
             ON CONFLICT DO NOTHING",
        )
        .bind(&request.key)
        .bind(&request.input)
        .execute(&mut *tx)
        .await?;
        if fresh.rows_affected() == 1 {
            return Ok(Known::New(tx));
        }
        let (input, answer) = find(&mut tx, &request.key).await?;
        Ok(if input == request.input { Known::Answered(answer) } else { Known::KeyReused })
    }

    /// Ends what was begun: the answer, the charge as it is now, and what is to be told.
    pub(super) async fn end(
        &self,
        mut tx: Transaction<'static, Postgres>,
        key: &str,
        charge: &Charge,
        answer: &str,
        told: Option<&Told<'_>>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE simulated_gateway.requests SET answer = $2 WHERE idempotency_key = $1")
            .bind(key)
            .bind(answer)
            .execute(&mut *tx)
            .await?;
        update(&mut tx, charge).await?;
        if let Some(told) = told {
            tell(&mut tx, told).await?;
        }
        tx.commit().await
    }

    /// When the next webhook is due.
    pub(super) async fn next_due(&self) -> Result<Option<Timestamp>, sqlx::Error> {
        sqlx::query_scalar("SELECT min(due_at) FROM simulated_gateway.webhooks WHERE attempts < $1")
            .bind(MAX_ATTEMPTS)
            .fetch_one(&self.pool)
            .await
    }

    /// Takes up at most `limit` webhooks that are due. Whoever dies with one in hand leaves it to be taken up again.
    pub(super) async fn take_webhooks(&self, limit: i64) -> Result<Vec<Webhook>, sqlx::Error> {
        let rows = sqlx::query(
            "UPDATE simulated_gateway.webhooks SET attempts = attempts + 1, due_at = $1
             WHERE (event_id, copy) IN (
                 SELECT event_id, copy FROM simulated_gateway.webhooks
                 WHERE due_at <= $2 AND attempts < $3 ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED)
             RETURNING event_id, copy, body, attempts",
        )
        .bind(self.now() + LEASE)
        .bind(self.now())
        .bind(MAX_ATTEMPTS)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        let decode = |row: &PgRow| {
            Ok(Webhook {
                event_id: row.try_get(0)?,
                copy: row.try_get(1)?,
                body: row.try_get(2)?,
                attempts: row.try_get(3)?,
            })
        };
        rows.iter().map(decode).collect()
    }

    /// The shop has taken a webhook.
    pub(super) async fn delivered(&self, event_id: Uuid, copy: i32) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM simulated_gateway.webhooks WHERE event_id = $1 AND copy = $2")
            .bind(event_id)
            .bind(copy)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The shop has not: it is told again at `due_at`.
    pub(super) async fn postpone(&self, webhook: &Webhook, due_at: Timestamp) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE simulated_gateway.webhooks SET due_at = $3 WHERE event_id = $1 AND copy = $2")
            .bind(webhook.event_id)
            .bind(webhook.copy)
            .bind(due_at)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// The charge with this reference; nobody else changes it until the transaction ends.
pub(super) async fn lock(tx: &mut PgConnection, reference: &str) -> Result<Option<Charge>, sqlx::Error> {
    let statement = format!("SELECT {CHARGE} FROM simulated_gateway.charges WHERE reference = $1 FOR UPDATE");
    let row = sqlx::query(&statement).bind(reference).fetch_optional(tx).await?;
    row.as_ref().map(decode).transpose()
}

async fn find(connection: &mut PgConnection, key: &str) -> Result<(String, String), sqlx::Error> {
    sqlx::query_as("SELECT input, answer FROM simulated_gateway.requests WHERE idempotency_key = $1")
        .bind(key)
        .fetch_one(connection)
        .await
}

async fn update(tx: &mut PgConnection, charge: &Charge) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE simulated_gateway.charges
         SET status = $2, captured = $3, voided = $4, refunded = $5, failed_refunds = $6 WHERE reference = $1",
    )
    .bind(&charge.reference)
    .bind(charge.status.as_str())
    .bind(charge.captured)
    .bind(charge.voided)
    .bind(charge.refunded)
    .bind(charge.failed_refunds)
    .execute(tx)
    .await?;
    Ok(())
}

async fn tell(tx: &mut PgConnection, told: &Told<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO simulated_gateway.webhooks (event_id, copy, body, due_at)
         SELECT $1, copy, $2, $3 FROM generate_series(1, $4) AS copy",
    )
    .bind(told.notice.event_id)
    .bind(encode(told.notice)?)
    .bind(told.due_at)
    .bind(told.copies)
    .execute(tx)
    .await?;
    Ok(())
}

fn encode(notice: &GatewayNotice) -> Result<String, sqlx::Error> {
    serde_json::to_string(notice).map_err(|error| sqlx::Error::Encode(error.into()))
}

fn unknown(what: &str, text: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("{text} is no {what}").into())
}

fn status(text: &str) -> Result<ChargeStatus, sqlx::Error> {
    ChargeStatus::of(text).ok_or_else(|| unknown("charge status", text))
}

fn decode(row: &PgRow) -> Result<Charge, sqlx::Error> {
    let currency: &str = row.try_get("currency")?;
    let currency = Currency::from_code(currency).ok_or_else(|| unknown("currency", currency))?;
    Ok(Charge {
        reference: row.try_get("reference")?,
        payment_id: PaymentId::new(row.try_get("payment_id")?),
        order_id: OrderId::new(row.try_get("order_id")?),
        status: status(row.try_get("status")?)?,
        amount: Money::new(row.try_get("amount")?, currency),
        captured: row.try_get("captured")?,
        voided: row.try_get("voided")?,
        refunded: row.try_get("refunded")?,
        failed_refunds: row.try_get("failed_refunds")?,
        card: row.try_get("card")?,
        correlation_id: row.try_get("correlation_id")?,
        traceparent: row.try_get("traceparent")?,
    })
}

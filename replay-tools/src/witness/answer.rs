//! What the witness answers: `POST /add-checkpoint`, and the last checkpoint that it signed of a log, for whoever compares that
//! with what the log shows them. The codes are those of C2SP `tlog-witness`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use daybook_domain::Clock;
use daybook_eventstore::proof::{AddCheckpoint, NoteSignature, Refusal, TreeHash, TreeHead, Witness};
use sha2::{Digest as _, Sha256};

use super::memory::Memory;

/// The most bytes that may be asked with: a path, and a checkpoint with many signatures.
const MAX_BYTES: usize = 1 << 17;
/// How long it may take until all of that has come.
const PATIENCE: Duration = Duration::from_secs(10);
const TEXT: &str = "text/plain; charset=utf-8";
const SIZE: &str = "text/x.tlog.size";

/// What signs, and what it remembers. One at a time decides, until what it signed is remembered.
pub(super) struct Desk {
    pub(super) witness: Witness,
    pub(super) memory: Mutex<Memory>,
    pub(super) clock: Arc<dyn Clock>,
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
enum Denied {
    /// It is not to be signed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It took too long to ask.
    #[error("the request did not come in time")]
    Late,
    /// There is more than anybody asks with.
    #[error("the request is too large")]
    Large,
    /// It could not be remembered, and so is not signed.
    #[error("it could not be remembered")]
    Forgetful(#[source] std::io::Error),
    /// There is a bug here.
    #[error("deciding broke off")]
    Broken(#[from] tokio::task::JoinError),
}

/// The routes.
pub(super) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin}/checkpoint", get(checkpoint))
        .with_state(desk)
}

impl Desk {
    /// Signs, if that is right.
    fn sign(&self, asked: AddCheckpoint) -> Result<NoteSignature, Denied> {
        let head = self.witness.recognise(&asked)?;
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(refused) = Witness::judge(&asked, &head, memory.last(&head.origin)) {
            if refused == Refusal::Inconsistent {
                self.note_inconsistent(asked, &head, &memory);
            }
            return Err(refused.into());
        }
        let note = self.witness.cosign(asked.checkpoint, self.clock.now());
        let signature = note.signatures().last().cloned().ok_or(Refusal::Malformed)?;
        let (origin, size) = (head.origin.clone(), head.size);
        memory.keep(head, note).map_err(Denied::Forgetful)?;
        tracing::info!(origin, size, "co-signed");
        metrics::gauge!("daybook_witness_position", "origin" => origin).set(gauge(size));
        Ok(signature)
    }

    /// Leaves a line. Whoever asks may have no proof, or a wrong one; but two roots of one size, both signed by the log, prove
    /// that it has two histories.
    fn note_inconsistent(&self, asked: AddCheckpoint, head: &TreeHead, memory: &Memory) {
        let (old, checkpoint) = (asked.old, self.witness.as_shown(asked.checkpoint).to_string());
        if old == head.size && memory.last(&head.origin).is_some_and(|last| last.root != head.root) {
            let signed = memory.find(|origin| origin == head.origin).map(ToString::to_string);
            tracing::error!(old, checkpoint, signed, "a log has two histories");
        } else {
            tracing::warn!(old, checkpoint, "not proved to begin with what was signed");
        }
    }

    /// The last checkpoint that was signed of the log whose origin has this hash.
    fn find(&self, hash: &str) -> Option<String> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = |origin: &str| TreeHash(Sha256::digest(origin).into()).to_string() == hash;
        memory.find(is_wanted).map(ToString::to_string)
    }
}

async fn add_checkpoint(State(desk): State<Arc<Desk>>, body: Body) -> Response {
    let answered = answer(desk, body).await;
    let status = answered.as_ref().map_or_else(Denied::status, |_signature| StatusCode::OK);
    metrics::counter!("daybook_witness_answers_total", "status" => status.as_str().to_owned()).increment(1);
    match answered {
        Ok(signature) => (status, [(header::CONTENT_TYPE, TEXT)], format!("{signature}\n")).into_response(),
        Err(Denied::Refused(Refusal::Elsewhere { size })) => {
            (status, [(header::CONTENT_TYPE, SIZE)], format!("{size}\n")).into_response()
        }
        Err(denied) => {
            if status.is_server_error() {
                tracing::error!(error = &denied as &dyn std::error::Error, "nothing is signed");
            }
            (status, [(header::CONTENT_TYPE, TEXT)], format!("{denied}\n")).into_response()
        }
    }
}

async fn answer(desk: Arc<Desk>, body: Body) -> Result<NoteSignature, Denied> {
    let asked = tokio::time::timeout(PATIENCE, to_bytes(body, MAX_BYTES)).await;
    let asked = asked.map_err(|_elapsed| Denied::Late)?.map_err(|_length| Denied::Large)?;
    let asked = str::from_utf8(&asked).map_err(|_bytes| Refusal::Malformed)?.parse()?;
    // To its end, even when whoever asked has gone: what is half decided must not be left to the next one.
    tokio::task::spawn_blocking(move || desk.sign(asked)).await?
}

async fn checkpoint(State(desk): State<Arc<Desk>>, Path(origin): Path<String>) -> Response {
    match tokio::task::spawn_blocking(move || desk.find(&origin)).await {
        Ok(Some(note)) => ([(header::CONTENT_TYPE, TEXT)], note).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(broken) => {
            tracing::error!(error = &broken as &dyn std::error::Error, "a checkpoint could not be shown");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

impl Denied {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Refused(Refusal::Malformed | Refusal::Shorter) => StatusCode::BAD_REQUEST,
            Self::Refused(Refusal::UnknownLog) => StatusCode::NOT_FOUND,
            Self::Refused(Refusal::Unsigned) => StatusCode::FORBIDDEN,
            Self::Refused(Refusal::Elsewhere { .. }) => StatusCode::CONFLICT,
            Self::Refused(Refusal::Inconsistent) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Late => StatusCode::REQUEST_TIMEOUT,
            Self::Large => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Forgetful(_) | Self::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A gauge of the metrics crate only knows floats.
#[expect(clippy::cast_precision_loss, reason = "a gauge; exact below 2^53")]
const fn gauge(value: u64) -> f64 {
    value as f64
}

//! The log's tree, as others expect it: C2SP `tlog-tiles`, <https://c2sp.org/tlog-tiles>, under `/log`. Hashes are for everybody:
//! they tell nothing but that nothing was altered. Entries say what kind of thing happened to which aggregate, and are for
//! auditors.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use daybook_eventstore::proof::{Facts, Kind, TILE_WIDTH, Tile, TilePath, TreeHash};
use daybook_eventstore::{LogReader, Position};
use daybook_projections::notary;
use sqlx::PgPool;

use crate::auth::{Permission, Role, Tokens};

/// What is signed anew every minute or so.
const SHORT: &str = "public, max-age=5";
/// What never changes.
const LONG: &str = "public, max-age=31536000, immutable";
/// The same for who may see it.
const LONG_PRIVATE: &str = "private, max-age=31536000, immutable";

/// What serves the tree. Cloning shares it.
#[derive(Clone)]
pub struct LogTree {
    read: PgPool,
    log: LogReader,
    tokens: Arc<Tokens>,
}

impl LogTree {
    /// The tree in this read database, of this log, for clients with such tokens.
    pub fn new(read: PgPool, log: LogReader, tokens: Tokens) -> Self {
        Self { read, log, tokens: Arc::new(tokens) }
    }

    /// The routes.
    pub(super) fn routes(self) -> Router {
        Router::new()
            .route("/log/checkpoint", get(checkpoint))
            .route("/log/tile/{*path}", get(tile))
            .with_state(self)
    }

    /// So many hashes of a tile; nothing when it has not as many.
    async fn hashes(&self, tile: Tile, width: usize) -> Result<Option<Vec<u8>>, Failed> {
        let hashes = notary::tile(&self.read, tile).await.map_err(|error| failed(&error))?;
        // What a tile had once is the beginning of what it has.
        Ok(hashes.and_then(|hashes| hashes.get(..width * TreeHash::LEN).map(<[u8]>::to_vec)))
    }

    /// So many entries from this index on, each after its length in two bytes.
    async fn entries(&self, first: u64, width: usize) -> Result<Option<Vec<u8>>, Failed> {
        let Ok(after) = Position::try_from(first) else { return Ok(None) };
        let events = self.log.read(after, width).await.map_err(|error| failed(&error))?;
        let mut bundle = Vec::new();
        for event in &events {
            let entry = Facts::from(event).entry();
            let Ok(length) = u16::try_from(entry.len()) else { return Ok(None) };
            bundle.extend(length.to_be_bytes());
            bundle.extend(entry.into_bytes());
        }
        Ok((events.len() == width).then_some(bundle))
    }
}

/// What could not be read has been logged.
struct Failed;

fn failed(error: &(dyn std::error::Error + 'static)) -> Failed {
    tracing::error!(error, "the log's tree could not be read");
    Failed
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")]).into_response()
    }
}

async fn checkpoint(State(tree): State<LogTree>) -> Result<Response, Failed> {
    let note = notary::checkpoint(&tree.read).await.map_err(|error| failed(&error))?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, SHORT)];
    Ok(note.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |note| (headers, note).into_response()))
}

async fn tile(
    State(tree): State<LogTree>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let Ok(TilePath { kind, width }) = format!("tile/{path}").parse() else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    let width = usize::try_from(width).unwrap_or(0);
    let (bytes, caching) = match kind {
        Kind::Hashes(tile) => (tree.hashes(tile, width).await?, LONG),
        Kind::Entries(number) => match tree.tokens.identify(&headers) {
            Ok(who) if who.may(Permission::Audit) => {
                // Only what is in the tree, which is what can be checked.
                let known = tree.hashes(Tile { level: 0, number }, width).await?;
                let entries = match known {
                    Some(_) => tree.entries(number.saturating_mul(TILE_WIDTH), width).await?,
                    None => None,
                };
                (entries, LONG_PRIVATE)
            }
            Ok(who) if who.role() != Role::Anonymous => return Ok(StatusCode::FORBIDDEN.into_response()),
            Ok(_) | Err(_) => {
                let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
                return Ok((StatusCode::UNAUTHORIZED, challenge).into_response());
            }
        },
    };
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, caching)];
    Ok(bytes.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |bytes| (headers, bytes).into_response()))
}

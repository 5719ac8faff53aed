//! A stand-in for Meilisearch with the part of its HTTP API that is used, for machines that have no server, and for
//! faults that a server cannot be told to have. As with the real one, what is accepted is not done: a task takes effect
//! only some time after it was asked for, in order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use meilisearch_sdk::client::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

type Documents = BTreeMap<String, Value>;
type Answer = (StatusCode, Json<Value>);

#[derive(Clone)]
enum Work {
    Create(String),
    Delete(String),
    Settings,
    Add(String, Vec<Value>),
    Swap(String, String),
}

/// What the stand-in has.
#[derive(Default)]
pub(crate) struct Server {
    pub(super) indexes: BTreeMap<String, Documents>,
    /// What was asked for, how often somebody asked whether it is done, and whether it succeeded once it is.
    tasks: Vec<(Work, u8, Option<bool>)>,
    /// How many documents' tasks are still to fail, after they were accepted.
    pub(super) failing: usize,
}

pub(crate) type Shared = Arc<Mutex<Server>>;

impl Server {
    /// How many tasks there have been.
    pub(super) fn count(&self) -> usize {
        self.tasks.len()
    }

    fn enqueue(&mut self, work: Work) -> Answer {
        self.tasks.push((work, 0, None));
        let uid = self.tasks.len() - 1;
        let task = json!({"taskUid": uid, "status": "enqueued", "type": "customs", "enqueuedAt": NOW});
        (StatusCode::ACCEPTED, Json(task))
    }

    fn run(&mut self, work: Work) -> bool {
        match work {
            Work::Create(uid) => drop(self.indexes.entry(uid).or_default()),
            Work::Delete(uid) => return self.indexes.remove(&uid).is_some(),
            Work::Settings => {}
            Work::Add(..) if self.failing > 0 => {
                self.failing -= 1;
                return false;
            }
            Work::Add(uid, documents) => {
                let index = self.indexes.entry(uid).or_default();
                for document in documents {
                    let id = document["id"].as_str().expect("a document has an id").to_owned();
                    index.insert(id, document);
                }
            }
            Work::Swap(a, b) => {
                let (one, other) = (self.indexes.remove(&a), self.indexes.remove(&b));
                self.indexes.insert(b, one.expect("the first index"));
                self.indexes.insert(a, other.expect("the second index"));
            }
        }
        true
    }
}

const NOW: &str = "2026-01-01T00:00:00Z";

fn error(code: &str) -> Answer {
    let error = json!({"message": code, "code": code, "type": "invalid_request", "link": ""});
    (StatusCode::NOT_FOUND, Json(error))
}

async fn task(State(server): State<Shared>, Path(uid): Path<usize>) -> Json<Value> {
    let mut server = server.lock().expect("the server");
    server.tasks[uid].1 += 1;
    if server.tasks[uid].1 == 2 {
        // In order, whether anybody asks or not.
        for earlier in 0..=uid {
            if server.tasks[earlier].2.is_none() {
                let work = server.tasks[earlier].0.clone();
                let done = server.run(work);
                server.tasks[earlier].2 = Some(done);
            }
        }
    }
    let done = server.tasks[uid].2;
    let mut task = json!({"uid": uid, "type": "customs", "enqueuedAt": NOW, "startedAt": NOW, "finishedAt": NOW,
        "duration": "PT0.1S", "status": "enqueued"});
    if let Some(done) = done {
        task["status"] = json!(if done { "succeeded" } else { "failed" });
        if !done {
            task["error"] = error("index_not_found").1.0;
        }
    }
    Json(task)
}

fn described(uid: &str) -> Value {
    json!({"uid": uid, "primaryKey": "id", "createdAt": NOW, "updatedAt": NOW})
}

async fn indexes(State(server): State<Shared>) -> Json<Value> {
    let server = server.lock().expect("the server");
    let results: Vec<_> = server.indexes.keys().map(|uid| described(uid)).collect();
    Json(json!({"total": results.len(), "results": results, "limit": 1000, "offset": 0}))
}

async fn index(State(server): State<Shared>, Path(uid): Path<String>) -> Answer {
    let known = server.lock().expect("the server").indexes.contains_key(&uid);
    if known { (StatusCode::OK, Json(described(&uid))) } else { error("index_not_found") }
}

async fn create(State(server): State<Shared>, Json(body): Json<Value>) -> Answer {
    let uid = body["uid"].as_str().expect("a uid").to_owned();
    server.lock().expect("the server").enqueue(Work::Create(uid))
}

async fn delete(State(server): State<Shared>, Path(uid): Path<String>) -> Answer {
    server.lock().expect("the server").enqueue(Work::Delete(uid))
}

async fn settings(State(server): State<Shared>) -> Answer {
    server.lock().expect("the server").enqueue(Work::Settings)
}

async fn add(State(server): State<Shared>, Path(uid): Path<String>, Json(body): Json<Vec<Value>>) -> Answer {
    server.lock().expect("the server").enqueue(Work::Add(uid, body))
}

async fn swap(State(server): State<Shared>, Json(body): Json<Value>) -> Answer {
    let uid = |at: usize| body[0]["indexes"][at].as_str().expect("a uid").to_owned();
    server.lock().expect("the server").enqueue(Work::Swap(uid(0), uid(1)))
}

async fn document(State(server): State<Shared>, Path((uid, id)): Path<(String, String)>) -> Answer {
    let server = server.lock().expect("the server");
    let Some(index) = server.indexes.get(&uid) else { return error("index_not_found") };
    let found = index.get(&id).cloned();
    found.map_or_else(|| error("document_not_found"), |document| (StatusCode::OK, Json(document)))
}

/// Some documents, in any order that stays the same.
async fn documents(
    State(server): State<Shared>,
    Path(uid): Path<String>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Answer {
    let server = server.lock().expect("the server");
    let Some(index) = server.indexes.get(&uid) else { return error("index_not_found") };
    let number = |name: &str| asked[name].parse::<usize>().expect("a number");
    let (offset, limit) = (number("offset"), number("limit"));
    let results: Vec<_> = index.values().skip(offset).take(limit).collect();
    (
        StatusCode::OK,
        Json(json!({"total": index.len(), "results": results, "limit": limit, "offset": offset})),
    )
}

async fn fetch(State(server): State<Shared>, Path(uid): Path<String>, Json(body): Json<Value>) -> Answer {
    let server = server.lock().expect("the server");
    let Some(index) = server.indexes.get(&uid) else { return error("index_not_found") };
    let filter = body["filter"].as_str().expect("a filter");
    let wanted = |id: &str| filter.contains(&format!("\"{id}\""));
    let results: Vec<_> = index.iter().filter(|(id, _)| wanted(id)).map(|(_, document)| document).collect();
    (StatusCode::OK, Json(json!({"total": results.len(), "results": results, "limit": 1000, "offset": 0})))
}

/// Finds documents whose title has the text, in any case, and of whose facets the filter names one.
async fn search(State(server): State<Shared>, Path(uid): Path<String>, Json(body): Json<Value>) -> Answer {
    let server = server.lock().expect("the server");
    let Some(index) = server.indexes.get(&uid) else { return error("index_not_found") };
    let (text, filter) = (body["q"].as_str().unwrap_or(""), body["filter"].as_str().unwrap_or(""));
    let lower = text.to_lowercase();
    let facets = |document: &Value| document["facets"].as_array().cloned().unwrap_or_default();
    let matches = |document: &&Value| {
        document["published"] == json!(true)
            && document["title"].as_str().is_some_and(|title| title.to_lowercase().contains(&lower))
            && (!filter.contains("facets")
                || facets(document).iter().any(|facet| filter.contains(&facet.to_string())))
    };
    let found: Vec<&Value> = index.values().filter(matches).collect();
    let mut counts = BTreeMap::new();
    for facet in found.iter().flat_map(|document| facets(document)) {
        *counts.entry(facet.as_str().unwrap_or("").to_owned()).or_insert(0) += 1;
    }
    let answer = json!({"hits": found, "estimatedTotalHits": found.len(), "offset": 0, "limit": 100,
        "processingTimeMs": 1, "query": text, "facetDistribution": {"facets": counts}});
    (StatusCode::OK, Json(answer))
}

/// Starts one that ends with the test.
pub(super) async fn start() -> (Shared, Client) {
    let server = Shared::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(serve(listener, Arc::clone(&server), CancellationToken::new()));
    drop(rustls::crypto::ring::default_provider().install_default());
    (server, Client::new(url, None::<String>).expect("a client"))
}

/// Serves what a stand-in has, until told to stop.
pub(crate) async fn serve(listener: TcpListener, server: Shared, stop: CancellationToken) {
    let routes = Router::new()
        .route("/tasks/{uid}", get(task))
        .route("/indexes", get(indexes).post(create))
        .route("/indexes/{uid}", get(index).delete(delete))
        .route("/indexes/{uid}/settings", patch(settings))
        .route("/indexes/{uid}/documents", get(documents).post(add))
        .route("/indexes/{uid}/documents/fetch", post(fetch))
        .route("/indexes/{uid}/documents/{id}", get(document))
        .route("/indexes/{uid}/search", post(search))
        .route("/swap-indexes", post(swap))
        .with_state(server);
    axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await.expect("it serves");
}

//! Search in Meilisearch: against a real server where the machine has one, and what a server cannot be told to do wrong
//! against a stand-in.

mod compare;
pub(crate) mod stand_in;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use daybook_domain::ProductId;
use daybook_domain::catalogue::DomainEvent;
use daybook_domain::product::ProductEvent;
use daybook_eventstore::Position;
use daybook_projections::products::facet::Facet;
use daybook_projections::read::ReadError;
use daybook_projections::runtime::Status;
use daybook_projections::search::{SearchEngine, SearchRequest};
use meilisearch_sdk::client::Client;
use meilisearch_sdk::indexes::IndexesQuery;
use serde_json::json;
use xtask::servers::{Scratch, Server};

use super::models::{pounds, sell};
use super::shop::{SOON, Shop};
use crate::harness::{MEILI_KEY, eventually, own_meilisearch, servers, skipped, unique};

/// A shop whose search is kept in an index that no other test has.
struct Searched {
    shop: Shop,
    engine: SearchEngine,
    client: Client,
    prefix: String,
}

impl Searched {
    async fn open(client: Client) -> Self {
        let prefix = format!("{}-", unique("test"));
        let shop = Shop::open_with(Some((client.clone(), prefix.clone()))).await;
        Self { shop, engine: SearchEngine::meili(client.clone(), &prefix, SOON), client, prefix }
    }

    /// On the server that the tests share; nothing, and a word about it, where there is none.
    async fn on_the_server(test: &str) -> Option<Self> {
        let Some((url, key)) = &servers().meili else {
            skipped(test, "meilisearch on the PATH");
            return None;
        };
        Some(Self::open(Client::new(url, Some(key)).expect("a client")).await)
    }

    async fn sell(&self, title: &str) -> (ProductId, Position) {
        let (id, _, position) = sell(&self.shop, title, "Lights", pounds(339), true).await;
        (id, position)
    }

    /// What a search finds once it finds so many.
    async fn found(&self, text: &str, count: u64) -> Vec<ProductId> {
        eventually(SOON, "the index has it", || async {
            let found = self.engine.search(&request(text)).await.ok()?;
            (found.total == count).then_some(found.hits)
        })
        .await
    }

    async fn hits(&self, request: &SearchRequest) -> Vec<ProductId> {
        let found = self.engine.search(request).await.expect("an answer");
        assert_eq!(found.total, found.hits.len() as u64);
        found.hits
    }

    /// Where the register says that the live version is.
    async fn position(&self) -> Position {
        let versions = self.shop.admin.versions("search").await.expect("the register answers");
        let live = versions.into_iter().find(|row| row.status == Status::Live);
        live.map_or(0, |live| live.checkpoint.position)
    }

    /// The names of this shop's indexes, without what they all begin with.
    async fn indexes(&self) -> Vec<String> {
        let query = IndexesQuery::new(&self.client).with_limit(1_000).execute().await.expect("the indexes");
        let names = query.results.into_iter();
        let mut names: Vec<_> =
            names.filter_map(|index| index.uid.strip_prefix(&self.prefix).map(str::to_owned)).collect();
        names.sort();
        names
    }

    /// Deletes them, behind the back of whoever keeps them.
    async fn delete_indexes(&self) {
        for name in self.indexes().await {
            let task =
                self.client.delete_index(format!("{}{name}", self.prefix)).await.expect("it is accepted");
            task.wait_for_completion(&self.client, None, Some(SOON)).await.expect("an end");
        }
    }
}

fn request(text: &str) -> SearchRequest {
    SearchRequest { text: text.to_owned(), first: 10, ..SearchRequest::default() }
}

async fn follows_and_is_rebuilt(searched: &Searched) {
    let Searched { shop, engine, .. } = searched;
    let (lantern, _) = searched.sell("Lantern").await;
    let (secret, _, _) = sell(shop, "Secret lantern", "Lights", pounds(100), false).await;
    assert_eq!(searched.found("LANTERN", 1).await, [lantern]);

    let publish = DomainEvent::Product(ProductEvent::Published {});
    let head = shop.append("Product", &secret.to_string(), 3, &[publish]).await;
    assert_eq!(searched.found("secret", 1).await, [secret]);
    let lights = vec![Facet::Category("Lights".to_owned())];
    let request =
        SearchRequest { first: 10, facets: vec![lights], with_facets: true, ..SearchRequest::default() };
    let all = engine.search(&request).await.expect("an answer");
    assert_eq!((all.total, all.facets[0].count), (2, 2));
    assert_eq!(engine.suggest("lan", 5).await.expect("suggestions").len(), 2);

    shop.live_at("search", head).await;
    assert_eq!(shop.admin.rebuild("search", |_| ()).await.expect("a rebuild"), 2);
    shop.admin.drop_version("search", 1).await.expect("the retired version goes");
    assert_eq!(searched.found("lantern", 2).await.len(), 2);
}

#[tokio::test]
async fn the_stand_in_follows_is_rebuilt_and_heals_when_it_is_emptied() {
    let (server, client) = stand_in::start().await;
    let searched = Searched::open(client).await;
    let _projector = searched.shop.project("search");
    follows_and_is_rebuilt(&searched).await;
    server.lock().expect("the server").indexes.clear();
    assert_eq!(searched.found("lantern", 2).await.len(), 2, "while nothing happens");
    server.lock().expect("the server").indexes.clear();
    searched.sell("Lantern stand").await;
    assert_eq!(searched.found("lantern", 3).await.len(), 3, "while something happens");
}

#[tokio::test]
async fn a_task_that_fails_moves_no_checkpoint_and_is_tried_again() {
    let (server, client) = stand_in::start().await;
    let searched = Searched::open(client).await;
    let _projector = searched.shop.project("search");
    let (_, first) = searched.sell("Lantern").await;
    searched.shop.live_at("search", first).await;
    server.lock().expect("the server").failing = 2;
    let (_, head) = searched.sell("Lantern stand").await;
    eventually(SOON, "it was tried again until it succeeded", || async {
        let position = searched.position().await;
        let failing = server.lock().expect("the server").failing;
        assert!(failing == 0 || position < head, "a task that failed has moved the checkpoint");
        (position >= head).then_some(())
    })
    .await;
    assert_eq!(server.lock().expect("the server").failing, 0);
    assert_eq!(searched.hits(&request("lantern")).await.len(), 2);
}

#[tokio::test]
async fn poison_is_parked_before_the_checkpoint_passes_it() {
    let (server, client) = stand_in::start().await;
    let searched = Searched::open(client).await;
    let _projector = searched.shop.project("search");
    let (lantern, first) = searched.sell("Lantern").await;
    searched.shop.live_at("search", first).await;
    server.lock().expect("the server").failing = usize::MAX;
    let poison = vec![("ProductLevitated".to_owned(), r#"{"Levitated":{}}"#.to_owned())];
    let head = searched.shop.append_raw("Product", &lantern.to_string(), 4, poison).await;
    eventually(SOON, "it is parked", || async {
        let versions = searched.shop.admin.versions("search").await.expect("the register answers");
        (versions[0].parked == 1).then_some(())
    })
    .await;
    assert!(searched.position().await < head, "the write has not succeeded");
    server.lock().expect("the server").failing = 0;
    assert_eq!(searched.shop.live_at("search", head).await.parked, 1);
    assert_eq!(searched.shop.admin.retry_parked("search").await.expect("a retry"), 0, "poison stays poison");
    assert_eq!(searched.hits(&request("lantern")).await, [lantern]);
}

#[tokio::test]
async fn an_index_that_is_gone_is_noticed_while_nothing_happens_after_a_full_batch() {
    let (server, client) = stand_in::start().await;
    let searched = Searched::open(client).await;
    // Four events each: as many in all as the first batch takes.
    let titles: Vec<String> = (0..64).map(|number| format!("Lantern {number}")).collect();
    let sold = futures::future::join_all(titles.iter().map(|title| searched.sell(title))).await;
    let head = sold.into_iter().map(|(_, position)| position).max();
    assert_eq!(head, Some(256));
    let _projector = searched.shop.project("search");
    searched.found("lantern", 64).await;
    server.lock().expect("the server").indexes.clear();
    searched.found("lantern", 64).await;
}

#[tokio::test]
async fn events_of_others_move_the_checkpoint_without_a_task() {
    let (server, client) = stand_in::start().await;
    let searched = Searched::open(client).await;
    let count = || server.lock().expect("the server").count();
    let others = async |searched: &Searched| {
        let (_, head) = searched.shop.place_orders(20).await;
        assert!(searched.shop.live_at("search", head).await.checkpoint.position >= head);
    };
    let projector = searched.shop.project("search");
    let (_, first) = searched.sell("Lantern").await;
    searched.shop.live_at("search", first).await;
    searched.found("lantern", 1).await;
    // What was there before is gone by then, too.
    others(&searched).await;
    let before = count();
    others(&searched).await;
    assert_eq!(count(), before, "nothing was written");
    searched.sell("Lantern stand").await;
    searched.found("lantern", 2).await;
    others(&searched).await;

    // Whoever follows next knows only what the index says.
    drop(projector);
    let before = count();
    let _projector = searched.shop.project("search");
    others(&searched).await;
    assert_eq!(count(), before, "nothing was written");
    searched.sell("Lantern hook").await;
    searched.found("lantern", 3).await;
    others(&searched).await;
    server.lock().expect("the server").indexes.clear();
    searched.found("lantern", 3).await;
    others(&searched).await;
    server.lock().expect("the server").indexes.clear();
    others(&searched).await;
    searched.found("lantern", 3).await;
    assert_eq!(searched.shop.admin.rebuild("search", |_| ()).await.expect("a rebuild"), 2);
    assert_eq!(searched.found("lantern", 3).await.len(), 3);
}

#[tokio::test]
async fn the_index_follows_is_rebuilt_and_heals_when_it_is_deleted() {
    let Some(searched) =
        Searched::on_the_server("the_index_follows_is_rebuilt_and_heals_when_it_is_deleted").await
    else {
        return;
    };
    let _projector = searched.shop.project("search");
    follows_and_is_rebuilt(&searched).await;
    searched.delete_indexes().await;
    assert_eq!(searched.found("lantern", 2).await.len(), 2, "while nothing happens");
    searched.delete_indexes().await;
    searched.sell("Lantern stand").await;
    assert_eq!(searched.found("lantern", 3).await.len(), 3, "while something happens");
}

#[tokio::test]
async fn the_index_finds_what_is_misspelt_half_typed_and_by_facet() {
    let Some(searched) =
        Searched::on_the_server("the_index_finds_what_is_misspelt_half_typed_and_by_facet").await
    else {
        return;
    };
    let Searched { shop, engine, .. } = &searched;
    let _projector = shop.project("search");
    let odd = "Line\none \"quoted\" \\ 'and' AND \u{e9}\u{df}";
    let (heart, _, _) = sell(shop, "White hanging heart", odd, pounds(255), true).await;
    let (lantern, _, _) = sell(shop, "White metal lantern", "Lights", pounds(339), true).await;
    let (secret, _, head) = sell(shop, "White secret", "Lights", pounds(100), false).await;
    shop.live_at("search", head).await;

    assert_eq!(searched.found("white", 2).await.len(), 2, "the draft is not for sale");
    assert_eq!(searched.hits(&request("LANT")).await, [lantern], "half typed");
    assert_eq!(searched.hits(&request("lantren")).await, [lantern], "misspelt");
    assert_eq!(searched.hits(&request("white lantren")).await, [lantern], "each word counts");
    assert_eq!(searched.hits(&request("quoted")).await, [heart], "by category");
    assert_eq!(searched.hits(&request("zebra")).await, [], "nothing like it");
    assert_eq!(searched.hits(&request(" ")).await.len(), 2, "everything");
    for (category, product) in [("Lights", lantern), (odd, heart)] {
        let category = vec![Facet::Category(category.to_owned())];
        let narrow = SearchRequest { facets: vec![category], ..request("white") };
        assert_eq!(searched.hits(&narrow).await, [product]);
    }

    let all = SearchRequest { first: 1, with_facets: true, ..request("white") };
    let one = engine.search(&all).await.expect("an answer");
    let other = engine.search(&SearchRequest { offset: 1, ..all }).await.expect("an answer");
    assert_eq!((one.total, other.total), (2, 2));
    assert_ne!(one.hits, other.hits);
    let facets: Vec<_> = one.facets.into_iter().map(|found| (found.facet, found.count)).collect();
    let size = Facet::Option { name: "Size".to_owned(), value: "M".to_owned() };
    let categories = [odd.replace('\n', " "), "Lights".to_owned()].map(Facet::Category);
    let mut expected = categories.map(|facet| (facet, 1)).to_vec();
    expected.sort();
    expected.push((size, 2));
    assert_eq!(facets, expected);

    assert_eq!(engine.suggest("han", 5).await.expect("suggestions"), ["White hanging heart"]);
    assert_eq!(engine.suggest("haert", 5).await.expect("suggestions"), ["White hanging heart"]);
    assert_eq!(engine.suggest("white lantern", 5).await.expect("suggestions"), ["White metal lantern"]);
    assert!(engine.suggest("quoted", 5).await.expect("suggestions").is_empty(), "titles only");
    let publish = DomainEvent::Product(ProductEvent::Published {});
    let head = shop.append("Product", &secret.to_string(), 3, &[publish]).await;
    shop.live_at("search", head).await;
    assert_eq!(searched.hits(&request("secret")).await, [secret]);
}

#[tokio::test]
async fn a_large_catalogue_is_counted_to_its_end_and_walked_to_its_end() {
    let test = "a_large_catalogue_is_counted_to_its_end_and_walked_to_its_end";
    let Some(searched) = Searched::on_the_server(test).await else { return };
    let titles: Vec<String> = (0..1_050).map(|number| format!("Lantern {number}")).collect();
    let sold = futures::future::join_all(titles.iter().map(|title| searched.sell(title))).await;
    let head = sold.into_iter().map(|(_, position)| position).max().expect("something was sold");
    let _projector = searched.shop.project("search");
    searched.shop.live_at("search", head).await;
    searched.found("", 1_050).await;
    let last = SearchRequest { offset: 1_000, first: 100, with_facets: true, ..request("") };
    let found = searched.engine.search(&last).await.expect("an answer");
    assert_eq!((found.total, found.hits.len()), (1_050, 50));
    assert_eq!(found.facets[0].count, 1_050);
}

#[tokio::test]
async fn the_checkpoint_moves_only_once_the_task_has_succeeded() {
    let test = "the_checkpoint_moves_only_once_the_task_has_succeeded";
    let mut scratch = Scratch::new().expect("a folder");
    // The others' tasks would wait for this test's.
    let Some((_server, client)) = own_server(test, &mut scratch) else { return };
    let searched = Searched::open(client).await;
    let _projector = searched.shop.project("search");
    let (_, first) = searched.sell("Lantern").await;
    searched.shop.live_at("search", first).await;
    searched.found("lantern", 1).await;
    // Tasks are done in order: this one keeps the server busy meanwhile.
    let words = "each of these words is looked at before anything else is ".repeat(20);
    let documents: Vec<_> =
        (0..5_000).map(|id| json!({ "id": id, "text": format!("{words}{id}") })).collect();
    let other = searched.client.index(format!("{}other", searched.prefix));
    let busy = other.add_documents(&documents, Some("id")).await.expect("it is accepted");
    let (_, head) = searched.sell("Lantern stand").await;
    let mut held_back = 0;
    while searched.position().await < head {
        held_back += 1;
        tokio::task::yield_now().await;
    }
    assert!(held_back > 0, "the server was not busy");
    assert_eq!(searched.hits(&request("lantern")).await.len(), 2, "at once");
    busy.wait_for_completion(&searched.client, None, Some(SOON)).await.expect("an end");
}

#[tokio::test]
async fn readers_notice_nothing_of_a_rebuild() {
    let Some(searched) = Searched::on_the_server("readers_notice_nothing_of_a_rebuild").await else { return };
    let titles: Vec<String> = (0..200).map(|number| format!("Lantern {number}")).collect();
    let sold = futures::future::join_all(titles.iter().map(|title| searched.sell(title))).await;
    let head = sold.into_iter().map(|(_, position)| position).max().expect("something was sold");
    let _projector = searched.shop.project("search");
    searched.shop.live_at("search", head).await;
    searched.found("lantern", 200).await;
    let answers = AtomicUsize::new(0);
    let reading = async {
        loop {
            let found = searched.engine.search(&request("lantern")).await.expect("an answer");
            assert_eq!((found.total, found.hits.len()), (200, 10));
            answers.fetch_add(1, Ordering::Relaxed);
        }
    };
    let rebuilding = async {
        for version in 2..5 {
            assert_eq!(searched.shop.admin.rebuild("search", |_| ()).await.expect("a rebuild"), version);
            searched.shop.admin.drop_version("search", version - 1).await.expect("the retired version goes");
        }
    };
    tokio::select! {
        () = reading => {}
        () = rebuilding => {}
    }
    assert!(answers.into_inner() > 20);
    assert_eq!(searched.indexes().await, ["search"], "nothing is left of what was replaced");
}

#[tokio::test]
async fn before_anything_was_built_a_search_says_so() {
    let Some(searched) = Searched::on_the_server("before_anything_was_built_a_search_says_so").await else {
        return;
    };
    let found = searched.engine.search(&request("lantern")).await;
    assert!(matches!(found, Err(ReadError::NotBuilt)), "{found:?}");
    let titles = searched.engine.suggest("lantern", 5).await;
    assert!(matches!(titles, Err(ReadError::NotBuilt)), "{titles:?}");

    // As it is for a moment, before the first version takes its place.
    let bare = format!("{}search", searched.prefix);
    let task = searched.client.create_index(bare, Some("id")).await.expect("it is accepted");
    task.wait_for_completion(&searched.client, None, Some(SOON)).await.expect("an end");
    let found = searched.engine.search(&request("lantern")).await;
    assert!(matches!(found, Err(ReadError::NotBuilt)), "{found:?}");
    searched.delete_indexes().await;
}

/// A server that only one test has; nothing, and a word about it, where there is none.
fn own_server(test: &str, scratch: &mut Scratch) -> Option<(Server, Client)> {
    let server = own_meilisearch(test, scratch)?;
    let client = Client::new(server.url(), Some(MEILI_KEY)).expect("a client");
    Some((server, client))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_away_or_wiped_has_everything_again() {
    let mut scratch = Scratch::new().expect("a folder");
    let test = "a_server_that_was_away_or_wiped_has_everything_again";
    let Some((mut server, client)) = own_server(test, &mut scratch) else { return };
    let searched = Searched::open(client).await;
    let _projector = searched.shop.project("search");
    searched.sell("Lantern").await;
    searched.found("lantern", 1).await;

    server.stop();
    searched.sell("Lantern stand").await;
    let started = std::time::Instant::now();
    let away = searched.engine.search(&request("lantern")).await;
    assert!(matches!(away, Err(ReadError::Search(_))), "{away:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "nobody waits for a server that is away");
    server.start().expect("it starts again");
    assert_eq!(searched.found("lantern", 2).await.len(), 2, "it was stopped");

    server.kill();
    let (_, head) = searched.sell("Lantern hook").await;
    server.start().expect("it starts again");
    assert_eq!(searched.found("lantern", 3).await.len(), 3, "it was killed");
    searched.shop.live_at("search", head).await;

    server.wipe().expect("it is wiped");
    server.start().expect("it starts again");
    assert_eq!(searched.found("lantern", 3).await.len(), 3, "it was wiped");
}

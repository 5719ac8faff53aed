//! Search in Meilisearch compared with its own rebuild.

use daybook_domain::catalogue::DomainEvent;
use daybook_domain::product::ProductEvent;
use daybook_eventstore::Position;
use serde_json::json;

use super::{Searched, stand_in};
use crate::projections::compare::{ROWS, SUMS, beside, found, hold, positions};

async fn sell_some(searched: &Searched) -> (Vec<String>, Position) {
    let (mut ids, mut head) = (Vec::new(), 0);
    for number in 0..4 {
        let (id, position) = searched.sell(&format!("Lantern {number}")).await;
        ids.push(id.to_string());
        head = position;
    }
    (ids, head)
}

#[tokio::test]
async fn what_an_index_was_told_by_others_is_named() {
    let (server, client) = stand_in::start().await;
    let searched = Searched::open(client).await;
    let _projector = searched.shop.project("search");
    let (ids, head) = sell_some(&searched).await;
    searched.shop.live_at("search", head).await;
    let admin = &searched.shop.admin;
    let version = beside(&searched.shop, "search").await;
    let compared = admin.compare("search", version, SUMS).await.expect("a comparison");
    assert!(compared.is_equal(), "{compared:?}");
    assert_eq!(
        (compared.tables[0].rows, compared.tables[0].checksums[0]),
        ([4; 2], compared.tables[0].checksums[1])
    );
    {
        let mut server = server.lock().expect("the server");
        let index = server.indexes.get_mut(&format!("{}search", searched.prefix)).expect("the live index");
        index.get_mut(&ids[0]).expect("the document")["title"] = json!("Lamp");
        index.get_mut(&ids[1]).expect("the document")["row"] = json!("{}");
        let stray = index.remove(&ids[2]).expect("the document");
        let mut stray = stray;
        stray["id"] = json!("stray");
        index.insert("stray".to_owned(), stray);
    }
    let mut expected = vec![
        format!("search {} differs", ids[0]),
        format!("search {} differs", ids[1]),
        format!("search {} rebuilt only", ids[2]),
        "search stray live only".to_owned(),
    ];
    expected.sort();
    for depth in [SUMS, ROWS] {
        let compared = admin.compare("search", version, depth).await.expect("a comparison");
        assert_eq!(found(&compared), expected);
    }
}

#[tokio::test]
async fn an_index_that_stands_still_is_compared_where_the_other_one_is() {
    let (_server, client) = stand_in::start().await;
    let searched = Searched::open(client).await;
    let projector = searched.shop.project("search");
    let (ids, head) = sell_some(&searched).await;
    searched.shop.live_at("search", head).await;
    let admin = &searched.shop.admin;
    let version = beside(&searched.shop, "search").await;
    drop(projector);
    let _held = hold(&searched.shop, "search", 1).await;
    let unpublish = DomainEvent::Product(ProductEvent::Unpublished {});
    searched.shop.append("Product", &ids[0], 4, &[unpublish]).await;
    let (_, head) = searched.sell("Lantern stand").await;
    admin.catch_up("search", version, |_| ()).await.expect("it catches up");
    let compared = admin.compare("search", version, SUMS).await.expect("a comparison");
    assert!(compared.is_equal(), "{compared:?}");
    assert_eq!((compared.position, compared.tables[0].rows), (head, [5; 2]));
    let [live, other] = positions(&searched.shop, "search", version).await;
    assert!(live < other, "nobody followed it");
}

/// Compares again and again while products are added and change.
async fn finds_nothing(searched: &Searched) {
    let _projector = searched.shop.project("search");
    let (_, head) = sell_some(searched).await;
    searched.shop.live_at("search", head).await;
    let writing = async {
        loop {
            searched.sell("Lantern").await;
        }
    };
    let comparing = async {
        let version = beside(&searched.shop, "search").await;
        for depth in [SUMS, ROWS, SUMS, ROWS] {
            let compared = searched.shop.admin.compare("search", version, depth).await.expect("a comparison");
            assert!(compared.is_equal() && compared.tables[0].rows[0] >= 4, "{compared:?}");
        }
    };
    tokio::select! {
        () = comparing => {}
        never = writing => never,
    }
}

#[tokio::test]
async fn nothing_is_found_in_an_index_that_is_well_while_products_are_added() {
    let (_server, client) = stand_in::start().await;
    finds_nothing(&Searched::open(client).await).await;
}

#[tokio::test]
async fn nothing_is_found_in_an_index_of_the_server_while_products_are_added() {
    let test = "nothing_is_found_in_an_index_of_the_server_while_products_are_added";
    let Some(searched) = Searched::on_the_server(test).await else { return };
    finds_nothing(&searched).await;
    searched.delete_indexes().await;
}

//! Search in the read database.

use daybook_domain::catalogue::DomainEvent;
use daybook_domain::product::ProductEvent;
use daybook_projections::products::facet::Facet;
use daybook_projections::search::{SearchEngine, SearchRequest};

use super::models::{pounds, sell};
use super::shop::Shop;

fn request(text: &str) -> SearchRequest {
    SearchRequest { text: text.to_owned(), first: 10, ..SearchRequest::default() }
}

#[tokio::test]
async fn products_for_sale_are_found_misspelt_half_typed_and_by_facet() {
    let shop = Shop::open().await;
    let _projector = shop.project("search");
    let (heart, _, _) = sell(&shop, "White hanging heart", "Decoration", pounds(255), true).await;
    let (lantern, _, _) = sell(&shop, "White metal lantern", "Lights", pounds(339), true).await;
    let (secret, _, head) = sell(&shop, "White secret", "Lights", pounds(100), false).await;
    shop.live_at("search", head).await;
    let engine = SearchEngine::postgres(shop.db.clone());
    let hits = async |request: SearchRequest| {
        let found = engine.search(&request).await.expect("an answer");
        assert_eq!(found.total, found.hits.len() as u64);
        (found.hits, found.corrected)
    };

    assert_eq!(hits(request("white")).await, (vec![heart, lantern], None), "the draft is not for sale");
    assert_eq!(hits(request("LANT")).await, (vec![lantern], None), "half typed");
    assert_eq!(
        hits(request("whit lantren")).await,
        (vec![lantern], Some("whit lantern".to_owned())),
        "misspelt"
    );
    assert_eq!(hits(request("decoration")).await, (vec![heart], None), "by category");
    assert_eq!(hits(request("zebra & | ! ' \\ :*")).await, (Vec::new(), None), "nothing like it");
    assert_eq!(hits(request(" ")).await.0.len(), 2, "everything");
    let lights = vec![Facet::Category("Lights".to_owned())];
    let narrow = SearchRequest { facets: vec![lights], ..request("white") };
    assert_eq!(hits(narrow).await, (vec![lantern], None));

    let all = SearchRequest { first: 1, offset: 1, with_facets: true, ..request("white") };
    let found = engine.search(&all).await.expect("an answer");
    assert_eq!((found.hits.as_slice(), found.total), ([lantern].as_slice(), 2));
    assert_eq!(found.facets.iter().map(|count| count.count).collect::<Vec<_>>(), [1, 1, 2]);

    assert_eq!(engine.suggest("han", 5).await.expect("suggestions"), ["White hanging heart"]);
    assert_eq!(engine.suggest("haert", 5).await.expect("suggestions"), ["White hanging heart"]);
    assert!(engine.suggest("Decoration", 5).await.expect("suggestions").is_empty(), "titles only");

    let publish = DomainEvent::Product(ProductEvent::Published {});
    let head = shop.append("Product", &secret.to_string(), 3, &[publish]).await;
    shop.live_at("search", head).await;
    assert_eq!(hits(request("secret")).await, (vec![secret], None));
}

//! The page for trying queries out.

use reqwest::header::CONTENT_SECURITY_POLICY;

use super::front::Front;

#[tokio::test]
async fn graphiql_asks_no_other_server_for_anything() {
    let front = Front::open().await;
    let answer = front.http.get(front.url("/graphiql")).send().await.expect("an answer");
    let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().expect("text").to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
    let page = answer.text().await.expect("the page");
    assert!(!page.contains("://"), "{page}");
    let parts: Vec<&str> = page.split(['"', '\'']).filter(|text| text.starts_with("/graphiql/")).collect();
    assert!(parts.len() >= 5, "{parts:?}");
    for part in parts {
        let answer = front.http.get(front.url(part)).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{part}");
        assert!(!answer.bytes().await.expect("it is whole").is_empty(), "{part}");
    }
}

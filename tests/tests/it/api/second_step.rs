//! What is no second step is told so.

use reqwest::{RequestBuilder, StatusCode};

use super::front::{Front, SOON};

async fn status(request: RequestBuilder) -> StatusCode {
    request.timeout(SOON).send().await.expect("an answer").status()
}

#[tokio::test]
async fn a_second_step_that_nobody_asked_for_is_not_found_and_nonsense_is_refused() {
    let front = Front::open().await;
    let url = |reference: &str| front.url(&format!("/simulated-gateway/actions/{reference}"));
    for reference in ["sim_0", "%00", "%27%20OR%201=1", "%C3%A9"] {
        assert_eq!(status(front.http.get(url(reference))).await, StatusCode::NOT_FOUND, "{reference}");
        let taken = front.http.post(format!("{}?result=succeed", url(reference)));
        assert_eq!(status(taken).await, StatusCode::NOT_FOUND, "{reference}");
    }
    let post = || front.http.post(url("sim_0"));
    assert_eq!(status(post().body(r#"{"result":"succeed"}"#)).await, StatusCode::NOT_FOUND);
    for body in ["", "succeed", r#"{"result":"perhaps"}"#] {
        assert_eq!(status(post().body(body)).await, StatusCode::BAD_REQUEST, "{body}");
    }
    let nonsense = front.http.post(format!("{}?result=perhaps", url("sim_0")));
    assert_eq!(status(nonsense).await, StatusCode::BAD_REQUEST);
    let large = post().body(vec![b' '; 2 * 1024 * 1024]);
    assert_eq!(status(large).await, StatusCode::PAYLOAD_TOO_LARGE);
}

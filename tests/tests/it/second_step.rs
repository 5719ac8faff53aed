//! The second step with the bank, as a shopper takes it: at the address that the order names, through every process.

use daybook_domain::OrderId;
use daybook_domain::order::{CancelReason, OrderStatus};
use reqwest::{Client as Http, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::faults::{check_out, global};
use crate::harness::eventually;
use crate::harness::shop::SOON;
use crate::harness::stack::{Client, Stack};

/// The order's payment as the API shows it, once it is in this state.
async fn payment_is(client: &Client, order_id: OrderId, status: &str) -> Value {
    let query = "query($id: ID!) { order(id: $id) { payment { status actionUrl declineCode } } }";
    let order = json!({ "id": global("Order", &order_id.to_string()) });
    eventually(SOON, &format!("the API shows a payment that is {status}"), || async {
        let mut answer = client.try_send(query, &order, None).await?;
        let payment = answer["data"]["order"]["payment"].take();
        (payment["status"] == status).then_some(payment)
    })
    .await
}

async fn answer(request: RequestBuilder) -> (StatusCode, String) {
    let answer = request.timeout(SOON).send().await.expect("an answer");
    (answer.status(), answer.text().await.expect("a body"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shopper_takes_the_second_step_where_the_order_says_and_the_order_follows() {
    let stack = Stack::start(&[]).await;
    let lantern = stack.shop.product(1_000, 5).await;
    let (client, http) = (stack.shopper(), Http::new());
    let address = async |order_id| {
        let payment = payment_is(&client, order_id, "ACTION_REQUIRED").await;
        payment["actionUrl"].as_str().expect("an address").to_owned()
    };
    let paid = check_out(&client, lantern, "card_action").await;
    let url = address(paid).await;
    assert!(url.starts_with(&stack.api), "{url} is the API's");
    let (status, page) = answer(http.get(&url)).await;
    assert_eq!(status, StatusCode::OK);
    for end in ["succeed", "fail"] {
        assert!(page.contains(&format!("formaction=\"?result={end}\"")), "{page}");
    }
    assert_eq!(stack.shop.order(paid).await.status(), OrderStatus::Placed, "looking decides nothing");
    for end in ["succeed", "fail"] {
        let taken = answer(http.post(format!("{url}?result={end}"))).await;
        assert_eq!(taken, (StatusCode::OK, "authorised".to_owned()), "what was decided first stays");
    }
    assert_eq!(answer(http.get(&url)).await, (StatusCode::OK, "authorised".to_owned()));
    stack.shop.order_is(paid, OrderStatus::Confirmed).await;
    assert_eq!(payment_is(&client, paid, "AUTHORISED").await["actionUrl"], Value::Null);

    let failed = check_out(&client, lantern, "card_action").await;
    let url = address(failed).await;
    let taken = answer(http.post(&url).json(&json!({ "result": "fail" }))).await;
    assert_eq!(taken, (StatusCode::OK, "declined".to_owned()));
    let order = stack.shop.order_is(failed, OrderStatus::Cancelled).await;
    assert_eq!(order.cancel_reason(), Some(CancelReason::PaymentDeclined));
    let payment = payment_is(&client, failed, "DECLINED").await;
    assert_eq!(payment["declineCode"], "authentication_failed");
    assert_eq!(payment["actionUrl"], Value::Null, "there is nothing more to do there");
    let left = stack.shop.stock_is(lantern, "LON", "what was held is free", |one| one.reserved() == 0).await;
    assert_eq!((left.committed(), left.available()), (1, 4));
}

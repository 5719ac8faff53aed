//! What the warehouse and the carrier do: pack, send, deliver. The shop captures the money by itself.

use serde_json::{Value, json};

use crate::api::{Client, text};
use crate::failure::{Failure, Result};

use super::shopper::{mutate, order_when};
use super::walk::{Walk, amounts, same, says};
use super::{Bought, People, documents};

/// From a confirmed order to a completed one.
pub(super) fn fulfil(walk: &mut Walk, people: &mut People, bought: &Bought) -> Result<()> {
    let warehouse = &mut people.warehouse;
    let parcel = walk.step("warehouse", "finds the parcel to pack", || find_parcel(warehouse, bought))?;
    walk.step("warehouse", "packs it", || pack(warehouse, &parcel))?;
    walk.step("warehouse", "hands it to the carrier", || dispatch(warehouse, &parcel, bought))?;
    walk.step("shop", "takes the money", || captured(&mut people.shopper, bought))?;
    for (says, status) in [("carries it", "IN_TRANSIT"), ("delivers it", "DELIVERED")] {
        walk.step("carrier", says, || report(warehouse, &parcel, status))?;
    }
    walk.step("carrier", "says so a second time", || report(warehouse, &parcel, "DELIVERED"))?;
    walk.step("shop", "completes the order", || completed(&mut people.shopper, bought))
}

/// As many come in as went out, so that the demo can be repeated for ever.
pub(super) fn restock(walk: &mut Walk, warehouse: &mut Client, bought: &Bought) -> Result<()> {
    walk.step("warehouse", "takes in as many again", || {
        for line in &bought.lines {
            let item = json!({ "variantId": line.id, "location": "LON" });
            let input = json!({ "item": item, "quantity": line.quantity, "reference": "demo" });
            let received = mutate(warehouse, documents::STOCK_RECEIVE, &json!({ "input": input }))?;
            says("where it is", &received["stock"]["location"], "LON")?;
        }
        Ok(((), "of both".into()))
    })
}

fn find_parcel(warehouse: &mut Client, bought: &Bought) -> Result<(String, String)> {
    let there = |order: &Value| order["shipments"].as_array().is_some_and(|parcels| !parcels.is_empty());
    let order = order_when(warehouse, bought, &bought.position, there)?;
    let parcels = order["shipments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [parcel] = parcels else {
        return Err(Failure::new(format!("there are {} parcels, and must be 1", parcels.len())));
    };
    says("the parcel", &parcel["status"], "OPEN")?;
    says("the fulfilment", &order["fulfilmentStatus"], "IN_PROGRESS")?;
    let units: i64 =
        parcel["lines"].as_array().into_iter().flatten().filter_map(|line| line["quantity"].as_i64()).sum();
    same("the number of things in it", units, 3)?;
    says("where it leaves from", &parcel["location"], "LON")?;
    Ok((text(&parcel["id"]), "one, in London: nearest to the shopper".into()))
}

fn pack(warehouse: &mut Client, parcel: &str) -> Result<((), String)> {
    let packed = mutate(warehouse, documents::SHIPMENT_PACK, &json!({ "shipmentId": parcel }))?;
    says("the parcel", &packed["shipment"]["status"], "PACKED")?;
    Ok(((), String::new()))
}

fn dispatch(warehouse: &mut Client, parcel: &str, bought: &Bought) -> Result<((), String)> {
    let input = json!({ "shipmentId": parcel, "carrier": "Demo Parcels", "tracking": "DP-1001" });
    let sent = mutate(warehouse, documents::SHIPMENT_DISPATCH, &json!({ "input": input }))?;
    says("the order", &sent["orderId"], &bought.order_id)?;
    Ok(((), "tracking DP-1001".into()))
}

fn captured(shopper: &mut Client, bought: &Bought) -> Result<((), String)> {
    let order = order_when(shopper, bought, &bought.position, |order| order["paymentStatus"] == "CAPTURED")?;
    amounts("what was captured", &order["payment"]["captured"], bought.total)?;
    Ok(((), "captured, to the last penny".into()))
}

fn report(warehouse: &mut Client, parcel: &str, status: &str) -> Result<((), String)> {
    let input = json!({ "shipmentId": parcel, "reportId": format!("DP-1001 {status}"), "status": status });
    let reported = mutate(warehouse, documents::CARRIER_REPORT, &json!({ "input": input }))?;
    let must = if status == "DELIVERED" { "DELIVERED" } else { "DISPATCHED" };
    says("the parcel", &reported["shipment"]["status"], must)?;
    Ok(((), String::new()))
}

fn completed(shopper: &mut Client, bought: &Bought) -> Result<((), String)> {
    let order = order_when(shopper, bought, &bought.position, |order| order["status"] == "COMPLETED")?;
    says("the fulfilment", &order["fulfilmentStatus"], "DELIVERED")?;
    says("the payment", &order["paymentStatus"], "CAPTURED")?;
    Ok(((), "delivered and paid".into()))
}

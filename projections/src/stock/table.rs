//! The table of stock: one row per variant and location.

use super::{Stock, StockLevel};
use crate::runtime::{Column, Table, Tabled};

impl Tabled for Stock {
    const TABLE: Table<StockLevel> = Table {
        name: "stock",
        columns: &[
            Column::Uuid("variant_id", |row| Some(row.variant_id.uuid())),
            Column::Text("location", |row| Some(row.location.to_string())),
            Column::Number("on_hand", |row| Some(row.on_hand)),
            Column::Number("reserved", |row| Some(row.reserved)),
            Column::Number("committed", |row| Some(row.committed)),
            Column::Number("safety_stock", |row| Some(row.safety_stock)),
            Column::Number("available", |row| Some(row.available())),
        ],
        generated: &[],
        indexes: &["(variant_id)"],
    };
}

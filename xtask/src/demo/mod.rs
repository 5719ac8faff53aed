//! `cargo xtask demo`: one order from the first look to a refund, through the public API and nothing else. Each
//! step says how long it took, and the first that does not come to what it must ends the demo.

mod documents;
mod history;
mod shopper;
mod walk;
mod warehouse;

use serde_json::Value;

use crate::api::{Client, Role, Shop};
use crate::failure::Result;
use crate::workspace::Workspace;

use walk::Walk;

/// Everybody who takes part.
struct People {
    /// A guest.
    shopper: Client,
    /// Who packs and sends.
    warehouse: Client,
    /// Who helps the shopper afterwards.
    support: Client,
}

/// An order that was bought, and what it must have cost in minor units.
struct Bought {
    order_id: String,
    lines: Vec<shopper::Line>,
    total: i64,
    position: Value,
}

/// Plays it all.
pub fn run() -> Result<()> {
    let shop = Shop::running(&Workspace::find()?.home())?;
    let mut people = People {
        shopper: shop.guest(),
        warehouse: shop.person(Role::Warehouse, "demo-warehouse")?,
        support: shop.person(Role::Support, "demo-support")?,
    };
    let mut walk = Walk::begin();
    let bought = shopper::buy(&mut walk, &mut people)?;
    warehouse::fulfil(&mut walk, &mut people, &bought)?;
    shopper::look_again(&mut walk, &mut people, &bought)?;
    warehouse::restock(&mut walk, &mut people.warehouse, &bought)?;
    shopper::refund(&mut walk, &mut people, &bought)?;
    history::show(&mut walk, &mut people.support, &bought)?;
    walk.end();
    Ok(())
}

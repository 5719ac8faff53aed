//! When snapshots of each aggregate are taken, and of which version of its state: a version goes up whenever the form
//! or the meaning of what is in the state changes. A test compares each form with the one that its version stands for.

use std::time::Duration;

use daybook_eventstore::SnapshotPolicy;

/// Of carts.
pub const CARTS: SnapshotPolicy = each(3, 100);
/// Of orders.
pub const ORDERS: SnapshotPolicy = each(3, 100);
/// Of payments.
pub const PAYMENTS: SnapshotPolicy = each(3, 100);
/// Of stock items. A state is small and its stream without end: loading some hundred events takes less than what it
/// would cost a hot item to write snapshots all the time.
pub const INVENTORY: SnapshotPolicy = each(3, 500);
/// Of shipments.
pub const SHIPMENTS: SnapshotPolicy = each(3, 100);
/// Of products.
pub const PRODUCTS: SnapshotPolicy = each(3, 100);
/// Of people.
pub const PEOPLE: SnapshotPolicy = each(3, 100);
/// Of inspections.
pub const INSPECTIONS: SnapshotPolicy = each(1, 100);

const fn each(state_version: i32, every: i64) -> SnapshotPolicy {
    SnapshotPolicy { state_version, every, older_than: Duration::from_hours(24) }
}

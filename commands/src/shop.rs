//! The shop: every aggregate behind its repository, and what deciding on them needs.

use std::sync::Arc;

use cqrs_es::Aggregate;
use daybook_domain::cart::Cart;
use daybook_domain::inspection::Inspection;
use daybook_domain::inventory::Inventory;
use daybook_domain::order::Order;
use daybook_domain::payment::Payment;
use daybook_domain::person::Person;
use daybook_domain::product::Product;
use daybook_domain::shipment::Shipment;
use daybook_domain::sourcing::Location;
use daybook_domain::{Clock, IdSource};
use daybook_eventstore::{EventStore, RecordedEvent, Repository, Vault};

use crate::snapshots;

/// The aggregates of one process. Cloning shares caches and connections.
#[derive(Clone)]
pub struct Shop {
    /// Where they all are.
    pub store: EventStore,
    /// The carts.
    pub carts: Repository<Cart>,
    /// The orders.
    pub orders: Repository<Order>,
    /// The payments.
    pub payments: Repository<Payment>,
    /// The stock items.
    pub inventory: Repository<Inventory>,
    /// The shipments.
    pub shipments: Repository<Shipment>,
    /// The products.
    pub products: Repository<Product>,
    /// The people whose data is sealed.
    pub people: Repository<Person>,
    /// What auditors read.
    pub inspections: Repository<Inspection>,
    /// Where personal data is sealed and opened.
    pub vault: Vault,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdSource>,
    /// The places that hold stock, in the shop's order of preference.
    pub locations: Arc<[Location]>,
}

impl std::fmt::Debug for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shop").field("locations", &self.locations).finish_non_exhaustive()
    }
}

impl Shop {
    /// A shop on this store.
    pub fn new(
        store: &EventStore,
        vault: Vault,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        locations: Vec<Location>,
    ) -> Self {
        Self {
            store: store.clone(),
            carts: Repository::new(store.clone(), snapshots::CARTS),
            orders: Repository::new(store.clone(), snapshots::ORDERS),
            payments: Repository::new(store.clone(), snapshots::PAYMENTS),
            inventory: Repository::new(store.clone(), snapshots::INVENTORY),
            shipments: Repository::new(store.clone(), snapshots::SHIPMENTS),
            products: Repository::new(store.clone(), snapshots::PRODUCTS),
            people: Repository::new(store.clone(), snapshots::PEOPLE),
            inspections: Repository::new(store.clone(), snapshots::INSPECTIONS),
            vault,
            clock,
            ids,
            locations: locations.into(),
        }
    }

    /// The same shop with a memory of its own, for somebody who follows the log and lets it [`hear`](Self::hear) every
    /// event.
    #[must_use]
    pub fn hearing(&self) -> Self {
        Self {
            carts: self.carts.hearing(),
            orders: self.orders.hearing(),
            payments: self.payments.hearing(),
            inventory: self.inventory.hearing(),
            shipments: self.shipments.hearing(),
            products: self.products.hearing(),
            people: self.people.hearing(),
            inspections: self.inspections.hearing(),
            ..self.clone()
        }
    }

    /// Takes note of an event of the log, whoever wrote it.
    pub fn hear(&self, event: &RecordedEvent) {
        match event.aggregate_type.as_str() {
            Cart::TYPE => self.carts.hear(event),
            Order::TYPE => self.orders.hear(event),
            Payment::TYPE => self.payments.hear(event),
            Inventory::TYPE => self.inventory.hear(event),
            Shipment::TYPE => self.shipments.hear(event),
            Product::TYPE => self.products.hear(event),
            Person::TYPE => self.people.hear(event),
            Inspection::TYPE => self.inspections.hear(event),
            _ => {}
        }
    }
}

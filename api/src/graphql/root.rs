//! The roots of the schema: nothing but the list of what is merged, and the limits.

use async_graphql::{MergedObject, MergedSubscription, Object, SDLExportOptions, Schema, SchemaBuilder};

use super::audit::{self, AuditQuery};
use super::cart::{CartMutation, CartQuery};
use super::customer::CustomerMutation;
use super::idempotent::idempotent;
use super::node::NodeQuery;
use super::order::{OrderMutation, OrderQuery, OrderSubscription};
use super::payment::PaymentMutation;
use super::person;
use super::product::{ProductMutation, ProductQuery};
use super::search::SearchQuery;
use super::services::Services;
use super::shipment::ShipmentMutation;
use super::stock::StockMutation;

/// How deep async-graphql itself lets a query go: deep enough for introspection. The limit for everything else is
/// lower, and is checked when a document is parsed.
const MAX_DEPTH: usize = 24;
/// How much a query may ask for, in fields; a list counts as many times its fields as it may have items.
const MAX_COMPLEXITY: usize = 10_000;
/// How many directives a field may have.
const MAX_DIRECTIVES: usize = 5;

/// The query root.
#[derive(MergedObject, Default)]
pub struct Query(NodeQuery, ProductQuery, SearchQuery, CartQuery, OrderQuery, AuditQuery, VersionQuery);

#[derive(Default)]
struct VersionQuery;

#[Object]
impl VersionQuery {
    /// The version of this API's program.
    async fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}

/// The mutation root.
#[derive(MergedObject, Default)]
pub struct Mutation(
    ProductMutation,
    StockMutation,
    CartMutation,
    OrderMutation,
    ShipmentMutation,
    PaymentMutation,
    CustomerMutation,
);

/// The subscription root.
#[derive(MergedSubscription, Default)]
pub struct Subscription(OrderSubscription);

/// The schema.
pub type ShopSchema = Schema<Query, Mutation, Subscription>;

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .directive(idempotent)
        .limit_depth(MAX_DEPTH)
        .limit_recursive_depth(MAX_DEPTH)
        .limit_complexity(MAX_COMPLEXITY)
        .limit_directives(MAX_DIRECTIVES)
}

/// The schema with these services behind it.
pub fn schema(services: Services) -> ShopSchema {
    let people = person::people(services.shop.vault.clone());
    let records = audit::records(services.shop.clone());
    let evidence = audit::evidence(&services.log, services.tree.clone(), &services.reads.db);
    builder().data(services).data(people).data(records).data(evidence).finish()
}

/// The schema in the schema definition language.
pub fn sdl() -> String {
    builder().finish().sdl_with_options(SDLExportOptions::new().sorted_fields())
}

//! What people ask of the shop: one function for each operation. Each looks up what the decision needs, asks the
//! aggregate that decides, and says what came of it. There is no GraphQL here, no SQL and no rule of business.

mod cart;
mod checkout;
mod delivery;
mod error;
mod inspection;
mod merge;
mod notice;
mod order;
mod outcome;
mod payment;
mod person;
mod pricing;
mod product;
mod shipment;
mod stock;

pub use cart::{NewCart, NewLine, add_lines, change_lines, create_cart, remove_lines};
pub use checkout::{Submission, choose_shipping, reprice_cart, shipping_offers, submit_cart};
pub use delivery::{Address, Contact, set_delivery};
pub use error::{Refused, UseCaseError};
pub use inspection::record_inspection;
pub use merge::merge_carts;
pub use notice::take_notice;
pub use order::{Cancelling, Dispatching, cancel_order, dispatch_shipment};
pub use outcome::{Done, Scope};
pub use payment::{capture_payment, refund_payment};
pub use person::{ForgottenAgain, forget_again, forget_person};
pub use pricing::VariantRef;
pub use product::{NewProduct, NewVariant, add_variant, change_product, create_product};
pub use shipment::{pack_shipment, report_carrier};
pub use stock::{Returned, change_stock, return_stock};

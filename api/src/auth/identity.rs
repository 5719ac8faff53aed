//! Who asks.

use std::sync::Arc;

use daybook_domain::CustomerId;
use serde::{Deserialize, Serialize};

/// What a client is to the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A shopper who is not signed in; no token says this.
    #[serde(skip)]
    Anonymous,
    /// A shopper with an account.
    Customer,
    /// Who runs the shop.
    Staff,
    /// Who packs and sends.
    Warehouse,
    /// Who helps shoppers.
    Support,
    /// Who checks the books, and changes nothing.
    Auditor,
    /// Who may do everything.
    Admin,
}

impl Role {
    /// Its name in logs, metrics and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Customer => "customer",
            Self::Staff => "staff",
            Self::Warehouse => "warehouse",
            Self::Support => "support",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }
}

/// A client, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    role: Role,
    customer: Option<CustomerId>,
    actor: Arc<str>,
    until: Option<u64>,
}

impl Identity {
    /// A shopper who is not signed in.
    pub fn anonymous() -> Self {
        Self { role: Role::Anonymous, customer: None, actor: Role::Anonymous.name().into(), until: None }
    }

    /// A shopper with this account.
    pub fn customer(id: CustomerId) -> Self {
        Self { role: Role::Customer, customer: Some(id), actor: format!("customer:{id}").into(), until: None }
    }

    /// One of the shop's own people.
    pub(super) fn staff(role: Role, subject: &str) -> Self {
        Self { role, customer: None, actor: format!("{}:{subject}", role.name()).into(), until: None }
    }

    /// The same, as long as its token is good: until so many seconds after 1970.
    pub(super) fn until(self, expires: u64) -> Self {
        Self { until: Some(expires), ..self }
    }

    /// Until when it is known who this is, in seconds since 1970; for ever for whoever nobody vouches for.
    pub const fn expires(&self) -> Option<u64> {
        self.until
    }

    /// What it is to the shop.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The account, for a shopper who has one.
    pub const fn customer_id(&self) -> Option<CustomerId> {
        self.customer
    }

    /// Its name in events, such as `customer:…`, `staff:…` or `anonymous`.
    pub fn actor(&self) -> &str {
        &self.actor
    }
}

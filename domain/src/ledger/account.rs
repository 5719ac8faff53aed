//! The accounts of an order.

/// Where an order's money is, or what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// What the customer owes; what was paid too much is negative.
    Customer,
    /// The shop's money at the gateway: taken, and not paid back.
    Gateway,
    /// What was sold, without tax.
    Goods,
    /// What shipping costs the customer, without tax.
    Shipping,
    /// The tax on both.
    Tax,
    /// What was paid back of a sale that stands.
    Refunds,
    /// What the gateway holds and has not taken. It is no money yet, and only stands against [`Account::Promised`].
    Held,
    /// What the customer has promised by that.
    Promised,
}

impl Account {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Gateway => "gateway",
            Self::Goods => "goods",
            Self::Shipping => "shipping",
            Self::Tax => "tax",
            Self::Refunds => "refunds",
            Self::Held => "held",
            Self::Promised => "promised",
        }
    }
}

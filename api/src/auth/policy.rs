//! What each role may do, in one table. What is not in it is denied.

use daybook_commands::use_cases::Scope;

use super::{Identity, Role};

/// Something a client may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// Fill carts and buy.
    Shop,
    /// Change products and prices; see those that are not for sale.
    ManageProducts,
    /// Change and see stock.
    ManageStock,
    /// Pack and send; tell what the carrier said.
    Fulfil,
    /// Capture and refund.
    ManagePayments,
    /// See and cancel every order, and help with every cart.
    ServeCustomers,
    /// Have a person forgotten.
    Forget,
}

impl Identity {
    /// Whether it may.
    pub(crate) const fn may(&self, permission: Permission) -> bool {
        match (permission, self.role()) {
            (_, Role::Admin)
            | (Permission::Shop, _)
            | (
                Permission::ManageProducts
                | Permission::ManageStock
                | Permission::Fulfil
                | Permission::ManagePayments
                | Permission::ServeCustomers
                | Permission::Forget,
                Role::Staff,
            )
            | (Permission::ManageStock | Permission::Fulfil | Permission::ServeCustomers, Role::Warehouse)
            | (Permission::ServeCustomers | Permission::ManagePayments, Role::Support) => true,
            (_, Role::Anonymous | Role::Customer | Role::Warehouse | Role::Support) => false,
        }
    }

    /// Whose carts and orders it may see and change. One that is nobody's is a guest's: its id, which nobody can
    /// guess, is the key to it.
    pub(crate) fn scope(&self) -> Scope {
        if self.may(Permission::ServeCustomers) { Scope::All } else { Scope::Of(self.customer_id()) }
    }
}

#[cfg(test)]
mod tests {
    use daybook_domain::CustomerId;
    use uuid::Uuid;

    use super::*;

    const ALL: [Permission; 7] = [
        Permission::Shop,
        Permission::ManageProducts,
        Permission::ManageStock,
        Permission::Fulfil,
        Permission::ManagePayments,
        Permission::ServeCustomers,
        Permission::Forget,
    ];

    fn allowed(identity: &Identity) -> Vec<Permission> {
        ALL.into_iter().filter(|permission| identity.may(*permission)).collect()
    }

    #[test]
    fn a_shopper_may_only_shop() {
        let customer = Identity::customer(CustomerId::new(Uuid::from_u128(1)));
        assert_eq!(allowed(&Identity::anonymous()), [Permission::Shop]);
        assert_eq!(allowed(&customer), [Permission::Shop]);
    }

    #[test]
    fn the_warehouse_touches_no_money_and_no_prices() {
        let warehouse = Identity::staff(Role::Warehouse, "w1");
        assert!(!warehouse.may(Permission::ManagePayments));
        assert!(!warehouse.may(Permission::ManageProducts));
        assert!(warehouse.may(Permission::Fulfil));
    }

    #[test]
    fn an_admin_may_do_everything() {
        assert_eq!(allowed(&Identity::staff(Role::Admin, "a")), ALL);
    }

    #[test]
    fn a_customers_things_are_theirs_alone_and_a_guests_are_whoevers_knows_them() {
        let (one, two) = (CustomerId::new(Uuid::from_u128(1)), CustomerId::new(Uuid::from_u128(2)));
        let covers = |identity: &Identity, owner| identity.scope().covers(owner);
        assert!(covers(&Identity::customer(one), Some(one)));
        assert!(!covers(&Identity::customer(one), Some(two)));
        assert!(!covers(&Identity::anonymous(), Some(one)));
        assert!(covers(&Identity::anonymous(), None));
        assert!(covers(&Identity::staff(Role::Support, "s"), Some(one)));
    }
}

//! What each role may do, in one table. What is not in it is denied.

use daybook_commands::use_cases::Scope;
use daybook_domain::CustomerId;

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
    /// See every order.
    SeeOrders,
    /// Cancel every order, and help with every cart.
    ServeCustomers,
    /// See by whom, by which command and with which facts things happened.
    Audit,
    /// See by what the gateway knows a shopper's means of payment.
    SeePaymentTokens,
    /// Have a person forgotten.
    Forget,
}

impl Identity {
    /// Whether it may.
    pub(crate) const fn may(&self, permission: Permission) -> bool {
        match self.role() {
            Role::Admin => true,
            Role::Anonymous | Role::Customer => matches!(permission, Permission::Shop),
            Role::Staff => !matches!(permission, Permission::SeePaymentTokens),
            // No shopping: whoever sees a guest's order knows its id, which lets a guest change it.
            Role::Warehouse => {
                matches!(permission, Permission::ManageStock | Permission::Fulfil | Permission::SeeOrders)
            }
            Role::Support => matches!(
                permission,
                Permission::Shop
                    | Permission::SeeOrders
                    | Permission::ServeCustomers
                    | Permission::ManagePayments
                    | Permission::Audit
            ),
            Role::Auditor => {
                matches!(permission, Permission::SeeOrders | Permission::Audit | Permission::SeePaymentTokens)
            }
        }
    }

    /// Whose carts and orders it may change, and whose carts it may see, when it may shop at all. One that is nobody's is a guest's: its id, which nobody can
    /// guess, is the key to it.
    pub(crate) fn scope(&self) -> Scope {
        if self.may(Permission::ServeCustomers) { Scope::All } else { Scope::Of(self.customer_id()) }
    }

    /// Whose orders it may see.
    pub(crate) fn sight(&self) -> Scope {
        if self.may(Permission::SeeOrders) { Scope::All } else { self.scope() }
    }

    /// Whether it may see and change what belongs to this owner.
    pub(crate) fn serves(&self, owner: Option<CustomerId>) -> bool {
        self.may(Permission::Shop) && self.scope().covers(owner)
    }

    /// Whether it may know who ordered and where to: those it serves, and everyone that something is sent to.
    pub(crate) fn may_meet(&self, owner: Option<CustomerId>) -> bool {
        self.may(Permission::Fulfil) || self.serves(owner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ALL: [Permission; 10] = [
        Permission::Shop,
        Permission::ManageProducts,
        Permission::ManageStock,
        Permission::Fulfil,
        Permission::ManagePayments,
        Permission::SeeOrders,
        Permission::ServeCustomers,
        Permission::Audit,
        Permission::SeePaymentTokens,
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
    fn the_warehouse_sees_orders_and_sends_them_and_nothing_else() {
        let warehouse = Identity::staff(Role::Warehouse, "w1");
        let may = [Permission::ManageStock, Permission::Fulfil, Permission::SeeOrders];
        assert_eq!(allowed(&warehouse), may);
        assert!(warehouse.sight().covers(None) && warehouse.may_meet(None));
        assert!(!warehouse.serves(None), "not even a guest's cart, whose id it knows from the order");
    }

    #[test]
    fn an_auditor_sees_every_order_and_no_person() {
        let auditor = Identity::staff(Role::Auditor, "a1");
        let may = [Permission::SeeOrders, Permission::Audit, Permission::SeePaymentTokens];
        assert_eq!(allowed(&auditor), may);
        assert!(!auditor.may_meet(None) && !auditor.serves(None));
    }

    #[test]
    fn nobody_but_auditors_and_admins_sees_payment_tokens() {
        for role in [Role::Staff, Role::Warehouse, Role::Support] {
            assert!(!Identity::staff(role, "x").may(Permission::SeePaymentTokens), "{role:?}");
        }
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

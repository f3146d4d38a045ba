//! Who may call what.

use platform::{Allow, Permissions, Role};

/// Orders: placed by those who act for a company, shipped by the seller; everybody sees what their company may see.
pub(crate) const ORDERS: Permissions = Permissions::new(
    "sipup.orders.v1.OrderService",
    &[
        ("CreateOrder", Allow::Roles(Role::COMPANY)),
        ("GetOrder", Allow::Signed),
        ("ListOrders", Allow::Signed),
        ("CancelOrder", Allow::Signed),
        ("ShipOrder", Allow::Roles(&[Role::Seller])),
        ("WatchOrder", Allow::Signed),
    ],
);

/// Stock: seen by every user, changed by the seller.
pub(crate) const INVENTORY: Permissions = Permissions::new(
    "sipup.orders.v1.InventoryService",
    &[("GetInventory", Allow::Signed), ("BatchAdjustInventory", Allow::Roles(&[Role::Seller]))],
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_contract_is_listed_and_no_other() {
        for table in [ORDERS, INVENTORY] {
            assert_eq!(
                table.differences(proto::DESCRIPTORS).unwrap(),
                Vec::<String>::new(),
                "{}",
                table.service()
            );
        }
    }
}

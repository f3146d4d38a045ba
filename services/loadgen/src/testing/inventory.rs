//! The stock of the stub: there is always enough.

use proto::orders::v1::{self as orders, inventory_service_server::InventoryService};
use tonic::{Request, Response, Status};

use super::platform::{Platform, Reply};

#[tonic::async_trait]
impl InventoryService for Platform {
    async fn get_inventory(
        &self,
        _: Request<orders::GetInventoryRequest>,
    ) -> Reply<orders::GetInventoryResponse> {
        Err(Status::unimplemented("not in the stub"))
    }

    async fn batch_adjust_inventory(
        &self,
        _: Request<orders::BatchAdjustInventoryRequest>,
    ) -> Reply<orders::BatchAdjustInventoryResponse> {
        self.shared.count("BatchAdjustInventory");
        Ok(Response::new(orders::BatchAdjustInventoryResponse::default()))
    }
}

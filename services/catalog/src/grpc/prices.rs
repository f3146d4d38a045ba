//! The calls about prices: parse, one use case, convert.

use platform::{Access, Caller, Role, Scope, page::PageSize};
use proto::catalog::v1::{self as pb, price_service_server::PriceService};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{read, reader, within, write};
use crate::{
    convert::{
        assignment_rows, given, items_to_price, price_list_change, price_list_draft, price_rows, uuid,
    },
    error::Error,
    etag::Etag,
    price_list::PriceListId,
    service::Catalog,
};

/// How many rows a page holds where nothing is said.
const PAGE: i32 = 50;

/// Prices behind gRPC.
#[derive(Debug)]
pub(crate) struct PricesGrpc {
    catalog: Catalog,
}

impl PricesGrpc {
    pub(crate) fn new(catalog: Catalog) -> Self {
        Self { catalog }
    }
}

/// Whose prices `request` asks for, and access to those and no other's: of the seller's staff, too.
fn company_of(request: &Request<pb::PriceItemsRequest>) -> Result<(Uuid, Access), Status> {
    let caller = Caller::of(request)?;
    let company = match request.get_ref().company_id.as_str() {
        "" => caller.company_id,
        named => uuid("company_id", named).map_err(Error::from)?,
    };
    if company != caller.company_id && caller.role != Role::Seller {
        return Err(Error::CompanyNotAllowed.into());
    }
    Ok((company, Access::new(Scope::Company(company), read(request).session)))
}

fn list_id(field: &'static str, text: &str) -> Result<PriceListId, Error> {
    Ok(PriceListId::parse(field, text)?)
}

#[tonic::async_trait]
impl PriceService for PricesGrpc {
    async fn price_items(
        &self,
        request: Request<pb::PriceItemsRequest>,
    ) -> Result<Response<pb::PriceItemsResponse>, Status> {
        let (company, access) = company_of(&request)?;
        let items = items_to_price(request.into_inner().items).map_err(Error::from)?;
        let quotes = self.catalog.price_items(&access, company, items).await?;
        Ok(Response::new(quotes.into()))
    }

    async fn get_price_list(
        &self,
        request: Request<pb::GetPriceListRequest>,
    ) -> Result<Response<pb::GetPriceListResponse>, Status> {
        let id = list_id("id", &request.get_ref().id)?;
        let list = self.catalog.get_price_list(&Access::of(&request), id).await?;
        Ok(Response::new(list.into()))
    }

    async fn list_price_lists(
        &self,
        request: Request<pb::ListPriceListsRequest>,
    ) -> Result<Response<pb::ListPriceListsResponse>, Status> {
        let size = PageSize::parse(request.get_ref().page_size, PAGE).map_err(Error::from)?;
        let token = &request.get_ref().page_token;
        let (access, reader) = (Access::of(&request), reader(&request));
        let page = self.catalog.list_price_lists(&access, &reader, size, token).await?;
        let price_lists = page.items.into_iter().map(Into::into).collect();
        Ok(Response::new(pb::ListPriceListsResponse { price_lists, next_page_token: page.next }))
    }

    async fn create_price_list(
        &self,
        request: Request<pb::CreatePriceListRequest>,
    ) -> Result<Response<pb::CreatePriceListResponse>, Status> {
        let (write, message) = write(request, "CreatePriceList", |message| &mut message.request_id)?;
        let list = given("price_list", message.price_list).map_err(Error::from)?;
        let draft = price_list_draft(list).map_err(within("price_list"))?;
        self.catalog.create_price_list(&write, draft).await?.respond(|answer| answer)
    }

    async fn update_price_list(
        &self,
        request: Request<pb::UpdatePriceListRequest>,
    ) -> Result<Response<pb::UpdatePriceListResponse>, Status> {
        let (write, message) = write(request, "UpdatePriceList", |message| &mut message.request_id)?;
        let mut list = given("price_list", message.price_list).map_err(Error::from)?;
        let id = PriceListId::parse("id", std::mem::take(&mut list.id)).map_err(within("price_list"))?;
        let etag = Etag::given(std::mem::take(&mut list.etag));
        let change = price_list_change(&list, message.update_mask)?;
        self.catalog.update_price_list(&write, id, etag, change).await?.respond(|answer| answer)
    }

    async fn delete_price_list(
        &self,
        request: Request<pb::DeletePriceListRequest>,
    ) -> Result<Response<()>, Status> {
        let (write, message) = write(request, "DeletePriceList", |message| &mut message.request_id)?;
        let id = list_id("id", &message.id)?;
        self.catalog.delete_price_list(&write, id, Etag::given(message.etag)).await?.respond(|answer| answer)
    }

    async fn list_prices(
        &self,
        request: Request<pb::ListPricesRequest>,
    ) -> Result<Response<pb::ListPricesResponse>, Status> {
        let (access, reader) = (Access::of(&request), reader(&request));
        let message = request.into_inner();
        let id = list_id("price_list_id", &message.price_list_id)?;
        let size = PageSize::parse(message.page_size, PAGE).map_err(Error::from)?;
        let page = self.catalog.list_prices(&access, &reader, &id, size, &message.page_token).await?;
        let prices = page.items.into_iter().map(Into::into).collect();
        Ok(Response::new(pb::ListPricesResponse { prices, next_page_token: page.next }))
    }

    async fn batch_set_prices(
        &self,
        request: Request<pb::BatchSetPricesRequest>,
    ) -> Result<Response<pb::BatchSetPricesResponse>, Status> {
        let (write, message) = write(request, "BatchSetPrices", |message| &mut message.request_id)?;
        let id = list_id("price_list_id", &message.price_list_id)?;
        let rows = price_rows(message.changes).map_err(Error::from)?;
        self.catalog.batch_set_prices(&write, id, rows).await?.respond(|answer| answer)
    }

    async fn list_price_list_assignments(
        &self,
        request: Request<pb::ListPriceListAssignmentsRequest>,
    ) -> Result<Response<pb::ListPriceListAssignmentsResponse>, Status> {
        let (access, reader) = (Access::of(&request), reader(&request));
        let message = request.into_inner();
        let id = list_id("price_list_id", &message.price_list_id)?;
        let size = PageSize::parse(message.page_size, PAGE).map_err(Error::from)?;
        let page = self.catalog.list_assignments(&access, &reader, &id, size, &message.page_token).await?;
        let assignments = page.items.iter().map(|company| pb::PriceListAssignment {
            company_id: company.to_string(),
            price_list_id: id.to_string(),
        });
        Ok(Response::new(pb::ListPriceListAssignmentsResponse {
            assignments: assignments.collect(),
            next_page_token: page.next,
        }))
    }

    async fn batch_assign_price_lists(
        &self,
        request: Request<pb::BatchAssignPriceListsRequest>,
    ) -> Result<Response<pb::BatchAssignPriceListsResponse>, Status> {
        let (write, message) = write(request, "BatchAssignPriceLists", |message| &mut message.request_id)?;
        let rows = assignment_rows(message.assignments).map_err(Error::from)?;
        self.catalog.batch_assign_price_lists(&write, rows).await?.respond(|answer| answer)
    }
}

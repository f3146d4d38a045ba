//! The contract's calls: parse, one use case, convert.

mod prices;

use platform::{Access, Caller, Invalid, RequestKey, Role, Scope, Session, page::PageSize};
use prost::Message;
use proto::catalog::v1::{self as pb, catalog_service_server::CatalogService};
use tonic::{Request, Response, Status};

pub(crate) use self::prices::PricesGrpc;
use crate::{
    category::CategoryId,
    convert::{
        batch_rows, category_change, category_draft, conflict_policy, given, keys, product_change,
        product_draft, uuid,
    },
    error::Error,
    etag::Etag,
    product::{OrderBy, ProductFilter},
    service::{Catalog, ProductPage, Write},
};

/// How many products a page holds where nothing is said.
const PRODUCTS_PAGE: i32 = 50;
/// How many categories a page holds where nothing is said: usually all of them.
const CATEGORIES_PAGE: i32 = 1_000;

/// Products and categories behind gRPC.
#[derive(Debug)]
pub(crate) struct Grpc {
    catalog: Catalog,
}

impl Grpc {
    pub(crate) fn new(catalog: Catalog) -> Self {
        Self { catalog }
    }
}

/// Takes a write apart: who, under which key, and the message. `request_id` is taken out, so that a repeat which says it in the
/// header hashes the same.
fn write<M: Message>(
    request: Request<M>,
    method: &'static str,
    request_id: impl FnOnce(&mut M) -> &mut String,
) -> Result<(Write, M), Status> {
    let (caller, access) = (Caller::of(&request)?, Access::of(&request));
    let (metadata, _, mut message) = request.into_parts();
    let request_id = std::mem::take(request_id(&mut message));
    let key = RequestKey::of(&metadata, &request_id, method, &message).map_err(Error::from)?;
    Ok((Write { caller, access, key }, message))
}

/// What a read needs. Rows of the catalogue have no owner, so nobody's scope is enough; it spares the read its transaction.
///
/// Only the seller's staff writes here. Nobody else can have written what a read might miss, so nobody has to look up their last write.
fn read<M>(request: &Request<M>) -> Access {
    let session = Access::of(request).session;
    let writes = request.extensions().get::<Caller>().is_some_and(|caller| caller.role == Role::Seller);
    Access::new(Scope::Public, if writes { session } else { Session::new(None, session.position()) })
}

/// Who reads; nobody's name where nobody is signed in.
fn reader<M>(request: &Request<M>) -> String {
    Access::of(request).session.user().map(|user| user.to_string()).unwrap_or_default()
}

/// A refusal of what stands within `parent`.
fn within(parent: &'static str) -> impl Fn(Invalid) -> Error {
    move |invalid| invalid.within(parent).into()
}

#[tonic::async_trait]
impl CatalogService for Grpc {
    async fn get_product(
        &self,
        request: Request<pb::GetProductRequest>,
    ) -> Result<Response<pb::GetProductResponse>, Status> {
        let id = uuid("id", &request.get_ref().id).map_err(Error::from)?;
        let product = self.catalog.get_product(&read(&request), id).await?;
        Ok(Response::new(product.into()))
    }

    async fn batch_get_products(
        &self,
        request: Request<pb::BatchGetProductsRequest>,
    ) -> Result<Response<pb::BatchGetProductsResponse>, Status> {
        keys(request.get_ref()).map_err(Error::from)?;
        let access = read(&request);
        let pb::BatchGetProductsRequest { ids, skus } = request.into_inner();
        let found = self.catalog.batch_get_products(&access, ids, skus).await?;
        let products = found.products.into_iter().map(Into::into).collect();
        Ok(Response::new(pb::BatchGetProductsResponse { products, not_found: found.not_found }))
    }

    async fn list_products(
        &self,
        request: Request<pb::ListProductsRequest>,
    ) -> Result<Response<pb::ListProductsResponse>, Status> {
        let (access, reader) = (read(&request), reader(&request));
        let page = product_page(request.into_inner(), reader).map_err(Error::from)?;
        let page = self.catalog.list_products(&access, page).await?;
        let products = page.items.into_iter().map(Into::into).collect();
        Ok(Response::new(pb::ListProductsResponse { products, next_page_token: page.next }))
    }

    async fn create_product(
        &self,
        request: Request<pb::CreateProductRequest>,
    ) -> Result<Response<pb::CreateProductResponse>, Status> {
        let (write, message) = write(request, "CreateProduct", |message| &mut message.request_id)?;
        let product = given("product", message.product).map_err(Error::from)?;
        let draft = product_draft(product).map_err(within("product"))?;
        self.catalog.create_product(&write, draft).await?.respond(|answer| answer)
    }

    async fn update_product(
        &self,
        request: Request<pb::UpdateProductRequest>,
    ) -> Result<Response<pb::UpdateProductResponse>, Status> {
        let (write, message) = write(request, "UpdateProduct", |message| &mut message.request_id)?;
        let mut product = given("product", message.product).map_err(Error::from)?;
        let id = uuid("id", &product.id).map_err(within("product"))?;
        let etag = Etag::given(std::mem::take(&mut product.etag));
        let change = product_change(&product, message.update_mask)?;
        self.catalog.update_product(&write, id, etag, change).await?.respond(|answer| answer)
    }

    async fn delete_product(
        &self,
        request: Request<pb::DeleteProductRequest>,
    ) -> Result<Response<()>, Status> {
        let (write, message) = write(request, "DeleteProduct", |message| &mut message.request_id)?;
        let id = uuid("id", &message.id).map_err(Error::from)?;
        self.catalog.delete_product(&write, id, Etag::given(message.etag)).await?.respond(|answer| answer)
    }

    async fn batch_create_products(
        &self,
        request: Request<pb::BatchCreateProductsRequest>,
    ) -> Result<Response<pb::BatchCreateProductsResponse>, Status> {
        let (write, message) = write(request, "BatchCreateProducts", |message| &mut message.request_id)?;
        let policy = conflict_policy(message.conflict_policy).map_err(Error::from)?;
        let rows = batch_rows(message.products).map_err(Error::from)?;
        self.catalog.batch_create_products(&write, rows, policy).await?.respond(|answer| answer)
    }

    async fn get_category(
        &self,
        request: Request<pb::GetCategoryRequest>,
    ) -> Result<Response<pb::GetCategoryResponse>, Status> {
        let id = CategoryId::parse("id", request.get_ref().id.as_str()).map_err(Error::from)?;
        let category = self.catalog.get_category(&read(&request), id).await?;
        Ok(Response::new(category.into()))
    }

    async fn list_categories(
        &self,
        request: Request<pb::ListCategoriesRequest>,
    ) -> Result<Response<pb::ListCategoriesResponse>, Status> {
        let size = PageSize::parse(request.get_ref().page_size, CATEGORIES_PAGE).map_err(Error::from)?;
        let token = &request.get_ref().page_token;
        let page = self.catalog.list_categories(&read(&request), &reader(&request), size, token).await?;
        let categories = page.items.into_iter().map(Into::into).collect();
        Ok(Response::new(pb::ListCategoriesResponse { categories, next_page_token: page.next }))
    }

    async fn create_category(
        &self,
        request: Request<pb::CreateCategoryRequest>,
    ) -> Result<Response<pb::CreateCategoryResponse>, Status> {
        let (write, message) = write(request, "CreateCategory", |message| &mut message.request_id)?;
        let category = given("category", message.category).map_err(Error::from)?;
        let draft = category_draft(category).map_err(within("category"))?;
        self.catalog.create_category(&write, draft).await?.respond(|answer| answer)
    }

    async fn update_category(
        &self,
        request: Request<pb::UpdateCategoryRequest>,
    ) -> Result<Response<pb::UpdateCategoryResponse>, Status> {
        let (write, message) = write(request, "UpdateCategory", |message| &mut message.request_id)?;
        let mut category = given("category", message.category).map_err(Error::from)?;
        let id = CategoryId::parse("id", std::mem::take(&mut category.id)).map_err(within("category"))?;
        let etag = Etag::given(std::mem::take(&mut category.etag));
        let change = category_change(&category, message.update_mask)?;
        self.catalog.update_category(&write, id, etag, change).await?.respond(|answer| answer)
    }

    async fn delete_category(
        &self,
        request: Request<pb::DeleteCategoryRequest>,
    ) -> Result<Response<()>, Status> {
        let (write, message) = write(request, "DeleteCategory", |message| &mut message.request_id)?;
        let id = CategoryId::parse("id", message.id).map_err(Error::from)?;
        self.catalog.delete_category(&write, id).await?.respond(|answer| answer)
    }
}

fn product_page(request: pb::ListProductsRequest, reader: String) -> Result<ProductPage, Invalid> {
    Ok(ProductPage {
        reader,
        filter: ProductFilter::parse(&request.filter)?,
        order: OrderBy::parse(&request.order_by)?,
        size: PageSize::parse(request.page_size, PRODUCTS_PAGE)?,
        token: request.page_token,
    })
}

#[cfg(test)]
mod tests {
    use platform::Position;
    use uuid::Uuid;

    use super::*;

    fn session_of_a_read(role: Role, asked: Option<Position>) -> (Session, String) {
        let user_id = Uuid::now_v7();
        let mut request = Request::new(());
        request.extensions_mut().insert(Session::new(Some(user_id), asked));
        request.extensions_mut().insert(Caller {
            user_id,
            company_id: Uuid::now_v7(),
            session_id: Uuid::now_v7(),
            role,
            email: String::new(),
            name: String::new(),
            expires_at: jiff::Timestamp::MAX,
        });
        assert_eq!(reader(&request), user_id.to_string());
        (read(&request).session, user_id.to_string())
    }

    #[test]
    fn only_who_can_write_is_asked_for_a_last_write() {
        for role in Role::COMPANY {
            assert_eq!(session_of_a_read(*role, None).0.user(), None, "{role}");
        }
        let (session, user) = session_of_a_read(Role::Seller, None);
        assert_eq!(session.user().map(|user| user.to_string()), Some(user));
    }

    #[test]
    fn a_position_that_the_caller_sends_counts_whoever_sends_it() {
        let asked = Some(Position { timeline: 1, lsn: 7 });
        for role in [Role::Buyer, Role::Seller] {
            assert_eq!(session_of_a_read(role, asked).0.position(), asked);
        }
    }
}

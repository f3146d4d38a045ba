//! Who may not, and what can't be.

use platform::Role;
use proto::catalog::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use crate::support::{Shop, category, euro, field, product, reason};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_sellers_staff_writes() {
    let shop = Shop::with_category("bolts").await;
    let roles = [None, Some(Role::Buyer), Some(Role::Approver), Some(Role::CompanyAdmin)];
    for role in roles {
        macro_rules! refused {
            ($($method:ident: $request:expr),+ $(,)?) => {$(
                let request = match role {
                    None => tonic::Request::new($request),
                    Some(role) => shop.issuer.sign($request, role, Uuid::now_v7()),
                };
                let status = shop.client.clone().$method(request).await.unwrap_err();
                let expected = if role.is_none() { Code::Unauthenticated } else { Code::PermissionDenied };
                assert_eq!(status.code(), expected, "{} by {role:?}", stringify!($method));
            )+};
        }
        refused! {
            create_product: pb::CreateProductRequest { product: Some(product("A", "bolts")), ..Default::default() },
            update_product: pb::UpdateProductRequest::default(),
            delete_product: pb::DeleteProductRequest::default(),
            batch_create_products: pb::BatchCreateProductsRequest::default(),
            create_category: pb::CreateCategoryRequest::default(),
            update_category: pb::UpdateCategoryRequest::default(),
            delete_category: pb::DeleteCategoryRequest::default(),
        }
    }
    assert!(shop.list(pb::ListProductsRequest::default()).await.unwrap().products.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_reads_and_a_bad_token_is_refused_even_then() {
    let shop = Shop::with_category("bolts").await;
    let added = shop.add(product("A", "bolts")).await;
    let get = pb::GetProductRequest { id: added.id };
    assert!(shop.client.clone().get_product(get.clone()).await.is_ok());
    assert!(shop.client.clone().get_product(shop.buyer(get.clone())).await.is_ok());
    let forged = platform::testing::Issuer::with_token(get, "not.a.token");
    assert_eq!(shop.client.clone().get_product(forged).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_can_not_be_is_refused_by_field() {
    let shop = Shop::with_category("bolts").await;
    let good = || product("A", "bolts");
    let cases = [
        ("product.sku", pb::Product { sku: "no good".into(), ..good() }),
        ("product.sku", pb::Product { sku: "x".repeat(65), ..good() }),
        ("product.name", pb::Product { name: String::new(), ..good() }),
        ("product.name", pb::Product { name: "ä".repeat(201), ..good() }),
        ("product.name", pb::Product { name: "two\nlines".into(), ..good() }),
        ("product.description", pb::Product { description: "\0".into(), ..good() }),
        ("product.description", pb::Product { description: "x".repeat(20_001), ..good() }),
        ("product.brand", pb::Product { brand: "x".repeat(101), ..good() }),
        ("product.unit", pb::Product { unit: "x".repeat(41), ..good() }),
        ("product.category_id", pb::Product { category_id: "No Slug".into(), ..good() }),
        ("product.price", pb::Product { price: None, ..good() }),
        ("product.price.minor_units", pb::Product { price: euro(i64::MIN), ..good() }),
        ("product.price.minor_units", pb::Product { price: euro(1_000_000_000_001), ..good() }),
    ];
    for (named, case) in cases {
        let status = shop.create(case).await.unwrap_err();
        let found = (status.code(), reason(&status), field(&status));
        assert_eq!(found, (Code::InvalidArgument, "INVALID_FIELD".into(), named.into()));
    }
    let longest = pb::Product { name: "ä".repeat(200), description: "😀".repeat(20_000), ..good() };
    let added = shop.add(longest.clone()).await;
    assert_eq!((added.name, added.description), (longest.name, longest.description));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_names_nothing_is_refused_by_field() {
    let shop = Shop::open().await;
    let mut client = shop.client.clone();
    let status = client.create_product(shop.seller(pb::CreateProductRequest::default())).await.unwrap_err();
    assert_eq!(field(&status), "product");
    let status = client.get_product(pb::GetProductRequest { id: "17".into() }).await.unwrap_err();
    assert_eq!((status.code(), field(&status).as_str()), (Code::InvalidArgument, "id"));
    let status = client.batch_get_products(pb::BatchGetProductsRequest::default()).await.unwrap_err();
    assert_eq!(field(&status), "ids");
    let status =
        shop.update(pb::Product { id: Uuid::now_v7().to_string(), ..Default::default() }, &["sku"]).await;
    assert_eq!(field(&status.unwrap_err()), "update_mask");
    let request = pb::CreateCategoryRequest { category: Some(category("No Slug", "")), ..Default::default() };
    assert_eq!(field(&client.create_category(shop.seller(request)).await.unwrap_err()), "category.id");
    let request = pb::CreateProductRequest { product: None, request_id: "with space".into() };
    assert_eq!(field(&client.create_product(shop.seller(request)).await.unwrap_err()), "request_id");
}

/// Bytes on the wire that are no message: a codec of the test's own sends them as they are.
mod raw {
    use bytes::BufMut as _;
    use tonic::{
        Status,
        codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    };

    #[derive(Default)]
    pub(super) struct Raw;

    impl Codec for Raw {
        type Encode = Vec<u8>;
        type Decode = ();
        type Encoder = Self;
        type Decoder = Self;

        fn encoder(&mut self) -> Self {
            Self
        }

        fn decoder(&mut self) -> Self {
            Self
        }
    }

    impl Encoder for Raw {
        type Item = Vec<u8>;
        type Error = Status;

        fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
            buffer.put_slice(&item);
            Ok(())
        }
    }

    impl Decoder for Raw {
        type Item = ();
        type Error = Status;

        fn decode(&mut self, _: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
            Ok(Some(()))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_message_end_their_call_and_nothing_else() {
    let shop = Shop::open().await;
    let url = shop.url();
    let channel = tonic::transport::Endpoint::try_from(url).unwrap().connect().await.unwrap();
    let mut raw = tonic::client::Grpc::new(channel).max_encoding_message_size(64 << 20);
    // Field 1 of GetProductRequest with text that is not UTF-8; a length beyond the end; and more than a message may have.
    for bytes in [b"\x0a\x02\xff\xfe".to_vec(), b"\x0a\x7f\x61".to_vec(), vec![0x0a; 17 << 20]] {
        raw.ready().await.unwrap();
        let path = http::uri::PathAndQuery::from_static("/sipup.catalog.v1.CatalogService/GetProduct");
        let status = raw.unary(tonic::Request::new(bytes), path, raw::Raw).await.unwrap_err();
        let expected = [Code::Internal, Code::InvalidArgument, Code::OutOfRange, Code::ResourceExhausted];
        assert!(expected.contains(&status.code()), "{status:?}");
    }
    assert!(shop.list(pb::ListProductsRequest::default()).await.is_ok());
}

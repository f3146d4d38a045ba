//! Files on their way into a catalogue.

use std::{
    collections::HashSet,
    io::Cursor,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use catalog::import::{
    BadRow, Format, Item,
    upload::{Catalogue, Event, Failure, Options, Totals, Upload},
};
use proto::catalog::v1::{self as pb, ConflictPolicy};
use tokio::sync::mpsc;
use tonic::{Code, Status};

use crate::support::{Shop, euro};

/// The catalogue of a shop, written to by its seller. Watches how it is used.
struct Door<'a> {
    shop: &'a Shop,
    inside: AtomicUsize,
    most: AtomicUsize,
    batches: Mutex<Vec<usize>>,
}

impl<'a> Door<'a> {
    fn of(shop: &'a Shop) -> Self {
        Self { shop, inside: AtomicUsize::new(0), most: AtomicUsize::new(0), batches: Mutex::default() }
    }
}

impl Catalogue for Door<'_> {
    async fn add_category(&self, request: pb::CreateCategoryRequest) -> Result<(), Status> {
        self.shop.client.clone().create_category(self.shop.seller(request)).await.map(drop)
    }

    async fn put(
        &self,
        request: pb::BatchCreateProductsRequest,
    ) -> Result<pb::BatchCreateProductsResponse, Status> {
        self.batches.lock().unwrap().push(request.products.len());
        self.most.fetch_max(self.inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let answer = self.shop.client.clone().batch_create_products(self.shop.seller(request)).await;
        self.inside.fetch_sub(1, Ordering::SeqCst);
        Ok(answer?.into_inner())
    }
}

fn options(batch: usize, in_flight: usize, policy: ConflictPolicy) -> Options {
    Options { batch, in_flight, policy, run: uuid::Uuid::now_v7().simple().to_string() }
}

fn reading(format: Format, file: String) -> mpsc::Receiver<Item> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        for item in catalog::import::rows(format, Cursor::new(file)) {
            if sender.blocking_send(item).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn import(
    door: &impl Catalogue,
    format: Format,
    file: String,
    options: Options,
) -> (Result<(), Failure>, Totals, Vec<BadRow>) {
    let mut refused = Vec::new();
    let mut upload = Upload::new(door, options, |event| {
        if let Event::Refused(bad) = event {
            refused.push(bad.clone());
        }
    });
    let outcome = upload.run(reading(format, file)).await;
    let totals = upload.totals();
    drop(upload);
    (outcome, totals, refused)
}

async fn by_sku(shop: &Shop, sku: &str) -> pb::Product {
    let request = pb::BatchGetProductsRequest { ids: Vec::new(), skus: vec![sku.to_owned()] };
    shop.client.clone().batch_get_products(request).await.unwrap().into_inner().products.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_messy_file_goes_in_but_for_its_bad_rows() {
    let shop = Shop::with_category("hex-bolts").await;
    let file = "sku,name,category,price,brand\n\
                A,\"Bolt, \"\"hex\"\"\",Hex Bolts,1.50,Ärmel\n\
                no good,x,Hex Bolts,1,\n\
                B,,Hex Bolts,1,\n\
                C,Pipe,Pipes & Tubes,1.999,\n\
                D,Pipe,Pipes & Tubes,10000000000,\n";
    let policy = ConflictPolicy::Reject;
    let (outcome, totals, refused) =
        import(&Door::of(&shop), Format::Csv, file.into(), options(2, 2, policy)).await;
    outcome.unwrap();
    assert_eq!(totals, Totals { created: 2, refused: 3, ..Totals::default() });
    let refused: Vec<(u64, &str)> = refused.iter().map(|bad| (bad.line, bad.field.as_str())).collect();
    assert_eq!(refused, [(3, "sku"), (4, "name"), (5, "price")]);
    let bolt = by_sku(&shop, "A").await;
    assert_eq!(
        (bolt.name.as_str(), bolt.price.clone(), bolt.brand.as_str()),
        ("Bolt, \"hex\"", euro(150), "Ärmel")
    );
    let request = pb::GetCategoryRequest { id: "pipes-tubes".into() };
    let category = shop.client.clone().get_category(request).await.unwrap().into_inner().category.unwrap();
    assert_eq!(category.name, "Pipes & Tubes");

    // The same file again: what is there is refused now, by the catalogue, with the line of the file.
    let file = "sku,name,category,price\nA,x,Hex Bolts,1\n";
    let (outcome, totals, refused) =
        import(&Door::of(&shop), Format::Csv, file.into(), options(2, 2, policy)).await;
    outcome.unwrap();
    assert_eq!((totals.refused, refused[0].line, refused[0].field.as_str()), (1, 2, "sku"));
    assert!(refused[0].problem.contains("SKU_TAKEN"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rows_with_one_sku_the_later_is_put_later() {
    let shop = Shop::open().await;
    let lines = |price: fn(usize) -> usize| {
        let rows = (0..2_000).map(|n| {
            format!(
                "{{\"sku\":\"S{}\",\"name\":\"n\",\"category\":\"c\",\"price\":{}}}\n",
                n * 7 % 150,
                price(n)
            )
        });
        rows.collect::<String>()
    };
    let door = Door::of(&shop);
    let (outcome, totals, _) =
        import(&door, Format::Jsonl, lines(|n| n), options(40, 8, ConflictPolicy::Update)).await;
    outcome.unwrap();
    assert_eq!((totals.created, totals.rows(), totals.refused), (150, 2_000, 0));
    for sku in 0..150 {
        let last = (0..2_000).rev().find(|n| n * 7 % 150 == sku).unwrap();
        let cents = i64::from(last * 100);
        assert_eq!(by_sku(&shop, &format!("S{sku}")).await.price, euro(cents), "S{sku}");
    }
    let (outcome, totals, _) =
        import(&door, Format::Jsonl, lines(|_| 1), options(40, 8, ConflictPolicy::Skip)).await;
    outcome.unwrap();
    assert_eq!(totals, Totals { unchanged: 2_000, ..Totals::default() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_index_of_thousands_goes_in_with_several_batches_in_flight() {
    let shop = Shop::open().await;
    let stanza = |n: usize| {
        let long = "Ünïcödé text, \"quoted\". ".repeat(n % 40);
        let size = if n % 500 == 3 { "?".to_owned() } else { n.to_string() };
        format!(
            "Package: package-{n}\nInstalled-Size: {size}\nMaintainer: Team {} <team@example.org>\nSection: {}\n\
             Description: Package number {n}\n Text: {long}\n .\n the end\n\n",
            n % 30,
            ["libs", "universe/net", "Größe"][n % 3],
        )
    };
    let file: String = (0..5_000).map(stanza).collect();
    let door = Door::of(&shop);
    let policy = ConflictPolicy::Update;
    let (outcome, totals, refused) =
        import(&door, Format::DebianIndex, file.clone(), options(500, 4, policy)).await;
    outcome.unwrap();
    assert_eq!(totals, Totals { created: 4_990, refused: 10, ..Totals::default() });
    assert!(refused.iter().all(|bad| bad.field == "price" && (bad.line - 1) % 9 == 0), "{refused:?}");
    assert!(door.most.load(Ordering::SeqCst) > 1, "never two batches at once");
    assert!(door.batches.lock().unwrap().iter().all(|rows| *rows <= 500));
    let (outcome, again, _) = import(&door, Format::DebianIndex, file, options(500, 4, policy)).await;
    outcome.unwrap();
    assert_eq!((again.unchanged, again.created), (4_990, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_enormous_text_go_in_smaller_batches() {
    let shop = Shop::open().await;
    let text = "ä".repeat(20_000);
    let row = |n| {
        format!(
            "{{\"sku\":\"S{n}\",\"name\":\"n\",\"category\":\"c\",\"price\":1,\"description\":\"{text}\"}}"
        )
    };
    let file = (0..200).map(row).collect::<Vec<_>>().join("\n");
    let door = Door::of(&shop);
    let options = options(1_000, 2, ConflictPolicy::Reject);
    let (outcome, totals, _) = import(&door, Format::Jsonl, file, options).await;
    outcome.unwrap();
    assert_eq!(totals.created, 200);
    assert!(door.batches.lock().unwrap().len() >= 4);
}

/// Refuses every batch but the first, and remembers what it was asked.
struct Closing(Mutex<Vec<String>>);

impl Catalogue for Closing {
    async fn add_category(&self, _: pb::CreateCategoryRequest) -> Result<(), Status> {
        Err(Status::already_exists("there is one"))
    }

    async fn put(
        &self,
        request: pb::BatchCreateProductsRequest,
    ) -> Result<pb::BatchCreateProductsResponse, Status> {
        let mut asked = self.0.lock().unwrap();
        asked.push(request.request_id);
        if asked.len() > 1 {
            return Err(Status::permission_denied("closed"));
        }
        let created =
            pb::BatchCreateProductsResult { outcome: pb::RowOutcome::Created.into(), ..Default::default() };
        Ok(pb::BatchCreateProductsResponse {
            results: vec![created; request.products.len()],
            ..Default::default()
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_refused_ends_the_import_and_says_from_where_on() {
    let rows =
        (0..10).map(|n| format!("{{\"sku\":\"S{n}\",\"name\":\"n\",\"category\":\"c\",\"price\":1}}\n"));
    let door = Closing(Mutex::default());
    let options = options(3, 1, ConflictPolicy::Update);
    let (outcome, totals, _) = import(&door, Format::Jsonl, rows.collect(), options).await;
    match outcome.unwrap_err() {
        Failure::Batch { line, status } => assert_eq!((line, status.code()), (4, Code::PermissionDenied)),
        other => panic!("{other}"),
    }
    assert_eq!(totals, Totals { created: 3, ..Totals::default() });
    let asked = door.0.into_inner().unwrap();
    assert_eq!(asked.iter().collect::<HashSet<_>>().len(), asked.len());
}

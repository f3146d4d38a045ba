//! Rows on their way into a catalogue: in batches, several in flight.
//!
//! Two batches in flight never hold the same SKU, so that of two rows with one SKU the later is put later, and the policy alone decides
//! which one stays. Such rows are set aside until what they wait for has ended.

use std::collections::{HashSet, VecDeque};

use futures::{
    StreamExt as _,
    future::{BoxFuture, FutureExt as _},
    stream::FuturesUnordered,
};
use proto::catalog::v1 as pb;
use tokio::sync::mpsc;
use tonic::{Code, Status};

use super::{BadRow, Error, Item, Row};
use crate::{category::CategoryId, product::Sku};

/// The most bytes of text that a batch holds: far below what a request may have.
const MAX_BATCH_BYTES: usize = 2 << 20;

/// Where rows go to. Calls are tried again by whoever implements this; a request says by its `request_id` that it is the same.
pub trait Catalogue: Sync {
    /// Adds a category.
    fn add_category(
        &self,
        request: pb::CreateCategoryRequest,
    ) -> impl Future<Output = Result<(), Status>> + Send;

    /// Puts a batch of products.
    fn put(
        &self,
        request: pb::BatchCreateProductsRequest,
    ) -> impl Future<Output = Result<pb::BatchCreateProductsResponse, Status>> + Send;
}

/// How rows are sent.
#[derive(Clone, Debug)]
pub struct Options {
    /// Rows in one batch, 1 to 5,000.
    pub batch: usize,
    /// Batches in flight at once, at least 1.
    pub in_flight: usize,
    /// What to do with rows whose SKU exists.
    pub policy: pb::ConflictPolicy,
    /// Tells this run's requests from those of every other, in up to 40 visible characters.
    pub run: String,
}

/// What became of the rows so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows that added a product.
    pub created: u64,
    /// Rows that changed one.
    pub updated: u64,
    /// Rows that had nothing to change, or were to leave it.
    pub unchanged: u64,
    /// Rows refused, by the reader or by the catalogue.
    pub refused: u64,
}

impl Totals {
    /// All rows of which it is known what became of them.
    pub fn rows(&self) -> u64 {
        self.created + self.updated + self.unchanged + self.refused
    }
}

/// Why an upload ended before the file did. What was put stays.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The file can't be read on.
    #[error(transparent)]
    File(#[from] Error),
    /// The catalogue refused a batch as a whole.
    #[error("the rows from line {line} on were not taken: {}", .status.message())]
    Batch {
        /// Where the batch begins.
        line: u64,
        /// Why. Its message stands in this error's: the text of a status itself is for programs.
        status: Status,
    },
    /// The catalogue refused a category.
    #[error("the category {id} was not added: {}", .status.message())]
    Category {
        /// Its id.
        id: CategoryId,
        /// Why. Its message stands in this error's: the text of a status itself is for programs.
        status: Status,
    },
}

/// An upload under way.
pub struct Upload<'a, C, F> {
    catalogue: &'a C,
    options: Options,
    /// Called for each row that is refused, and with the totals after each batch.
    watch: F,
    totals: Totals,
    batch: Batch,
    /// Rows that wait for one with the same SKU.
    aside: VecDeque<Row>,
    flying: FuturesUnordered<BoxFuture<'a, (Sent, Result<pb::BatchCreateProductsResponse, Status>)>>,
    /// SKUs of all that is under way: in the batch, in flight, set aside.
    busy: HashSet<Sku>,
    categories: HashSet<CategoryId>,
    batches: u64,
}

/// News of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A row was refused.
    Refused(&'a BadRow),
    /// A batch has ended.
    Progress(Totals),
}

#[derive(Debug, Default)]
struct Batch {
    rows: Vec<Row>,
    bytes: usize,
}

/// Which rows a batch had.
struct Sent(Vec<(u64, Sku)>);

impl<C, F> std::fmt::Debug for Upload<'_, C, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload")
            .field("options", &self.options)
            .field("totals", &self.totals)
            .finish_non_exhaustive()
    }
}

impl<'a, C: Catalogue, F: FnMut(Event<'_>)> Upload<'a, C, F> {
    /// An upload of nothing yet.
    pub fn new(catalogue: &'a C, options: Options, watch: F) -> Self {
        Self {
            catalogue,
            options,
            watch,
            totals: Totals::default(),
            batch: Batch::default(),
            aside: VecDeque::new(),
            flying: FuturesUnordered::new(),
            busy: HashSet::new(),
            categories: HashSet::new(),
            batches: 0,
        }
    }

    /// What became of the rows so far; also after a failure.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Sends all rows that come out of `rows`.
    ///
    /// # Errors
    ///
    /// Why it ended early.
    pub async fn run(&mut self, mut rows: mpsc::Receiver<Item>) -> Result<(), Failure> {
        loop {
            tokio::select! {
                Some((sent, answer)) = self.flying.next() => self.settle(sent, answer)?,
                item = rows.recv() => match item {
                    None => return self.finish().await,
                    Some(Err(error)) => {
                        self.finish().await?;
                        return Err(error.into());
                    }
                    Some(Ok(Err(bad))) => self.refuse(&bad),
                    Some(Ok(Ok(row))) => self.take(row).await?,
                },
            }
        }
    }

    async fn take(&mut self, row: Row) -> Result<(), Failure> {
        if !self.busy.insert(row.product.sku.clone()) {
            self.aside.push_back(row);
            if self.aside.len() >= self.options.batch {
                self.land().await?;
            }
            return Ok(());
        }
        let bytes = row.product.name.len() + row.product.description.len() + row.product.brand.len();
        if self.batch.bytes + bytes > MAX_BATCH_BYTES {
            self.send().await?;
        }
        self.batch.bytes += bytes;
        self.batch.rows.push(row);
        if self.batch.rows.len() >= self.options.batch { self.send().await } else { Ok(()) }
    }

    /// Waits until nothing is under way, then takes what was set aside: of each SKU the first row now, the others wait again.
    async fn land(&mut self) -> Result<(), Failure> {
        self.send().await?;
        while let Some((sent, answer)) = self.flying.next().await {
            self.settle(sent, answer)?;
        }
        self.busy.clear();
        for row in std::mem::take(&mut self.aside) {
            // Boxed, for it leads back here.
            Box::pin(self.take(row)).await?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        loop {
            self.land().await?;
            if self.batch.rows.is_empty() && self.flying.is_empty() && self.aside.is_empty() {
                return Ok(());
            }
        }
    }

    /// Sends the batch when there is room for it, its categories first.
    async fn send(&mut self) -> Result<(), Failure> {
        let batch = std::mem::take(&mut self.batch);
        let Some(first) = batch.rows.first() else { return Ok(()) };
        let line = first.line;
        for row in &batch.rows {
            self.add_category(row).await?;
        }
        while self.flying.len() >= self.options.in_flight.max(1)
            && let Some((sent, answer)) = self.flying.next().await
        {
            self.settle(sent, answer)?;
        }
        self.batches += 1;
        tracing::debug!(number = self.batches, rows = batch.rows.len(), line, "sending a batch");
        let request = pb::BatchCreateProductsRequest {
            products: batch.rows.iter().map(Row::to_message).collect(),
            conflict_policy: self.options.policy.into(),
            request_id: format!("import-{}-{}", self.options.run, self.batches),
        };
        let sent = Sent(batch.rows.into_iter().map(|row| (row.line, row.product.sku)).collect());
        let catalogue = self.catalogue;
        self.flying.push(async move { (sent, catalogue.put(request).await) }.boxed());
        Ok(())
    }

    /// Adds the category of `row` unless this upload knows it.
    async fn add_category(&mut self, row: &Row) -> Result<(), Failure> {
        let id = &row.product.category_id;
        if self.categories.contains(id) {
            return Ok(());
        }
        let category =
            pb::Category { id: id.to_string(), name: row.category_name.clone(), ..pb::Category::default() };
        let request_id = format!("import-{}-{id}", self.options.run);
        let added = self
            .catalogue
            .add_category(pb::CreateCategoryRequest { category: Some(category), request_id })
            .await;
        match added {
            Err(status) if status.code() != Code::AlreadyExists => {
                Err(Failure::Category { id: id.clone(), status })
            }
            _ => {
                self.categories.insert(id.clone());
                Ok(())
            }
        }
    }

    /// Counts what became of a batch.
    fn settle(
        &mut self,
        Sent(rows): Sent,
        answer: Result<pb::BatchCreateProductsResponse, Status>,
    ) -> Result<(), Failure> {
        let first = rows.first().map_or(0, |(line, _)| *line);
        let answer = answer.map_err(|status| Failure::Batch { line: first, status })?;
        for ((line, sku), result) in rows.into_iter().zip(answer.results) {
            if !self.aside.iter().any(|row| row.product.sku == sku) {
                self.busy.remove(&sku);
            }
            match result.outcome() {
                pb::RowOutcome::Created => self.totals.created += 1,
                pb::RowOutcome::Updated => self.totals.updated += 1,
                pb::RowOutcome::Unchanged => self.totals.unchanged += 1,
                // No row of an import takes anything away.
                pb::RowOutcome::Unspecified | pb::RowOutcome::Removed | pb::RowOutcome::Rejected => {
                    self.refuse(&refused(line, result));
                }
            }
        }
        (self.watch)(Event::Progress(self.totals));
        Ok(())
    }

    fn refuse(&mut self, bad: &BadRow) {
        self.totals.refused += 1;
        (self.watch)(Event::Refused(bad));
    }
}

/// The catalogue's refusal of the row on `line`, in the words of the file.
fn refused(line: u64, result: pb::BatchCreateProductsResult) -> BadRow {
    let field = match result.field.as_str() {
        "category_id" => "category".to_owned(),
        "price.minor_units" => "price".to_owned(),
        "price.currency_code" => "currency".to_owned(),
        "" => "row".to_owned(),
        _ => result.field,
    };
    BadRow { line, field, problem: format!("{} ({})", result.message, result.reason) }
}

//! Why the catalogue refuses a call.

use platform::{Code, Details, Invalid, ServiceError, db, idempotency};
use tonic::Status;
use uuid::Uuid;

use crate::{category::CategoryId, price_list::PriceListId, product::Sku};

/// Every way in which a call to the catalogue can fail. The reasons are those of the contract's `ErrorReason`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the request is not valid.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// No product has this id.
    #[error("there is no product {id}")]
    ProductNotFound {
        /// The id.
        id: Uuid,
    },
    /// Another product has this SKU.
    #[error("there is a product with the SKU {sku} already")]
    SkuTaken {
        /// The SKU.
        sku: Sku,
    },
    /// No category has the id that the call is about.
    #[error("there is no category {id}")]
    CategoryNotFound {
        /// The id.
        id: CategoryId,
    },
    /// No category has the id that a product or another category is to stand in.
    #[error("there is no category {id} to put this in")]
    ShelfNotFound {
        /// The id.
        id: CategoryId,
    },
    /// A category has this id already.
    #[error("there is a category {id} already")]
    CategoryExists {
        /// The id.
        id: CategoryId,
    },
    /// The category holds products or other categories.
    #[error("the category {id} is not empty")]
    CategoryNotEmpty {
        /// The id.
        id: CategoryId,
    },
    /// The category would stand below itself, or more than ten levels deep.
    #[error("the category {id} would stand below itself or more than ten levels deep")]
    CategoryCycle {
        /// The id.
        id: CategoryId,
    },
    /// No price list has this id.
    #[error("there is no price list {id}")]
    PriceListNotFound {
        /// The id.
        id: PriceListId,
    },
    /// A price list has this id already.
    #[error("there is a price list {id} already")]
    PriceListExists {
        /// The id.
        id: PriceListId,
    },
    /// The price list holds for a company.
    #[error("the price list {id} holds for a company")]
    PriceListInUse {
        /// The id.
        id: PriceListId,
    },
    /// The caller may not ask for another company.
    #[error("only the seller may ask for the prices of another company")]
    CompanyNotAllowed,
    /// The resource was changed since it was read.
    #[error("{what} was changed since it was read")]
    EtagMismatch {
        /// The resource, for people.
        what: String,
    },
    /// The idempotency key can't be used.
    #[error(transparent)]
    Idempotency(#[from] idempotency::Error),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
}

impl ServiceError for Error {
    const DOMAIN: &'static str = "catalog.sipup";

    fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidArgument,
            Self::ProductNotFound { .. } | Self::CategoryNotFound { .. } | Self::PriceListNotFound { .. } => {
                Code::NotFound
            }
            Self::SkuTaken { .. } | Self::CategoryExists { .. } | Self::PriceListExists { .. } => {
                Code::AlreadyExists
            }
            Self::ShelfNotFound { .. }
            | Self::CategoryNotEmpty { .. }
            | Self::CategoryCycle { .. }
            | Self::PriceListInUse { .. } => Code::FailedPrecondition,
            Self::CompanyNotAllowed => Code::PermissionDenied,
            Self::EtagMismatch { .. } => Code::Conflict,
            Self::Idempotency(error) => error.code(),
            Self::Db(error) => error.code(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_FIELD",
            Self::ProductNotFound { .. } => "PRODUCT_NOT_FOUND",
            Self::SkuTaken { .. } => "SKU_TAKEN",
            Self::CategoryNotFound { .. } | Self::ShelfNotFound { .. } => "CATEGORY_NOT_FOUND",
            Self::CategoryExists { .. } => "CATEGORY_EXISTS",
            Self::CategoryNotEmpty { .. } => "CATEGORY_NOT_EMPTY",
            Self::CategoryCycle { .. } => "CATEGORY_CYCLE",
            Self::PriceListNotFound { .. } => "PRICE_LIST_NOT_FOUND",
            Self::PriceListExists { .. } => "PRICE_LIST_EXISTS",
            Self::PriceListInUse { .. } => "PRICE_LIST_IN_USE",
            Self::CompanyNotAllowed => "COMPANY_NOT_ALLOWED",
            Self::EtagMismatch { .. } => "ETAG_MISMATCH",
            Self::Idempotency(error) => error.reason(),
            Self::Db(_) => "DATABASE",
        }
    }

    fn details(&self) -> Details {
        let fields = match self {
            Self::Invalid(invalid) => vec![invalid.clone()],
            Self::Idempotency(idempotency::Error::KeyReused) => {
                vec![Invalid::new("request_id", self.to_string())]
            }
            _ => Vec::new(),
        };
        Details { fields, resource: self.resource(), ..Details::default() }
    }
}

impl Error {
    fn resource(&self) -> Option<(&'static str, String)> {
        const PRODUCT: &str = "sipup.catalog.v1.Product";
        const CATEGORY: &str = "sipup.catalog.v1.Category";
        const PRICE_LIST: &str = "sipup.catalog.v1.PriceList";
        match self {
            Self::ProductNotFound { id } => Some((PRODUCT, id.to_string())),
            Self::SkuTaken { sku } => Some((PRODUCT, sku.to_string())),
            Self::CategoryNotFound { id }
            | Self::ShelfNotFound { id }
            | Self::CategoryExists { id }
            | Self::CategoryNotEmpty { id }
            | Self::CategoryCycle { id } => Some((CATEGORY, id.to_string())),
            Self::PriceListNotFound { id } | Self::PriceListExists { id } | Self::PriceListInUse { id } => {
                Some((PRICE_LIST, id.to_string()))
            }
            Self::Invalid(_)
            | Self::CompanyNotAllowed
            | Self::EtagMismatch { .. }
            | Self::Idempotency(_)
            | Self::Db(_) => None,
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        platform::status::to_status(&error)
    }
}

#[cfg(test)]
mod tests {
    use proto::catalog::v1::ErrorReason;

    use super::*;

    #[test]
    fn every_reason_is_in_the_contract() {
        let id = || CategoryId::parse("id", "a").unwrap();
        let list = || PriceListId::parse("id", "a").unwrap();
        let sku = Sku::parse("A").unwrap();
        let errors = [
            Error::Invalid(Invalid::new("a", "b")),
            Error::ProductNotFound { id: Uuid::nil() },
            Error::SkuTaken { sku },
            Error::CategoryNotFound { id: id() },
            Error::ShelfNotFound { id: id() },
            Error::CategoryExists { id: id() },
            Error::CategoryNotEmpty { id: id() },
            Error::CategoryCycle { id: id() },
            Error::PriceListNotFound { id: list() },
            Error::PriceListExists { id: list() },
            Error::PriceListInUse { id: list() },
            Error::CompanyNotAllowed,
            Error::EtagMismatch { what: "it".into() },
        ];
        for error in errors {
            let name = format!("ERROR_REASON_{}", error.reason());
            assert!(ErrorReason::from_str_name(&name).is_some(), "{name}");
        }
    }
}

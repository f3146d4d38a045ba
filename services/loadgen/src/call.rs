//! One call: what is sent, what came back, and what to think of it. The same for both transports.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    orders_report::{File, NOT_MADE, Report, ReportWish},
    price::Priced,
    scenario::Step,
    user::User,
};

/// How a call travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Over a shared HTTP/2 connection.
    Grpc,
    /// JSON over HTTP/1.1.
    Rest,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpc => "gRPC",
            Self::Rest => "REST",
        })
    }
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Auth,
    Catalog,
    Orders,
    Jobs,
}

/// What is sent. Products are named by their number in the [`World`](crate::world::World).
#[derive(Clone, Debug)]
pub(crate) enum Call {
    List {
        category: usize,
    },
    Search {
        max_price: i64,
    },
    View {
        product: u32,
    },
    /// Products and quantities.
    Prices {
        items: Vec<(u32, i32)>,
    },
    Order(Arc<Wish>),
    ReadOrder {
        id: String,
    },
    Watch {
        id: String,
    },
    History,
    AskReport(Arc<ReportWish>),
    LookAtReport {
        id: String,
    },
    Download {
        id: String,
    },
    Reports,
    Me,
}

/// An order to be placed, and the key that makes sending it again safe.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) key: Uuid,
    pub(crate) items: Vec<WishedItem>,
}

/// One item of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WishedItem {
    pub(crate) product: u32,
    pub(crate) quantity: i32,
    /// What the user was told that one unit costs.
    pub(crate) told: Option<i64>,
}

impl Call {
    /// How this call of `user` travels: a watch is a stream of gRPC, whatever its user speaks otherwise.
    pub(crate) fn transport(&self, user: &User) -> Transport {
        if matches!(self, Self::Watch { .. }) { Transport::Grpc } else { user.transport }
    }

    /// Whether it is about something that the user was told exists.
    pub(crate) fn is_of_own(&self) -> bool {
        matches!(self, Self::ReadOrder { .. } | Self::LookAtReport { .. } | Self::Download { .. })
    }

    pub(crate) fn service(&self) -> Service {
        match self {
            Self::List { .. } | Self::Search { .. } | Self::View { .. } | Self::Prices { .. } => {
                Service::Catalog
            }
            Self::Order(_) | Self::ReadOrder { .. } | Self::Watch { .. } | Self::History => Service::Orders,
            Self::AskReport(_) | Self::LookAtReport { .. } | Self::Download { .. } | Self::Reports => {
                Service::Jobs
            }
            Self::Me => Service::Auth,
        }
    }

    pub(crate) fn step(&self) -> Step {
        match self {
            Self::List { .. } => Step::List,
            Self::Search { .. } => Step::Search,
            Self::View { .. } => Step::View,
            Self::Prices { .. } => Step::Prices,
            Self::Order(_) => Step::Order,
            Self::ReadOrder { .. } => Step::ReadOrder,
            Self::Watch { .. } => Step::Watch,
            Self::History => Step::History,
            Self::AskReport(_) => Step::Report,
            Self::LookAtReport { .. } => Step::AwaitReport,
            Self::Download { .. } => Step::DownloadReport,
            Self::Reports => Step::Reports,
            Self::Me => Step::Me,
        }
    }
}

/// What came back, as far as it is checked.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Product(Product),
    Products(Vec<Product>),
    Priced { items: Vec<Priced>, missing: usize },
    Order(Order),
    Orders(Vec<Order>),
    Report(Report),
    Reports(Vec<Report>),
    File(File),
    Me { user: String, company: String },
}

/// A product in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) id: String,
    pub(crate) sku: String,
    pub(crate) category: String,
    pub(crate) currency: String,
    /// Minor units.
    pub(crate) price: i64,
    /// When it last changed, in microseconds since 1970: rises with each version.
    pub(crate) version: i64,
}

/// An order in an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) company: String,
    pub(crate) buyer: String,
    /// Minor units.
    pub(crate) total: i64,
    /// Microseconds since 1970.
    pub(crate) created: i64,
    pub(crate) lines: Vec<Line>,
}

/// One line of an order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) quantity: i32,
    pub(crate) unit_price: i64,
    pub(crate) total: i64,
}

/// An answer, and the position in the database's history that came with it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) answer: Answer,
    pub(crate) position: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The status as gRPC spells it, `TIMEOUT` if this side gave up, `CONNECTION` if nothing came back, `UNREADABLE`.
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: String,
    /// The reason in the error's details, if there is one.
    pub(crate) reason: String,
    /// Whether nobody began to handle the call, because its connection was about to end.
    pub(crate) unsent: bool,
}

impl Failure {
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), reason: String::new(), unsent: false }
    }
}

/// What became of a call.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// Answered, and the answer is right.
    Right,
    /// Answered with a reason of the business: not enough in stock, or as many reports as may be are under way.
    Declined,
    /// Refused by a limit.
    Limited(Failure),
    /// Refused because a service has too much to do already.
    Shed(Failure),
    /// No answer, or an error.
    Failed(Failure),
    /// Answered, and the answer is wrong.
    Wrong(Failure),
}

impl Outcome {
    pub(crate) fn of(failure: Failure) -> Self {
        match (&*failure.code, &*failure.reason) {
            ("FAILED_PRECONDITION", "OUT_OF_STOCK") | ("RESOURCE_EXHAUSTED", "TOO_MANY_REPORTS") => {
                Self::Declined
            }
            ("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS") => Self::Shed(failure),
            ("RESOURCE_EXHAUSTED", _) => Self::Limited(failure),
            _ => Self::Failed(failure),
        }
    }

    /// What an answer is that did not pass its check.
    pub(crate) fn of_check(failure: Failure) -> Self {
        if failure.code == NOT_MADE { Self::Failed(failure) } else { Self::Wrong(failure) }
    }

    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Right | Self::Declined => None,
            Self::Limited(failure) | Self::Shed(failure) | Self::Failed(failure) | Self::Wrong(failure) => {
                Some(failure)
            }
        }
    }

    /// Whether the caller waited for the platform's work: refusals are quick and would flatter the percentiles.
    pub(crate) fn has_latency(&self) -> bool {
        match self {
            Self::Right | Self::Declined | Self::Wrong(_) => true,
            Self::Failed(failure) => failure.code == "TIMEOUT" || failure.code == "DEADLINE_EXCEEDED",
            Self::Limited(_) | Self::Shed(_) => false,
        }
    }
}

/// The names of status codes by number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The name of a status code.
pub(crate) fn code_name(code: i64) -> &'static str {
    usize::try_from(code).ok().and_then(|code| CODES.get(code)).copied().unwrap_or("UNKNOWN")
}

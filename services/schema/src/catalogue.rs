//! The schemas, their migrations and versions.

use std::fmt;

/// A schema of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Schema {
    /// Helpers shared by all services.
    Sipup,
    /// The job queue.
    Jobs,
    /// Products, categories and price lists.
    Catalog,
    /// Companies, users and sessions.
    Auth,
    /// Orders and stock.
    Orders,
}

/// A migration: its name, which begins with `V<number>__`, and its SQL.
pub(crate) type Migration = (&'static str, &'static str);

const SIPUP: &[Migration] =
    &[("V1__positions_and_partitions", include_str!("../migrations/sipup/V1__positions_and_partitions.sql"))];
const JOBS: &[Migration] = &[
    ("V1__tables", include_str!("../migrations/jobs/V1__tables.sql")),
    ("V2__functions", include_str!("../migrations/jobs/V2__functions.sql")),
    ("V3__access", include_str!("../migrations/jobs/V3__access.sql")),
    ("V4__reports", include_str!("../migrations/jobs/V4__reports.sql")),
];
const CATALOG: &[Migration] = &[
    ("V1__tables", include_str!("../migrations/catalog/V1__tables.sql")),
    ("V2__functions", include_str!("../migrations/catalog/V2__functions.sql")),
    ("V3__prices", include_str!("../migrations/catalog/V3__prices.sql")),
];
const AUTH: &[Migration] = &[
    ("V1__tables", include_str!("../migrations/auth/V1__tables.sql")),
    ("V2__access", include_str!("../migrations/auth/V2__access.sql")),
];
const ORDERS: &[Migration] = &[
    ("V1__tables", include_str!("../migrations/orders/V1__tables.sql")),
    ("V2__functions", include_str!("../migrations/orders/V2__functions.sql")),
    ("V3__access", include_str!("../migrations/orders/V3__access.sql")),
    ("V4__report_lines", include_str!("../migrations/orders/V4__report_lines.sql")),
];

impl Schema {
    /// All schemas, in the order in which they are migrated: each uses only those before it.
    pub const ALL: [Self; 5] = [Self::Sipup, Self::Jobs, Self::Catalog, Self::Auth, Self::Orders];

    /// The name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sipup => "sipup",
            Self::Jobs => "jobs",
            Self::Catalog => "catalog",
            Self::Auth => "auth",
            Self::Orders => "orders",
        }
    }

    /// The version that this program needs: the number of its newest migration.
    pub const fn required(self) -> i32 {
        match self {
            Self::Sipup => 1,
            Self::Auth => 2,
            Self::Catalog => 3,
            Self::Jobs | Self::Orders => 4,
        }
    }

    /// The oldest program that may run on [`required`](Self::required), said as the version that it needs. Raised when a migration
    /// takes away what older programs use.
    pub const fn compatible_from(self) -> i32 {
        match self {
            Self::Sipup | Self::Jobs | Self::Catalog | Self::Auth | Self::Orders => 1,
        }
    }

    /// The schemas that a service with this one also uses, itself among them.
    pub(crate) const fn uses(self) -> &'static [Self] {
        match self {
            Self::Sipup => &[Self::Sipup],
            Self::Catalog => &[Self::Sipup, Self::Auth, Self::Jobs, Self::Catalog],
            Self::Auth => &[Self::Sipup, Self::Jobs, Self::Auth],
            // Reports are made of orders.
            Self::Jobs | Self::Orders => &[Self::Sipup, Self::Auth, Self::Jobs, Self::Orders],
        }
    }

    pub(crate) const fn migrations(self) -> &'static [Migration] {
        match self {
            Self::Sipup => SIPUP,
            Self::Jobs => JOBS,
            Self::Catalog => CATALOG,
            Self::Auth => AUTH,
            Self::Orders => ORDERS,
        }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::Schema;

    #[test]
    fn migrations_are_numbered_from_one_without_gaps() {
        for schema in Schema::ALL {
            for (n, (name, _)) in schema.migrations().iter().enumerate() {
                assert!(name.starts_with(&format!("V{}__", n + 1)), "{schema}: {name}");
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_a_migration() {
        for schema in Schema::ALL {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(schema.name());
            let files: BTreeSet<_> = fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            let listed: BTreeSet<_> =
                schema.migrations().iter().map(|(name, _)| format!("{name}.sql")).collect();
            assert_eq!(files, listed, "{schema}");
        }
    }

    #[test]
    fn the_version_that_is_needed_is_that_of_the_newest_migration() {
        for schema in Schema::ALL {
            assert_eq!(usize::try_from(schema.required()), Ok(schema.migrations().len()), "{schema}");
        }
    }

    #[test]
    fn no_schema_excludes_the_program_that_made_it() {
        for schema in Schema::ALL {
            assert!(schema.compatible_from() <= schema.required(), "{schema}");
        }
    }
}

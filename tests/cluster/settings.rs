//! What the tests are told by their environment.

use std::{path::PathBuf, sync::LazyLock};

/// Where the tests run.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Repository and tag of the image under test.
    pub image: (String, String),
    /// Helm 3, where there is one, to install the second release with.
    pub helm3: Option<String>,
    /// The chart of an earlier version, to upgrade from.
    pub previous_chart: Option<PathBuf>,
    /// Namespace for everything; made and deleted by the tests.
    pub namespace: String,
}

impl Settings {
    /// The settings, or nothing where there is no cluster.
    pub(crate) fn get() -> Option<&'static Self> {
        static SETTINGS: LazyLock<Option<Settings>> = LazyLock::new(Settings::read);
        SETTINGS.as_ref()
    }

    /// The settings of a test that runs.
    pub(crate) fn here() -> &'static Self {
        Self::get().expect("tests run only where there is a cluster")
    }

    fn read() -> Option<Self> {
        let given = |name: &str| {
            #[expect(clippy::disallowed_methods, reason = "tests have no flags of their own")]
            std::env::var(name).ok().filter(|value| !value.is_empty())
        };
        given("SIPUP_TEST_CLUSTER")?;
        let image = given("SIPUP_TEST_IMAGE").unwrap_or_else(|| "sipup:dev".to_owned());
        let (repository, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
        Some(Self {
            image: (repository.to_owned(), tag.to_owned()),
            helm3: given("SIPUP_TEST_HELM3"),
            previous_chart: given("SIPUP_TEST_PREVIOUS_CHART").map(PathBuf::from),
            namespace: given("SIPUP_TEST_NAMESPACE").unwrap_or_else(|| "sipup-test".to_owned()),
        })
    }
}

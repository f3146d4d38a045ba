//! Who may call what.

use platform::{
    Allow::{self, Signed},
    Permissions,
};

const JOB_METHODS: &[(&str, Allow)] = &[("GetJob", Signed), ("ListJobs", Signed), ("CancelJob", Signed)];
const REPORT_METHODS: &[(&str, Allow)] =
    &[("CreateReport", Signed), ("GetReport", Signed), ("ListReports", Signed), ("DownloadReport", Signed)];

/// Jobs: everybody with a token; row-level security decides over which.
pub(crate) const JOBS: Permissions = Permissions::new("sipup.jobs.v1.JobService", JOB_METHODS);
/// Reports: likewise.
pub(crate) const REPORTS: Permissions = Permissions::new("sipup.jobs.v1.ReportService", REPORT_METHODS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_list_what_the_contract_has() {
        for table in [JOBS, REPORTS] {
            assert_eq!(table.differences(proto::DESCRIPTORS).unwrap(), Vec::<String>::new());
        }
    }
}

//! Who may call what.

use platform::{
    Allow::{self, Signed},
    Permissions,
};

const METHODS: &[(&str, Allow)] = &[("GetJob", Signed), ("ListJobs", Signed), ("CancelJob", Signed)];

/// Everybody with a token; row-level security decides over which jobs.
pub const PERMISSIONS: Permissions = Permissions::new("sipup.jobs.v1.JobService", METHODS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lists_what_the_contract_has() {
        assert_eq!(PERMISSIONS.differences(proto::DESCRIPTORS).unwrap(), Vec::<String>::new());
    }
}

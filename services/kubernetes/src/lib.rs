//! What talks to the API server: leases, secrets, the release that runs.

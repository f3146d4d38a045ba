//! The jobs service over gRPC, on a real Postgres, with a mail folder or a mail server of the test's own.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod api;
mod emails;
mod housekeeping;
mod mail;
mod queries;
mod reporting;
mod reports;
mod reports_failing;
mod reports_storage;
mod smtp;
mod support;

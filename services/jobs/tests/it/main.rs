//! The jobs service over gRPC, on a real Postgres, with a mail folder or a mail server of the test's own.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod api;
mod emails;
mod housekeeping;
mod mail;
mod queries;
mod smtp;
mod support;

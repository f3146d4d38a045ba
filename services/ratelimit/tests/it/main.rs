//! The service on a real Valkey.

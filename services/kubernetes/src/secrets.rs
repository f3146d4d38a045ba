//! Secrets of a release.

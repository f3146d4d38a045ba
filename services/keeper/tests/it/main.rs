//! Keepers of real nodes, whose addresses on loopback stand for those of pods.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod release;

mod creation;
mod losses;
mod moves;

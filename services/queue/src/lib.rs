#![doc = include_str!("../README.md")]

mod attempt;
mod enqueue;
mod error;
mod job;
mod lease;
mod maintain;
mod mark;
mod metrics;
mod pace;
mod record;
mod registry;
mod runner;
mod store;
mod worker;

pub use self::{
    enqueue::{EnqueueOptions, enqueue, enqueue_many},
    error::Error,
    job::{Handler, Job, JobContext, Outcome, Priority},
    maintain::Maintenance,
    registry::Registry,
    runner::{Workers, start},
    worker::{Worker, WorkerOptions},
};

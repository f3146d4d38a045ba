#![doc = include_str!("../README.md")]

mod attempt;
mod election;
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
mod schedule;
mod store;
mod worker;

pub use self::{
    election::{AdvisoryLock, Election, Work},
    enqueue::{EnqueueOptions, enqueue, enqueue_many},
    error::Error,
    job::{Handler, Job, JobContext, Outcome, Priority},
    maintain::Maintenance,
    registry::Registry,
    runner::{Workers, start},
    schedule::Schedule,
    worker::{Worker, WorkerOptions},
};

//! The threads that compute hashes. Few, of the pool's own, and each keeps the memory that it needs.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize, mpsc},
    thread,
};

use super::argon::Memory;

/// Something to be done on a thread, in that thread's memory.
type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// The threads. They end once this is dropped and all jobs are done.
#[derive(Debug)]
pub(super) struct Threads {
    jobs: mpsc::Sender<Job>,
}

impl Threads {
    /// Starts `count` threads, which add the blocks that they allocate to `allocated`.
    pub(super) fn start(count: usize, allocated: &Arc<AtomicUsize>) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..count {
            let (waiting, memory) = (Arc::clone(&waiting), Memory::new(allocated));
            thread::Builder::new()
                .name(format!("password-{number}"))
                .spawn(move || work(&waiting, memory))?;
        }
        Ok(Self { jobs })
    }

    /// Leaves `job` to the first thread that is free.
    pub(super) fn run(&self, job: impl FnOnce(&mut Memory) + Send + 'static) {
        // Threads end after this only, so there is always one that listens.
        let _ = self.jobs.send(Box::new(job));
    }
}

fn work(waiting: &Mutex<mpsc::Receiver<Job>>, mut memory: Memory) {
    while let Some(job) = next(waiting) {
        // A panic ends the job, whose caller notices, and not the thread.
        let _ = catch_unwind(AssertUnwindSafe(|| job(&mut memory)));
        memory.wipe();
    }
}

fn next(waiting: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

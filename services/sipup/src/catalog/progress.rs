//! How far an import is: a bar on a terminal, now and then a line elsewhere.

use std::{
    cell::Cell,
    io::{self, IsTerminal as _, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use catalog::import::upload::Totals;
use indicatif::{ProgressBar, ProgressStyle};

/// Time between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Counts what is read from a file.
pub(super) struct Counted<R> {
    file: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Counted<R> {
    pub(super) fn new(file: R) -> (Self, Arc<AtomicU64>) {
        let read = Arc::new(AtomicU64::new(0));
        (Self { file, read: Arc::clone(&read) }, read)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
        Ok(count)
    }
}

/// Shows how far an import is.
pub(super) struct Progress {
    /// None without a terminal.
    bar: Option<ProgressBar>,
    read: Arc<AtomicU64>,
    shown: Cell<Instant>,
}

impl Progress {
    /// Of a file of `size` bytes, if that is known, of which `read` have been read.
    pub(super) fn start(size: Option<u64>, read: Arc<AtomicU64>) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let (bar, style) = match size {
                Some(size) => (ProgressBar::new(size), "{bar:40} {bytes}/{total_bytes} {msg}"),
                None => (ProgressBar::new_spinner(), "{spinner} {bytes} {msg}"),
            };
            // The templates are constants that parse.
            bar.with_style(
                ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
            )
        });
        Self { bar, read, shown: Cell::new(Instant::now()) }
    }

    pub(super) fn show(&self, totals: Totals) {
        let text = format!("{} rows, {} refused", totals.rows(), totals.refused);
        if let Some(bar) = &self.bar {
            bar.set_position(self.read.load(Ordering::Relaxed));
            bar.set_message(text);
        } else if self.shown.get().elapsed() >= LINE_EVERY {
            self.shown.set(Instant::now());
            #[expect(clippy::print_stderr, reason = "a command speaks to whoever called it")]
            {
                eprintln!("{text}");
            }
        }
    }

    /// Lets `print` write to the terminal without the bar in its way.
    pub(super) fn aside(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

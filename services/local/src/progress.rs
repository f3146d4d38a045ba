//! Progress for people: bars on a terminal, plain lines elsewhere, nothing in tests.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Where progress is shown.
#[derive(Clone, Debug)]
pub enum Progress {
    /// Bars and spinners, for a terminal.
    Bars(MultiProgress),
    /// One line when a phase begins to take time and one when it ends, for logs.
    Lines,
    /// Nothing.
    Silent,
}

impl Progress {
    /// Bars if standard error is a terminal, else lines.
    pub fn on_stderr() -> Self {
        if std::io::stderr().is_terminal() { Self::Bars(MultiProgress::new()) } else { Self::Lines }
    }

    /// Begins a phase of unknown length, such as `Postgres`.
    pub fn phase(&self, name: &str) -> Phase {
        let bar = match self {
            Self::Bars(bars) => {
                let bar = bars.add(ProgressBar::new_spinner()).with_prefix(name.to_owned());
                bar.set_style(style("{spinner} {prefix:<22} {msg}"));
                bar.enable_steady_tick(Duration::from_millis(100));
                Some(bar)
            }
            Self::Lines | Self::Silent => None,
        };
        Phase { name: name.to_owned(), progress: self.clone(), bar, begun: Instant::now() }
    }

    /// Prints a line above the bars.
    pub fn line(&self, text: &str) {
        match self {
            // A terminal that went away is no reason to fail, here and below.
            Self::Bars(bars) => drop(bars.println(text)),
            Self::Lines => drop(writeln!(std::io::stderr(), "{text}")),
            Self::Silent => {}
        }
    }
}

/// One phase; dropped without [`Phase::done`] it disappears, and the error that ended it is what people read.
#[derive(Debug)]
pub struct Phase {
    name: String,
    progress: Progress,
    bar: Option<ProgressBar>,
    begun: Instant,
}

impl Phase {
    /// Turns the spinner into a bar over `total` bytes.
    pub fn bytes(&self, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_style(style("{spinner} {prefix:<22} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}"));
        } else {
            self.progress.line(&format!("{}: downloading {} MB", self.name, total / 1_000_000));
        }
    }

    /// Moves the bar.
    pub fn at(&self, position: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(position);
        }
    }

    /// Says what the phase is doing.
    pub fn doing(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
    }

    /// Ends the phase well.
    pub fn done(self, result: &str) {
        let took = self.begun.elapsed().as_secs_f32();
        let text = format!("{:<22} {result} ({took:.1} s)", self.name);
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.progress.line(&format!("✓ {text}"));
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants of this file; a typo in one costs the looks, not the run.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

//! Keeps the rules as the file is.

use std::{path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use platform::{Clock, Tasks};

use super::{DEFAULTS, Loaded, Problem, Problems, Rules};

/// How often the file is read: a changed limit holds within a second. Its text is compared, because a mounted `ConfigMap` is a link whose
/// time stamp says nothing.
const EVERY: Duration = Duration::from_millis(500);

/// The rules in force. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RuleBook(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    loaded: ArcSwap<Loaded>,
    clock: Clock,
}

impl RuleBook {
    /// These rules, for good.
    pub fn fixed(rules: Rules, clock: Clock) -> Self {
        let loaded = Loaded { rules: Arc::new(rules), at: clock.now(), problem: None };
        Self(Arc::new(Inner { loaded: ArcSwap::from_pointee(loaded), clock }))
    }

    /// The rules of `file`, now and after each change; without a file, the defaults.
    ///
    /// # Errors
    ///
    /// The file can't be read or is not valid. Later, that keeps the rules as they were.
    pub fn watch(file: Option<PathBuf>, clock: Clock, tasks: &Tasks) -> Result<Self, Problems> {
        let Some(path) = file else { return Ok(Self::fixed(Rules::parse(DEFAULTS)?, clock)) };
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Problems(vec![Problem { line: 0, text: format!("{}: {error}", path.display()) }])
        })?;
        let book = Self::fixed(Rules::parse(&text)?, clock);
        tasks.spawn_until_stop("rules", book.clone().follow(path, text));
        Ok(book)
    }

    /// What is in force.
    pub fn loaded(&self) -> Arc<Loaded> {
        self.0.loaded.load_full()
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.0.loaded.load().rules)
    }

    async fn follow(self, path: PathBuf, mut seen: String) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match tokio::fs::read_to_string(&path).await {
                Ok(text) if text == seen => {}
                Ok(text) => {
                    self.replace(&text);
                    seen = text;
                }
                // A ConfigMap that is being swapped is there again at the next look.
                Err(error) => {
                    self.keep(&error.to_string());
                    seen.clear();
                }
            }
        }
    }

    fn replace(&self, text: &str) {
        match Rules::parse(text) {
            Ok(rules) => {
                tracing::info!(rules = rules.iter().count(), "rules replaced");
                let loaded = Loaded { rules: Arc::new(rules), at: self.0.clock.now(), problem: None };
                self.0.loaded.store(Arc::new(loaded));
            }
            Err(problems) => self.keep(&problems.to_string()),
        }
    }

    fn keep(&self, problem: &str) {
        let loaded = self.0.loaded.load();
        if loaded.problem.as_deref() != Some(problem) {
            tracing::warn!(problem, "rules stay as they were");
            let problem = Some(problem.to_owned());
            self.0.loaded.store(Arc::new(Loaded { problem, ..Loaded::clone(&loaded) }));
        }
    }
}

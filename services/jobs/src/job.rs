//! Jobs as their owners see them.

use jiff::Timestamp;
use platform::Invalid;
use queue::Priority;
use uuid::Uuid;

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) id: Uuid,
    /// None: the system.
    pub(crate) company_id: Option<Uuid>,
    pub(crate) kind: String,
    pub(crate) queue: String,
    pub(crate) priority: Priority,
    pub(crate) state: State,
    pub(crate) attempt: i16,
    pub(crate) max_attempts: i16,
    /// Why the last attempt failed. Whatever writes it writes it for the owner.
    pub(crate) error: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) run_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
}

/// Where a job stands; see the README of `queue` for the diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Scheduled,
    Ready,
    Running,
    Done,
    Dead,
    Cancelled,
}

impl State {
    const ALL: [Self; 6] =
        [Self::Scheduled, Self::Ready, Self::Running, Self::Done, Self::Dead, Self::Cancelled];

    /// The name in the database.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Which jobs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    state: Option<State>,
    kind: Option<String>,
}

impl Filter {
    /// Jobs in `state` and of `kind`; an empty kind means all.
    pub(crate) fn new(state: Option<State>, kind: String) -> Result<Self, Invalid> {
        if kind.len() > 64 || kind.contains('\0') {
            return Err(Invalid::new("kind", "must be the name of a kind: at most 64 bytes"));
        }
        Ok(Self { state, kind: Some(kind).filter(|kind| !kind.is_empty()) })
    }

    /// The state's name, if only one is asked for.
    pub(crate) fn state(&self) -> Option<&'static str> {
        self.state.map(State::name)
    }

    /// The kind, if only one is asked for.
    pub(crate) fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_reads_back_from_its_name() {
        for state in State::ALL {
            assert_eq!(State::from_name(state.name()), Some(state));
        }
        assert_eq!(State::from_name("lost"), None);
    }

    #[test]
    fn a_kind_that_no_job_can_have_is_refused_by_name() {
        for kind in ["x".repeat(65), "a\0b".to_owned()] {
            assert_eq!(Filter::new(None, kind).unwrap_err().field, "kind");
        }
        assert_eq!(Filter::new(None, String::new()).unwrap().kind(), None);
    }
}

//! Between the contract's messages and the domain.

mod reports;

use jiff::Timestamp;
use platform::Invalid;
use proto::jobs::v1 as pb;
use queue::Priority;
use uuid::Uuid;

use crate::job::{Filter, Job, State};

/// The id in a field.
pub(crate) fn id(text: &str) -> Result<Uuid, Invalid> {
    Uuid::try_parse(text).map_err(|_| Invalid::new("id", "must be a UUID"))
}

impl TryFrom<&pb::ListJobsRequest> for Filter {
    type Error = Invalid;

    fn try_from(request: &pb::ListJobsRequest) -> Result<Self, Invalid> {
        let state = pb::JobState::try_from(request.state)
            .map_err(|_| Invalid::new("state", "must be one of the states, or 0 for any"))?;
        Self::new(state_from(state), request.kind.clone())
    }
}

impl From<Job> for pb::Job {
    fn from(job: Job) -> Self {
        Self {
            id: job.id.to_string(),
            company_id: job.company_id.map(|id| id.to_string()).unwrap_or_default(),
            kind: job.kind,
            queue: job.queue,
            priority: priority_to(job.priority).into(),
            state: state_to(job.state).into(),
            attempt: job.attempt.into(),
            max_attempts: job.max_attempts.into(),
            error: job.error.unwrap_or_default(),
            create_time: Some(timestamp(job.created_at)),
            run_time: job.run_at.map(timestamp),
            finish_time: job.finished_at.map(timestamp),
        }
    }
}

fn state_from(state: pb::JobState) -> Option<State> {
    Some(match state {
        pb::JobState::Unspecified => return None,
        pb::JobState::Scheduled => State::Scheduled,
        pb::JobState::Ready => State::Ready,
        pb::JobState::Running => State::Running,
        pb::JobState::Done => State::Done,
        pb::JobState::Dead => State::Dead,
        pb::JobState::Cancelled => State::Cancelled,
    })
}

fn state_to(state: State) -> pb::JobState {
    match state {
        State::Scheduled => pb::JobState::Scheduled,
        State::Ready => pb::JobState::Ready,
        State::Running => pb::JobState::Running,
        State::Done => pb::JobState::Done,
        State::Dead => pb::JobState::Dead,
        State::Cancelled => pb::JobState::Cancelled,
    }
}

fn priority_to(priority: Priority) -> pb::Priority {
    match priority {
        Priority::High => pb::Priority::High,
        Priority::Normal => pb::Priority::Normal,
        Priority::Low => pb::Priority::Low,
    }
}

fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_the_contract_lacks_is_refused_by_name() {
        let request = |state| pb::ListJobsRequest { state, ..Default::default() };
        assert_eq!(Filter::try_from(&request(99)).unwrap_err().field, "state");
        assert_eq!(Filter::try_from(&request(0)).unwrap().state(), None);
        for number in 1..=6 {
            let state = pb::JobState::try_from(number).unwrap();
            assert_eq!(state_from(state).map(state_to), Some(state));
        }
    }

    #[test]
    fn an_id_that_is_none_is_refused_by_name() {
        assert_eq!(id("42").unwrap_err().field, "id");
    }
}

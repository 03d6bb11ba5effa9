//! The first minutes of an agent, in which its node may still be being set up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::model::Failure;

/// What fails until the first answer, and no longer than this, is not counted: an agent's page has
/// no room for counts of their own, and its observation tells of it.
const MOST: Duration = Duration::from_secs(300);

/// Whether an agent has had its first answer, or had time enough.
#[derive(Debug)]
pub(super) struct Starting {
    most: Duration,
    since: Instant,
    answered: AtomicBool,
}

impl Starting {
    pub(super) fn new() -> Self {
        Self { most: MOST, since: Instant::now(), answered: AtomicBool::new(false) }
    }

    /// Whether a query says nothing of how the node is doing.
    pub(super) fn takes<T>(&self, outcome: &Result<T, Failure>) -> bool {
        if outcome.is_ok() {
            self.answered.store(true, Ordering::Relaxed);
        }
        !self.answered.load(Ordering::Relaxed) && self.since.elapsed() < self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: Result<(), Failure> = Err(Failure::Timeout);

    #[test]
    fn what_fails_before_the_first_answer_is_taken_and_nothing_after() {
        let starting = Starting::new();
        assert!(starting.takes(&FAILED));
        assert!(starting.takes(&FAILED));
        assert!(!starting.takes(&Ok(())));
        assert!(!starting.takes(&FAILED), "an outage after an answer counts");
    }

    #[test]
    fn a_node_that_never_has_an_answer_is_not_starting_for_ever() {
        let starting = Starting { most: Duration::ZERO, ..Starting::new() };
        assert!(!starting.takes(&FAILED));
    }
}

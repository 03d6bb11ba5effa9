//! Attempts over the last minutes.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::model::Failure;

/// Attempts over a length of time; no counter, so that a restart changes nothing.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Window {
    /// The time that the counts are of.
    pub length: Duration,
    /// Attempts that ended.
    #[serde(deserialize_with = "counted")]
    pub attempts: u64,
    /// Attempts that never left the agent's machine; they are not in `attempts`.
    #[serde(deserialize_with = "counted")]
    pub unsent: u64,
    /// Those that failed.
    #[serde(deserialize_with = "counted")]
    pub failures: u64,
    /// Their most frequent reason; absent without failures.
    pub mostly: Option<Failure>,
    /// Those that succeeded after more than 250 ms.
    #[serde(deserialize_with = "counted")]
    pub slow: u64,
    /// Those that succeeded after more than 1 s; they are in `slow` too.
    #[serde(deserialize_with = "counted")]
    pub very_slow: u64,
}

/// Reads a count of an agent, which may be an intruder on a node: sums of what all of
/// them say must not overflow. No honest window comes near.
fn counted<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    u64::deserialize(from).map(|count| count.min(u64::from(u32::MAX)))
}

impl Window {
    /// Adds what another window counted; the more frequent reason stays.
    pub fn add(&mut self, other: &Self) {
        if other.failures > self.failures || self.mostly.is_none() {
            self.mostly = other.mostly.or(self.mostly);
        }
        self.length = self.length.max(other.length);
        self.attempts += other.attempts;
        self.unsent += other.unsent;
        self.failures += other.failures;
        self.slow += other.slow;
        self.very_slow += other.very_slow;
    }

    /// Whether there were attempts, and none of them left the agent's machine.
    pub fn is_unsent(&self) -> bool {
        self.attempts == 0 && self.unsent > 0
    }

    /// Whether more than a tenth of the attempts failed: the bound of the headline.
    pub fn fails(&self) -> bool {
        self.failures * 10 > self.attempts
    }

    /// Returns how many attempts succeeded.
    pub fn answers(&self) -> u64 {
        self.attempts.saturating_sub(self.failures)
    }

    /// Returns the share of attempts that failed; none without attempts.
    pub fn failed(&self) -> Option<f64> {
        let failures = self.failures.min(self.attempts);
        (self.attempts > 0).then(|| failures as f64 / self.attempts as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_lying_agent_counts_overflows_no_sum() {
        let said = format!(r#"{{"attempts": 1, "failures": {0}, "slow": {0}}}"#, u64::MAX);
        let lie: Window = serde_json::from_str(&said).unwrap();
        let mut total = lie;
        (0..1000).for_each(|_| total.add(&lie));
        assert_eq!((total.answers(), total.failed()), (0, Some(1.0)));
        assert!(serde_json::from_str::<Window>(r#"{"attempts": -1}"#).is_err());
    }

    #[test]
    fn windows_add_up_and_keep_the_more_frequent_reason() {
        let window =
            |failures, mostly| Window { attempts: 10, failures, mostly, ..Window::default() };
        let mut total = window(1, Some(Failure::Refused));
        total.add(&window(4, Some(Failure::Timeout)));
        total.add(&window(0, None));
        assert_eq!((total.attempts, total.failures), (30, 5));
        assert_eq!(total.mostly, Some(Failure::Timeout));
        assert_eq!(Window::default().failed(), None);
    }
}

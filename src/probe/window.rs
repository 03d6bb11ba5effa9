//! Attempts over the last minutes, forgotten part by part.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::model::{Failure, Window};

/// A window forgets in so many steps.
const PARTS: u32 = 12;

/// A success that took longer is slow.
const SLOW: Duration = Duration::from_millis(250);

/// A success that took longer is very slow.
const VERY_SLOW: Duration = Duration::from_secs(1);

/// A window that moves with the time.
///
/// It reads no clock: `now` is any time that only grows, and never one before the last.
#[derive(Clone, Debug)]
pub struct Sliding {
    length: Duration,
    since: Duration,
    /// The oldest first; parts in which nothing happened are not there.
    parts: VecDeque<Part>,
}

#[derive(Clone, Debug, Default)]
struct Part {
    /// Its place in time, in lengths of a part.
    number: u128,
    attempts: u64,
    /// They are not in `attempts`: they say nothing of the target.
    unsent: u64,
    slow: u64,
    very_slow: u64,
    failures: BTreeMap<Failure, u64>,
}

impl Sliding {
    /// Begins to count what happens within `length`.
    pub fn new(length: Duration, now: Duration) -> Self {
        // A length of 0 would make parts of no length.
        let length = length.max(Duration::from_millis(PARTS.into()));
        Self { length, since: now, parts: VecDeque::new() }
    }

    /// Counts one attempt.
    pub fn count(&mut self, outcome: Result<Duration, Failure>, now: Duration) {
        let number = self.number(now);
        self.parts.retain(|part| part.number + u128::from(PARTS) > number);
        if self.parts.back().is_none_or(|last| last.number < number) {
            self.parts.push_back(Part { number, ..Part::default() });
        }
        let Some(part) = self.parts.back_mut() else { return };
        if outcome == Err(Failure::Local) {
            part.unsent += 1;
            return;
        }
        part.attempts += 1;
        match outcome {
            Ok(took) => {
                part.slow += u64::from(took > SLOW);
                part.very_slow += u64::from(took > VERY_SLOW);
            }
            Err(failure) => *part.failures.entry(failure).or_default() += 1,
        }
    }

    /// Returns what is counted now, with the time that it is counted of.
    pub fn read(&self, now: Duration) -> Window {
        let failures = self.failures(now);
        let mostly = failures.iter().max_by_key(|(_, count)| **count).map(|(failure, _)| *failure);
        let sum = |count: fn(&Part) -> u64| self.within(now).map(count).sum();
        Window {
            length: (now.saturating_sub(self.start(now))).min(now.saturating_sub(self.since)),
            attempts: sum(|part| part.attempts),
            unsent: sum(|part| part.unsent),
            failures: failures.values().sum(),
            mostly,
            slow: sum(|part| part.slow),
            very_slow: sum(|part| part.very_slow),
        }
    }

    /// Returns the failures that are counted now, by reason.
    pub fn failures(&self, now: Duration) -> BTreeMap<Failure, u64> {
        let mut failures = BTreeMap::new();
        for (failure, count) in self.within(now).flat_map(|part| &part.failures) {
            *failures.entry(*failure).or_default() += count;
        }
        failures
    }

    fn within(&self, now: Duration) -> impl Iterator<Item = &Part> {
        let number = self.number(now);
        self.parts.iter().filter(move |part| part.number + u128::from(PARTS) > number)
    }

    fn number(&self, now: Duration) -> u128 {
        now.as_nanos() / (self.length / PARTS).as_nanos()
    }

    /// Returns when the oldest part that counts began.
    fn start(&self, now: Duration) -> Duration {
        let oldest = (self.number(now) + 1).saturating_sub(PARTS.into());
        let nanos = oldest * (self.length / PARTS).as_nanos();
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut window = Sliding::new(MINUTE, at(100));
        for second in 100..220 {
            let outcome = if second < 160 { Err(Failure::Timeout) } else { Ok(Duration::ZERO) };
            window.count(outcome, at(second));
        }
        let early = window.read(at(219));
        assert_eq!((early.attempts, early.failures, early.mostly), (60, 0, None));
        assert_eq!(early.length, at(59));
        // Nothing is added, and time alone forgets.
        assert_eq!(window.read(at(250)).attempts, 25);
        assert_eq!(window.read(at(10_000)), Window { length: at(55), ..Window::default() });
    }

    #[test]
    fn a_young_window_says_how_young_it_is() {
        let mut window = Sliding::new(MINUTE, at(100));
        window.count(Ok(Duration::ZERO), at(103));
        let read = window.read(at(107));
        assert_eq!((read.length, read.attempts), (at(7), 1));
        assert_eq!(Sliding::new(Duration::ZERO, at(1)).read(at(1)), Window::default());
    }

    #[test]
    fn what_never_left_is_counted_apart() {
        let mut window = Sliding::new(MINUTE, at(0));
        for outcome in [Ok(Duration::ZERO), Err(Failure::Local), Err(Failure::Local)] {
            window.count(outcome, at(1));
        }
        let read = window.read(at(1));
        assert_eq!((read.attempts, read.unsent, read.failures, read.mostly), (1, 2, 0, None));
        assert_eq!(window.read(at(100)).unsent, 0);
    }

    #[test]
    fn slow_successes_and_the_most_frequent_reason_are_told() {
        let mut window = Sliding::new(MINUTE, at(0));
        let slow = [250, 251, 1000, 1001].map(|it| Ok(Duration::from_millis(it)));
        let failed = [Failure::Servfail, Failure::Timeout, Failure::Timeout].map(Err);
        slow.into_iter().chain(failed).for_each(|outcome| window.count(outcome, at(1)));
        let read = window.read(at(1));
        assert_eq!((read.attempts, read.slow, read.very_slow), (7, 3, 1));
        assert_eq!((read.failures, read.mostly), (3, Some(Failure::Timeout)));
    }
}

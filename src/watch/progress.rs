//! Whether a list gets on: new objects are progress, and neither bytes nor repetitions are.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use tokio::time::Instant;

use super::error::WatchError;
use crate::model::Key;

/// A list without a new object for this long has failed; one that goes on may take its time.
pub(super) const STALL: Duration = Duration::from_secs(30);

/// A list that takes longer in all has failed.
const LONGEST: Duration = Duration::from_secs(900);

/// Twice as many objects as are kept: whether there are too many is known long before.
const MOST: usize = 400_000;

/// Of a page at least one object in so many is new, or the next one waits.
const FEW: usize = 10;

/// How long it waits.
const PACE: Duration = Duration::from_millis(100);

/// One list under way.
#[derive(Debug)]
pub(super) struct Progress {
    start: Instant,
    last: Instant,
    /// The hashes of the keys that have come: one that is taken for another only delays nothing.
    seen: HashSet<u64>,
    hasher: RandomState,
    page: usize,
}

impl Progress {
    pub(super) fn new(now: Instant) -> Self {
        let (seen, hasher) = (HashSet::new(), RandomState::new());
        Self { start: now, last: now, seen, hasher, page: 0 }
    }

    /// Returns until when the next new object has to come.
    pub(super) fn deadline(&self) -> Instant {
        (self.last + STALL).min(self.start + LONGEST)
    }

    /// Notes an object.
    pub(super) fn note(&mut self, now: Instant, key: &Key) -> Result<(), WatchError> {
        // By their text: a name that is not kept may have the address of the one before.
        if self.seen.insert(self.hasher.hash_one((&*key.namespace, &*key.name))) {
            self.last = now;
            self.page += 1;
        }
        let goes_on = self.seen.len() <= MOST && now < self.deadline();
        if goes_on { Ok(()) } else { Err(WatchError::Endless) }
    }

    /// Notes the end of a page of at most `limit` objects that is not the last, and returns how
    /// long to wait before the next.
    pub(super) fn turn(&mut self, now: Instant, limit: u32) -> Result<Duration, WatchError> {
        if now >= self.deadline() {
            return Err(WatchError::Endless);
        }
        let new = std::mem::take(&mut self.page);
        let is_full = new > 0 && new >= limit as usize / FEW;
        Ok(if is_full { Duration::ZERO } else { PACE })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> Key {
        Key::new("shop", n.to_string())
    }

    #[test]
    fn only_new_objects_are_progress() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut progress = Progress::new(start);
        for n in 0..20 {
            progress.note(at(20 * n), &key(n as usize)).unwrap();
        }
        assert_eq!(progress.deadline(), at(19 * 20 + 30));
        progress.note(at(400), &key(3)).unwrap();
        assert!(matches!(progress.note(at(410), &key(3)), Err(WatchError::Endless)));
    }

    #[test]
    fn a_list_has_a_longest_time_and_a_most_of_objects() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        let slow = (0..100)
            .try_for_each(|n| progress.note(start + Duration::from_secs(20 * n), &key(n as usize)));
        assert!(matches!(slow, Err(WatchError::Endless)));
        let mut progress = Progress::new(start);
        let many = (0..=MOST).try_for_each(|n| progress.note(start, &key(n)));
        assert!(matches!(many, Err(WatchError::Endless)));
    }

    #[test]
    fn pages_with_little_that_is_new_are_paced_and_bounded() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        for (limit, new, pause) in
            [(500, 500, false), (500, 50, false), (500, 49, true), (500, 0, true), (1, 1, false)]
        {
            let known = progress.seen.len();
            (0..new).for_each(|n| progress.note(start, &key(known + n)).unwrap());
            let waits = progress.turn(start, limit).unwrap();
            assert_eq!(!waits.is_zero(), pause, "{new} of {limit}");
        }
        assert!(matches!(progress.turn(start + STALL, 500), Err(WatchError::Endless)));
    }
}

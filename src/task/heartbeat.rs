//! Signs of life: a task that hangs gives none, and nothing else would tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// The last sign of life of one task; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Heart(Arc<Beats>);

#[derive(Debug)]
struct Beats {
    start: Instant,
    /// A task that is silent for longer hangs.
    limit: Duration,
    /// Milliseconds from `start` to the last beat.
    last: AtomicU64,
    /// The same moment, in milliseconds since 1970.
    date: AtomicU64,
}

impl Heart {
    /// Begins with a beat, so that a task which never does anything is found out too.
    pub(super) fn new(limit: Duration) -> Self {
        let beats = Beats {
            start: Instant::now(),
            limit,
            last: AtomicU64::new(0),
            date: AtomicU64::new(0),
        };
        let heart = Self(Arc::new(beats));
        heart.beat();
        heart
    }

    pub(super) fn beat(&self) {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        // Two values that are read apart: a date that is one beat too old does no harm.
        self.0.last.store(millis(self.0.start.elapsed()), Ordering::Relaxed);
        self.0.date.store(millis(unix.unwrap_or(Duration::ZERO)), Ordering::Relaxed);
    }

    /// Returns the date of the last beat, since 1970.
    pub(super) fn date(&self) -> Duration {
        Duration::from_millis(self.0.date.load(Ordering::Relaxed))
    }

    /// Returns how long the task has been silent, where that is too long.
    pub(super) fn silence(&self) -> Option<Duration> {
        let last = Duration::from_millis(self.0.last.load(Ordering::Relaxed));
        let silence = self.0.start.elapsed().saturating_sub(last);
        (silence > self.0.limit).then_some(silence)
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

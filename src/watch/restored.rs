//! That etcd was restored: one kind sees it, and all have to know.
//!
//! A kind sees it by its own version. One that changed a little after the backup was made, and then no more, may see
//! nothing: until it asks, the restored cluster has come past that version again, by what starts anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What one follower knows of it; its clones are the others'.
#[derive(Clone, Debug, Default)]
pub(super) struct Restored {
    times: Arc<AtomicU64>,
    known: u64,
}

impl Restored {
    /// Tells all others, unless one of them was first.
    pub(super) fn tell(&mut self) {
        let (known, next) = (self.known, self.known + 1);
        let told = self.times.compare_exchange(known, next, Ordering::Relaxed, Ordering::Relaxed);
        self.known = told.map_or_else(|times| times, |_| next);
    }

    /// Whether another follower has told since this was asked last.
    pub(super) fn is_news(&mut self) -> bool {
        let times = self.times.load(Ordering::Relaxed);
        std::mem::replace(&mut self.known, times) != times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sees_it_tells_all_others_once_however_many_see_it() {
        let mut nodes = Restored::default();
        let [mut pods, mut services] = [nodes.clone(), nodes.clone()];
        nodes.tell();
        pods.tell();
        assert!(!nodes.is_news() && !pods.is_news(), "both have seen the same");
        assert!(services.is_news());
        assert!(!services.is_news());
        services.tell();
        assert!(nodes.is_news() && pods.is_news(), "a second time is another");
    }
}

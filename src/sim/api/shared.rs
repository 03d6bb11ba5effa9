//! What the requests of all clients share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::store::Store;

/// The objects, and what wakes the watches that follow them. Clones are the same ones.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    store: Arc<Mutex<Store>>,
    /// The version of the last change.
    news: watch::Sender<u64>,
    stop: CancellationToken,
}

impl Shared {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { store: Arc::default(), news: watch::Sender::new(0), stop }
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        // Nothing that a panic could leave half done is guarded.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the watches: the last change has this version.
    pub(super) fn tell(&self, version: u64) {
        self.news.send_replace(version);
    }

    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    pub(super) const fn stop(&self) -> &CancellationToken {
        &self.stop
    }
}

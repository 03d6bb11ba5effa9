//! What netvitals' own watches make of the real API server, in this process: the facts from which its checks judge.

use std::path::Path;
use std::time::Duration;

use netvitals::cluster::{Change, Cluster, Table};
use netvitals::model::Fact;
use netvitals::watch;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::api::runtime;

/// More than the changes of one moment.
const BUFFER: usize = 1024;

/// The facts, as fresh as [`Watched::catch_up`] makes them. Dropped, the watches end.
pub(crate) struct Watched {
    facts: Cluster,
    changes: Receiver<Change>,
    runtime: Runtime,
    _stop: DropGuard,
}

impl Watched {
    /// Watches every kind by the kubeconfig at `path`.
    pub(crate) fn by(path: &str) -> Self {
        let runtime = runtime();
        let stop = CancellationToken::new();
        let (sender, changes) = mpsc::channel(BUFFER);
        runtime.block_on(async {
            let client = watch::connect(Some(Path::new(path))).await.expect("the lab wrote it");
            watch::run_all(&client, &sender, &TaskTracker::new(), &stop);
        });
        Self { facts: Cluster::default(), changes, runtime, _stop: stop.drop_guard() }
    }

    /// Takes in what has come; waits a moment where nothing has.
    pub(crate) fn catch_up(&mut self) {
        let next = async { timeout(Duration::from_millis(100), self.changes.recv()).await };
        let mut next = self.runtime.block_on(next).ok().flatten();
        while let Some(change) = next {
            if let Change::Watched(event) = change {
                event.apply(&mut self.facts);
            }
            next = self.changes.try_recv().ok();
        }
    }

    /// The objects of a kind.
    pub(crate) fn table<T: Fact>(&self) -> Result<&Table<T>, String> {
        self.facts.last_known().ok_or_else(|| format!("no {} yet", T::KIND.name))
    }
}

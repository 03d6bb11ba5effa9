//! The Kubernetes API: what is watched, and how it becomes changes.

mod client;
mod counts;
mod endpoint_slice;
mod field;
mod follow;
mod namespace;
mod network_policy;
mod node;
mod object;
mod pod;
mod request;
mod service;
mod trouble;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::object::Watched;
use crate::cluster::Change;
use crate::model::{EndpointSlice, Kind, Namespace, NetworkPolicy, Node, Pod, Service};
use crate::task::{Task, supervise};

pub use self::client::connect;
pub use self::counts::{Counts, FAMILIES};

/// Every kind that is watched.
pub static ALL: &[Watch] = &[
    watch::<EndpointSlice>(),
    watch::<Namespace>(),
    watch::<NetworkPolicy>(),
    watch::<Node>(),
    watch::<Pod>(),
    watch::<Service>(),
];

/// The watch of one kind.
#[derive(Debug)]
pub struct Watch {
    /// The kind.
    pub kind: &'static Kind,
    /// Watches until nobody receives the changes any more; the task beats at every step.
    pub start: fn(Client, Sender<Change>, Arc<Counts>, Task) -> Running,
}

/// A watch that has taken no step for so long hangs: each is bounded, and so are the pauses.
pub const HANGS: Duration = Duration::from_secs(120);

/// A watch that runs.
pub type Running = Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send>>;

const fn watch<T: Watched>() -> Watch {
    Watch {
        kind: T::KIND,
        start: |client, changes, counts, task| {
            Box::pin(async {
                follow::follow::<T>(client, changes, counts, task).await;
                Ok(())
            })
        },
    }
}

/// Watches every kind under supervision until `stop`, as tasks of `leaves`.
///
/// Returns the tasks and what they count. A kind that cannot be read holds up no other.
pub fn run_all(
    client: &Client,
    changes: &Sender<Change>,
    leaves: &TaskTracker,
    stop: &CancellationToken,
) -> (Vec<Task>, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let mut tasks = Vec::new();
    for watch in ALL {
        let (client, changes, counts) = (client.clone(), changes.clone(), counts.clone());
        let task = Task::beating(watch.kind.plural, HANGS);
        tasks.push(task.clone());
        let beating = task.clone();
        let make =
            move || (watch.start)(client.clone(), changes.clone(), counts.clone(), beating.clone());
        leaves.spawn(supervise(task, stop.clone(), make));
    }
    (tasks, counts)
}

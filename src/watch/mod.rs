//! The Kubernetes API: what is watched, and how it becomes changes.

mod cert_manager;
mod client;
mod config_map;
mod counters;
mod course;
mod daemon_set;
mod discovery;
mod endpoint_slice;
mod error;
mod field;
mod follow;
mod foreign_policy;
mod gateway;
mod ingress;
mod mounted;
mod namespace;
mod network_policy;
mod node;
mod object;
mod plain;
mod pod;
mod pod_event;
mod progress;
mod quantity;
mod request;
mod resources;
mod restored;
mod served;
mod service;
mod service_event;
mod split;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::discovery::Served;
use self::follow::Context;
use self::object::Watched;
use self::restored::Restored;
use crate::cluster::{Change, Event, Folded};
use crate::model::{
    Certificate, CertificateRequest, Challenge, CiliumBalancerPool, CiliumConfig, CiliumNode,
    ClusterIssuer, ConfigMap, DaemonSet, EndpointSlice, FlannelConfig, ForeignPolicy, Gateway,
    GatewayClass, GrpcRoute, HttpRoute, Ingress, IngressClass, IpAddressPool, IpPool, IpamBlock,
    Issuer, Kind, KubeProxyConfig, KubeadmConfig, Namespace, NetworkPolicy, Node, Order, Pod,
    PodEvent, PolicyEndpoint, Service, ServiceCidr, ServiceEvent,
};
use crate::task::{Task, supervise};

pub use self::client::{Access, connect};
pub use self::counters::{Counters, FAMILIES};
pub use self::object::Plain;
#[cfg(test)]
pub(crate) use self::object::tests::event;

/// Every kind that is watched; the chart's ClusterRole follows from it.
pub static ALL: &[Watch] = &[
    watch::<Certificate>(),
    watch::<CertificateRequest>(),
    watch::<Challenge>(),
    Watch::plain::<CiliumBalancerPool>(),
    Watch::plain::<CiliumNode>(),
    watch::<ClusterIssuer>(),
    watch::<ConfigMap<0>>(),
    watch::<ConfigMap<1>>(),
    watch::<ConfigMap<2>>(),
    watch::<ConfigMap<3>>(),
    watch::<ConfigMap<4>>(),
    watch::<KubeadmConfig>(),
    watch::<FlannelConfig>(),
    watch::<CiliumConfig>(),
    watch::<KubeProxyConfig>(),
    watch::<DaemonSet>(),
    watch::<EndpointSlice>(),
    folded::<PodEvent>(),
    folded::<ServiceEvent>(),
    watch::<ForeignPolicy<0>>(),
    watch::<ForeignPolicy<1>>(),
    watch::<ForeignPolicy<2>>(),
    watch::<ForeignPolicy<3>>(),
    watch::<ForeignPolicy<4>>(),
    watch::<ForeignPolicy<5>>(),
    watch::<ForeignPolicy<6>>(),
    watch::<ForeignPolicy<7>>(),
    watch::<ForeignPolicy<8>>(),
    watch::<ForeignPolicy<9>>(),
    watch::<ForeignPolicy<10>>(),
    watch::<ForeignPolicy<11>>(),
    watch::<ForeignPolicy<12>>(),
    watch::<Gateway>(),
    watch::<GatewayClass>(),
    watch::<GrpcRoute>(),
    watch::<HttpRoute>(),
    watch::<Ingress>(),
    watch::<IngressClass>(),
    Watch::plain::<IpAddressPool>(),
    Watch::plain::<IpPool>(),
    Watch::plain::<IpamBlock>(),
    watch::<Issuer>(),
    watch::<Namespace>(),
    watch::<NetworkPolicy>(),
    watch::<Node>(),
    watch::<Order>(),
    watch::<Pod>(),
    Watch::plain::<PolicyEndpoint>(),
    watch::<Service>(),
    Watch::plain::<ServiceCidr>(),
];

/// The watch of one kind.
#[derive(Debug)]
pub struct Watch {
    /// The kind.
    pub kind: &'static Kind,
    start: fn(Parts) -> Running,
    nothing: fn() -> Vec<Change>,
}

/// What every watch works with.
struct Parts {
    client: Client,
    changes: Sender<Change>,
    counts: Arc<Counters>,
    served: Served,
    restored: Restored,
    task: Task,
}

/// A watch that has taken no step for so long hangs: each is bounded, and so are the pauses.
pub const HANGS: Duration = Duration::from_secs(120);

/// A watch that runs.
type Running = Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send>>;

const fn watch<T: Watched>() -> Watch {
    Watch {
        kind: T::KIND,
        start: |parts| start::<T>(parts, Change::from),
        nothing: || nothing::<T>(Change::from),
    }
}

const fn folded<T: Watched + Folded>() -> Watch {
    Watch {
        kind: T::KIND,
        start: |parts| start::<T>(parts, Change::folded),
        nothing: || nothing::<T>(Change::folded),
    }
}

fn start<T: Watched>(parts: Parts, change: fn(Event<T>) -> Change) -> Running {
    let Parts { client, changes, counts, served, restored, task } = parts;
    Box::pin(async move {
        follow::follow(Context { client, counts, changes, change, served, restored, task }).await;
        Ok(())
    })
}

fn nothing<T: Watched>(change: fn(Event<T>) -> Change) -> Vec<Change> {
    let events =
        if T::KIND.optional { vec![Event::Absent] } else { vec![Event::Begin, Event::Done] };
    events.into_iter().map(change).collect()
}

impl Watch {
    /// Watches a kind whose fact is read as it stands.
    pub const fn plain<T: Plain>() -> Self {
        watch::<T>()
    }

    /// Watches a kind of which no object is kept.
    pub const fn folded<T: Plain + Folded>() -> Self {
        folded::<T>()
    }

    /// Returns what is said of the kind in a cluster without any object of it, nor the kind
    /// itself where that may be.
    pub fn nothing(&self) -> Vec<Change> {
        (self.nothing)()
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
) -> (Vec<Task>, Arc<Counters>) {
    run(ALL, client, changes, leaves, stop)
}

/// As [`run_all`], for some kinds.
pub fn run(
    watches: &'static [Watch],
    client: &Client,
    changes: &Sender<Change>,
    leaves: &TaskTracker,
    stop: &CancellationToken,
) -> (Vec<Task>, Arc<Counters>) {
    let kinds = || watches.iter().map(|watch| watch.kind);
    let counts = Arc::new(Counters::new(kinds()));
    let served = Served::new(kinds().filter(|kind| kind.is_discovered()));
    let restored = Restored::default();
    let mut tasks = Vec::new();
    for watch in watches {
        let (client, changes, counts) = (client.clone(), changes.clone(), counts.clone());
        let (served, restored) = (served.clone(), restored.clone());
        // As in the API's paths, unless two groups have it.
        let Kind { label, name, plural, .. } = watch.kind;
        let task = Task::beating(if label == name { plural } else { label }, HANGS);
        tasks.push(task.clone());
        let beating = task.clone();
        let make = move || {
            (watch.start)(Parts {
                client: client.clone(),
                changes: changes.clone(),
                counts: counts.clone(),
                served: served.clone(),
                restored: restored.clone(),
                task: beating.clone(),
            })
        };
        leaves.spawn(supervise(task, stop.clone(), make));
    }
    if !served.kinds().is_empty() {
        let task = Task::beating("discovery", HANGS);
        tasks.push(task.clone());
        let (client, beating) = (client.clone(), task.clone());
        let make = move || {
            let discovery = discovery::discover(client.clone(), served.clone(), beating.clone());
            async { Err(discovery.await) as Result<(), Infallible> }
        };
        leaves.spawn(supervise(task, stop.clone(), make));
    }
    (tasks, counts)
}

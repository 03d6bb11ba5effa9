//! Pods that wait for their sandbox, for all checks that ask for them: what follows pods knows which,
//! so that a hundred thousand others are not looked at; each with what it waits for as far as its
//! events say.

use std::collections::BTreeMap;

use crate::cluster::sandboxes::sandboxes;
use crate::cluster::{Cluster, PodEvents, Told};
use crate::model::{Key, Name, Pod, SandboxFailure, Unanswered};

/// The pods that are scheduled and have no address yet, by node.
#[derive(Debug)]
pub struct Waiting<'a>(BTreeMap<&'a Name, Vec<Waiter<'a>>>);

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter<'a> {
    pub(super) key: &'a Key,
    pub(super) pod: &'a Pod,
    pub(super) cause: Cause,
}

/// What a pod waits for. A condition of the pod does not tell: a kubelet wants the volumes before it
/// asks for a sandbox.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Cause {
    /// Its network could not be made.
    Network(SandboxFailure),
    /// A volume.
    Volume,
    /// The runtime could not make its sandbox, for another reason than the network.
    Runtime,
    /// No event of late says what.
    Unknown,
}

impl Cause {
    fn of(told: Option<Told>) -> Self {
        match told {
            Some(Told::Sandbox(class)) if class.is_of_network() => Self::Network(class),
            Some(Told::Sandbox(SandboxFailure::NotNetwork)) => Self::Runtime,
            Some(Told::Volume) => Self::Volume,
            Some(Told::Sandbox(_)) | None => Self::Unknown,
        }
    }

    /// The label value.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Network(_) => "network",
            Self::Volume => "volume",
            Self::Runtime => "runtime",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it may be an address that the pod waits for.
    pub(super) const fn may_be_address(self) -> bool {
        matches!(self, Self::Network(SandboxFailure::IpExhausted) | Self::Unknown)
    }

    /// Whether it may be the network that the pod waits for.
    pub(super) const fn may_be_network(self) -> bool {
        matches!(self, Self::Network(_) | Self::Unknown)
    }
}

impl<'a> Waiting<'a> {
    /// Finds them; without events nothing is known of what they wait for.
    pub(super) fn of(cluster: &'a Cluster, events: Option<&PodEvents>) -> Result<Self, Unanswered> {
        let mut waiting: BTreeMap<&Name, Vec<Waiter<'_>>> = BTreeMap::new();
        let pods = cluster.read::<Pod>()?;
        for key in sandboxes(cluster).waiting() {
            let Some(pod) = pods.get(key) else { continue };
            let Some(node) = &pod.node else { continue };
            let told = events.and_then(|events| events.of(key, &pod.uid, cluster.now()));
            waiting.entry(node).or_default().push(Waiter { key, pod, cause: Cause::of(told) });
        }
        Ok(Self(waiting))
    }

    /// Returns how many there are in the whole cluster.
    pub fn all(&self) -> u64 {
        self.0.values().map(|pods| pods.len() as u64).sum()
    }

    /// Returns how many there are on a node.
    pub fn on(&self, node: &Name) -> u64 {
        self.0.get(node).map_or(0, |pods| pods.len() as u64)
    }

    /// Returns the first on a node that waits for what `may` accepts.
    pub(super) fn first(&self, node: &Name, may: fn(Cause) -> bool) -> Option<&'a Key> {
        self.0.get(node)?.iter().find(|waiter| may(waiter.cause)).map(|waiter| waiter.key)
    }

    /// Returns how many wait for what `may` accepts, on one node or in the whole cluster.
    pub(super) fn count(&self, node: Option<&Name>, may: fn(Cause) -> bool) -> u64 {
        let meant = self.0.iter().filter(|(name, _)| node.is_none_or(|node| node == **name));
        let meant = meant.flat_map(|(_, pods)| pods).filter(|waiter| may(waiter.cause));
        meant.count() as u64
    }

    /// Returns them by node.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a Name, &[Waiter<'a>])> {
        self.0.iter().map(|(node, pods)| (*node, pods.as_slice()))
    }
}

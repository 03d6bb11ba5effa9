//! A pool: what it can hand out, what of it is used, and what is wrong with that.

use super::codes::{
    BALANCERS_FILLING, BALANCERS_FULL, CILIUM_FULL, EXHAUSTED, FILLING, FULL, NO_MORE_NODES,
    NO_RANGE, SERVICES_FILLING, TOO_SMALL,
};
use super::{Cause, Waiting};
use crate::check::Code;
use crate::check::words::count;
use crate::model::{CiliumConfig, Fact, IpFamily, Key, Name, Node, Object};

/// A pool of the whole cluster is filling from this share on.
pub(super) const FILLING_FROM: f64 = 0.85;

/// More than anyone can use, and exact as a sample.
pub(super) const CAP: u64 = 1 << 53;

/// Something that is handed out, and what has become of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// To whom it is handed out.
    pub of: Of,
    /// What tells it from the others of its IPAM: a range, or an object's name.
    pub name: String,
    /// Where it is handed out.
    pub scope: Scope,
    /// Of which family its addresses are; absent where they are ports.
    pub family: Option<IpFamily>,
    /// All that it can ever hand out; absent where that cannot be known.
    pub addresses: Option<u64>,
    /// What is handed out; absent where that cannot be known.
    pub used: Option<u64>,
    /// What is kept from those who ask.
    pub reserved: u64,
    /// As much more may be kept by a CNI that is not known.
    pub uncertain: u64,
}

/// To whom the contents of a pool are handed out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Of {
    /// Pods: addresses.
    Pods,
    /// Nodes: ranges of addresses for their pods.
    Nodes,
    /// Services: addresses within the cluster.
    Services,
    /// Services: ports of all nodes.
    Ports,
    /// Services: addresses of load balancers, and how many wait for one where nothing stands in.
    Balancers(Option<u64>),
}

/// Where a pool is handed out.
#[derive(Clone, Debug, PartialEq)]
pub enum Scope {
    /// In the whole cluster, and when it is full nothing stands in for it; the object is what people
    /// edit to make it larger.
    Cluster(Object),
    /// In the whole cluster, and that it is full is no fault by itself: others stand in for it, or it
    /// is full on purpose.
    Shared(Object),
    /// On one node.
    Node {
        /// Its name.
        node: Name,
        /// How many pods it accepts.
        max_pods: Option<u64>,
    },
    /// On one node, which has nothing to hand out.
    Bare {
        /// Its name.
        node: Name,
        /// Who is to give it something.
        giver: Giver,
    },
}

/// Who gives nodes what they hand out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Giver {
    /// kube-controller-manager.
    ControllerManager,
    /// Cilium's operator, and whether it says that it has nothing.
    Cilium(bool),
}

impl Of {
    /// What is handed out.
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Pods | Self::Services | Self::Balancers(_) => "addresses",
            Self::Nodes => "ranges for nodes",
            Self::Ports => "ports",
        }
    }
}

impl Scope {
    /// The label value.
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Cluster(_) => "cluster",
            Self::Shared(_) => "shared",
            Self::Node { .. } | Self::Bare { .. } => "node",
        }
    }
}

impl Pool {
    /// Returns that of a node without any.
    pub(super) fn none(node: Name, giver: Giver) -> Self {
        Self {
            of: Of::Pods,
            name: "none".to_owned(),
            scope: Scope::Bare { node, giver },
            family: Some(IpFamily::V4),
            addresses: Some(0),
            used: Some(0),
            reserved: 0,
            uncertain: 0,
        }
    }

    /// Returns what may be handed out.
    pub(super) fn available(&self) -> Option<u64> {
        Some(self.addresses?.saturating_sub(self.reserved))
    }

    /// Returns the share that is used; a pool without addresses is full.
    pub(super) fn utilisation(&self) -> Option<f64> {
        let (used, available) = (self.used?, self.available()?);
        Some(if available == 0 { 1.0 } else { used as f64 / available as f64 })
    }

    /// Returns the node whose pool it is.
    pub(super) const fn node(&self) -> Option<&Name> {
        match &self.scope {
            Scope::Node { node, .. } | Scope::Bare { node, .. } => Some(node),
            Scope::Cluster(_) | Scope::Shared(_) => None,
        }
    }

    /// Returns what its findings are about.
    pub(super) fn subject(&self) -> Object {
        match &self.scope {
            Scope::Cluster(object) | Scope::Shared(object) => object.clone(),
            Scope::Node { node, .. } | Scope::Bare { node, .. } => {
                Object { kind: Node::KIND, key: Key::new("", node.clone()) }
            }
        }
    }

    /// Returns the labels of its samples.
    pub(super) fn labels<'a>(&'a self, ipam: &'a str) -> [&'a str; 5] {
        let node = self.node().map_or("", |node| &**node);
        let family = self.family.map_or("", IpFamily::as_str);
        [ipam, &self.name, self.scope.as_str(), node, family]
    }

    pub(super) fn waiting(&self, waiting: &Waiting<'_>) -> u64 {
        self.node().map_or_else(|| waiting.all(), |node| waiting.on(node))
    }

    /// What a pod may wait for that has something to do with the pool. One without any address
    /// fails in as many words as there are plugins.
    pub(super) fn meant(&self) -> fn(Cause) -> bool {
        if self.addresses == Some(0) { Cause::may_be_network } else { Cause::may_be_address }
    }

    /// Returns how many pods may wait for an address of it, rather than for something else.
    pub(super) fn wanted(&self, waiting: &Waiting<'_>) -> u64 {
        match (self.of, &self.scope) {
            // Another may stand in.
            (_, Scope::Shared(_))
            | (Of::Nodes | Of::Services | Of::Ports | Of::Balancers(_), _) => 0,
            (Of::Pods, _) => waiting.count(self.node(), self.meant()),
        }
    }

    /// Whether no address is free; where it is not known how many the CNI keeps, more pods that
    /// wait than there seem to be addresses say so.
    pub(super) fn is_exhausted(&self, waiting: u64) -> bool {
        self.free().is_some_and(|free| waiting > free && free <= self.uncertain)
    }

    /// Returns how much is left.
    pub(super) fn free(&self) -> Option<u64> {
        Some(self.available()?.saturating_sub(self.used?))
    }

    /// Returns what is wrong, in words that end with the next thing to look at.
    pub(super) fn faults(&self, waiting: u64) -> Vec<(&'static Code, String)> {
        match self.of {
            Of::Pods => self.faults_of_pods(waiting),
            Of::Nodes => self.faults_of_nodes().into_iter().collect(),
            Of::Services | Of::Ports => self.faults_of_services().into_iter().collect(),
            Of::Balancers(waiting) => self.faults_of_balancers(waiting).into_iter().collect(),
        }
    }

    fn faults_of_pods(&self, waiting: u64) -> Vec<(&'static Code, String)> {
        let (name, available) = (&self.name, self.available().unwrap_or_default());
        let mut faults = Vec::new();
        if let Scope::Bare { giver: Giver::Cilium(is_refused), .. } = self.scope {
            return self.faults_of_ciliums(is_refused, waiting);
        }
        if self.is_exhausted(waiting) {
            let used = self.used.unwrap_or_default();
            let message = if self.addresses == Some(0) {
                format!(
                    "it has no addresses for pods (range: {name}) and pods wait: {waiting}: look \
                     at spec.podCIDRs of the node, then at the log of kube-controller-manager"
                )
            } else {
                format!(
                    "{used} of {available} addresses of {name} are used and pods wait: {waiting}: \
                     look at the events of the pods that are Pending"
                )
            };
            faults.push((&EXHAUSTED, message));
        }
        match &self.scope {
            Scope::Cluster(_) => {
                if let Some(share) = self.utilisation().filter(|share| *share >= FILLING_FROM) {
                    faults.push((
                        &FILLING,
                        format!(
                            "{:.0} % of the addresses of {name} are used: look at its size",
                            share * 100.0
                        ),
                    ));
                }
            }
            Scope::Shared(_) | Scope::Bare { .. } => {}
            Scope::Node { max_pods, .. } => {
                if let Some(pods) = max_pods.filter(|pods| *pods > available) {
                    faults.push((
                        &TOO_SMALL,
                        format!(
                            "{name} has {available} addresses for up to {pods} pods: look at \
                             maxPods of the kubelet and at the size of node ranges"
                        ),
                    ));
                }
            }
        }
        faults
    }

    /// A node whose CiliumNode has nothing: a few seconds pass until the operator has seen it.
    fn faults_of_ciliums(&self, is_refused: bool, waiting: u64) -> Vec<(&'static Code, String)> {
        if is_refused {
            let message = "Cilium's operator has no addresses for it, so that no pod starts there: \
                           look at status.ipam.operator-status of its CiliumNode";
            return vec![(&NO_RANGE, message.to_owned())];
        }
        let message = format!(
            "its CiliumNode has no addresses for pods and pods wait: {waiting}: look at the log of \
             cilium-operator"
        );
        if self.is_exhausted(waiting) { vec![(&EXHAUSTED, message)] } else { Vec::new() }
    }

    /// A cluster that is planned for so many nodes and no more has none left on purpose.
    fn faults_of_nodes(&self) -> Option<(&'static Code, String)> {
        let (used, available) = (self.used?, self.available()?);
        if self.subject().kind == CiliumConfig::KIND {
            let message = format!(
                "{used} of {available} ranges for nodes are given away, and the next node gets \
                 none: look for CiliumNodes of nodes that are gone, and at cluster-pool-{}-cidr",
                if self.family == Some(IpFamily::V6) { "ipv6" } else { "ipv4" }
            );
            return (used >= available).then_some((&CILIUM_FULL, message));
        }
        (used >= available).then(|| {
            let message = format!(
                "{used} of {available} ranges for nodes of {} are given away, and the next node \
                 gets none: look at --cluster-cidr and --node-cidr-mask-size",
                self.name
            );
            (&NO_MORE_NODES, message)
        })
    }

    fn faults_of_balancers(&self, waiting: Option<u64>) -> Option<(&'static Code, String)> {
        let (waiting, share) = (waiting?, self.utilisation()?);
        let (used, available) = (self.used?, self.available()?);
        let numbers =
            format!("{} of {} addresses of {} are used", count(used), count(available), self.name);
        if share >= 1.0 && waiting > 0 {
            let message = format!(
                "{numbers} and Services wait: {waiting}: look at which are no longer needed, or add \
                 a range"
            );
            return Some((&BALANCERS_FULL, message));
        }
        (share >= FILLING_FROM && available >= BALANCERS).then(|| {
            let message = format!("{numbers}: look at which Services are no longer needed");
            (&BALANCERS_FILLING, message)
        })
    }

    fn faults_of_services(&self) -> Option<(&'static Code, String)> {
        let Scope::Cluster(_) = &self.scope else { return None };
        let (share, used, available) = (self.utilisation()?, self.used?, self.available()?);
        let (what, name) = (self.of.what(), &self.name);
        let numbers = format!("{} of {} {what} of {name} are used", count(used), count(available));
        if share >= 1.0 {
            let message = format!("{numbers}: look at which Services are no longer needed");
            return Some((&FULL, message));
        }
        (share >= FILLING_FROM).then(|| {
            let band = match self.of {
                Of::Services => format!(
                    ", of which the lowest {} are handed out last",
                    count(static_band(available))
                ),
                _ => String::new(),
            };
            (&SERVICES_FILLING, format!("{numbers}{band}: look at which are no longer needed"))
        })
    }
}

/// Fewer are handed out on purpose, to the last of them.
const BALANCERS: u64 = 8;

/// Returns how many of the addresses of a range an API server keeps for those that ask for a certain
/// one, until there are no others.
fn static_band(addresses: u64) -> u64 {
    (addresses / 16).clamp(16, 256).min(addresses)
}

/// Adds up pools that stand in for each other, by family: each is told, and full is what they are
/// together. One alone is what it is.
pub(super) fn together(pools: Vec<Pool>) -> Vec<Pool> {
    let mut all = Vec::new();
    for family in [IpFamily::V4, IpFamily::V6] {
        let is_of = |pool: &&Pool| pool.family == Some(family);
        let mut of: Vec<Pool> = pools.iter().filter(is_of).cloned().collect();
        let Some((first, others @ [_, ..])) = of.split_first() else {
            all.append(&mut of);
            continue;
        };
        let sum = others.iter().fold(first.clone(), |sum, pool| Pool {
            addresses: sum
                .addresses
                .zip(pool.addresses)
                .map(|(one, other)| one.saturating_add(other).min(CAP)),
            used: sum.used.zip(pool.used).map(|(one, other)| one.saturating_add(other)),
            reserved: sum.reserved.saturating_add(pool.reserved),
            ..sum
        });
        all.push(Pool { name: ALL.to_owned(), ..sum });
        all.extend(
            of.into_iter().map(|pool| Pool { scope: Scope::Shared(pool.subject()), ..pool }),
        );
    }
    all
}

/// What pools are called together, and one of which no range is known.
pub(super) const ALL: &str = "all";

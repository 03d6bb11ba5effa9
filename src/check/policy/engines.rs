//! What enforces policies, as far as the API tells.
//!
//! What DaemonSets put on nodes is known by their names and images; k3s has an engine in itself, of
//! which the annotations of its servers tell; AWS' agents are always there, and whether they have work
//! tell their PolicyEndpoints. The API leaves open what engines do with some rules; what is written
//! here of one is what its users report, and only makes an answer uncertain.

use std::collections::BTreeSet;

use crate::check::cni::identity::{CniSet, is_called, sets};
use crate::cluster::Cluster;
use crate::model::{
    CiliumConfig, DaemonSet, Fact, Key, Name, Node, Object, PolicyEndpoint, Unanswered,
};

/// Something that enforces policies on every node.
#[derive(Debug)]
struct Engine {
    /// How it is called in series.
    id: &'static str,
    /// The CNI that it is a part of, as `identity` calls it, or the name of a DaemonSet of its own.
    of: &'static str,
    /// It looks at traffic to a Service once it has the address of a pod, as policies mean it.
    sees_pods: bool,
    /// It holds ranges of addresses against pods.
    holds_ranges: bool,
}

/// Those that are a part of what gives pods their network.
const OF_CNIS: &[Engine] = &[
    engine("antrea", "antrea"),
    engine("calico", "calico"),
    engine("calico", "canal"),
    engine("cilium", "cilium").without_ranges(),
    engine("kindnet", KINDNET),
    engine("kube-ovn", "kube-ovn").before_pods(),
    engine("kube-router", "kube-router").before_pods(),
    engine("ovn-kubernetes", "ovn-kubernetes"),
    engine("weave", "weave"),
];

/// Those beside it, each a DaemonSet of its own.
const ALONE: &[Engine] = &[
    engine("azure-npm", "azure-npm"),
    engine("azure-npm", "azure-npm-win"),
    engine("kube-network-policies", "kube-network-policies"),
    engine("nsx", "nsx-node-agent"),
];

/// Their agents are on nodes whether they have work or not.
const AWS: Engine = engine("aws", "aws-vpc-cni");

/// What switches them on: without it they are there and do nothing.
const AWS_SWITCH: &str = "enable-network-policy";

/// Where EKS runs them itself, without a DaemonSet.
const AUTO: (&str, &str) = ("eks.amazonaws.com/compute-type", "auto");

/// What switches kube-router's engine off, which else is on.
const KUBE_ROUTER_SWITCH: &str = "run-firewall";

/// How labels begin that Amazon EKS gives its nodes.
const EKS: &str = "eks.amazonaws.com/";

/// In the process of k3s itself.
const K3S: Engine = engine("kube-router", "k3s").before_pods();

/// One that is known by an image alone: flannel's chart puts it beside flannel.
const BY_IMAGE: Engine = engine("kube-network-policies", "kube-network-policies");

/// The CNIs that enforce no policies.
const NETWORKS: &[&str] = &["azure", "flannel", "gke"];

/// One more, which is known by the name of its DaemonSet.
const OCI: &str = "vcn-native-ip-cni";

const KINDNET: &str = "kindnet";

/// From this day on kindnet enforces policies, as the tags of its images tell: `v20240813-c6f155d6`.
const KINDNET_SINCE: u32 = 20_240_813;

const fn engine(id: &'static str, of: &'static str) -> Engine {
    Engine { id, of, sees_pods: true, holds_ranges: true }
}

impl Engine {
    const fn before_pods(self) -> Self {
        Self { sees_pods: false, ..self }
    }

    const fn without_ranges(self) -> Self {
        Self { holds_ranges: false, ..self }
    }
}

/// Whether policies are in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::check) enum Enforced {
    Yes,
    No,
    /// Nothing that is known to enforce policies is here, nor anything that is known not to.
    Unknown,
}

/// Why policies are not in force, though something here could enforce them, or should.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::check) enum Off {
    /// A DaemonSet of an engine is not told this, or told the contrary.
    Agents(Key, &'static str),
    /// AWS' controller makes nothing of policies.
    Aws(Option<Key>),
    /// Cilium is told so, by this key of its ConfigMap.
    Cilium(Object, &'static str),
    /// k3s is told so, as this server says.
    K3s(Name),
    /// What gives pods their network does not do that.
    Network(Key),
}

/// All that are here together.
#[derive(Debug, Default)]
pub(in crate::check) struct Engines {
    /// Those at work, and the DaemonSet of each.
    at_work: Vec<(&'static Engine, Option<Key>)>,
    /// What is not.
    off: BTreeSet<Off>,
}

impl Engines {
    /// Looks for them.
    pub(in crate::check) fn of(cluster: &Cluster) -> Self {
        let mut found = Self::default();
        let Some(table) = cluster.last_known::<DaemonSet>() else { return found };
        // One that fits no node is there and does nothing.
        let runs = |set: &DaemonSet| !set.terminating && set.status.desired > 0;
        let mut aws = None;
        for CniSet { key, set, cni, .. } in sets(table).into_iter().filter(|it| runs(it.set)) {
            let part = OF_CNIS.iter().find(|it| it.of == cni);
            let off = || match cni {
                "cilium" => cilium_is_off(cluster),
                "kube-router" => (switch(set, KUBE_ROUTER_SWITCH) == Some(false))
                    .then(|| Off::Agents(key.clone(), KUBE_ROUTER_SWITCH)),
                _ => None,
            };
            match part.filter(|it| it.of != KINDNET || is_new_kindnet(set)) {
                Some(engine) => match off() {
                    Some(off) => _ = found.off.insert(off),
                    None => found.at_work.push((engine, Some(key.clone()))),
                },
                None if cni == AWS.of => aws = Some((key.clone(), switch(set, AWS_SWITCH))),
                None if has_engine_beside(set) => {}
                None if part.is_some() || NETWORKS.contains(&cni) || is_called(&key.name, OCI) => {
                    found.off.insert(Off::Network(key.clone()));
                }
                None => {}
            }
        }
        for (key, set) in table.iter().filter(|(_, set)| runs(set)) {
            let alone = ALONE.iter().find(|it| is_called(&key.name, it.of));
            if let Some(engine) = alone.or_else(|| has_engine_beside(set).then_some(&BY_IMAGE)) {
                found.at_work.push((engine, Some(key.clone())));
            }
        }
        found.aws(cluster, aws);
        found.k3s(cluster);
        found
    }

    /// AWS' kind is in every cluster of its own, and objects of it only where policies are worked on;
    /// its agents look at them where they are told to.
    fn aws(&mut self, cluster: &Cluster, agents: Option<(Key, Option<bool>)>) {
        let told = agents.as_ref().and_then(|(_, told)| *told);
        let agents = agents.map(|(key, _)| key);
        let table = match cluster.read::<PolicyEndpoint>() {
            Ok(table) => table,
            Err(Unanswered::Skipped(_)) => return self.off.extend(agents.map(Off::Network)),
            Err(Unanswered::Unknown(_)) => return,
        };
        if table.iter().next().is_some() || table.has_undecoded() {
            match agents {
                Some(key) if told != Some(true) && !has_node(cluster, |it| it == AUTO) => {
                    self.off.insert(Off::Agents(key, AWS_SWITCH));
                }
                agents => self.at_work.push((&AWS, agents)),
            }
        } else if agents.is_some() || is_eks(cluster) {
            self.off.insert(Off::Aws(agents));
        }
    }

    fn k3s(&mut self, cluster: &Cluster) {
        let nodes = cluster.last_known::<Node>().into_iter().flat_map(|it| it.iter());
        let mut servers = nodes.filter_map(|(key, node)| Some((&key.name, node.k3s_policies?)));
        let Some((first, mut enforces)) = servers.next() else { return };
        enforces |= servers.any(|(_, enforces)| enforces);
        if enforces {
            self.at_work.push((&K3S, None));
        } else {
            self.off.insert(Off::K3s(first.clone()));
        }
    }

    /// Whether policies are in force.
    pub(in crate::check) fn enforced(&self) -> Enforced {
        match (self.at_work.is_empty(), self.off.is_empty()) {
            (false, _) => Enforced::Yes,
            (true, false) => Enforced::No,
            (true, true) => Enforced::Unknown,
        }
    }

    /// Why they are not, where they are not.
    pub(super) fn off(&self) -> impl Iterator<Item = &Off> {
        self.off.iter().filter(|_| self.at_work.is_empty())
    }

    /// How those at work are called.
    pub(super) fn ids(&self) -> BTreeSet<&'static str> {
        self.at_work.iter().map(|(engine, _)| engine.id).collect()
    }

    /// The DaemonSets that enforce policies; absent where something else does that too.
    pub(super) fn daemon_sets(&self) -> Option<BTreeSet<&Key>> {
        let is_aws = |engine: &Engine| engine.id == AWS.id;
        let all = self.at_work.iter();
        all.map(|(engine, key)| key.as_ref().filter(|_| !is_aws(engine))).collect()
    }

    /// None may look at the address of a Service.
    pub(super) fn see_pods(&self) -> bool {
        self.at_work.iter().all(|(engine, _)| engine.sees_pods)
    }

    /// All hold ranges of addresses against pods.
    pub(super) fn hold_ranges(&self) -> bool {
        self.at_work.iter().all(|(engine, _)| engine.holds_ranges)
    }
}

/// Whether a node is one of Amazon EKS, which may have no DaemonSet: Auto Mode has its agents beside
/// the pods.
fn is_eks(cluster: &Cluster) -> bool {
    has_node(cluster, |(key, _)| key.starts_with(EKS))
}

/// Whether some label of some node is such.
fn has_node(cluster: &Cluster, is: impl Fn((&str, &str)) -> bool) -> bool {
    let nodes = cluster.last_known::<Node>().into_iter().flat_map(|it| it.iter());
    nodes.flat_map(|(_, node)| node.labels.iter()).any(|(key, value)| is((key, value)))
}

/// What the containers of a DaemonSet are told by a flag, the last time that it is there.
fn switch(set: &DaemonSet, flag: &str) -> Option<bool> {
    let mut switches = set.template.switches.iter().rev();
    switches.find(|(name, _)| **name == *flag).map(|(_, is_on)| *is_on)
}

/// Whether an engine is among the containers of something else.
fn has_engine_beside(set: &DaemonSet) -> bool {
    images(set).any(|it| it.contains(BY_IMAGE.of))
}

fn images(set: &DaemonSet) -> impl Iterator<Item = &Name> {
    set.template.images.iter().map(|(_, image)| image)
}

/// Whether an image of kindnet is not known to be older than its engine.
fn is_new_kindnet(set: &DaemonSet) -> bool {
    let day = |image: &Name| image.rsplit_once(":v")?.1.get(..8)?.parse::<u32>().ok();
    images(set).filter_map(day).all(|day| day >= KINDNET_SINCE)
}

/// Returns where Cilium is told to let everything through.
fn cilium_is_off(cluster: &Cluster) -> Option<Off> {
    let maps = cluster.last_known::<CiliumConfig>()?;
    maps.iter().find_map(|(key, map)| {
        let says = |name: &'static str, value: &str| {
            let object = || Object { kind: CiliumConfig::KIND, key: key.clone() };
            (map.text(name)?.trim() == value).then(|| Off::Cilium(object(), name))
        };
        says("enable-policy", "never").or_else(|| says("enable-k8s-networkpolicy", "false"))
    })
}

#[cfg(test)]
mod tests;

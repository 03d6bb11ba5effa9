//! The ranges of nodes, and whether pods get their addresses of them.
//!
//! A controller manager also fills `spec.podCIDRs` where an IPAM ignores it; that is found out for
//! each node: by the CNI whose pod runs there and what that was told, else by whether the addresses of
//! the node's pods lie in its ranges, else by what is so on most nodes.

use std::collections::BTreeMap;

use super::cilium::own_ipam;
use crate::check::components::{Components, Ipam};
use crate::cluster::Cluster;
use crate::model::{Name, Node, Pod, Unanswered};

/// The ranges of all nodes that have a network of their own.
#[derive(Debug)]
pub(super) struct NodeRanges<'a> {
    /// By name, also those without a range.
    pub(super) nodes: BTreeMap<&'a Name, NodeRange<'a>>,
    /// Whether the address of any pod lies in a range of its node.
    pub(super) any_inside: bool,
}

/// The ranges of one node.
#[derive(Debug)]
pub(super) struct NodeRange<'a> {
    /// The node.
    pub(super) node: &'a Node,
    /// How it hands out addresses, where its CNI is known.
    pub(super) ipam: Option<Ipam>,
    /// How many addresses pods have, by position in `spec.podCIDRs`.
    pub(super) used: BTreeMap<usize, u64>,
    /// How many addresses its pods have that lie elsewhere.
    pub(super) outside: u64,
    /// Whether its pods get their addresses of its ranges; never without one.
    pub(super) is_used: bool,
}

impl<'a> NodeRanges<'a> {
    /// Looks at the pods of every node.
    ///
    /// # Errors
    ///
    /// Says why nodes or pods cannot be seen.
    pub(super) fn of(cluster: &'a Cluster) -> Result<Self, Unanswered> {
        let (nodes, pods) = (cluster.read::<Node>()?, cluster.read::<Pod>()?);
        let components = Components::of(cluster);
        // Its own may have ranges of the same pool, so that some are those of the node by chance.
        let is_ciliums = matches!(own_ipam(cluster), Ok(Some(_)));
        let ipam = |node: &Name| match components.ipam(node) {
            Some(Ipam::Cilium) if is_ciliums => Some(Ipam::Other),
            ipam => ipam,
        };
        let mut nodes: BTreeMap<&Name, NodeRange<'_>> = nodes
            .iter()
            .filter(|(_, node)| !node.is_virtual())
            .map(|(key, node)| (&key.name, NodeRange::of(node, ipam(&key.name))))
            .collect();
        for (_, pod) in pods.iter().filter(|(_, pod)| pod.wants_address()) {
            let Some(range) = pod.node.as_ref().and_then(|name| nodes.get_mut(name)) else {
                continue;
            };
            for address in pod.addresses.iter() {
                match range.node.pod_cidrs.iter().position(|it| it.contains(&address)) {
                    Some(at) => *range.used.entry(at).or_default() += 1,
                    None => range.outside += 1,
                }
            }
        }
        let ranged = nodes.values().filter(|it| !it.node.pod_cidrs.is_empty());
        let (inside, outside) =
            ranged.fold((0, 0), |sum, it| (sum.0 + it.inside(), sum.1 + it.outside));
        for range in nodes.values_mut().filter(|it| !it.node.pod_cidrs.is_empty()) {
            range.is_used = match range.ipam {
                Some(Ipam::HostLocal) => true,
                Some(Ipam::Other) => false,
                Some(Ipam::Cilium) | None if range.inside() == range.outside => inside >= outside,
                Some(Ipam::Cilium) | None => range.inside() > range.outside,
            };
        }
        Ok(Self { nodes, any_inside: inside > 0 })
    }

    /// Returns the nodes whose pods have addresses of the node's ranges, as is proved: by their CNI,
    /// or by any pod in the cluster that has one.
    pub(super) fn proved(&self) -> impl Iterator<Item = (&'a Name, &NodeRange<'a>)> {
        let is_proved = |it: &NodeRange<'_>| it.ipam == Some(Ipam::HostLocal) || self.any_inside;
        let used = self.nodes.iter().filter(move |(_, it)| it.is_used && is_proved(it));
        used.map(|(name, it)| (*name, it))
    }
}

impl<'a> NodeRange<'a> {
    const fn of(node: &'a Node, ipam: Option<Ipam>) -> Self {
        Self { node, ipam, used: BTreeMap::new(), outside: 0, is_used: false }
    }

    fn inside(&self) -> u64 {
        self.used.values().sum()
    }
}

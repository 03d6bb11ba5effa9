//! What is handed out, to whom, and of which pool.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::ranges::{Ranges, canonical};
use super::sources::{Pool, Services, declared, has_own_addresses, pools};
use crate::check::Output;
use crate::check::cni::node_ranges::{NodeRange, NodeRanges};
use crate::cluster::Cluster;
use crate::model::{Key, Name, Node, Pod, Unanswered};

/// The labels of CNIs that give pods addresses of the nodes' own network: of AWS, Azure, Alibaba.
const CLOUDS: &[(&str, &str)] =
    &[("k8s-app", "aws-node"), ("k8s-app", "azure-cns"), ("app", "terway-eniip")];

/// All that is compared.
pub(super) struct Facts<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) nodes: NodeRanges<'a>,
    pub(super) services: Services,
    pub(super) pools: Vec<Pool>,
    /// The positions of the pools in which pods have addresses.
    pub(super) pools_used: BTreeSet<usize>,
    pub(super) declared: Vec<Pool>,
    pub(super) handed: Vec<Handed<'a>>,
    /// The addresses of nodes that are settled enough to have any.
    pub(super) addresses: Vec<(&'a Name, IpAddr)>,
}

/// What a node has for its pods.
pub(super) struct Handed<'a> {
    pub(super) range: IpNet,
    pub(super) node: &'a Name,
    pub(super) what: What<'a>,
}

/// What it is that a node has.
#[derive(Clone, Copy)]
pub(super) enum What<'a> {
    /// One of `spec.podCIDRs`.
    Range,
    /// A part of a pool, by its position.
    Block(usize),
    /// The address of a pod, of which no pool is known.
    Pod(&'a Key),
}

impl<'a> Facts<'a> {
    pub(super) fn of(cluster: &'a Cluster, out: &mut Output) -> Result<Self, Unanswered> {
        let nodes = NodeRanges::of(cluster)?;
        out.lacks("nodes", cluster.read::<Node>()?);
        let services = Services::of(cluster, out)?;
        let pools = pools(cluster, out)?;
        let by_range: Ranges<usize> = pools.iter().map(|it| it.range).zip(0..).collect();
        let mut facts = Self {
            cluster,
            nodes,
            services,
            pools,
            pools_used: BTreeSet::new(),
            declared: declared(cluster)?,
            handed: Vec::new(),
            addresses: Vec::new(),
        };
        for (name, range) in &facts.nodes.nodes {
            if has_own_addresses(range.node) {
                facts.addresses.extend(range.node.addresses.iter().map(|it| (*name, *it)));
            }
        }
        let ranges = facts.ranged().flat_map(|(node, it)| {
            let range = move |it: &IpNet| Handed { range: canonical(*it), node, what: What::Range };
            it.node.pod_cidrs.iter().map(range)
        });
        facts.handed = ranges.collect();
        facts.look_at_pods(&by_range)?;
        Ok(facts)
    }

    /// Returns the nodes on which a cloud's CNI gives pods addresses of its own network, whatever
    /// pools there are beside it: for policies alone, or from before.
    fn of_cloud(&self) -> Result<BTreeSet<&'a Name>, Unanswered> {
        let pods = self.cluster.read::<Pod>()?.iter().filter(|(_, pod)| pod.host_network);
        let of = pods
            .filter(|(_, pod)| pod.is_labelled(CLOUDS))
            .filter_map(|(_, pod)| pod.node.as_ref());
        Ok(of.collect())
    }

    /// Finds the blocks in which pods have addresses, and single ones that are Services'.
    fn look_at_pods(&mut self, by_range: &Ranges<usize>) -> Result<(), Unanswered> {
        let pods = self.cluster.read::<Pod>()?;
        let of_cloud = self.of_cloud()?;
        let mut blocks: BTreeMap<(&'a Name, IpNet), What<'a>> = BTreeMap::new();
        let has = |pod: &&Pod| pod.wants_address() && !pod.terminating;
        for (key, pod) in pods.iter().filter(|(_, pod)| has(pod)) {
            let node = pod.node.as_ref().and_then(|node| self.nodes.nodes.get_key_value(node));
            let Some((node, ranges)) = node else { continue };
            for address in pod.addresses.iter() {
                let own = || ranges.node.pod_cidrs.iter().any(|it| it.contains(&address));
                if ranges.is_used && own() {
                    continue;
                }
                let pool = by_range.around(address.into());
                if let Some((_, at)) = pool.filter(|_| !of_cloud.contains(node)) {
                    self.pools_used.insert(*at);
                    blocks.insert((*node, self.pools[*at].block(address)), What::Block(*at));
                } else if self.services.ranges.overlapping(address.into()).is_some() {
                    blocks.entry((*node, address.into())).or_insert(What::Pod(key));
                }
            }
        }
        let new = blocks.into_iter().map(|((node, range), what)| Handed { range, node, what });
        self.handed.extend(new);
        Ok(())
    }

    /// Returns the nodes whose pods have addresses of the node's ranges, but those that leave.
    pub(super) fn ranged(&self) -> impl Iterator<Item = (&'a Name, &NodeRange<'a>)> {
        self.nodes.proved().filter(|(_, it)| !it.node.is_leaving())
    }

    /// Whether any node has its range of a declared one.
    pub(super) fn is_in_use(&self, declared: &Pool) -> bool {
        self.ranged().any(|(_, it)| it.node.pod_cidrs.iter().any(|it| declared.range.contains(it)))
    }

    /// Returns what a node has, in words.
    pub(super) fn words(&self, Handed { range, what, .. }: &Handed<'_>) -> String {
        match what {
            What::Range => format!("range for pods {range}"),
            What::Block(at) => format!("block {range} of {}", self.pools[*at].what),
            What::Pod(key) => format!("pod {key} at {}", range.addr()),
        }
    }
}

//! Cilium's own IPAM: its operator gives nodes ranges or single addresses, as CiliumNodes say, and its
//! agents give them to pods.
//!
//! In the modes with ranges nothing says how many of them are used, so that pods' addresses are
//! counted. Where a node's share grows by itself, with several pools or a cloud's addresses, told is
//! what it has now. Left out: how large pools are that are objects, and what a cloud's subnets have.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::host_local::{CILIUMS_OWN, slots, usable};
use super::pool::{ALL, CAP, Giver, Of, Pool, Scope};
use super::{Adapter, Waiting};
use crate::check::cni::cilium::{OwnIpam, own_ipam};
use crate::check::components::Ipam;
use crate::cluster::Cluster;
use crate::model::{
    CiliumConfig, CiliumNode, Fact, IpFamily, Key, Name, Node, Object, Pod, Skipped, Unanswered,
};

/// Compares what nodes have with the addresses of their pods.
pub(super) static ADAPTER: Adapter = Adapter {
    ipam: "cilium",
    wants: &[CiliumNode::KIND, CiliumConfig::KIND, Node::KIND, Pod::KIND],
    pools,
};

/// As much more may be kept on a node: the address of Cilium's Ingress.
const OF_INGRESS: u64 = 1;

/// A node that is there, and what it has.
struct Found<'a> {
    node: &'a Node,
    of: &'a CiliumNode,
    shares: Vec<Share>,
    outside: u64,
}

/// Ranges of one family that pods get addresses of, whichever of them it is.
struct Share {
    name: String,
    family: IpFamily,
    ranges: Vec<IpNet>,
    addresses: u64,
    used: u64,
    grows: bool,
}

fn pools(
    cluster: &Cluster,
    waiting: &Waiting<'_>,
    pools: &mut Vec<Pool>,
) -> Result<(), Unanswered> {
    let Some(own) = own_ipam(cluster)? else { return Err(Skipped::NotInstalled.into()) };
    let all = cluster.read::<CiliumNode>()?;
    all.whole()?;
    let nodes = cluster.read::<Node>()?;
    let mut found: BTreeMap<&Name, Found<'_>> = all
        .iter()
        .filter_map(|(key, of)| {
            let node = nodes.get(key).filter(|node| !node.is_virtual())?;
            Some((&key.name, Found { node, of, shares: shares(of, &own), outside: 0 }))
        })
        .collect();
    for (_, pod) in cluster.read::<Pod>()?.iter().filter(|(_, pod)| pod.wants_address()) {
        if let Some(on) = pod.node.as_ref().and_then(|node| found.get_mut(node)) {
            pod.addresses.iter().for_each(|address| on.count(address));
        }
    }
    // Single addresses are counted by the agents; of ranges only pods say whether they are used.
    let ranged = || found.values().filter(|it| !it.shares.is_empty());
    let inside: u64 = ranged().flat_map(|it| &it.shares).map(|it| it.used).sum();
    if found.is_empty() || ranged().map(|it| it.outside).sum::<u64>() > inside {
        return Err(Skipped::NotInstalled.into());
    }
    for (name, it) in &found {
        if it.of.has_none() {
            let is_wanted = it.of.is_refused || waiting.on(name) > 0;
            if is_wanted && cluster.is_settled(name, it.node) {
                pools.push(Pool::none((*name).clone(), Giver::Cilium(it.of.is_refused)));
            }
            continue;
        }
        pools.extend(it.shares.iter().map(|share| share.told(name, it.node)));
        pools.extend(single(name, it.of, &own));
    }
    pools.extend(ranges_for_nodes(all.iter(), &own));
    Ok(())
}

impl Found<'_> {
    fn count(&mut self, address: std::net::IpAddr) {
        let mut shares = self.shares.iter_mut();
        match shares.find(|it| it.ranges.iter().any(|range| range.contains(&address))) {
            Some(share) => share.used += 1,
            None => self.outside += 1,
        }
    }
}

impl Share {
    fn told(&self, node: &Name, of: &Node) -> Pool {
        Pool {
            of: Of::Pods,
            name: self.name.clone(),
            // One that grows is never as large as it can be.
            scope: Scope::Node {
                node: node.clone(),
                max_pods: of.max_pods.filter(|_| !self.grows),
            },
            family: Some(self.family),
            addresses: Some(self.addresses),
            used: Some(self.used),
            reserved: 0,
            uncertain: OF_INGRESS,
        }
    }
}

/// Returns the ranges of a node: each by itself, but those of pools together, since nothing says of
/// which of them a pod that waits is to have an address.
fn shares(of: &CiliumNode, own: &OwnIpam<'_>) -> Vec<Share> {
    let default = own.config.text("ipam-default-ip-pool").map_or("default", str::trim);
    let mut shares = Vec::new();
    for family in [IpFamily::V4, IpFamily::V6] {
        let is_of = |range: &&IpNet| IpFamily::of(&range.addr()) == family;
        let in_pools = of.pools.iter().filter(|(_, all)| all.iter().any(|range| is_of(&range)));
        let names: BTreeSet<&Name> = in_pools.map(|(name, _)| name).collect();
        let Some(first) = names.first() else { continue };
        let ranges: Vec<IpNet> =
            of.pools.iter().flat_map(|(_, all)| all).filter(is_of).copied().collect();
        let kept = if names.iter().any(|name| ***name == *default) { CILIUMS_OWN } else { 0 };
        let all = ranges.iter().fold(0_u64, |sum, range| sum.saturating_add(hosts(range)));
        shares.push(Share {
            name: if names.len() == 1 { first.to_string() } else { ALL.to_owned() },
            family,
            addresses: all.min(CAP).saturating_sub(kept),
            ranges,
            used: 0,
            grows: true,
        });
    }
    // Where there are pools, ranges beside them are of those.
    if shares.is_empty() {
        shares.extend(of.ranges.iter().map(|range| Share {
            name: range.to_string(),
            family: IpFamily::of(&range.addr()),
            ranges: vec![*range],
            addresses: usable(range, Some(Ipam::Cilium)),
            used: 0,
            grows: false,
        }));
    }
    shares
}

/// Returns the single addresses of a node, as its agent counts them.
fn single(name: &Name, of: &CiliumNode, own: &OwnIpam<'_>) -> Vec<Pool> {
    let families = [(IpFamily::V4, of.v4), (IpFamily::V6, of.v6)];
    let there = families.into_iter().filter(|(_, handed)| handed.all > 0);
    let told = there.map(|(family, handed)| Pool {
        of: Of::Pods,
        name: own.mode.to_owned(),
        scope: Scope::Node { node: name.clone(), max_pods: None },
        family: Some(family),
        addresses: Some(handed.all),
        used: Some(handed.used),
        reserved: 0,
        uncertain: 0,
    });
    told.collect()
}

/// Returns how many ranges for nodes there are to give, and how many nodes have one: also those that
/// are gone, until the operator takes theirs back.
fn ranges_for_nodes<'a>(
    nodes: impl Iterator<Item = (&'a Key, &'a CiliumNode)>,
    own: &OwnIpam<'_>,
) -> Vec<Pool> {
    if !own.mode.starts_with("cluster-pool") {
        return Vec::new();
    }
    let given: BTreeSet<IpNet> = nodes.flat_map(|(_, it)| it.ranges.iter()).copied().collect();
    let of = |family: IpFamily, word: &str, usual: u8| {
        let text = |end: &str| own.config.text(&format!("cluster-pool-{word}-{end}"));
        let all: Vec<IpNet> = text("cidr")?
            .split([',', ' ', '\n'])
            .filter_map(|range| range.trim().parse().ok())
            .collect();
        let size = text("mask-size").and_then(|it| it.trim().parse().ok()).unwrap_or(usual);
        let given: Vec<&IpNet> =
            given.iter().filter(|it| IpFamily::of(&it.addr()) == family).collect();
        // What is given away of other ranges or sizes is of another time: what is left is not known.
        let fits = |it: &&IpNet| it.prefix_len() == size && all.iter().any(|in_| in_.contains(*it));
        if given.is_empty() || !given.iter().all(fits) {
            return None;
        }
        let all_slots = all.iter().fold(0_u64, |sum, it| sum + slots(it.prefix_len(), size));
        Some(Pool {
            of: Of::Nodes,
            name: if let [one] = &*all { one.to_string() } else { ALL.to_owned() },
            scope: Scope::Shared(Object { kind: CiliumConfig::KIND, key: own.key.clone() }),
            family: Some(family),
            addresses: Some(all_slots.min(CAP)),
            used: Some(given.len() as u64),
            reserved: 0,
            uncertain: 0,
        })
    };
    [of(IpFamily::V4, "ipv4", 24), of(IpFamily::V6, "ipv6", 112)].into_iter().flatten().collect()
}

/// Returns how many addresses of a range of a pool are handed out: neither the first nor the last,
/// but of one that is a single address.
fn hosts(range: &IpNet) -> u64 {
    let bits = u32::from(range.max_prefix_len() - range.prefix_len());
    let all = 1_u64.checked_shl(bits).map_or(CAP, |all| all.min(CAP));
    if all == 1 { 1 } else { all.saturating_sub(2) }
}

//! Node ranges: the plugin `host-local` hands out what `spec.podCIDRs` of each node says.
//!
//! flannel, kindnet, bridge and several clouds work so, and Cilium where it is told to; which nodes do says
//! [`NodeRanges`].

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::pool::{CAP, Giver, Of, Pool, Scope};
use super::{Adapter, Waiting};
use crate::check::cni::control_plane;
use crate::check::cni::node_ranges::NodeRanges;
use crate::check::components::Ipam;
use crate::cluster::Cluster;
use crate::model::{Fact, IpFamily, Node, Object, Pod, Skipped, Unanswered};

/// Reads the ranges of the nodes.
pub(super) static ADAPTER: Adapter =
    Adapter { ipam: "host-local", wants: &[Node::KIND, Pod::KIND], pools };

fn pools(
    cluster: &Cluster,
    waiting: &Waiting<'_>,
    pools: &mut Vec<Pool>,
) -> Result<(), Unanswered> {
    let ranges = NodeRanges::of(cluster)?;
    let before = pools.len();
    for (name, range) in ranges.proved() {
        let (ipam, max_pods) = (range.ipam, range.node.max_pods);
        pools.extend(range.node.pod_cidrs.iter().enumerate().map(|(at, cidr)| Pool {
            of: Of::Pods,
            name: cidr.to_string(),
            scope: Scope::Node { node: name.clone(), max_pods },
            family: Some(IpFamily::of(&cidr.addr())),
            addresses: Some(usable(cidr, ipam)),
            used: Some(range.used.get(&at).copied().unwrap_or_default()),
            reserved: 0,
            uncertain: if ipam.is_none() { CILIUMS_OWN } else { 0 },
        }));
    }
    if pools.len() == before {
        return Err(Skipped::NotInstalled.into());
    }
    // One without a range beside others that have one gives no pod an address.
    for (name, range) in &ranges.nodes {
        let has_none = range.node.pod_cidrs.is_empty() && range.outside == 0;
        if has_none && waiting.on(name) > 0 && range.ipam != Some(Ipam::Other) {
            pools.push(Pool::none((*name).clone(), Giver::ControllerManager));
        }
    }
    if ranges.any_inside {
        pools.extend(ranges_for_nodes(cluster)?);
    }
    Ok(())
}

/// Returns how many ranges for nodes there are to give, where the flags of the controller manager
/// that gives them say it, and how many nodes have one: also those that leave, or are virtual.
fn ranges_for_nodes(cluster: &Cluster) -> Result<Vec<Pool>, Unanswered> {
    let mut told = control_plane::flags(cluster)?.filter(|(_, told)| !told.pods.is_empty());
    let Some((key, told)) = told.next() else { return Ok(Vec::new()) };
    let nodes = cluster.read::<Node>()?;
    let pool = |within: &IpNet| {
        let given: BTreeSet<IpNet> = nodes
            .iter()
            .flat_map(|(_, node)| &node.pod_cidrs)
            .filter(|range| within.contains(*range))
            .copied()
            .collect();
        // All are of one size, that of a flag with as many names as there are versions of it.
        let size = given.first()?.prefix_len();
        if given.iter().any(|range| range.prefix_len() != size) {
            return None;
        }
        let of = |range: &IpNet| slots(range.prefix_len(), size);
        let of_services = told.services.iter().filter_map(|services| {
            let is_around = services.contains(within);
            let lies_in = within.contains(services).then(|| of(services).max(1));
            if is_around { Some(of(within)) } else { lies_in }
        });
        Some(Pool {
            of: Of::Nodes,
            name: within.to_string(),
            scope: Scope::Shared(Object { kind: Pod::KIND, key: key.clone() }),
            family: Some(IpFamily::of(&within.addr())),
            addresses: Some(of(within)),
            used: Some(given.len() as u64),
            reserved: of_services.sum(),
            uncertain: 0,
        })
    };
    Ok(told.pods.iter().filter_map(pool).collect())
}

/// Returns how many ranges of one size lie in another.
pub(super) fn slots(around: u8, size: u8) -> u64 {
    size.checked_sub(around)
        .map_or(0, |bits| 1_u64.checked_shl(bits.into()).unwrap_or(CAP).min(CAP))
}

/// Cilium keeps the addresses of its router and of its health endpoint, the plugin that of the
/// gateway.
pub(super) const CILIUMS_OWN: u64 = 2;

/// Returns how many addresses are handed out: neither the network's nor those that the CNI keeps
/// for itself, nor the broadcast address of IPv4, which Cilium leaves out of IPv6 too.
pub(super) fn usable(range: &IpNet, ipam: Option<Ipam>) -> u64 {
    let kept = match (ipam, range) {
        (Some(Ipam::Cilium), _) => 2 + CILIUMS_OWN,
        (_, IpNet::V4(_)) => 3,
        (_, IpNet::V6(_)) => 2,
    };
    let bits = u32::from(range.max_prefix_len() - range.prefix_len());
    1_u64.checked_shl(bits).map_or(CAP, |all| all.min(CAP)).saturating_sub(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugin_keeps_a_few_addresses_of_each_range_and_cilium_one_more() {
        for (range, plugin, cilium) in [
            ("10.244.1.0/24", 253, 252),
            ("10.244.1.0/26", 61, 60),
            ("10.244.1.0/28", 13, 12),
            ("10.244.1.0/30", 1, 0),
            ("10.244.1.0/31", 0, 0),
            ("10.244.1.7/32", 0, 0),
            ("fd00:1::/120", 254, 252),
            ("fd00:1::/64", CAP - 2, CAP - 4),
            ("::/0", CAP - 2, CAP - 4),
        ] {
            let range = range.parse().unwrap();
            for (ipam, addresses) in
                [(None, plugin), (Some(Ipam::HostLocal), plugin), (Some(Ipam::Cilium), cilium)]
            {
                assert_eq!(usable(&range, ipam), addresses, "{range} {ipam:?}");
            }
        }
    }
}

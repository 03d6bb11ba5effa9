//! Node ranges: the plugin `host-local` hands out what `spec.podCIDRs` of each node says.
//!
//! flannel, kindnet, bridge and several clouds work so, and Cilium may; which nodes do says
//! [`NodeRanges`].

use ipnet::IpNet;

use super::{Adapter, Pool, Scope, Waiting};
use crate::check::cni::node_ranges::NodeRanges;
use crate::check::components::Ipam;
use crate::cluster::Cluster;
use crate::model::{Fact, IpFamily, Node, Pod, Skipped, Unanswered};

/// Reads the ranges of the nodes.
pub(super) static ADAPTER: Adapter =
    Adapter { ipam: "host-local", wants: &[Node::KIND, Pod::KIND], pools };

/// More than anyone can use, and exact as a sample.
const CAP: u64 = 1 << 53;

fn pools(
    cluster: &Cluster,
    waiting: &Waiting<'_>,
    pools: &mut Vec<Pool>,
) -> Result<(), Unanswered> {
    let ranges = NodeRanges::of(cluster)?;
    let before = pools.len();
    for (name, range) in ranges.nodes.iter().filter(|(_, range)| range.is_used) {
        let (ipam, max_pods) = (range.ipam, range.node.max_pods);
        pools.extend(range.node.pod_cidrs.iter().enumerate().map(|(at, cidr)| Pool {
            name: cidr.to_string(),
            scope: Scope::Node { node: (*name).clone(), max_pods },
            family: IpFamily::of(&cidr.addr()),
            addresses: usable(cidr, ipam),
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
            pools.push(Pool {
                name: "none".to_owned(),
                scope: Scope::Node { node: (*name).clone(), max_pods: None },
                family: IpFamily::V4,
                addresses: 0,
                used: Some(0),
                reserved: 0,
                uncertain: 0,
            });
        }
    }
    Ok(())
}

/// Cilium keeps the addresses of its router and of its health endpoint, the plugin that of the
/// gateway.
const CILIUMS_OWN: u64 = 2;

/// Returns how many addresses are handed out: neither the network's nor those that the CNI keeps
/// for itself, nor the broadcast address of IPv4, which Cilium leaves out of IPv6 too.
fn usable(range: &IpNet, ipam: Option<Ipam>) -> u64 {
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

//! Node ranges: the plugin `host-local` hands out what `spec.podCIDRs` of each node says.
//!
//! flannel, kindnet, bridge and several clouds work so, and Cilium may. A controller manager also
//! fills the field where another IPAM ignores it; that is found out for each node: by the CNI whose
//! pod runs there, else by whether the addresses of the node's pods lie in its ranges, else by what
//! is so on most nodes.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{Adapter, Pool, Scope, Waiting};
use crate::check::components::{Components, Ipam};
use crate::cluster::Cluster;
use crate::model::{Fact, IpFamily, Name, Node, Pod, Skipped, Unanswered};

/// Reads the ranges of the nodes.
pub(super) static ADAPTER: Adapter =
    Adapter { ipam: "host-local", wants: &[Node::KIND, Pod::KIND], pools };

/// More than anyone can use, and exact as a sample.
const CAP: u64 = 1 << 53;

/// What pods do to the ranges of one node.
#[derive(Debug, Default)]
struct Use {
    /// By position in `spec.podCIDRs`.
    used: BTreeMap<usize, u64>,
    /// Addresses in them, and elsewhere.
    inside: u64,
    outside: u64,
}

fn pools(
    cluster: &Cluster,
    waiting: &Waiting<'_>,
    pools: &mut Vec<Pool>,
) -> Result<(), Unanswered> {
    let (nodes, pods) = (cluster.read::<Node>()?, cluster.read::<Pod>()?);
    let real: BTreeMap<&Name, &Node> = nodes
        .iter()
        .filter(|(_, node)| !node.is_virtual())
        .map(|(key, node)| (&key.name, node))
        .collect();
    let mut uses: BTreeMap<&Name, Use> = BTreeMap::new();
    for (_, pod) in pods.iter().filter(|(_, pod)| pod.wants_address()) {
        let Some((name, node)) = pod.node.as_ref().and_then(|name| real.get_key_value(name)) else {
            continue;
        };
        let entry = uses.entry(name).or_default();
        for address in pod.addresses.iter() {
            match node.pod_cidrs.iter().position(|range| range.contains(&address)) {
                Some(at) => {
                    *entry.used.entry(at).or_default() += 1;
                    entry.inside += 1;
                }
                None => entry.outside += 1,
            }
        }
    }
    let ranged = || real.iter().filter(|(_, node)| !node.pod_cidrs.is_empty());
    let total = ranged()
        .filter_map(|(name, _)| uses.get(*name))
        .fold((0, 0), |sum, it| (sum.0 + it.inside, sum.1 + it.outside));
    let most = total.0 >= total.1;
    let components = Components::of(cluster);
    let before = pools.len();
    for (name, node) in ranged() {
        let ipam = components.ipam(name);
        let entry = uses.remove(*name).unwrap_or_default();
        let is_used = match ipam {
            Some(Ipam::HostLocal) => true,
            Some(Ipam::Other) => false,
            Some(Ipam::Cilium) | None if entry.inside == entry.outside => most,
            Some(Ipam::Cilium) | None => entry.inside > entry.outside,
        };
        if is_used {
            let max_pods = node.max_pods;
            pools.extend(node.pod_cidrs.iter().enumerate().map(|(at, range)| Pool {
                name: range.to_string(),
                scope: Scope::Node { node: (*name).clone(), max_pods },
                family: IpFamily::of(&range.addr()),
                addresses: usable(range, ipam),
                used: Some(entry.used.get(&at).copied().unwrap_or_default()),
                reserved: 0,
                uncertain: if ipam.is_none() { CILIUMS_OWN } else { 0 },
            }));
        }
    }
    if pools.len() == before {
        return Err(Skipped::NotInstalled.into());
    }
    // One without a range beside others that have one gives no pod an address.
    for (name, node) in &real {
        let has_none =
            node.pod_cidrs.is_empty() && uses.get(*name).is_none_or(|it| it.outside == 0);
        if has_none && waiting.on(name) > 0 && components.ipam(name) != Some(Ipam::Other) {
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

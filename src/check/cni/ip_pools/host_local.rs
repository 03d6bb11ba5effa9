//! Node ranges: the plugin `host-local` hands out what `spec.podCIDRs` of each node says.
//!
//! flannel, kindnet, bridge and several clouds work so. A controller manager also fills the field
//! where another IPAM ignores it; then most addresses of pods lie outside their node's ranges, and
//! this adapter says nothing.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{Adapter, Pool, Scope};
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
    waiting: u64,
}

fn pools(cluster: &Cluster, pools: &mut Vec<Pool>) -> Result<(), Unanswered> {
    let (nodes, pods) = (cluster.read::<Node>()?, cluster.read::<Pod>()?);
    let ranges: BTreeMap<&Name, &Node> = nodes
        .iter()
        .filter(|(_, node)| !node.pod_cidrs.is_empty() && !node.is_virtual())
        .map(|(key, node)| (&key.name, node))
        .collect();
    let mut uses: BTreeMap<&Name, Use> = BTreeMap::new();
    let (mut inside, mut outside) = (0_u64, 0_u64);
    for (_, pod) in pods.iter().filter(|(_, pod)| pod.wants_address()) {
        let Some((name, node)) = pod.node.as_ref().and_then(|name| ranges.get_key_value(name))
        else {
            continue;
        };
        let entry = uses.entry(name).or_default();
        // A pod that is on its way out waits for nothing any more.
        entry.waiting += u64::from(pod.addresses.is_empty() && !pod.terminating);
        for address in pod.addresses.iter() {
            match node.pod_cidrs.iter().position(|range| range.contains(&address)) {
                Some(at) => {
                    *entry.used.entry(at).or_default() += 1;
                    inside += 1;
                }
                None => outside += 1,
            }
        }
    }
    if ranges.is_empty() || outside > inside {
        return Err(Skipped::NotInstalled.into());
    }
    for (name, node) in ranges {
        let entry = uses.remove(name).unwrap_or_default();
        pools.extend(node.pod_cidrs.iter().enumerate().map(|(at, range)| Pool {
            name: range.to_string(),
            scope: Scope::Node { node: name.clone(), max_pods: node.max_pods },
            family: IpFamily::of(&range.addr()),
            addresses: usable(range),
            used: Some(entry.used.get(&at).copied().unwrap_or_default()),
            reserved: 0,
            waiting: entry.waiting,
        }));
    }
    Ok(())
}

/// Returns how many addresses the plugin hands out: neither the network's nor the gateway's, nor
/// the broadcast address of IPv4.
fn usable(range: &IpNet) -> u64 {
    let kept = match range {
        IpNet::V4(_) => 3,
        IpNet::V6(_) => 2,
    };
    let bits = u32::from(range.max_prefix_len() - range.prefix_len());
    1_u64.checked_shl(bits).map_or(CAP, |all| all.min(CAP)).saturating_sub(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugin_keeps_a_few_addresses_of_each_range() {
        for (range, addresses) in [
            ("10.244.1.0/24", 253),
            ("10.244.1.0/28", 13),
            ("10.244.1.0/30", 1),
            ("10.244.1.0/31", 0),
            ("10.244.1.7/32", 0),
            ("fd00:1::/120", 254),
            ("fd00:1::/64", CAP - 2),
            ("::/0", CAP - 2),
        ] {
            assert_eq!(usable(&range.parse().unwrap()), addresses, "{range}");
        }
    }
}

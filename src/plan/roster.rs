//! Which agents there are, and where they answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::first;
use crate::cluster::Cluster;
use crate::model::{Agent, Name, Pod, Protocol, Vantage};

/// The name of the container port on which netvitals answers.
const PORT: &str = "http";

/// Returns the agents that run as pods of the own DaemonSets, as they were last seen, and where
/// they answer.
///
/// Only those are asked: a report cannot be forged by posting one.
pub fn roster(cluster: &Cluster) -> BTreeMap<Agent, SocketAddr> {
    let settings = cluster.settings();
    let vantage = |daemon_set: &Name| {
        if settings.agents.as_ref() == Some(daemon_set) {
            Some(Vantage::Pod)
        } else if settings.host_agents.as_ref() == Some(daemon_set) {
            Some(Vantage::Host)
        } else {
            None
        }
    };
    let mut roster: BTreeMap<Agent, (bool, SocketAddr)> = BTreeMap::new();
    let pods = cluster.last_known::<Pod>().into_iter();
    for (key, pod) in pods.flat_map(|pods| pods.last_known_namespace(&settings.namespace)) {
        debug_assert_eq!(key.namespace, settings.namespace);
        let Some(vantage) = pod.daemon_set.as_ref().and_then(vantage) else { continue };
        let (Some(node), Some(address)) = (&pod.node, first(pod.addresses.iter())) else {
            continue;
        };
        let Some(port) = pod.ports.number(PORT, Protocol::Tcp).filter(|_| !pod.ended) else {
            continue;
        };
        let address = SocketAddr::new(address, port);
        let agent = Agent { node: node.clone(), vantage };
        // While a DaemonSet rolls there are two for a moment: the one that stays counts.
        let known = roster.entry(agent).or_insert_with(|| (pod.terminating, address));
        if known.0 && !pod.terminating {
            *known = (false, address);
        }
    }
    roster.into_iter().map(|(agent, (_, address))| (agent, address)).collect()
}

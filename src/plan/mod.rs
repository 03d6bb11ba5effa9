//! Which agent probes what: a pure function of the facts, the same in every replica and after a restart.
//!
//! Made from what was last known and not from what can be believed: while the API is away,
//! agents go on with what they did. Nodes that are being taken away are no
//! target, and neither are young ones, whose network may still be being set up.

mod ring;
mod targets;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::cluster::Cluster;
use crate::cluster::agents::Agents;
use crate::model::{
    Agent, DnsPlan, EndpointPlan, EndpointSlice, ExpectedPlan, Fact, Key, Kind, Name, Namespace,
    Node, NodeTarget, Plan, Pod, PodPlan, ReplicaPlan, Service, ServicePlan, Uid, Vantage,
};

use ring::{Rings, hash, mix};

/// The namespace whose uid is the cluster's identity.
const SYSTEM: &str = "kube-system";

/// The port of a kubelet that does not name one.
const KUBELET: u16 = 10250;

/// At most this many endpoints of a Service are probed by one agent.
const ENDPOINTS: usize = 4;

/// The kinds that plans are made of: namespaces give the salt, without which a large cluster's
/// rings are others.
const KINDS: [&Kind; 5] =
    [EndpointSlice::KIND, Namespace::KIND, Node::KIND, Pod::KIND, Service::KIND];

/// Everything that plans are made of.
#[derive(Clone, Debug, Default)]
pub struct Plans {
    peers: Share,
    nodes: Share,
    dns: Option<Dns>,
    services: Vec<Spread>,
}

/// A Service, before an agent's share of the endpoints is chosen.
#[derive(Clone, Debug)]
struct Spread {
    plan: ServicePlan,
    /// A number for each endpoint that looks random, made once: the agents' own Service has an
    /// endpoint on every node, and every agent asks for its share.
    places: Vec<u64>,
}

/// Targets of which each agent has its share.
#[derive(Clone, Debug, Default)]
struct Share {
    rings: Rings,
    addresses: BTreeMap<Name, SocketAddr>,
}

/// A pod behind the DNS Service.
#[derive(Clone, Debug)]
struct DnsReplica {
    uid: Uid,
    ready: bool,
    plan: ReplicaPlan,
}

/// The cluster's DNS, before an agent's share of the replicas is chosen.
#[derive(Clone, Debug)]
struct Dns {
    service: Key,
    addresses: Vec<SocketAddr>,
    replicas: Vec<DnsReplica>,
    /// What the control groups of replicas are named by.
    groups: BTreeMap<Uid, PodPlan>,
    expected: Vec<ExpectedPlan>,
}

impl Plans {
    /// Reads the facts, once the API has answered for every kind: an agent that got a plan made of
    /// nothing would drop its own good one.
    pub fn once_known(cluster: &Cluster) -> Option<Self> {
        KINDS.iter().all(|kind| cluster.has_answered(kind)).then(|| Self::of(cluster))
    }

    fn of(cluster: &Cluster) -> Self {
        let nodes = cluster.last_known::<Node>();
        let is_target = |node: &Name| {
            let fact = nodes.and_then(|all| all.get(&Key::new("", node.clone())));
            fact.is_none_or(|fact| fact.runs_agents() && cluster.is_settled(node, fact))
        };
        let system = cluster.last_known::<Namespace>();
        let system = system.and_then(|all| all.get(&Key::new("", SYSTEM)));
        let salt = system.map(|namespace| namespace.uid.clone()).unwrap_or_default();
        let contacts = Agents::of(cluster).contacts();
        let agents = contacts.iter().filter(|(agent, _)| agent.vantage == Vantage::Pod);
        let peers = agents
            .filter(|(agent, _)| is_target(&agent.node))
            .map(|(agent, address)| (agent.node.clone(), *address));
        let nodes = nodes.into_iter().flat_map(|all| all.iter()).filter_map(|(key, node)| {
            let address = *node.addresses.first().filter(|_| is_target(&key.name))?;
            // The host's agent rather than the kubelet, which logs every connection that says
            // nothing. A refused connection would be an answer, too.
            let host = Agent { node: key.name.clone(), vantage: Vantage::Host };
            let kubelet = || SocketAddr::new(address, node.kubelet_port.unwrap_or(KUBELET));
            let target = contacts.get(&host).copied().unwrap_or_else(kubelet);
            Some((key.name.clone(), target))
        });
        let services = targets::services(cluster).into_iter();
        Self {
            peers: Share::new(&salt, peers),
            nodes: Share::new(&salt, nodes),
            dns: targets::dns(cluster),
            services: services.map(|plan| Spread::new(&salt, plan)).collect(),
        }
    }

    /// Returns what `agent` is to probe.
    pub fn plan(&self, agent: &Agent) -> Plan {
        Plan {
            dns: self.dns.as_ref().map(|dns| self.dns_for(agent, dns)),
            peers: self.peers.of(agent),
            nodes: self.nodes.of(agent),
            services: self.services.iter().map(|it| it.of(agent)).collect(),
            dns_pods: self.dns_pods(agent),
        }
    }

    fn dns_for(&self, agent: &Agent, dns: &Dns) -> DnsPlan {
        // A Service sends nothing to a replica that is not ready: its silence is no loss.
        let observes = |it: &&DnsReplica| {
            it.ready && self.peers.rings.observes(&agent.node, &it.uid.to_string())
        };
        DnsPlan {
            service: dns.service.clone(),
            addresses: dns.addresses.clone(),
            replicas: dns.replicas.iter().filter(observes).map(|it| it.plan.clone()).collect(),
            expected: dns.expected.clone(),
        }
    }

    fn dns_pods(&self, agent: &Agent) -> Vec<PodPlan> {
        let Some(dns) = &self.dns else { return Vec::new() };
        let here = dns.replicas.iter().filter(|it| it.plan.replica.node == agent.node);
        let plan = |it: &DnsReplica| {
            dns.groups.get(&it.uid).cloned().unwrap_or_else(|| PodPlan {
                pod: it.plan.replica.pod.clone(),
                uid: it.uid.clone(),
                containers: Vec::new(),
            })
        };
        here.map(plan).collect()
    }
}

impl Spread {
    fn new(salt: &Uid, plan: ServicePlan) -> Self {
        let salt = salt.to_string();
        let place = |endpoint: &EndpointPlan| hash(&[&salt, &endpoint.address.to_string()]);
        Self { places: plan.endpoints.iter().map(place).collect(), plan }
    }

    /// Chooses endpoints on other nodes first, different ones for each agent.
    fn of(&self, agent: &Agent) -> ServicePlan {
        let ServicePlan { service, port, addresses, endpoints } = &self.plan;
        let own = hash(&[&agent.node]);
        let rank = |(at, (endpoint, place)): (usize, (&EndpointPlan, &u64))| {
            (endpoint.node.as_ref() == Some(&agent.node), mix(own ^ place), at)
        };
        let mut ranks: Vec<_> = endpoints.iter().zip(&self.places).enumerate().map(rank).collect();
        if ranks.len() > ENDPOINTS {
            ranks.select_nth_unstable(ENDPOINTS);
            ranks.truncate(ENDPOINTS);
        }
        ranks.sort_unstable();
        ServicePlan {
            service: service.clone(),
            port: *port,
            addresses: addresses.clone(),
            endpoints: ranks.into_iter().map(|(.., at)| endpoints[at].clone()).collect(),
        }
    }
}

impl Share {
    fn new(salt: &Uid, targets: impl Iterator<Item = (Name, SocketAddr)>) -> Self {
        let addresses: BTreeMap<Name, SocketAddr> = targets.collect();
        Self { rings: Rings::new(salt, addresses.keys().cloned()), addresses }
    }

    fn of(&self, agent: &Agent) -> Vec<NodeTarget> {
        let observed = self.rings.observed_by(&agent.node).into_iter();
        let target = |node: &Name| {
            let address = *self.addresses.get(node)?;
            Some(NodeTarget { node: node.clone(), address })
        };
        observed.filter_map(target).collect()
    }
}

/// Returns the first address, which is of the cluster's first family: one family is probed.
fn first(addresses: impl IntoIterator<Item = IpAddr>) -> Option<IpAddr> {
    addresses.into_iter().next()
}

#[cfg(test)]
mod tests;

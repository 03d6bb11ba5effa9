//! Whom pods ask: the pods behind the DNS Service, or what answers on their node.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use crate::cluster::{Cluster, Table, endpoints};
use crate::model::{DnsPath, Key, Pod, Protocol, Service, Skipped, Unanswered, Unknown, Vantage};

/// What caches on the nodes are called by the manifests of Kubernetes and clouds, and of Kubespray,
/// and where they answer by default, besides the address of the DNS Service.
const CACHES: [(&str, IpAddr); 2] = [
    ("node-local-dns", IpAddr::V4(Ipv4Addr::new(169, 254, 20, 10))),
    ("nodelocaldns", IpAddr::V4(Ipv4Addr::new(169, 254, 25, 10))),
];

/// Where a cloud's own resolver answers on each node, as on GKE with Cloud DNS.
const OF_CLOUD: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// The port on which names are asked.
pub(super) const DNS: u16 = 53;

/// A pod that is asked.
pub(super) struct Server<'a> {
    pub(super) key: &'a Key,
    pub(super) pod: &'a Pod,
    udp: u16,
    tcp: Option<u16>,
}

/// All that pods may ask.
pub(super) struct Servers<'a> {
    /// The pods behind the DNS Service; none where it selects none and others write where it leads.
    pub(super) pods: Vec<Server<'a>>,
    /// The Service.
    pub(super) service: &'a Service,
    /// A cache with an address of its own, to which an engine leads what is sent to the Service.
    pub(super) cache: Option<Server<'a>>,
    /// The addresses of each node at which pods ask, or may: the DNS Service's, which a cache on the
    /// node's own network has there, or a link-local one.
    pub(super) on_nodes: Vec<IpAddr>,
}

/// What kubelets have told the agents' pods to ask.
#[derive(Default)]
struct Told {
    /// A link-local address.
    link_local: bool,
    /// Another.
    service: bool,
}

impl Server<'_> {
    /// Returns the port on which it is asked.
    pub(super) fn port(&self, protocol: Protocol) -> Option<u16> {
        if protocol == Protocol::Udp { Some(self.udp) } else { self.tcp }
    }
}

impl<'a> Servers<'a> {
    /// Looks for them.
    ///
    /// # Errors
    ///
    /// Returns why there is nobody to ask: the Service is not there, or no pod behind it, which
    /// `dns_servers` tells.
    pub(super) fn of(cluster: &'a Cluster, pods: &'a Table<Pod>) -> Result<Self, Unanswered> {
        let key = &cluster.settings().dns_service;
        let services = cluster.read::<Service>()?;
        let Some(service) = services.get(key) else {
            // It may be the one that cannot be decoded.
            drop(services.namespace(&key.namespace)?);
            return Err(Unknown::NotFound("the Service that dns_service names").into());
        };
        let number = |protocol: Protocol, pod: &Pod| {
            let mut ports = service.ports.iter();
            let port = ports.find(|it| it.port == DNS && it.protocol == protocol)?;
            endpoints::port_number(port, pod)
        };
        let selected = pods.namespace(&key.namespace)?;
        // One without an address is not asked yet.
        let selected = selected
            .filter(|(_, pod)| is_here(pod) && service.selects(pod) && !pod.addresses.is_empty());
        let servers: Vec<Server<'_>> = selected
            .filter_map(|(key, pod)| {
                let (udp, tcp) = (number(Protocol::Udp, pod)?, number(Protocol::Tcp, pod));
                Some(Server { key, pod, udp, tcp })
            })
            .collect();
        if servers.is_empty() && service.has_controller() {
            return Err(Skipped::NotApplicable.into());
        }
        let caches = || pods.iter().filter(|(_, pod)| is_here(pod) && address(pod).is_some());
        let own = caches().find(|(_, pod)| !pod.host_network && !pod.addresses.is_empty());
        let cache = own.map(|(key, pod)| Server { key, pod, udp: DNS, tcp: Some(DNS) });
        let local = caches().filter(|(_, pod)| pod.host_network).find_map(|(_, pod)| address(pod));
        let told = Told::of(cluster);
        let mut on_nodes = Vec::new();
        // Without a word of the agents it may be the one or the other.
        if told.link_local || (local.is_some() && !told.service) {
            on_nodes.push(local.unwrap_or(OF_CLOUD));
        }
        if local.is_some() && (told.service || !told.link_local) {
            on_nodes.extend(service.addresses.first());
        }
        Ok(Self { pods: servers, service, cache, on_nodes })
    }

    /// Returns the ports on which DNS pods are asked.
    pub(super) fn ports(&self, protocol: Protocol) -> BTreeSet<u16> {
        self.pods.iter().filter_map(|server| server.port(protocol)).collect()
    }
}

impl Told {
    /// Asks the agents on the pod network, however long ago they spoke: it hardly ever changes.
    fn of(cluster: &Cluster) -> Self {
        let mut told = Self::default();
        for (agent, observed) in cluster.last_observed() {
            let rows = observed.observation.dns().into_iter().flat_map(|dns| &dns.rows);
            let paths: BTreeSet<DnsPath> = rows.map(|row| row.path).collect();
            let is_workload = agent.vantage == Vantage::Pod;
            if is_workload && paths.contains(&DnsPath::Nodelocal) {
                told.link_local = true;
            } else if is_workload && paths.contains(&DnsPath::Resolver) {
                told.service = true;
            }
        }
        told
    }
}

fn is_here(pod: &Pod) -> bool {
    !pod.ended && !pod.terminating
}

/// Returns the link-local address of a pod that is a cache on its node.
fn address(pod: &Pod) -> Option<IpAddr> {
    let names = [Some(pod.daemon_set.as_ref()?), pod.labels.get("k8s-app")];
    let mut known = CACHES.iter();
    let cache = known.find(|(cache, _)| names.iter().flatten().any(|name| name.contains(cache)));
    cache.map(|(_, address)| *address)
}

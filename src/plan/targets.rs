//! What is worth probing besides nodes: the cluster's DNS, and Services that every cluster has.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Dns, DnsReplica, first};
use crate::cluster::{Cluster, endpoints};
use crate::model::{
    Container, ContainerPlan, Endpoint, EndpointPlan, EndpointSlice, ExpectedPlan, Key, Name, Pod,
    PodPlan, Protocol, Replica, ReplicaPlan, Service, ServicePlan, ServicePort,
};

/// Replicas have to know a Service that is this old.
const KNOWN_AFTER: Duration = Duration::from_secs(60);

/// So many of the newest Services are asked for: `default/kubernetes` never changes, so that a
/// replica that lost the API would still know it.
const NEWEST: usize = 3;

/// At most this many addresses of a headless Service are compared: more do not fit an answer.
const HEADLESS: usize = 16;

/// Returns the cluster's DNS.
pub(super) fn dns(cluster: &Cluster) -> Option<Dns> {
    let key = &cluster.settings().dns_service;
    let service = cluster.last_known::<Service>()?.get(key)?;
    let port = service.ports.iter().find(|port| port.protocol == Protocol::Udp)?;
    let replicas = endpoints(cluster, key, port).filter(|(endpoint, _)| !endpoint.terminating);
    let mut replicas: Vec<DnsReplica> = replicas
        .filter_map(|(endpoint, address)| {
            let pod = endpoint.pod.as_ref()?;
            let replica = Replica {
                pod: Key { namespace: key.namespace.clone(), name: pod.name.clone() },
                node: endpoint.node.clone().unwrap_or_default(),
            };
            let plan = ReplicaPlan { replica, address };
            Some(DnsReplica { uid: pod.uid.clone(), ready: endpoint.ready, plan })
        })
        .collect();
    // In a dual-stack cluster a replica has an endpoint in each family: one of them is enough.
    replicas.sort_by(|a, b| (&a.uid, a.plan.address).cmp(&(&b.uid, b.plan.address)));
    replicas.dedup_by(|one, other| one.uid == other.uid);
    let pods = cluster.last_known::<Pod>();
    let group = |it: &DnsReplica| {
        let key = &it.plan.replica.pod;
        let pod = pods?.get(key).filter(|pod| pod.uid == it.uid)?;
        let container = |it: &Container| ContainerPlan {
            name: it.name.clone(),
            id: it.id.to_string(),
            dns: it.udp,
        };
        let plan = PodPlan {
            pod: key.clone(),
            uid: pod.config_hash.as_deref().unwrap_or(&pod.uid).clone(),
            containers: pod.containers.iter().map(container).collect(),
        };
        Some((it.uid.clone(), plan))
    };
    Some(Dns {
        groups: replicas.iter().filter_map(group).collect(),
        service: key.clone(),
        addresses: first(service.addresses.iter().copied())
            .map(|address| SocketAddr::new(address, port.port))
            .into_iter()
            .collect(),
        replicas,
        expected: expected(cluster),
    })
}

/// Returns the Services that every replica has to know: one that never changes, the newest
/// that are old enough, and a headless one.
fn expected(cluster: &Cluster) -> Vec<ExpectedPlan> {
    let now = cluster.now().unix;
    let Some(services) = cluster.last_known::<Service>() else { return Vec::new() };
    let known = |service: &Service| {
        service.created.is_none_or(|created| now.saturating_sub(created) >= KNOWN_AFTER)
    };
    let mut newest: Vec<(&Key, &Service)> = services
        .iter()
        .filter(|(key, service)| {
            let asked = service.routed && !service.addresses.is_empty() && !is_api(key);
            // A server may hide a Service without endpoints (`ignore empty_service`).
            asked && known(service) && has_endpoints(cluster, key)
        })
        .collect();
    newest.sort_by_key(|(key, service)| (std::cmp::Reverse(service.created), *key));
    newest.truncate(NEWEST);
    let api = services.iter().filter(|(key, _)| is_api(key));
    let mut expected: Vec<ExpectedPlan> = api
        .chain(newest)
        .map(|(key, service)| ExpectedPlan {
            service: key.clone(),
            addresses: service.addresses.clone(),
            any: false,
        })
        .collect();
    let settings = cluster.settings();
    let headless = Key::new(settings.namespace.clone(), settings.headless_service.clone());
    if let Some(service) = services.get(&headless)
        && known(service)
    {
        let slices =
            endpoints::last_known_slices_of(cluster, &headless).flat_map(|slice| &slice.endpoints);
        let ready = slices.filter(|endpoint| endpoint.ready);
        let addresses: Vec<IpAddr> = ready.filter_map(|endpoint| endpoint.address).collect();
        if (1..=HEADLESS).contains(&addresses.len()) {
            expected.push(ExpectedPlan { service: headless, addresses, any: true });
        }
    }
    expected
}

fn has_endpoints(cluster: &Cluster, service: &Key) -> bool {
    let slices = endpoints::last_known_slices_of(cluster, service);
    slices.flat_map(|slice| &slice.endpoints).any(|endpoint| endpoint.ready)
}

fn is_api(key: &Key) -> bool {
    (&*key.namespace, &*key.name) == ("default", "kubernetes")
}

/// Returns the Services whose every TCP port is probed: the API's, and netvitals' own.
pub(super) fn services(cluster: &Cluster) -> Vec<ServicePlan> {
    let settings = cluster.settings();
    let own = Key::new(settings.namespace.clone(), settings.agent_service.clone());
    let Some(services) = cluster.last_known::<Service>() else { return Vec::new() };
    let mut plans = Vec::new();
    for key in [Key::new("default", "kubernetes"), own] {
        let Some(service) = services.get(&key).filter(|service| !service.addresses.is_empty())
        else {
            continue;
        };
        for port in service.ports.iter().filter(|port| port.protocol == Protocol::Tcp) {
            let ready = endpoints(cluster, &key, port).filter(|(endpoint, _)| endpoint.ready);
            // Two slices may name one endpoint for a moment.
            let endpoints: BTreeMap<SocketAddr, Option<Name>> =
                ready.map(|(endpoint, address)| (address, endpoint.node.clone())).collect();
            plans.push(ServicePlan {
                service: key.clone(),
                port: port.port,
                addresses: service.addresses.clone(),
                endpoints: endpoints
                    .into_iter()
                    .map(|(address, node)| EndpointPlan { node, address })
                    .collect(),
            });
        }
    }
    plans
}

/// Returns the endpoints behind one port of a Service, with the address of that port.
fn endpoints<'a>(
    cluster: &'a Cluster,
    service: &'a Key,
    port: &'a ServicePort,
) -> impl Iterator<Item = (&'a Endpoint, SocketAddr)> {
    let number = |slice: &EndpointSlice| {
        let same =
            slice.ports.iter().find(|it| it.name == port.name && it.protocol == port.protocol);
        same.and_then(|port| port.port)
    };
    let slices = endpoints::last_known_slices_of(cluster, service);
    slices.filter_map(move |slice| Some((slice, number(slice)?))).flat_map(|(slice, port)| {
        let address = move |it: &'a Endpoint| Some((it, SocketAddr::new(it.address?, port)));
        slice.endpoints.iter().filter_map(address)
    })
}

//! Services as the API sends them.

use serde::Deserialize;

use super::field::{Condition, Moment, Target, Text, or_default, protocol};
use super::object::Watched;
use crate::model::{
    IpFamily, Labels, LoadBalancer, Name, Service, ServicePort, Status, TargetPort, Uid,
};

const PROXY_NAME: &str = "service.kubernetes.io/service-proxy-name";

/// What a headless Service has in the place of its address.
const HEADLESS: &str = "None";

/// Finalizers of what makes load balancers: of the controllers of clouds, and of those that AWS and
/// Alibaba have besides.
const FINALIZERS: [&str; 3] = [
    "service.kubernetes.io/load-balancer-cleanup",
    "service.k8s.aws/resources",
    "service.k8s.alibaba/resources",
];

/// What those of GKE begin with: each of its kinds of load balancers has one, with a version.
const OF_GKE: &str = "gke.networking.io/l4-";

/// The condition that holds where something is wrong; others hold where all is well.
const PORTS_ERROR: &str = "LoadBalancerPortsError";

/// What is kept of `metadata`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata<'a> {
    uid: Option<Uid>,
    labels: Option<Labels>,
    creation_timestamp: Option<Moment>,
    deletion_timestamp: Option<Moment>,
    #[serde(borrow)]
    finalizers: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
pub(crate) struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    spec: Spec<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    status: ServiceStatus<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    selector: Option<Labels>,
    #[serde(borrow, rename = "clusterIP")]
    cluster_ip: Option<Text<'a>>,
    #[serde(borrow, rename = "clusterIPs")]
    cluster_ips: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    ip_families: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    ports: Option<Vec<Port<'a>>>,
    publish_not_ready_addresses: Option<bool>,
    load_balancer_class: Option<Name>,
    #[serde(borrow)]
    external_traffic_policy: Option<Text<'a>>,
    health_check_node_port: Option<u16>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceStatus<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    load_balancer: Ingresses<'a>,
    #[serde(borrow)]
    conditions: Option<Vec<Condition<'a>>>,
}

#[derive(Default, Deserialize)]
struct Ingresses<'a> {
    #[serde(borrow)]
    ingress: Option<Vec<Entry<'a>>>,
}

/// One way in.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    ip: Option<Text<'a>>,
    #[serde(borrow)]
    hostname: Option<Text<'a>>,
    #[serde(borrow)]
    ports: Option<Vec<EntryPort<'a>>>,
}

#[derive(Deserialize)]
struct EntryPort<'a> {
    port: Option<u16>,
    #[serde(borrow)]
    protocol: Option<Text<'a>>,
    #[serde(borrow)]
    error: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port<'a> {
    name: Option<Name>,
    port: Option<u16>,
    #[serde(borrow)]
    protocol: Option<Text<'a>>,
    target_port: Option<Target>,
    node_port: Option<u16>,
}

impl Watched for Service {
    type Metadata<'a> = Metadata<'a>;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata<'_>, Wire { spec, status }: Wire<'_>) -> Self {
        let labelled =
            metadata.labels.as_ref().is_some_and(|labels| labels.get(PROXY_NAME).is_some());
        // Older objects have only the first of their addresses.
        let first = spec.cluster_ip.iter().filter(|_| spec.cluster_ips.is_none());
        let addresses = || spec.cluster_ips.iter().flatten().chain(first.clone());
        let external_name = spec.r#type.as_deref() == Some("ExternalName");
        let load_balancer = load_balancer(&metadata, &spec, &status).map(Box::new);
        let of_ports = spec.ports.iter().flatten().filter_map(|port| port.node_port);
        let node_ports = of_ports.chain(spec.health_check_node_port).filter(|port| *port > 0);
        Self {
            load_balancer,
            node_ports: node_ports.collect(),
            created: metadata.creation_timestamp.map(|moment| moment.0),
            selector: spec.selector.unwrap_or_default(),
            external_name,
            routed: !labelled && !external_name,
            headless: addresses().any(|address| **address == *HEADLESS),
            addresses: addresses().filter_map(|address| address.parse().ok()).collect(),
            ports: spec.ports.into_iter().flatten().filter_map(port).collect(),
            families: spec.ip_families.iter().flatten().filter_map(|text| family(text)).collect(),
            publishes_not_ready: spec.publish_not_ready_addresses.unwrap_or_default(),
        }
    }
}

/// Returns what there is to know of a load balancer, where one is asked for or yet to be taken away.
fn load_balancer(
    metadata: &Metadata<'_>,
    spec: &Spec<'_>,
    status: &ServiceStatus<'_>,
) -> Option<LoadBalancer> {
    let finalizers = || metadata.finalizers.iter().flatten();
    let is_one = |it: &str| FINALIZERS.contains(&it) || it.starts_with(OF_GKE);
    let finalizer = finalizers().find(|it| is_one(it));
    let deleted = metadata.deletion_timestamp.as_ref().map(|moment| moment.0);
    let is_asked_for = spec.r#type.as_deref() == Some("LoadBalancer");
    if !is_asked_for && (deleted.is_none() || finalizer.is_none()) {
        return None;
    }
    let entries = || status.load_balancer.ingress.iter().flatten();
    let addresses = entries().flat_map(|it| [&it.ip, &it.hostname].into_iter().flatten());
    let addresses = addresses.filter(|it| !it.is_empty()).map(|it| Name::from(&**it));
    let addresses: Box<[Name]> = addresses.collect();
    let conditions = || status.conditions.iter().flatten();
    let others = || conditions().filter(|it| !it.is(PORTS_ERROR));
    let ports_error = conditions().find(|it| it.is(PORTS_ERROR) && it.status() == Status::True);
    let of_port = entries().flat_map(|it| it.ports.iter().flatten()).find_map(port_error);
    Some(LoadBalancer {
        uid: metadata.uid.clone().unwrap_or_default(),
        class: spec.load_balancer_class.clone().filter(|class| !class.is_empty()),
        has_address: !addresses.is_empty(),
        addresses,
        is_local: spec.external_traffic_policy.as_deref() == Some("Local"),
        finalizer: finalizer.map(|it| Name::from(&**it)),
        deleted,
        has_conditions: others().next().is_some(),
        refusal: others().find(|it| it.status() == Status::False).map(reason),
        port_error: of_port.or_else(|| ports_error.map(reason)),
    })
}

/// Says which port has which error.
fn port_error(wire: &EntryPort<'_>) -> Option<Name> {
    let error = wire.error.as_deref().filter(|error| !error.is_empty())?;
    let (port, protocol) = (wire.port?, protocol(wire.protocol.as_deref()).as_str());
    Some(format!("{port}/{protocol}: {error}").into())
}

fn reason(condition: &Condition<'_>) -> Name {
    condition.reason.clone().unwrap_or_else(|| condition.kind().unwrap_or_default().into())
}

fn port(wire: Port<'_>) -> Option<ServicePort> {
    let port = wire.port?;
    // The API server fills in the port's own number for an absent one and for 0.
    let target = wire.target_port.map(|target| target.0);
    let target = target.filter(|target| *target != TargetPort::Number(0));
    Some(ServicePort {
        name: wire.name.unwrap_or_default(),
        port,
        protocol: protocol(wire.protocol.as_deref()),
        target: target.unwrap_or(TargetPort::Number(port)),
    })
}

/// Reads a family; anything else is none.
pub(super) fn family(text: &str) -> Option<IpFamily> {
    match text {
        "IPv4" => Some(IpFamily::V4),
        "IPv6" => Some(IpFamily::V6),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

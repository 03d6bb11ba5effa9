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
    let is_address = |text: &Option<Text<'_>>| text.as_deref().is_some_and(|it| !it.is_empty());
    let conditions = || status.conditions.iter().flatten();
    let others = || conditions().filter(|it| !it.is(PORTS_ERROR));
    let ports_error = conditions().find(|it| it.is(PORTS_ERROR) && it.status() == Status::True);
    let of_port = entries().flat_map(|it| it.ports.iter().flatten()).find_map(port_error);
    Some(LoadBalancer {
        uid: metadata.uid.clone().unwrap_or_default(),
        class: spec.load_balancer_class.clone().filter(|class| !class.is_empty()),
        has_address: entries().any(|it| is_address(&it.ip) || is_address(&it.hostname)),
        addresses: entries().filter_map(|it| it.ip.as_deref()?.parse().ok()).collect(),
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
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Protocol;
    use crate::watch::object::tests::{absent, read};

    #[test]
    fn every_field_may_be_absent_or_null() {
        let empty = absent::<Service>(
            r#"{
                "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z", "labels": {},
                    "deletionTimestamp": "2026-07-01T12:00:00Z", "finalizers": ["a"] },
                "spec": { "type": "LoadBalancer", "selector": {}, "clusterIP": "None",
                    "clusterIPs": ["None"], "ipFamilies": ["IPv4"],
                    "ports": [{ "name": "a", "port": 1, "protocol": "TCP", "targetPort": 1 }],
                    "publishNotReadyAddresses": true, "loadBalancerClass": "a",
                    "externalTrafficPolicy": "Local" },
                "status": {
                    "loadBalancer": { "ingress": [{ "ip": "a", "hostname": "b", "ports": [
                        { "port": 1, "protocol": "TCP", "error": "c" }] }] },
                    "conditions": [{ "type": "a", "status": "False", "reason": "b" }]
                }
            }"#,
        );
        assert_eq!(empty, Service { routed: true, ..Service::default() });
    }

    #[test]
    fn a_service_has_its_selector_its_addresses_and_its_ports() {
        let service: Service = read(
            r#"{
                "metadata": { "creationTimestamp": "1970-01-02T00:00:00Z" },
                "spec": { "type": "ClusterIP", "selector": { "app": "cart" }, "healthCheckNodePort": 0,
                    "clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "fd00::7"],
                    "ipFamilies": ["IPv4", "IPv6"], "publishNotReadyAddresses": true,
                    "ports": [
                        { "name": "web", "port": 80, "protocol": "TCP", "targetPort": "http",
                            "nodePort": 30080 },
                        { "name": "dns", "port": 53, "protocol": "UDP", "targetPort": 5353 },
                        { "port": 9 },
                        { "name": "no port" }
                    ] }
            }"#,
        );
        let port = |name: &str, port, protocol, target| ServicePort {
            name: name.into(),
            port,
            protocol,
            target,
        };
        let expected = Service {
            created: Some(Duration::from_secs(86_400)),
            selector: [("app", "cart")].into(),
            external_name: false,
            routed: true,
            addresses: vec!["10.96.0.7".parse().unwrap(), "fd00::7".parse().unwrap()],
            headless: false,
            ports: vec![
                port("web", 80, Protocol::Tcp, TargetPort::Name("http".into())),
                port("dns", 53, Protocol::Udp, TargetPort::Number(5353)),
                port("", 9, Protocol::Tcp, TargetPort::Number(9)),
            ],
            node_ports: [30080].into(),
            families: vec![IpFamily::V4, IpFamily::V6],
            publishes_not_ready: true,
            load_balancer: None,
        };
        assert_eq!(service, expected);
    }

    fn balancer(json: &str) -> Option<LoadBalancer> {
        read::<Service>(json).load_balancer.map(|it| *it)
    }

    #[test]
    fn a_load_balancer_has_its_class_its_address_and_what_is_said_of_it() {
        let found = balancer(
            r#"{
                "metadata": { "uid": "u1", "finalizers": ["other", "service.k8s.aws/resources"] },
                "spec": { "type": "LoadBalancer", "loadBalancerClass": "service.k8s.aws/nlb",
                    "externalTrafficPolicy": "Local" },
                "status": { "loadBalancer": { "ingress": [{ "hostname": "a.example.com" }] } }
            }"#,
        );
        let expected = LoadBalancer {
            uid: "u1".into(),
            class: Some("service.k8s.aws/nlb".into()),
            has_address: true,
            is_local: true,
            finalizer: Some("service.k8s.aws/resources".into()),
            ..LoadBalancer::default()
        };
        assert_eq!(found, Some(expected));
        assert_eq!(balancer(r#"{ "spec": { "type": "LoadBalancer" } }"#), Some(<_>::default()));
        for other in ["ClusterIP", "NodePort", "ExternalName"] {
            assert_eq!(balancer(&format!(r#"{{ "spec": {{ "type": "{other}" }} }}"#)), None);
        }
    }

    #[test]
    fn one_that_is_to_be_taken_away_is_one_whatever_the_type_is_by_now() {
        for (metadata, is_one) in [
            (r#""deletionTimestamp": "1970-01-02T00:00:00Z""#, false),
            (r#""finalizers": ["service.kubernetes.io/load-balancer-cleanup"]"#, false),
            (
                r#""deletionTimestamp": "1970-01-02T00:00:00Z",
                    "finalizers": ["service.kubernetes.io/load-balancer-cleanup"]"#,
                true,
            ),
            (
                r#""deletionTimestamp": "1970-01-02T00:00:00Z",
                    "finalizers": ["other", "gke.networking.io/l4-ilb-v2"]"#,
                true,
            ),
            (
                r#""deletionTimestamp": "1970-01-02T00:00:00Z", "finalizers": ["gke.networking.io"]"#,
                false,
            ),
        ] {
            let found = balancer(&format!(r#"{{ "metadata": {{ {metadata} }} }}"#));
            let deleted = found.and_then(|it| it.deleted);
            assert_eq!(deleted, is_one.then(|| Duration::from_secs(86_400)), "{metadata}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_load_balancer_is_told_by_its_ports_and_conditions() {
        for (status, port_error, refusal) in [
            (r#""loadBalancer": { "ingress": [{ "ip": "192.0.2.1" }] }"#, None, None),
            (
                r#""loadBalancer": { "ingress": [{ "ip": "192.0.2.1", "ports": [
                    { "port": 80, "protocol": "TCP", "error": null },
                    { "port": 53, "protocol": "UDP", "error": "LoadBalancerMixedProtocol" }] }] }"#,
                Some("53/udp: LoadBalancerMixedProtocol"),
                None,
            ),
            (
                r#""conditions": [{ "type": "LoadBalancerPortsError", "status": "True",
                    "reason": "LoadBalancerMixedProtocolNotSupported" }]"#,
                Some("LoadBalancerMixedProtocolNotSupported"),
                None,
            ),
            (
                r#""conditions": [{ "type": "LoadBalancerPortsError", "status": "False" }]"#,
                None,
                None,
            ),
            (
                r#""conditions": [{ "type": "cilium.io/IPAMRequestSatisfied", "status": "False",
                    "reason": "no_pool" }]"#,
                None,
                Some("no_pool"),
            ),
        ] {
            let found = balancer(&format!(
                r#"{{ "spec": {{ "type": "LoadBalancer" }}, "status": {{ {status} }} }}"#
            ));
            let found = found.unwrap();
            assert_eq!(found.port_error, port_error.map(Name::from), "{status}");
            assert_eq!(found.refusal, refusal.map(Name::from), "{status}");
            assert_eq!(found.has_conditions, refusal.is_some(), "{status}");
            let addresses: &[&str] =
                if status.contains("192.0.2.1") { &["192.0.2.1"] } else { &[] };
            assert!(found.addresses.iter().map(ToString::to_string).eq(addresses.iter().copied()));
        }
    }

    #[test]
    fn a_headless_service_has_no_address_and_an_old_one_only_its_first() {
        for (spec, headless, addresses) in [
            (r#"{ "clusterIP": "None", "clusterIPs": ["None"] }"#, true, 0),
            (r#"{ "clusterIP": "None" }"#, true, 0),
            (r#"{ "clusterIP": "10.96.0.7" }"#, false, 1),
            (r#"{ "clusterIP": "" }"#, false, 0),
        ] {
            let service: Service = read(&format!(r#"{{ "spec": {spec} }}"#));
            assert_eq!(
                (service.headless, service.addresses.len()),
                (headless, addresses),
                "{spec}"
            );
        }
    }

    #[test]
    fn an_external_name_and_another_proxys_service_are_not_routed() {
        for json in [
            r#"{ "spec": { "type": "ExternalName" } }"#,
            r#"{ "metadata": { "labels": { "service.kubernetes.io/service-proxy-name": "x" } } }"#,
        ] {
            assert!(!read::<Service>(json).routed, "{json}");
        }
    }
}

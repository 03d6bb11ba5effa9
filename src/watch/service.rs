//! Services as the API sends them.

use serde::Deserialize;

use super::field::{Moment, Target, Text, or_default, protocol};
use super::object::Watched;
use crate::model::{IpFamily, Labels, Name, Service, ServicePort, TargetPort};

const PROXY_NAME: &str = "service.kubernetes.io/service-proxy-name";

/// What a headless Service has in the place of its address.
const HEADLESS: &str = "None";

/// What is kept of `metadata`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    labels: Option<Labels>,
    creation_timestamp: Option<Moment>,
}

#[derive(Deserialize)]
pub(crate) struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    spec: Spec<'a>,
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
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port<'a> {
    name: Option<Name>,
    port: Option<u16>,
    #[serde(borrow)]
    protocol: Option<Text<'a>>,
    target_port: Option<Target>,
}

impl Watched for Service {
    type Metadata<'a> = Metadata;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata, Wire { spec }: Wire<'_>) -> Self {
        let labelled =
            metadata.labels.as_ref().is_some_and(|labels| labels.get(PROXY_NAME).is_some());
        // Older objects have only the first of their addresses.
        let first = spec.cluster_ip.iter().filter(|_| spec.cluster_ips.is_none());
        let addresses = || spec.cluster_ips.iter().flatten().chain(first.clone());
        let external_name = spec.r#type.as_deref() == Some("ExternalName");
        Self {
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
                "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z", "labels": {} },
                "spec": { "type": "ClusterIP", "selector": {}, "clusterIP": "None",
                    "clusterIPs": ["None"], "ipFamilies": ["IPv4"],
                    "ports": [{ "name": "a", "port": 1, "protocol": "TCP", "targetPort": 1 }],
                    "publishNotReadyAddresses": true }
            }"#,
        );
        assert_eq!(empty, Service { routed: true, ..Service::default() });
    }

    #[test]
    fn a_service_has_its_selector_its_addresses_and_its_ports() {
        let service: Service = read(
            r#"{
                "metadata": { "creationTimestamp": "1970-01-02T00:00:00Z" },
                "spec": { "type": "ClusterIP", "selector": { "app": "cart" },
                    "clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "fd00::7"],
                    "ipFamilies": ["IPv4", "IPv6"], "publishNotReadyAddresses": true,
                    "ports": [
                        { "name": "web", "port": 80, "protocol": "TCP", "targetPort": "http" },
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
            families: vec![IpFamily::V4, IpFamily::V6],
            publishes_not_ready: true,
        };
        assert_eq!(service, expected);
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

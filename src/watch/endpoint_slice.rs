//! EndpointSlices as the API sends them.

use serde::Deserialize;

use super::field::{Text, protocol};
use super::object::Watched;
use super::service::family;
use crate::model::{Endpoint, EndpointPort, EndpointSlice, Labels, Name, PodRef, Uid};

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const CONTROLLER: &str = "endpointslice-controller.k8s.io";
const MIRROR: &str = "endpointslicemirroring-controller.k8s.io";

/// What is kept of `metadata`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    labels: Option<Labels>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wire<'a> {
    #[serde(borrow)]
    address_type: Option<Text<'a>>,
    #[serde(borrow)]
    ports: Option<Vec<WirePort<'a>>>,
    #[serde(borrow)]
    endpoints: Option<Vec<WireEndpoint<'a>>>,
}

#[derive(Deserialize)]
struct WirePort<'a> {
    name: Option<Name>,
    port: Option<u16>,
    #[serde(borrow)]
    protocol: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEndpoint<'a> {
    #[serde(borrow)]
    addresses: Option<Vec<Text<'a>>>,
    conditions: Option<Conditions>,
    node_name: Option<Name>,
    #[serde(borrow)]
    target_ref: Option<TargetRef<'a>>,
}

#[derive(Default, Deserialize)]
struct Conditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Deserialize)]
struct TargetRef<'a> {
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    name: Option<Name>,
    uid: Option<Uid>,
}

impl Watched for EndpointSlice {
    type Metadata<'a> = Metadata;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata, wire: Wire<'_>) -> Self {
        let labels = metadata.labels.unwrap_or_default();
        Self {
            managed: labels.get(MANAGED_BY).is_some_and(|by| **by == *CONTROLLER),
            mirrored: labels.get(MANAGED_BY).is_some_and(|by| **by == *MIRROR),
            service: labels.get(SERVICE_NAME).cloned(),
            family: wire.address_type.and_then(|text| family(&text)),
            ports: wire.ports.into_iter().flatten().map(Into::into).collect(),
            endpoints: wire.endpoints.into_iter().flatten().map(Into::into).collect(),
        }
    }
}

impl From<WirePort<'_>> for EndpointPort {
    fn from(wire: WirePort<'_>) -> Self {
        let protocol = protocol(wire.protocol.as_deref());
        Self { name: wire.name.unwrap_or_default(), port: wire.port, protocol }
    }
}

impl From<WireEndpoint<'_>> for Endpoint {
    fn from(wire: WireEndpoint<'_>) -> Self {
        let address = wire.addresses.into_iter().flatten().next();
        let conditions = wire.conditions.unwrap_or_default();
        let ready = conditions.ready.unwrap_or(true);
        let target = wire.target_ref.filter(|target| target.kind.as_deref() == Some("Pod"));
        Self {
            address: address.and_then(|address| address.parse().ok()),
            pod: target.and_then(|target| Some(PodRef { name: target.name?, uid: target.uid? })),
            node: wire.node_name,
            ready,
            serving: conditions.serving.unwrap_or(ready),
            terminating: conditions.terminating.unwrap_or(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{IpFamily, Protocol};
    use crate::watch::object::tests::{absent, read};

    #[test]
    fn every_field_may_be_absent_or_null() {
        let empty = absent::<EndpointSlice>(
            r#"{
                "metadata": { "labels": {} }, "addressType": "IPv4",
                "ports": [{ "name": "a", "port": 1, "protocol": "TCP" }],
                "endpoints": [{
                    "addresses": ["a"], "nodeName": "n1",
                    "conditions": { "ready": true, "serving": true, "terminating": true },
                    "targetRef": { "kind": "Pod", "name": "a", "uid": "b" }
                }]
            }"#,
        );
        assert_eq!(empty, EndpointSlice::default());
        let nothing = Endpoint {
            address: None,
            pod: None,
            node: None,
            ready: true,
            serving: true,
            terminating: false,
        };
        let slice: EndpointSlice = read(r#"{ "endpoints": [{}], "ports": [{}] }"#);
        assert_eq!(slice.endpoints, [nothing]);
        let any = EndpointPort { name: Name::default(), port: None, protocol: Protocol::Tcp };
        assert_eq!(slice.ports, [any]);
    }

    #[test]
    fn an_endpoint_has_its_pod_its_address_and_its_readiness() {
        let slice: EndpointSlice = read(
            r#"{
                "metadata": { "labels": {
                    "kubernetes.io/service-name": "cart",
                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"
                } },
                "addressType": "IPv6",
                "ports": [{ "name": "web", "port": 8080, "protocol": "TCP" }],
                "endpoints": [{
                    "addresses": ["10.244.1.7"],
                    "nodeName": "n1",
                    "conditions": { "ready": false, "serving": null },
                    "targetRef": { "kind": "Pod", "name": "cart-1", "uid": "u1" }
                }]
            }"#,
        );
        let endpoint = Endpoint {
            address: Some([10, 244, 1, 7].into()),
            pod: Some(PodRef { name: "cart-1".into(), uid: "u1".into() }),
            node: Some("n1".into()),
            ready: false,
            serving: false,
            terminating: false,
        };
        let port = EndpointPort { name: "web".into(), port: Some(8080), protocol: Protocol::Tcp };
        let expected = EndpointSlice {
            service: Some("cart".into()),
            managed: true,
            mirrored: false,
            family: Some(IpFamily::V6),
            ports: vec![port],
            endpoints: vec![endpoint],
        };
        assert_eq!(slice, expected);
    }
}

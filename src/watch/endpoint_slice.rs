//! EndpointSlices as the API sends them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::protocol;
use super::seen::Watched;
use crate::model::{Endpoint, EndpointPort, EndpointSlice, IpFamily, Name, PodRef, Uid};

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const CONTROLLER: &str = "endpointslice-controller.k8s.io";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wire {
    #[serde(default)]
    metadata: Metadata,
    address_type: Option<String>,
    ports: Option<Vec<WirePort>>,
    endpoints: Option<Vec<WireEndpoint>>,
}

#[derive(Deserialize)]
struct WirePort {
    name: Option<Name>,
    port: Option<u16>,
    protocol: Option<String>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    labels: Option<BTreeMap<String, Name>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEndpoint {
    addresses: Option<Vec<String>>,
    conditions: Option<Conditions>,
    node_name: Option<Name>,
    target_ref: Option<TargetRef>,
}

#[derive(Default, Deserialize)]
struct Conditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Deserialize)]
struct TargetRef {
    kind: Option<String>,
    name: Option<Name>,
    uid: Option<Uid>,
}

impl Watched for EndpointSlice {
    type Wire = Wire;
}

impl From<Wire> for EndpointSlice {
    fn from(wire: Wire) -> Self {
        let mut labels = wire.metadata.labels.unwrap_or_default();
        Self {
            managed: labels.get(MANAGED_BY).is_some_and(|by| **by == *CONTROLLER),
            service: labels.remove(SERVICE_NAME),
            family: match wire.address_type.as_deref() {
                Some("IPv4") => Some(IpFamily::V4),
                Some("IPv6") => Some(IpFamily::V6),
                _ => None,
            },
            ports: wire.ports.into_iter().flatten().map(Into::into).collect(),
            endpoints: wire.endpoints.into_iter().flatten().map(Into::into).collect(),
        }
    }
}

impl From<WirePort> for EndpointPort {
    fn from(wire: WirePort) -> Self {
        let protocol = protocol(wire.protocol.as_deref());
        Self { name: wire.name.unwrap_or_default(), port: wire.port, protocol }
    }
}

impl From<WireEndpoint> for Endpoint {
    fn from(wire: WireEndpoint) -> Self {
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

    fn read(json: &str) -> EndpointSlice {
        serde_json::from_str::<Wire>(json).unwrap().into()
    }

    #[test]
    fn every_field_may_be_absent() {
        assert_eq!(read("{}"), EndpointSlice::default());
        let nothing = Endpoint {
            address: None,
            pod: None,
            node: None,
            ready: true,
            serving: true,
            terminating: false,
        };
        assert_eq!(read(r#"{ "endpoints": [{}] }"#).endpoints, [nothing]);
    }

    #[test]
    fn an_endpoint_has_its_pod_its_address_and_its_readiness() {
        let slice = read(
            r#"{
                "metadata": { "labels": {
                    "kubernetes.io/service-name": "cart",
                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"
                } },
                "endpoints": [{
                    "addresses": ["10.244.1.7"],
                    "nodeName": "n1",
                    "conditions": { "ready": false, "serving": null },
                    "targetRef": { "kind": "Pod", "name": "cart-1", "uid": "u1" }
                }]
            }"#,
        );
        let pod = Some(PodRef { name: "cart-1".into(), uid: "u1".into() });
        let address = Some([10, 244, 1, 7].into());
        assert_eq!((slice.service.as_deref(), slice.managed), (Some("cart"), true));
        let endpoint = Endpoint {
            address,
            pod,
            node: Some("n1".into()),
            ready: false,
            serving: false,
            terminating: false,
        };
        assert_eq!(slice.endpoints, [endpoint]);
    }
}

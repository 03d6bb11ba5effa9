//! Nodes as the API sends them.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::field::{Condition, Moment, Quantity, Text, or_default};
use super::object::Watched;
use crate::model::{Labels, Name, Node, Ready, Status};

/// What the kubelet says in its `Ready` condition when the runtime has no network.
const NO_NETWORK: &str = "NetworkReady=false";

/// What is kept of `metadata`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    labels: Option<Labels>,
    creation_timestamp: Option<Moment>,
    deletion_timestamp: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(crate) struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    spec: Spec<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    status: NodeStatus<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow, rename = "podCIDR")]
    pod_cidr: Option<Text<'a>>,
    #[serde(borrow, rename = "podCIDRs")]
    pod_cidrs: Option<Vec<Text<'a>>>,
    unschedulable: Option<bool>,
    taints: Option<Vec<Taint>>,
}

#[derive(Deserialize)]
struct Taint {
    key: Option<Name>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeStatus<'a> {
    #[serde(borrow)]
    addresses: Option<Vec<Address<'a>>>,
    #[serde(default, deserialize_with = "or_default")]
    allocatable: Allocatable,
    #[serde(default, deserialize_with = "or_default")]
    daemon_endpoints: DaemonEndpoints,
    #[serde(borrow)]
    conditions: Option<Vec<Condition<'a>>>,
}

#[derive(Deserialize)]
struct Address<'a> {
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    #[serde(borrow)]
    address: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
struct Allocatable {
    pods: Option<Quantity>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DaemonEndpoints {
    #[serde(default, deserialize_with = "or_default")]
    kubelet_endpoint: KubeletEndpoint,
}

/// The one field of the API that begins with a capital.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KubeletEndpoint {
    port: Option<u16>,
}

impl Watched for Node {
    type Metadata<'a> = Metadata;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata, Wire { spec, status }: Wire<'_>) -> Self {
        // Older objects have only the first of their ranges.
        let first = spec.pod_cidr.iter().filter(|_| spec.pod_cidrs.is_none());
        let ranges = spec.pod_cidrs.iter().flatten().chain(first);
        let own = status.addresses.into_iter().flatten();
        let own = own.filter(|address| address.r#type.as_deref() == Some("InternalIP"));
        let conditions = status.conditions.unwrap_or_default();
        let unavailable = conditions.iter().find(|one| one.is("NetworkUnavailable"));
        let endpoint = status.daemon_endpoints.kubelet_endpoint;
        Self {
            created: metadata.creation_timestamp.map(|moment| moment.0),
            terminating: metadata.deletion_timestamp.is_some(),
            labels: metadata.labels.unwrap_or_default(),
            pod_cidrs: ranges.filter_map(|range| range.parse().ok()).collect(),
            cordoned: spec.unschedulable.unwrap_or_default(),
            taints: spec.taints.into_iter().flatten().filter_map(|taint| taint.key).collect(),
            addresses: own.filter_map(|own| own.address?.parse().ok()).collect(),
            max_pods: status.allocatable.pods.map(|pods| pods.0),
            kubelet_port: endpoint.port.filter(|port| *port != 0),
            network_unavailable: unavailable.is_some_and(|one| one.status() == Status::True),
            ready: conditions.into_iter().find(|one| one.is("Ready")).map(Into::into),
        }
    }
}

impl From<Condition<'_>> for Ready {
    fn from(condition: Condition<'_>) -> Self {
        Self {
            status: condition.status(),
            network_not_ready: condition.message.is_some_and(|text| text.contains(NO_NETWORK)),
            reason: condition.reason.unwrap_or_default(),
            since: condition.last_transition_time.map(|moment| moment.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::watch::object::tests::{absent, read};

    #[test]
    fn every_field_may_be_absent_or_null() {
        let empty = absent::<Node>(
            r#"{
                "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z",
                    "deletionTimestamp": "2026-07-01T12:00:00Z", "labels": {} },
                "spec": { "podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"],
                    "unschedulable": true, "taints": [{ "key": "a" }] },
                "status": { "addresses": [{ "type": "InternalIP", "address": "10.0.0.1" }],
                    "allocatable": { "pods": "110" },
                    "daemonEndpoints": { "kubeletEndpoint": { "Port": 10250 } },
                    "conditions": [{ "type": "Ready", "status": "True", "reason": "a",
                        "message": "b", "lastTransitionTime": "2026-07-01T12:00:00Z" }] }
            }"#,
        );
        assert_eq!(empty, Node::default());
    }

    #[test]
    fn a_node_has_its_ranges_its_addresses_and_its_state() {
        let node: Node = read(
            r#"{
                "metadata": { "creationTimestamp": "1970-01-02T00:00:00Z",
                    "labels": { "kubernetes.io/os": "linux" } },
                "spec": { "podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24", "fd00::/64", "x"],
                    "unschedulable": true,
                    "taints": [{ "key": "node.kubernetes.io/not-ready", "effect": "NoExecute" }] },
                "status": {
                    "addresses": [{ "type": "Hostname", "address": "10.9.9.9" },
                        { "type": "InternalIP", "address": "10.0.0.1" }],
                    "allocatable": { "cpu": "2", "pods": "1k" },
                    "daemonEndpoints": { "kubeletEndpoint": { "Port": 10250 } },
                    "conditions": [
                        { "type": "NetworkUnavailable", "status": "True" },
                        { "type": "Ready", "status": "False", "reason": "KubeletNotReady",
                            "message": "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:x",
                            "lastTransitionTime": "1970-01-03T00:00:00Z" }] }
            }"#,
        );
        let day = Duration::from_secs(86_400);
        let expected = Node {
            created: Some(day),
            terminating: false,
            labels: [("kubernetes.io/os", "linux")].into(),
            pod_cidrs: vec!["10.244.1.0/24".parse().unwrap(), "fd00::/64".parse().unwrap()],
            cordoned: true,
            taints: vec!["node.kubernetes.io/not-ready".into()],
            addresses: vec![[10, 0, 0, 1].into()],
            max_pods: Some(1000),
            kubelet_port: Some(10250),
            ready: Some(Ready {
                status: Status::False,
                reason: "KubeletNotReady".into(),
                network_not_ready: true,
                since: Some(2 * day),
            }),
            network_unavailable: true,
        };
        assert_eq!(node, expected);
    }

    #[test]
    fn a_silent_kubelet_is_unknown_and_port_0_is_none() {
        let node: Node = read(
            r#"{
                "spec": { "podCIDR": "10.244.1.0/24" },
                "status": { "daemonEndpoints": { "kubeletEndpoint": { "Port": 0 } }, "conditions": [
                    { "type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown" },
                    { "type": "NetworkUnavailable", "status": "False" }] }
            }"#,
        );
        assert_eq!(node.ready.map(|ready| ready.status), Some(Status::Unknown));
        assert_eq!((node.kubelet_port, node.network_unavailable), (None, false));
        assert_eq!(node.pod_cidrs, ["10.244.1.0/24".parse().unwrap()]);
    }
}

//! Nodes as the API sends them.

use std::net::IpAddr;

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
    #[serde(default, deserialize_with = "or_default")]
    annotations: Annotations,
    labels: Option<Labels>,
    creation_timestamp: Option<Moment>,
    deletion_timestamp: Option<IgnoredAny>,
}

/// The annotations that are looked at.
#[derive(Default, Deserialize)]
struct Annotations {
    /// JSON in JSON: the words with which k3s was started, those of its file of configuration too.
    #[serde(rename = "k3s.io/node-args")]
    k3s: Option<String>,
}

/// Of what a condition speaks that a problem detector made for the network.
const NETWORK: [&str; 2] = ["Network", "NetDevice"];

/// How the types of conditions end that are wrong when they are false; all others are wrong when
/// they are true, as problem detectors have it.
const GOOD: [&str; 4] = ["Ready", "Healthy", "Available", "Up"];

/// And how those end that only look like it.
const BAD: [&str; 3] = ["NotReady", "Unhealthy", "Unavailable"];

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
    #[serde(borrow, default, deserialize_with = "or_default")]
    node_info: NodeInfo<'a>,
    #[serde(borrow)]
    conditions: Option<Vec<Condition<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeInfo<'a> {
    #[serde(borrow)]
    kubelet_version: Option<Text<'a>>,
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
        let all = status.addresses.into_iter().flatten();
        let (own, others): (Vec<_>, Vec<_>) =
            all.partition(|address| address.r#type.as_deref() == Some("InternalIP"));
        let parsed = |some: Vec<Address<'_>>| -> Vec<IpAddr> {
            some.into_iter().filter_map(|it| it.address?.parse().ok()).collect()
        };
        let own = Some(parsed(own)).filter(|own| !own.is_empty());
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
            addresses: own.unwrap_or_else(|| parsed(others)),
            max_pods: status.allocatable.pods.map(|pods| pods.0),
            kubelet_port: endpoint.port.filter(|port| *port != 0),
            k3s_policies: metadata.annotations.k3s.and_then(|it| k3s_policies(&it)),
            kubelet: status.node_info.kubelet_version.as_deref().and_then(release),
            network_unavailable: unavailable.is_some_and(|one| one.status() == Status::True),
            network_conditions: conditions.iter().filter_map(network_trouble).collect(),
            ready: conditions.into_iter().find(|one| one.is("Ready")).map(Into::into),
        }
    }
}

/// Returns whether a server of k3s enforces policies, which it does unless it is told not to.
fn k3s_policies(words: &str) -> Option<bool> {
    let words: Vec<String> = serde_json::from_str(words).ok()?;
    let mut words = words.iter().map(String::as_str);
    if words.next() != Some("server") {
        return None;
    }
    let said = words.find_map(|word| {
        let value = word.trim_start_matches('-').strip_prefix("disable-network-policy")?;
        (value.is_empty() || value.starts_with('=')).then_some(value)
    });
    let Some(value) = said else { return Some(true) };
    // k3s writes down a flag and its value as two words.
    let value = value.strip_prefix('=').or_else(|| words.next());
    Some(value.is_some_and(|it| it.eq_ignore_ascii_case("false")))
}

/// Returns the first two numbers of a version of Kubernetes: of `v1.33.1+k3s1` and `v1.32.9-eks-113cf36`.
fn release(version: &str) -> Option<(u16, u16)> {
    let (major, rest) = version.trim_start_matches('v').split_once('.')?;
    let minor = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Returns the type of a condition that says something is wrong with the network, apart from those
/// of Kubernetes itself.
fn network_trouble(condition: &Condition<'_>) -> Option<Name> {
    let kind = condition.kind()?;
    if kind == "NetworkUnavailable" || !NETWORK.iter().any(|word| kind.contains(word)) {
        return None;
    }
    let ends = |with: &[&str]| with.iter().any(|end| kind.ends_with(end));
    let wrong = if ends(&GOOD) && !ends(&BAD) { Status::False } else { Status::True };
    (condition.status() == wrong).then(|| kind.into())
}

/// Returns whether the runtime has a network, as the message of `Ready` says: the kubelet lists all
/// that is amiss. What it says of the network in other words than these is not understood.
fn network(ready: Status, message: &str) -> Option<bool> {
    match message {
        _ if ready == Status::True => Some(true),
        text if text.contains(NO_NETWORK) => Some(false),
        text if text.to_ascii_lowercase().contains("network") => None,
        _ => Some(true),
    }
}

impl From<Condition<'_>> for Ready {
    fn from(condition: Condition<'_>) -> Self {
        Self {
            status: condition.status(),
            network: network(condition.status(), condition.message.as_deref().unwrap_or_default()),
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
                "metadata": { "annotations": { "k3s.io/node-args": "a" },
                    "creationTimestamp": "2026-07-01T12:00:00Z", "deletionTimestamp": "2026-07-01T12:00:00Z", "labels": {} },
                "spec": { "podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"],
                    "unschedulable": true, "taints": [{ "key": "a" }] },
                "status": { "addresses": [{ "type": "InternalIP", "address": "10.0.0.1" }],
                    "allocatable": { "pods": "110" },
                    "daemonEndpoints": { "kubeletEndpoint": { "Port": 10250 } },
                    "nodeInfo": { "kubeletVersion": "v1.34.1" },
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
                    "nodeInfo": { "kubeletVersion": "v1.34.1+k3s1" },
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
            kubelet: Some((1, 34)),
            ready: Some(Ready {
                status: Status::False,
                reason: "KubeletNotReady".into(),
                network: Some(false),
                since: Some(2 * day),
            }),
            network_unavailable: true,
            k3s_policies: None,
            network_conditions: Vec::new(),
        };
        assert_eq!(node, expected);
    }

    #[test]
    fn of_a_kubelets_version_only_the_release_counts() {
        for (version, expected) in [
            ("v1.34.1", Some((1, 34))),
            ("v1.32.9-eks-113cf36", Some((1, 32))),
            ("v1.33.5-gke.1080000", Some((1, 33))),
            ("v1.31.4+rke2r1", Some((1, 31))),
            ("v1.34.0-alpha.1.7+0123456789abcd-dirty", Some((1, 34))),
            ("1.30", Some((1, 30))),
            // That of virtual nodes.
            ("v1.23+virtual", Some((1, 23))),
            ("", None),
            ("unknown", None),
        ] {
            assert_eq!(release(version), expected, "{version}");
        }
    }

    #[test]
    fn what_a_message_says_of_the_network_is_understood_or_not_known() {
        use Status::{False, True};
        for (ready, message, expected) in [
            (True, "kubelet is posting ready status", Some(true)),
            (False, "[PLEG is not healthy: pleg was last seen active 3m0s ago]", Some(true)),
            (
                False,
                "container runtime network not ready: NetworkReady=false reason:x",
                Some(false),
            ),
            (False, "[container runtime is down, network state unknown, x]", None),
            (False, "cni network plugin: no answer", None),
            (False, "", Some(true)),
        ] {
            assert_eq!(network(ready, message), expected, "{message}");
        }
    }

    #[test]
    fn conditions_of_problem_detectors_are_read_by_their_names() {
        for (kind, status, wrong) in [
            ("NetworkingReady", "False", true),
            ("NetworkingReady", "True", false),
            ("NetworkingReady", "Unknown", false),
            ("FrequentUnregisterNetDevice", "True", true),
            ("FrequentUnregisterNetDevice", "False", false),
            ("NetworkNotReady", "True", true),
            ("NetworkUnavailable", "True", false),
            ("DiskPressure", "True", false),
        ] {
            let node: Node = read(&format!(
                r#"{{ "status": {{ "conditions": [{{ "type": "{kind}", "status": "{status}" }}] }} }}"#
            ));
            let expected: &[Name] = if wrong { &[kind.into()] } else { &[] };
            assert_eq!(node.network_conditions, expected, "{kind} {status}");
        }
    }

    #[test]
    fn a_node_without_an_internal_address_is_known_by_another() {
        for (addresses, expected) in [
            (r#"[{"type":"ExternalIP","address":"192.0.2.1"}]"#, "192.0.2.1"),
            (
                r#"[{"type":"Hostname","address":"n1"},{"type":"Hostname","address":"192.0.2.2"}]"#,
                "192.0.2.2",
            ),
            (r#"[{"type":"Later","address":"192.0.2.3"}]"#, "192.0.2.3"),
            (
                r#"[{"type":"ExternalIP","address":"192.0.2.1"},{"type":"InternalIP","address":"10.0.0.1"}]"#,
                "10.0.0.1",
            ),
        ] {
            let node: Node = read(&format!(r#"{{ "status": {{ "addresses": {addresses} }} }}"#));
            assert_eq!(node.addresses, [expected.parse::<IpAddr>().unwrap()], "{addresses}");
        }
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

    #[test]
    fn k3s_says_with_which_words_it_was_started() {
        let says = |words: &str| k3s_policies(words);
        assert_eq!(says(r#"["server","--tls-san","a"]"#), Some(true));
        assert_eq!(says(r#"["server","--disable-network-policy"]"#), Some(false));
        assert_eq!(says(r#"["server","--disable-network-policy","--tls-san","a"]"#), Some(false));
        assert_eq!(says(r#"["server","--disable-network-policy","true"]"#), Some(false));
        assert_eq!(says(r#"["server","--disable-network-policy","false"]"#), Some(true));
        assert_eq!(says(r#"["server","-disable-network-policy=true"]"#), Some(false));
        assert_eq!(says(r#"["server","--disable-network-policy=False"]"#), Some(true));
        for other in [r#"["agent","--disable-network-policy"]"#, "[]", "server", "[1]", ""] {
            assert_eq!(says(other), None, "{other}");
        }
    }
}

//! Pods as the API sends them.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::field::{Condition, Text, or_default, protocol};
use super::object::Watched;
use crate::model::{self, Labels, Name, Pod, Ports, Protocol, Status, Stuck, Uid};

/// What is kept of `metadata`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata<'a> {
    uid: Option<Uid>,
    labels: Option<Labels>,
    deletion_timestamp: Option<IgnoredAny>,
    #[serde(borrow)]
    owner_references: Option<Vec<Owner<'a>>>,
    annotations: Option<Annotations>,
}

/// What is kept of `metadata.annotations`.
#[derive(Deserialize)]
struct Annotations {
    /// The uid that the kubelet gave a pod which comes from a file of its own.
    #[serde(rename = "kubernetes.io/config.hash")]
    config_hash: Option<Uid>,
}

#[derive(Deserialize)]
struct Owner<'a> {
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    name: Option<Name>,
    controller: Option<bool>,
}

#[derive(Deserialize)]
pub(crate) struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    spec: Spec<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    status: PodStatus<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    node_name: Option<Name>,
    host_network: Option<bool>,
    #[serde(borrow)]
    containers: Option<Vec<Container<'a>>>,
    #[serde(borrow)]
    init_containers: Option<Vec<Container<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    ports: Option<Vec<Port<'a>>>,
    #[serde(borrow)]
    restart_policy: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port<'a> {
    name: Option<Name>,
    container_port: Option<u16>,
    #[serde(borrow)]
    protocol: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStatus<'a> {
    #[serde(borrow)]
    phase: Option<Text<'a>>,
    #[serde(borrow, rename = "podIPs")]
    pod_ips: Option<Vec<PodIp<'a>>>,
    #[serde(borrow)]
    conditions: Option<Vec<Condition<'a>>>,
    #[serde(borrow)]
    container_statuses: Option<Vec<ContainerStatus<'a>>>,
    #[serde(borrow)]
    init_container_statuses: Option<Vec<ContainerStatus<'a>>>,
}

#[derive(Deserialize)]
struct ContainerStatus<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow, rename = "containerID")]
    id: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    state: State<'a>,
}

#[derive(Default, Deserialize)]
struct State<'a> {
    running: Option<IgnoredAny>,
    #[serde(borrow)]
    waiting: Option<Waiting<'a>>,
}

#[derive(Deserialize)]
struct Waiting<'a> {
    #[serde(borrow)]
    reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct PodIp<'a> {
    #[serde(borrow)]
    ip: Option<Text<'a>>,
}

impl Watched for Pod {
    type Metadata<'a> = Metadata<'a>;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata<'_>, Wire { spec, status }: Wire<'_>) -> Self {
        let containers = running(&spec, &status);
        let addresses = status.pod_ips.into_iter().flatten().filter_map(|pod| pod.ip);
        let is_ready =
            |condition: &Condition<'_>| condition.is("Ready") && condition.status() == Status::True;
        let labels = metadata.labels.unwrap_or_default();
        Self {
            daemon_set: controller(&metadata.owner_references, "DaemonSet"),
            deployment: deployment(controller(&metadata.owner_references, "ReplicaSet"), &labels),
            config_hash: metadata.annotations.and_then(|all| all.config_hash).map(Box::new),
            uid: metadata.uid.unwrap_or_default(),
            labels,
            node: spec.node_name.filter(|name| !name.is_empty()),
            addresses: addresses.filter_map(|address| address.parse().ok()).collect(),
            ports: ports(spec.containers, spec.init_containers),
            containers,
            host_network: spec.host_network.unwrap_or_default(),
            ended: matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")),
            ready: status.conditions.is_some_and(|all| all.iter().any(is_ready)),
            terminating: metadata.deletion_timestamp.is_some(),
            stuck: stuck(status.init_container_statuses)
                .or_else(|| stuck(status.container_statuses)),
        }
    }
}

/// Returns the name of the controlling owner, when it is of `kind`.
fn controller(owners: &Option<Vec<Owner<'_>>>, kind: &str) -> Option<Name> {
    let mut owners = owners.iter().flatten();
    let controller = owners.find(|owner| owner.controller == Some(true))?;
    controller.name.clone().filter(|_| controller.kind.as_deref() == Some(kind))
}

/// Returns the Deployment of a ReplicaSet, which is called by the Deployment and a hash of its pods'
/// template.
fn deployment(replica_set: Option<Name>, labels: &Labels) -> Option<Name> {
    let hash = labels.get("pod-template-hash")?;
    let name = replica_set?.strip_suffix(&**hash)?.strip_suffix('-')?.into();
    Some(name)
}

/// Returns the containers that run, of a pod that declares a port of UDP.
fn running(spec: &Spec<'_>, status: &PodStatus<'_>) -> Box<[model::Container]> {
    let specs = || spec.containers.iter().chain(&spec.init_containers).flatten();
    let is_udp = |port: &Port<'_>| protocol(port.protocol.as_deref()) == Protocol::Udp;
    let has_udp = |one: &Container<'_>| one.ports.iter().flatten().any(is_udp);
    if !specs().any(has_udp) {
        return Box::default();
    }
    let statuses = status.container_statuses.iter().chain(&status.init_container_statuses);
    let running = statuses.flatten().filter(|it| it.state.running.is_some());
    running
        .filter_map(|it| {
            let (name, id) = (it.name.as_deref()?, it.id.as_deref()?);
            let (_, id) = id.split_once("://")?;
            let own = |one: &&Container<'_>| one.name.as_deref() == Some(name);
            let udp = specs().find(own).is_some_and(has_udp);
            Some(model::Container { name: name.into(), id: id.into(), udp })
        })
        .collect()
}

/// Returns what keeps the first of these containers from running that does not.
fn stuck(all: Option<Vec<ContainerStatus<'_>>>) -> Option<Stuck> {
    let mut reasons = all.into_iter().flatten().filter_map(|one| one.state.waiting?.reason);
    reasons.find_map(|reason| {
        Some(match &*reason {
            "CrashLoopBackOff" => Stuck::Crashing,
            "ImagePullBackOff"
            | "ErrImagePull"
            | "ErrImageNeverPull"
            | "InvalidImageName"
            | "ImageInspectError"
            | "RegistryUnavailable"
            | "SignatureValidationFailed" => Stuck::Image,
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                Stuck::Unmade
            }
            _ => return None,
        })
    })
}

/// Returns the named ports, in the order in which the endpoint controller looks them up: those
/// of an init container count while it runs beside the others.
fn ports(all: Option<Vec<Container<'_>>>, init: Option<Vec<Container<'_>>>) -> Ports {
    let stays = |one: &Container<'_>| one.restart_policy.as_deref() == Some("Always");
    let sidecars = init.into_iter().flatten().filter(stays);
    let containers = all.into_iter().flatten().chain(sidecars);
    let named = |port: Port<'_>| {
        let name = port.name.filter(|name| !name.is_empty())?;
        Some((name, port.container_port?, protocol(port.protocol.as_deref())))
    };
    let named = containers.flat_map(|one| one.ports.unwrap_or_default()).filter_map(named);
    Ports::new(named.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::object::tests::{absent, read};

    #[test]
    fn every_field_may_be_absent_or_null() {
        let empty = absent::<Pod>(
            r#"{
                "metadata": { "uid": "", "labels": {}, "deletionTimestamp": "2026-07-01T12:00:00Z",
                    "ownerReferences": [{ "kind": "a", "name": "b", "controller": true }],
                    "annotations": { "kubernetes.io/config.hash": "0" } },
                "spec": { "nodeName": "", "hostNetwork": false, "containers": [
                    { "ports": [{ "name": "web", "containerPort": 1, "protocol": "TCP" }] }
                ], "initContainers": [{ "ports": [], "restartPolicy": "Always" }] },
                "status": { "phase": "", "podIPs": [{ "ip": "a" }],
                    "conditions": [{ "type": "", "status": "" }],
                    "containerStatuses": [{ "state": { "waiting": { "reason": "" } } }],
                    "initContainerStatuses": [{ "state": { "waiting": { "reason": "" } } }] }
            }"#,
        );
        assert_eq!(empty, Pod::default());
    }

    #[test]
    fn a_running_pod_has_its_node_its_addresses_and_its_named_ports() {
        let pod: Pod = read(
            r#"{
                "metadata": { "uid": "u1", "labels": { "app": "cart" }, "ownerReferences": [
                    { "kind": "DaemonSet", "name": "cart", "controller": true }
                ] },
                "spec": { "nodeName": "n1", "hostNetwork": true, "containers": [{ "ports": [
                    { "name": "dns", "containerPort": 53, "protocol": "UDP" },
                    { "containerPort": 9 },
                    { "name": "web", "containerPort": 8080 }
                ] }], "initContainers": [
                    { "ports": [{ "name": "proxy", "containerPort": 1 }], "restartPolicy": "Always" },
                    { "ports": [{ "name": "setup", "containerPort": 2 }] }
                ] },
                "status": { "phase": "Running", "podIPs": [{ "ip": "10.244.1.7" }, { "ip": "fd00::7" }],
                    "conditions": [{ "type": "PodScheduled", "status": "True" },
                        { "type": "Ready", "status": "True" }] }
            }"#,
        );
        let ports = [("dns", Protocol::Udp), ("web", Protocol::Tcp), ("proxy", Protocol::Tcp)];
        let numbers = ports.map(|(name, protocol)| pod.ports.number(name, protocol));
        assert_eq!(numbers, [Some(53), Some(8080), Some(1)]);
        assert_eq!(pod.ports.number("setup", Protocol::Tcp), None);
        let expected = Pod {
            uid: "u1".into(),
            labels: [("app", "cart")].into(),
            node: Some("n1".into()),
            addresses: ["10.244.1.7", "fd00::7"]
                .map(|ip| ip.parse().unwrap())
                .into_iter()
                .collect(),
            ports: pod.ports.clone(),
            daemon_set: Some("cart".into()),
            host_network: true,
            ready: true,
            ..Pod::default()
        };
        assert_eq!(pod, expected);
    }

    #[test]
    fn a_pod_from_a_file_of_the_kubelet_has_the_hash_that_its_control_group_is_named_by() {
        let pod: Pod = read(
            r#"{ "metadata": { "uid": "u1", "annotations": {
                "kubernetes.io/config.source": "file",
                "kubernetes.io/config.hash": "0123456789abcdef0123456789abcdef"
            } } }"#,
        );
        let hash = pod.config_hash.as_deref().map(ToString::to_string);
        assert_eq!(hash.as_deref(), Some("0123456789abcdef0123456789abcdef"));
        assert_eq!(pod.uid, "u1".into());
        assert_eq!(
            read::<Pod>(r#"{ "metadata": { "annotations": { "a": "b" } } }"#),
            Pod::default()
        );
    }

    #[test]
    fn of_a_pod_with_a_port_of_udp_the_containers_are_known_that_run() {
        let pod = |protocol: &str| -> Pod {
            read(&format!(
                r#"{{ "spec": {{
                    "containers": [
                        {{ "name": "coredns", "ports": [
                            {{ "containerPort": 53, "protocol": "{protocol}" }}] }},
                        {{ "name": "exporter" }},
                        {{ "name": "crashes" }}
                    ],
                    "initContainers": [{{ "name": "setup" }}, {{ "name": "proxy", "restartPolicy": "Always" }}]
                }}, "status": {{
                    "containerStatuses": [
                        {{ "name": "coredns", "containerID": "containerd://c0", "state": {{ "running": {{ "startedAt": "2026-07-01T12:00:00Z" }} }} }},
                        {{ "name": "exporter", "containerID": "cri-o://c1", "state": {{ "running": {{}} }} }},
                        {{ "name": "crashes", "containerID": "cri-o://c2", "state": {{ "waiting": {{ "reason": "CrashLoopBackOff" }} }} }},
                        {{ "name": "begins", "state": {{ "running": {{}} }} }}
                    ],
                    "initContainerStatuses": [
                        {{ "name": "setup", "containerID": "cri-o://c3", "state": {{ "terminated": {{}} }} }},
                        {{ "name": "proxy", "containerID": "cri-o://c4", "state": {{ "running": {{}} }} }}
                    ]
                }} }}"#
            ))
        };
        let dns = pod("UDP");
        let containers = dns.containers.iter().map(|it| (&*it.name, &*it.id, it.udp));
        assert_eq!(
            containers.collect::<Vec<_>>(),
            [("coredns", "c0", true), ("exporter", "c1", false), ("proxy", "c4", false)]
        );
        assert!(pod("TCP").containers.is_empty());
    }

    #[test]
    fn only_a_controller_that_is_a_daemon_set_counts() {
        for (owner, daemon_set) in [
            (r#"{ "kind": "DaemonSet", "name": "a", "controller": true }"#, Some("a")),
            (r#"{ "kind": "DaemonSet", "name": "a", "controller": false }"#, None),
            (r#"{ "kind": "DaemonSet", "name": "a" }"#, None),
            (r#"{ "kind": "ReplicaSet", "name": "a", "controller": true }"#, None),
        ] {
            let json = format!(r#"{{ "metadata": {{ "ownerReferences": [{owner}] }} }}"#);
            assert_eq!(read::<Pod>(&json).daemon_set.as_deref(), daemon_set, "{owner}");
        }
    }

    #[test]
    fn a_deployment_is_known_by_its_replica_set_and_the_hash_in_its_name() {
        for (replica_set, hash, deployment) in [
            ("coredns-5d78c9869d", "5d78c9869d", Some("coredns")),
            ("rke2-coredns-rke2-coredns-7f9", "7f9", Some("rke2-coredns-rke2-coredns")),
            ("by-hand", "7f9", None),
            ("7f9", "7f9", None),
        ] {
            let pod: Pod = read(&format!(
                r#"{{ "metadata": {{ "labels": {{ "pod-template-hash": "{hash}" }},
                    "ownerReferences": [
                        {{ "kind": "ReplicaSet", "name": "{replica_set}", "controller": true }}
                    ] }} }}"#
            ));
            assert_eq!(pod.deployment.as_deref(), deployment, "{replica_set}");
        }
    }

    #[test]
    fn a_pod_that_goes_or_has_ended_says_so() {
        for (phase, ended) in
            [("Pending", false), ("Running", false), ("Succeeded", true), ("Failed", true)]
        {
            let json = format!(
                r#"{{ "metadata": {{ "deletionTimestamp": "2026-07-01T12:00:00Z" }},
                    "status": {{ "phase": "{phase}" }} }}"#
            );
            let pod: Pod = read(&json);
            assert_eq!((pod.ended, pod.terminating, pod.ready), (ended, true, false), "{phase}");
        }
    }

    #[test]
    fn a_container_that_does_not_run_without_help_says_why() {
        for (field, reason, stuck) in [
            ("containerStatuses", "CrashLoopBackOff", Some(Stuck::Crashing)),
            ("initContainerStatuses", "CrashLoopBackOff", Some(Stuck::Crashing)),
            ("containerStatuses", "ImagePullBackOff", Some(Stuck::Image)),
            ("containerStatuses", "CreateContainerConfigError", Some(Stuck::Unmade)),
            ("containerStatuses", "ContainerCreating", None),
            ("containerStatuses", "PodInitializing", None),
        ] {
            let pod: Pod = read(&format!(
                r#"{{ "status": {{ "{field}": [
                    {{ "state": {{ "running": {{ "startedAt": "2026-07-01T12:00:00Z" }} }} }},
                    {{ "state": {{ "waiting": {{ "reason": "{reason}" }} }} }}
                ] }} }}"#
            ));
            assert_eq!(pod.stuck, stuck, "{field} {reason}");
        }
    }
}

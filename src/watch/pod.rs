//! Pods as the API sends them.

use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::field::{Condition, Moment, Text, or_default, protocol};
use super::mounted::{flag, list, mounted};
use super::object::Watched;
use super::resources::Resources;
use crate::model::{
    self, Bounded, ControlPlane, Daemon, DaemonContainer, Ended, Labels, Name, Pod, Ports,
    Protocol, Status, Stuck, Uid, Unscheduled,
};

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

/// One of `metadata.ownerReferences`.
#[derive(Deserialize)]
pub(super) struct Owner<'a> {
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
    dns_policy: Option<Text<'a>>,
    #[serde(borrow)]
    containers: Option<Vec<Container<'a>>>,
    #[serde(borrow)]
    init_containers: Option<Vec<Container<'a>>>,
    /// As it stands: of most pods it is not read.
    #[serde(borrow)]
    volumes: Option<&'a RawValue>,
    resources: Option<Resources>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    image: Option<Text<'a>>,
    #[serde(borrow)]
    ports: Option<Vec<Port<'a>>>,
    #[serde(borrow)]
    restart_policy: Option<Text<'a>>,
    resources: Option<Resources>,
    #[serde(borrow)]
    command: Option<&'a RawValue>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
    #[serde(borrow)]
    volume_mounts: Option<&'a RawValue>,
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
    resources: Option<Resources>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow, rename = "containerID")]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    image: Option<Text<'a>>,
    ready: Option<bool>,
    restart_count: Option<u32>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    state: State<'a>,
    /// Before it ran last.
    #[serde(borrow, default, deserialize_with = "or_default")]
    last_state: State<'a>,
    resources: Option<Resources>,
}

#[derive(Default, Deserialize)]
struct State<'a> {
    #[serde(borrow)]
    running: Option<Running<'a>>,
    #[serde(borrow)]
    waiting: Option<Waiting<'a>>,
    #[serde(borrow)]
    terminated: Option<Terminated<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Running<'a> {
    /// Of most pods it is not read.
    #[serde(borrow)]
    started_at: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Waiting<'a> {
    #[serde(borrow)]
    reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Terminated<'a> {
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    finished_at: Option<Moment>,
}

#[derive(Deserialize)]
struct PodIp<'a> {
    #[serde(borrow)]
    ip: Option<Text<'a>>,
}

impl<'a> Spec<'a> {
    /// Returns all containers.
    fn all(&self) -> impl Iterator<Item = &Container<'a>> {
        self.containers.iter().chain(&self.init_containers).flatten()
    }
}

impl<'a> PodStatus<'a> {
    /// Returns what is said of all containers.
    fn all(&self) -> impl Iterator<Item = &ContainerStatus<'a>> {
        self.container_statuses.iter().chain(&self.init_container_statuses).flatten()
    }
}

impl Watched for Pod {
    type Metadata<'a> = Metadata<'a>;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata<'_>, Wire { spec, status }: Wire<'_>) -> Self {
        let is_dns = spec.all().any(has_udp);
        let containers = if is_dns { running(&spec, &status) } else { Box::default() };
        let resources = is_dns.then(|| Box::new(resources(&spec, &status)));
        let mounted = spec.all().filter(|one| has_udp(one)).find_map(|one| {
            let mounted = mounted(spec.volumes, one.volume_mounts, [one.command, one.args])?;
            Some(Box::new(mounted))
        });
        let daemon_set = controller(&metadata.owner_references, "DaemonSet");
        let host_network = spec.host_network.unwrap_or_default();
        let is_daemon = host_network && daemon_set.is_some();
        let daemon = is_daemon.then(|| Box::new(daemon(&spec, &status)));
        let addresses = status.pod_ips.into_iter().flatten().filter_map(|pod| pod.ip);
        let is_ready =
            |condition: &Condition<'_>| condition.is("Ready") && condition.status() == Status::True;
        let conditions = status.conditions.unwrap_or_default();
        let labels = metadata.labels.unwrap_or_default();
        let control_plane = control_plane(&labels, &spec);
        let own_dns = matches!(spec.dns_policy.as_deref(), Some("Default" | "None"));
        Self {
            daemon_set,
            daemon,
            deployment: deployment(controller(&metadata.owner_references, "ReplicaSet"), &labels),
            config_hash: metadata.annotations.and_then(|all| all.config_hash).map(Box::new),
            uid: metadata.uid.unwrap_or_default(),
            labels,
            node: spec.node_name.filter(|name| !name.is_empty()),
            addresses: addresses.filter_map(|address| address.parse().ok()).collect(),
            ports: ports(spec.containers, spec.init_containers),
            containers,
            resources,
            mounted,
            control_plane,
            host_network,
            own_dns,
            ended: matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")),
            ready: conditions.iter().any(is_ready),
            unscheduled: conditions.iter().find_map(unscheduled),
            terminating: metadata.deletion_timestamp.is_some(),
            stuck: stuck(status.init_container_statuses)
                .or_else(|| stuck(status.container_statuses)),
        }
    }
}

/// Returns the name of the controlling owner, when it is of `kind`.
pub(super) fn controller(owners: &Option<Vec<Owner<'_>>>, kind: &str) -> Option<Name> {
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

/// Returns what the flags of a part of the control plane say of ranges; kubeadm and most that run it
/// as pods label them so.
fn control_plane(labels: &Labels, spec: &Spec<'_>) -> Option<Box<ControlPlane>> {
    let component = labels.get("component")?;
    if !["kube-apiserver", "kube-controller-manager"].contains(&&**component) {
        return None;
    }
    let one = spec.containers.iter().flatten().next()?;
    let words: Vec<Text<'_>> = [one.command, one.args].into_iter().flat_map(list).collect();
    let ranges = |name: &str| -> Vec<IpNet> {
        let value = flag(&words, &[name]).unwrap_or_default();
        value.split(',').filter_map(|range| range.trim().parse().ok()).collect()
    };
    // It needs no value.
    let allocates = flag(&words, &["allocate-node-cidrs"])
        .is_some_and(|value| value == "true" || value.starts_with('-'));
    let told = ControlPlane {
        services: ranges("service-cluster-ip-range"),
        pods: if allocates { ranges("cluster-cidr") } else { Vec::new() },
        node_ports: (**component == *"kube-apiserver")
            .then(|| node_ports(flag(&words, &["service-node-port-range"])))
            .flatten(),
    };
    (told != ControlPlane::default()).then(|| Box::new(told))
}

/// Reads a range of ports, as `30000-32767` or as `30000+2767`; without it, it is that.
fn node_ports(flag: Option<&str>) -> Option<RangeInclusive<u16>> {
    let Some(text) = flag else { return Some(30000..=32767) };
    let range = if let Some((first, last)) = text.split_once('-') {
        first.trim().parse().ok()?..=last.trim().parse().ok()?
    } else if let Some((first, more)) = text.split_once('+') {
        let first: u16 = first.trim().parse().ok()?;
        first..=first.checked_add(more.trim().parse().ok()?)?
    } else {
        let only = text.trim().parse().ok()?;
        only..=only
    };
    (!range.is_empty()).then_some(range)
}

/// Whether a container declares a port of UDP.
fn has_udp(one: &Container<'_>) -> bool {
    let is_udp = |port: &Port<'_>| protocol(port.protocol.as_deref()) == Protocol::Udp;
    one.ports.iter().flatten().any(is_udp)
}

/// Whether an init container runs beside the others.
fn stays(one: &Container<'_>) -> bool {
    one.restart_policy.as_deref() == Some("Always")
}

/// Returns the containers that run.
fn running(spec: &Spec<'_>, status: &PodStatus<'_>) -> Box<[model::Container]> {
    let running = status.all().filter(|it| it.state.running.is_some());
    running
        .filter_map(|it| {
            let (name, id) = (it.name.as_deref()?, it.id.as_deref()?);
            let (_, id) = id.split_once("://")?;
            let own = |one: &&Container<'_>| one.name.as_deref() == Some(name);
            let udp = spec.all().find(own).is_some_and(has_udp);
            Some(model::Container { name: name.into(), id: id.into(), udp })
        })
        .collect()
}

/// Returns the containers, but those that end before the others begin.
fn staying<'s, 'a>(spec: &'s Spec<'a>) -> impl Iterator<Item = &'s Container<'a>> {
    let sidecars = spec.init_containers.iter().flatten().filter(|one| stays(one));
    spec.containers.iter().flatten().chain(sidecars)
}

/// Returns what the containers do.
fn daemon(spec: &Spec<'_>, status: &PodStatus<'_>) -> Daemon {
    let containers = staying(spec).filter_map(|one| {
        let name = one.name.as_deref()?;
        let said = status.all().find(|it| it.name.as_deref() == Some(name));
        // containerd names an image that it knows by several names by none of them.
        let runs = said.and_then(|it| it.image.as_deref());
        let runs = runs.filter(|it| !it.is_empty() && !it.starts_with("sha256:"));
        let image = runs.or(one.image.as_deref()).unwrap_or_default();
        let running = said.and_then(|it| it.state.running.as_ref());
        let started = running.and_then(|it| serde_json::from_str(it.started_at?.get()).ok());
        let last = said.and_then(last_end);
        Some(DaemonContainer {
            name: name.into(),
            image: image.into(),
            ready: said.and_then(|it| it.ready).unwrap_or_default(),
            restarts: said.and_then(|it| it.restart_count).unwrap_or_default(),
            started: started.map(|Moment(at)| at),
            ended: last.map(|it| Ended {
                at: it.finished_at.as_ref().map(|at| at.0),
                reason: it.reason.as_deref().unwrap_or_default().into(),
            }),
        })
    });
    Daemon { containers: containers.collect() }
}

/// Returns what bounds the containers, but those that end before the others begin.
fn resources(spec: &Spec<'_>, status: &PodStatus<'_>) -> model::Resources {
    let containers = staying(spec).filter_map(|one| {
        let name = one.name.as_deref()?;
        let said = status.all().find(|it| it.name.as_deref() == Some(name));
        Some(Bounded {
            name: name.into(),
            udp: has_udp(one),
            bounds: Resources::bounds(said.and_then(|it| it.resources), one.resources),
            oom_killed: said.and_then(oom_killed),
        })
    });
    model::Resources {
        whole: Resources::bounds(status.resources, spec.resources),
        containers: containers.collect(),
    }
}

/// Returns how a container ended last.
fn last_end<'s, 'a>(it: &'s ContainerStatus<'a>) -> Option<&'s Terminated<'a>> {
    it.state.terminated.as_ref().or(it.last_state.terminated.as_ref())
}

/// Returns when a container ended last, if its memory was why.
fn oom_killed(it: &ContainerStatus<'_>) -> Option<Duration> {
    let last = last_end(it)?;
    let at = || last.finished_at.as_ref().map_or(Duration::MAX, |at| at.0);
    (last.reason.as_deref() == Some("OOMKilled")).then(at)
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

/// Returns what a condition says of why there is no node for a pod.
fn unscheduled(condition: &Condition<'_>) -> Option<Unscheduled> {
    let is_meant = condition.is("PodScheduled") && condition.status() == Status::False;
    Unscheduled::of(condition.message.as_deref().filter(|_| is_meant)?)
}

/// Returns the named ports, in the order in which the endpoint controller looks them up: those
/// of an init container count while it runs beside the others.
fn ports(all: Option<Vec<Container<'_>>>, init: Option<Vec<Container<'_>>>) -> Ports {
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
    use crate::model::{Amount, Bounds};
    use crate::watch::object::tests::{absent, read};

    #[test]
    fn every_field_may_be_absent_or_null() {
        let empty = absent::<Pod>(
            r#"{
                "metadata": { "uid": "", "labels": {}, "deletionTimestamp": "2026-07-01T12:00:00Z",
                    "ownerReferences": [{ "kind": "a", "name": "b", "controller": true }],
                    "annotations": { "kubernetes.io/config.hash": "0" } },
                "spec": { "nodeName": "", "hostNetwork": true, "dnsPolicy": "", "containers": [
                    { "name": "dns", "image": "a", "ports": [
                        { "name": "dns", "containerPort": 1, "protocol": "UDP" }
                    ], "resources": {
                        "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "1" }
                    } }
                ], "initContainers": [{ "ports": [], "restartPolicy": "Always" }],
                "resources": { "limits": { "cpu": "1" }, "requests": { "cpu": "1" } } },
                "status": { "phase": "", "podIPs": [{ "ip": "a" }],
                    "conditions": [{ "type": "", "status": "" }],
                    "containerStatuses": [{ "name": "dns", "image": "a", "ready": true,
                        "restartCount": 1, "state": { "waiting": { "reason": "" },
                            "running": { "startedAt": "2026-07-01T12:00:00Z" } },
                        "lastState": { "terminated": {
                            "reason": "OOMKilled", "finishedAt": "2026-07-01T12:00:00Z"
                        } },
                        "resources": {
                            "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "1" }
                        } }],
                    "initContainerStatuses": [{ "state": { "waiting": { "reason": "" } } }],
                    "resources": { "limits": { "cpu": "1" }, "requests": { "cpu": "1" } } }
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
            resources: Some(Box::default()),
            daemon_set: Some("cart".into()),
            daemon: Some(Box::default()),
            host_network: true,
            ready: true,
            ..Pod::default()
        };
        assert_eq!(pod, expected);
    }

    #[test]
    fn the_control_plane_says_in_its_flags_which_ranges_there_are() {
        let told = |component: &str, words: &str| {
            let pod: Pod = read(&format!(
                r#"{{ "metadata": {{ "labels": {{ "component": "{component}" }} }},
                    "spec": {{ "containers": [{{ {words} }}] }} }}"#
            ));
            pod.control_plane.map(|told| {
                let all = told.services.iter().chain(&told.pods);
                all.map(ToString::to_string).collect::<Vec<_>>().join(" ")
            })
        };
        let api = r#""command": ["kube-apiserver", "--service-cluster-ip-range=10.96.0.0/12,fd00::/108"]"#;
        assert_eq!(told("kube-apiserver", api).as_deref(), Some("10.96.0.0/12 fd00::/108"));
        assert_eq!(told("shop", api), None);
        // As RKE2 has it.
        let manager = r#""command": ["kube-controller-manager"], "args": ["--cluster-cidr=10.42.0.0/16",
            "--allocate-node-cidrs=true", "--service-cluster-ip-range=10.43.0.0/16"]"#;
        let both = told("kube-controller-manager", manager);
        assert_eq!(both.as_deref(), Some("10.43.0.0/16 10.42.0.0/16"));
        let bare = r#""command": ["x", "--allocate-node-cidrs", "--cluster-cidr=10.42.0.0/16"]"#;
        assert_eq!(told("kube-controller-manager", bare).as_deref(), Some("10.42.0.0/16"));
        // Whoever gives no ranges to nodes may have any.
        let without = r#""command": ["kube-controller-manager", "--cluster-cidr=10.42.0.0/16"]"#;
        assert_eq!(told("kube-controller-manager", without), None);
        for odd in [r#""command": null"#, r#""command": ["x", "--service-cluster-ip-range=y"]"#] {
            assert_eq!(told("kube-apiserver", odd).as_deref(), Some(""), "{odd}");
        }
        let ports = |words: &str| {
            let pod: Pod = read(&format!(
                r#"{{ "metadata": {{ "labels": {{ "component": "kube-apiserver" }} }},
                    "spec": {{ "containers": [{{ "command": ["kube-apiserver"{words}] }}] }} }}"#
            ));
            pod.control_plane.and_then(|told| told.node_ports)
        };
        let flag = |value: &str| ports(&format!(r#", "--service-node-port-range={value}""#));
        assert_eq!(ports(""), Some(30000..=32767));
        assert_eq!(flag("80-32767"), Some(80..=32767));
        assert_eq!(flag("30000+99"), Some(30000..=30099));
        assert_eq!(flag("31000"), Some(31000..=31000));
        for odd in ["", "a-b", "2-1", "65000+1000", "0-70000"] {
            assert_eq!(flag(odd), None, "{odd}");
        }
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
    fn of_a_pod_with_a_port_of_udp_the_bounds_of_what_stays_are_known() {
        let pod = |protocol: &str| -> Pod {
            read(&format!(
                r#"{{ "spec": {{
                    "containers": [
                        {{ "name": "coredns", "ports": [
                            {{ "containerPort": 53, "protocol": "{protocol}" }}],
                            "resources": {{ "limits": {{ "cpu": "100m", "memory": "170Mi" }},
                                "requests": {{ "cpu": "100m" }} }} }},
                        {{ "name": "exporter", "resources": {{ "limits": {{ "cpu": "a lot" }} }} }},
                        {{ "name": "begins" }},
                        {{ "resources": {{ "limits": {{ "cpu": "1" }} }} }}
                    ],
                    "initContainers": [{{ "name": "setup" }}, {{ "name": "proxy", "restartPolicy": "Always" }}],
                    "resources": {{ "limits": {{ "cpu": "2", "memory": "1Gi" }} }}
                }}, "status": {{
                    "containerStatuses": [
                        {{ "name": "exporter", "state": {{ "waiting": {{ "reason": "CrashLoopBackOff" }} }} }},
                        {{ "name": "coredns", "state": {{ "running": {{}} }},
                            "resources": {{ "limits": {{ "cpu": "1", "memory": "256Mi" }} }} }}
                    ],
                    "resources": {{ "limits": {{ "cpu": "1500m" }} }}
                }} }}"#
            ))
        };
        let limits = |bounds: &Bounds| (bounds.cpu_limit, bounds.memory_limit);
        let resources = pod("UDP").resources.expect("it declares a port of UDP");
        assert_eq!(limits(&resources.whole), (Amount::Of(1500), Amount::Unset));
        let containers =
            resources.containers.iter().map(|it| (&*it.name, it.udp, limits(&it.bounds)));
        let none = (Amount::Unset, Amount::Unset);
        assert_eq!(
            containers.collect::<Vec<_>>(),
            [
                ("coredns", true, (Amount::Of(1000), Amount::Of(256 * 1_048_576))),
                ("exporter", false, (Amount::Unreadable, Amount::Unset)),
                ("begins", false, none),
                ("proxy", false, none),
            ]
        );
        assert_eq!(pod("TCP").resources, None);
    }

    #[test]
    fn a_container_says_when_its_memory_was_why_it_ended_last() {
        let noon = Duration::from_secs(1_782_907_200);
        let killed =
            r#"{ "terminated": { "reason": "OOMKilled", "finishedAt": "2026-07-01T12:00:00Z" } }"#;
        let undated = r#"{ "terminated": { "reason": "OOMKilled", "finishedAt": null } }"#;
        let failed = r#"{ "terminated": { "reason": "Error" } }"#;
        for (state, last_state, expected) in [
            (r#"{ "running": {} }"#, killed, Some(noon)),
            (r#"{ "waiting": { "reason": "CrashLoopBackOff" } }"#, killed, Some(noon)),
            (killed, failed, Some(noon)),
            (undated, "null", Some(Duration::MAX)),
            // The last end is what counts.
            (failed, killed, None),
            (r#"{ "running": {} }"#, failed, None),
            ("null", "{}", None),
            ("{}", r#"{ "terminated": {} }"#, None),
        ] {
            let pod: Pod = read(&format!(
                r#"{{ "spec": {{ "containers": [
                        {{ "name": "coredns", "ports": [{{ "protocol": "UDP" }}] }} ] }},
                    "status": {{ "containerStatuses": [
                        {{ "name": "coredns", "state": {state}, "lastState": {last_state} }} ] }} }}"#
            ));
            let resources = pod.resources.expect("it declares a port of UDP");
            assert_eq!(resources.containers[0].oom_killed, expected, "{state} {last_state}");
        }
    }

    #[test]
    fn of_a_daemon_sets_pod_in_its_nodes_network_it_is_known_what_its_containers_do() {
        let pod = |kind: &str, host_network: bool| -> Pod {
            read(&format!(
                r#"{{ "metadata": {{ "ownerReferences": [
                        {{ "kind": "{kind}", "name": "agent", "controller": true }}] }},
                    "spec": {{ "hostNetwork": {host_network}, "containers": [
                        {{ "name": "agent", "image": "example.com/agent:v1" }},
                        {{ "name": "local", "image": "example.com/local:v2" }},
                        {{ "name": "new", "image": "example.com/new:v3" }} ],
                        "initContainers": [{{ "name": "install" }}] }},
                    "status": {{ "containerStatuses": [
                        {{ "name": "agent", "image": "mirror.example.com/agent:v1", "ready": true,
                            "restartCount": 4,
                            "state": {{ "running": {{ "startedAt": "1970-01-03T00:00:00Z" }} }},
                            "lastState": {{ "terminated": {{ "reason": "OOMKilled",
                                "finishedAt": "1970-01-02T00:00:00Z" }} }} }},
                        {{ "name": "local", "image": "sha256:0123", "ready": false,
                            "state": {{ "running": {{ "startedAt": "soon" }} }} }} ] }} }}"#
            ))
        };
        let day = Duration::from_secs(86_400);
        let one = |name: &str, image: &str| DaemonContainer {
            name: name.into(),
            image: image.into(),
            ..DaemonContainer::default()
        };
        let agent = DaemonContainer {
            ready: true,
            restarts: 4,
            started: Some(2 * day),
            ended: Some(Ended { at: Some(day), reason: "OOMKilled".into() }),
            ..one("agent", "mirror.example.com/agent:v1")
        };
        let containers =
            [agent, one("local", "example.com/local:v2"), one("new", "example.com/new:v3")];
        let daemon = Daemon { containers: containers.into() };
        assert_eq!(pod("DaemonSet", true).daemon, Some(Box::new(daemon)));
        assert_eq!(pod("DaemonSet", false).daemon, None);
        assert_eq!(pod("ReplicaSet", true).daemon, None);
    }

    #[test]
    fn a_pod_asks_the_clusters_dns_unless_its_policy_says_otherwise() {
        for (policy, own_dns) in [
            ("ClusterFirst", false),
            ("ClusterFirstWithHostNet", false),
            ("Default", true),
            ("None", true),
        ] {
            let pod: Pod = read(&format!(r#"{{ "spec": {{ "dnsPolicy": "{policy}" }} }}"#));
            assert_eq!(pod.own_dns, own_dns, "{policy}");
        }
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
    fn a_pod_without_a_node_says_what_it_has_to_do_with_the_network() {
        for (status, message, unscheduled) in [
            ("False", "4 Too many pods", Some(Unscheduled::TooManyPods)),
            ("False", "4 Insufficient cpu", None),
            ("True", "4 Too many pods", None),
        ] {
            let pod: Pod = read(&format!(
                r#"{{ "status": {{ "conditions": [{{ "type": "PodScheduled", "status": "{status}",
                    "reason": "Unschedulable",
                    "message": "0/4 nodes are available: {message}." }}] }} }}"#
            ));
            assert_eq!(pod.unscheduled, unscheduled, "{status} {message}");
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

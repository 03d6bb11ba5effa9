//! Pods.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    ControlPlane, Daemon, Fact, Key, Kind, Labels, Mounted, Name, Protocol, Resources, Uid,
    Unscheduled,
};

/// What is kept of a Pod; there may be hundreds of thousands, so every byte counts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pod {
    /// `metadata.uid`.
    pub uid: Uid,
    /// The annotation `kubernetes.io/config.hash`, which a kubelet takes for the uid of a pod from
    /// a file of its own; in a box, because nearly no pod has it.
    pub config_hash: Option<Box<Uid>>,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `spec.nodeName`; absent until the pod is scheduled.
    pub node: Option<Name>,
    /// `status.podIPs`; empty until the network is set up, kept after the pod has ended.
    pub addresses: Addresses,
    /// The named `spec.containers[].ports`; those without a name are never looked up.
    pub ports: Ports,
    /// The containers that run; only of a pod that declares a port of UDP, because those that
    /// answer DNS are among them, and few others.
    pub containers: Box<[Container]>,
    /// What bounds its containers; of the same pods only.
    pub resources: Option<Box<Resources>>,
    /// What the one of them that answers DNS finds in ConfigMaps; of the same pods only.
    pub mounted: Option<Box<Mounted>>,
    /// What it was told of ranges; only of a pod that is labelled as a part of the control plane.
    pub control_plane: Option<Box<ControlPlane>>,
    /// The controlling owner, when it is a DaemonSet.
    pub daemon_set: Option<Name>,
    /// What its containers do; only of a DaemonSet's pod in its node's own network, as the agents of
    /// CNIs and kube-proxy are.
    pub daemon: Option<Box<Daemon>>,
    /// The Deployment behind the controlling owner, when that is a ReplicaSet that is called by
    /// the label `pod-template-hash`.
    pub deployment: Option<Name>,
    /// `spec.hostNetwork`: the pod has its node's address and takes none from a pool.
    pub host_network: bool,
    /// `spec.dnsPolicy` is `Default` or `None`: the pod does not ask the cluster's DNS of itself.
    pub own_dns: bool,
    /// `status.phase` is `Succeeded` or `Failed`.
    pub ended: bool,
    /// The `Ready` condition; absent means no, as the endpoint controller reads it.
    pub ready: bool,
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    /// What keeps one of its containers from running; absent while they run, and while they wait
    /// for what comes by itself.
    pub stuck: Option<Stuck>,
    /// What keeps it from every node, where that has to do with the network: the condition
    /// `PodScheduled` is `False`, and its message says so.
    pub unscheduled: Option<Unscheduled>,
}

/// What `state.waiting.reason` of a container says that will not run without help.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stuck {
    /// `CrashLoopBackOff`: it ended again and again, and waits for its next turn.
    Crashing,
    /// Its image cannot be had: `ImagePullBackOff`, `ErrImagePull` and their like.
    Image,
    /// It cannot be made of what its pod names: `CreateContainerConfigError` and its like.
    Unmade,
}

impl Fact for Pod {
    const KIND: &'static Kind = &Kind::new("Pod", "pods");
}

impl Pod {
    /// Returns what makes it anew, as kubectl has it: `deployment/coredns`.
    pub fn owner(&self) -> Option<String> {
        let of = |kind: &str, name: &Option<Name>| Some(format!("{kind}/{}", name.as_ref()?));
        of("daemonset", &self.daemon_set).or_else(|| of("deployment", &self.deployment))
    }

    /// Whether it, of this key, is a pod of a DaemonSet.
    pub fn is_of(&self, key: &Key, daemon_set: &Key) -> bool {
        key.namespace == daemon_set.namespace && self.daemon_set.as_ref() == Some(&daemon_set.name)
    }

    /// Whether it has one of these labels, each with its value.
    pub fn is_labelled(&self, any: &[(&str, &str)]) -> bool {
        any.iter().any(|(key, value)| self.labels.get(key).is_some_and(|it| **it == **value))
    }

    /// Whether it takes an address from its node's pool, or waits for one.
    pub fn wants_address(&self) -> bool {
        self.node.is_some() && !self.host_network && !self.ended
    }

    /// Whether it waits for its sandbox, with which its address comes. One that is on its way out
    /// waits for nothing any more.
    pub fn waits(&self) -> bool {
        self.wants_address() && self.addresses.is_empty() && !self.terminating
    }
}

/// A container that runs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Container {
    /// Its name in the pod.
    pub name: Name,
    /// `containerID` in its status, without the runtime's name.
    pub id: Box<str>,
    /// Whether it declares a port of UDP.
    pub udp: bool,
}

/// At most one address of each family, as the API has it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Addresses {
    /// IPv4.
    pub v4: Option<Ipv4Addr>,
    /// IPv6.
    pub v6: Option<Ipv6Addr>,
}

impl Addresses {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.v4.is_none() && self.v6.is_none()
    }

    /// Returns them, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + use<> {
        self.v4.map(IpAddr::V4).into_iter().chain(self.v6.map(IpAddr::V6))
    }

    /// Whether `address` is one of them.
    pub fn contains(&self, address: &IpAddr) -> bool {
        self.iter().any(|own| own == *address)
    }
}

impl FromIterator<IpAddr> for Addresses {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        let mut all = Self::default();
        for address in addresses {
            match address {
                IpAddr::V4(address) => all.v4 = all.v4.or(Some(address)),
                IpAddr::V6(address) => all.v6 = all.v6.or(Some(address)),
            }
        }
        all
    }
}

/// Named container ports; the pods of a workload share them.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Ports(internment::ArcIntern<Vec<(Name, u16, Protocol)>>);

impl Ports {
    /// Keeps the ports of all containers, in their order.
    pub fn new(ports: Vec<(Name, u16, Protocol)>) -> Self {
        Self(internment::ArcIntern::new(ports))
    }

    /// Returns the number of the first port of that name and protocol.
    pub fn number(&self, name: &str, protocol: Protocol) -> Option<u16> {
        let named = |(known, _, of): &&(Name, u16, Protocol)| **known == *name && *of == protocol;
        self.0.iter().find(named).map(|(_, number, _)| *number)
    }
}

impl Default for Ports {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

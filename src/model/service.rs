//! Services.

use std::net::IpAddr;
use std::time::Duration;

use super::{Fact, IpFamily, Kind, Labels, Name, Pod, Protocol, Uid};

/// What is kept of a Service.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Service {
    /// `metadata.creationTimestamp`, since 1970; absent only in hand-made objects.
    pub created: Option<Duration>,
    /// `spec.selector`; empty when absent, and then the
    /// endpoint controller leaves its slices alone.
    pub selector: Labels,
    /// `spec.type: ExternalName`: a name of DNS and nothing else.
    pub external_name: bool,
    /// Whether kube-proxy keeps its address: neither a name of DNS nor labelled
    /// `service.kubernetes.io/service-proxy-name`, which the endpoint controller ignores.
    pub routed: bool,
    /// `spec.clusterIPs`; empty when headless.
    pub addresses: Vec<IpAddr>,
    /// `spec.clusterIP: None`.
    pub headless: bool,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// The ports that all nodes keep for it: `spec.ports[].nodePort` and `spec.healthCheckNodePort`.
    pub node_ports: Box<[u16]>,
    /// `spec.ipFamilies`; empty in objects that no API server has seen.
    pub families: Vec<IpFamily>,
    /// `spec.publishNotReadyAddresses`.
    pub publishes_not_ready: bool,
    /// What is asked of a load balancer, and what came of it; few Services have one.
    pub load_balancer: Option<Box<LoadBalancer>>,
}

/// The load balancer of a Service of `spec.type: LoadBalancer`, or one that is yet to be taken away.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LoadBalancer {
    /// `metadata.uid`, by which events name the Service.
    pub uid: Uid,
    /// `spec.loadBalancerClass`; absent means whoever serves those without one.
    pub class: Option<Name>,
    /// `status.loadBalancer.ingress` has an address or a name.
    pub has_address: bool,
    /// Those addresses and names, by which an Ingress tells who serves it.
    pub addresses: Box<[Name]>,
    /// `spec.externalTrafficPolicy: Local`: a node leads to its own endpoints only.
    pub is_local: bool,
    /// The finalizer by which what makes load balancers holds on to the Service.
    pub finalizer: Option<Name>,
    /// `metadata.deletionTimestamp`, since 1970.
    pub deleted: Option<Duration>,
    /// Somebody says in `status.conditions` what became of it.
    pub has_conditions: bool,
    /// The reason of the first of those that does not hold: why there is no address.
    pub refusal: Option<Name>,
    /// The first port with an error, and that; the error alone where it is no single port's.
    pub port_error: Option<Name>,
}

/// One of `spec.ports`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServicePort {
    /// `name`; empty when there is only one port.
    pub name: Name,
    /// `port`.
    pub port: u16,
    /// `protocol`.
    pub protocol: Protocol,
    /// `targetPort`; absent means the same number.
    pub target: TargetPort,
}

/// What a Service's port points at.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum TargetPort {
    /// A number, the same in every pod.
    Number(u16),
    /// The name of a container port, which pods may give different numbers.
    Name(Name),
}

impl Fact for Service {
    const KIND: &'static Kind = &Kind::new("Service", "services");
}

impl Service {
    /// Whether the endpoint controller says what its slices hold.
    pub fn has_controller(&self) -> bool {
        !self.external_name && !self.selector.is_empty()
    }

    /// Whether the selector matches `pod`; an empty one matches nothing.
    pub fn selects(&self, pod: &Pod) -> bool {
        self.selector.select(&pod.labels)
    }
}

//! Facts: what there is to know of a cluster, in own types. No table, no index, no clock, no I/O.

mod balancer_pool;
mod cert_manager;
mod cilium_node;
mod config_map;
mod control_plane;
mod daemon_set;
mod endpoint_slice;
mod failure;
mod foreign_policy;
mod gateway;
mod ingress;
mod ip_pool;
mod ipam_block;
mod kind;
mod labels;
mod mounted;
mod name;
mod namespace;
mod network_policy;
mod node;
mod observation;
mod plan;
mod pod;
mod pod_event;
mod policy_endpoint;
mod protocol;
mod refusal;
mod resources;
mod sandbox;
mod service;
mod service_cidr;
mod service_event;
mod uid;
mod unknown;
mod unscheduled;

pub use balancer_pool::{CiliumBalancerPool, IpAddressPool, Span};
pub use cert_manager::{
    Certificate, CertificateRequest, Challenge, ClusterIssuer, Issuer, IssuerRef, Order, Says,
    Stage, Waits,
};
pub use cilium_node::{CiliumNode, Handed};
pub use config_map::{
    CONFIG_MAPS, CiliumConfig, ConfigMap, FlannelConfig, KubeProxyConfig, KubeadmConfig, Text,
};
pub use control_plane::ControlPlane;
pub use daemon_set::{Counts, Daemon, DaemonContainer, DaemonSet, Ended, Template};
pub use endpoint_slice::{Endpoint, EndpointPort, EndpointSlice, PodRef};
pub use failure::Failure;
pub use foreign_policy::{Dialect, FOREIGN_POLICIES, ForeignPolicy, Subject};
pub use gateway::{Fault, Gateway, GatewayClass, GrpcRoute, HttpRoute, Parent, Route};
pub use ingress::{Backend, ClassName, Ingress, IngressClass, IngressPath, Matches};
pub use ip_pool::{IpPool, IpPoolSpec};
pub use ipam_block::IpamBlock;
pub use kind::{Fact, Kind, Scope};
pub use labels::Labels;
pub use mounted::{Item, Mount, Mounted};
pub(crate) use name::NameMap;
pub use name::{Key, Name, Object};
pub use namespace::Namespace;
pub use network_policy::{
    Expression, NetworkPolicy, Operator, Peer, PolicyPorts, PortRange, Rule, Selector,
};
pub use node::{Node, Ready, Status};
pub use observation::{
    Agent, Answers, Captured, Cpu, Dns, DnsPath, DnsQuery, DnsRow, Group, Observation, ProbeKind,
    Reached, Replica, Target, Unreadable, Vantage, Window,
};
pub use plan::{
    ContainerPlan, DnsPlan, EndpointPlan, ExpectedPlan, NodeTarget, Plan, PodPlan, ReplicaPlan,
    ServicePlan,
};
pub use pod::{Addresses, Container, Pod, Ports, Stuck};
pub use pod_event::{PodEvent, PodWarning};
pub use policy_endpoint::PolicyEndpoint;
pub use protocol::{IpFamily, Protocol};
pub use refusal::Refusal;
pub use resources::{Amount, Bounded, Bounds, Resources};
pub use sandbox::SandboxFailure;
pub use service::{LoadBalancer, Service, ServicePort, TargetPort};
pub use service_cidr::{ServiceCidr, ServiceCidrCondition, ServiceCidrSpec, ServiceCidrStatus};
pub use service_event::{Refused, ServiceEvent};
pub use uid::Uid;
pub use unknown::{Skipped, Unanswered, Unknown};
pub use unscheduled::Unscheduled;

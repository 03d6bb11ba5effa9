//! Services.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Fact, Kind, Labels, Name, Pod};

/// What is kept of a Service.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Service {
    /// `metadata.creationTimestamp`, since 1970; absent only in hand-made objects.
    pub created: Option<Duration>,
    /// `spec.selector`; empty when absent, and then someone else writes the endpoints.
    pub selector: Labels,
    /// Whether the endpoint controller keeps its slices and kube-proxy its address: neither
    /// `spec.type: ExternalName` nor labelled `service.kubernetes.io/service-proxy-name`.
    pub routed: bool,
    /// `spec.clusterIPs`; empty when headless.
    pub addresses: Vec<IpAddr>,
    /// `spec.clusterIP: None`.
    pub headless: bool,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// `spec.ipFamilies`; empty in objects that no API server has seen.
    pub families: Vec<IpFamily>,
    /// `spec.publishNotReadyAddresses`.
    pub publishes_not_ready: bool,
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
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TargetPort {
    /// A number, the same in every pod.
    Number(u16),
    /// The name of a container port, which pods may give different numbers.
    Name(Name),
}

/// A transport protocol.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TCP, which is also what an absent protocol means.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// Anything else.
    #[serde(other)]
    Other,
}

impl Protocol {
    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Other => "other",
        }
    }
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum IpFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpFamily {
    /// Returns the family of `address`.
    pub const fn of(address: &IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// The label value, as the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

impl Fact for Service {
    const KIND: &'static Kind =
        &Kind { name: "Service", group: "", version: "v1", plural: "services" };
}

impl Service {
    /// Whether the endpoint controller says what its slices hold.
    pub fn has_controller(&self) -> bool {
        self.routed && !self.selector.is_empty()
    }

    /// Whether the selector matches `pod`; an empty one matches nothing.
    pub fn selects(&self, pod: &Pod) -> bool {
        self.selector.select(&pod.labels)
    }
}

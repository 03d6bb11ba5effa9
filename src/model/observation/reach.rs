//! What came of an agent's attempts to reach other nodes, pods and Services.

use serde::{Deserialize, Serialize};

use super::Window;
use crate::model::{Key, Name};

/// Attempts to reach one thing. Which fields are there follows from the target.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Reached {
    /// What kind of thing.
    pub target: Target,
    /// By which protocol.
    pub probe: ProbeKind,
    /// The node that is the target, or on which it runs; absent for a Service.
    pub node: Option<Name>,
    /// The Service that is the target, or whose endpoint is.
    pub service: Option<Key>,
    /// The Service's port.
    pub port: Option<u16>,
    /// What came of it.
    pub attempts: Window,
    /// Whether its address is none that an agent may be sent to: it is not attempted.
    pub denied: bool,
    /// Whether it has ever answered this agent; absent when the agent is too old to say.
    pub worked: Option<bool>,
}

/// What is probed: a class and never an address, so that series stay few.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The API server.
    Api,
    /// A pod behind a Service, directly.
    Endpoint,
    /// A node's own address.
    Node,
    /// An agent on another node.
    PeerPod,
    /// A Service's cluster address.
    Service,
    /// One that a newer agent knows.
    #[default]
    #[serde(other)]
    Other,
}

impl Target {
    /// The label value, which is also the name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Endpoint => "endpoint",
            Self::Node => "node",
            Self::PeerPod => "peer_pod",
            Self::Service => "service",
            Self::Other => "other",
        }
    }
}

/// By what it is probed.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// An echo request.
    Icmp,
    /// A connection.
    Tcp,
    /// A datagram that is answered.
    Udp,
    /// One that a newer agent knows.
    #[default]
    #[serde(other)]
    Other,
}

impl ProbeKind {
    /// The label value, which is also the name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Icmp => "icmp",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Other => "other",
        }
    }
}

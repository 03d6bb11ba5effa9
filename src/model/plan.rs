//! What an agent is asked to probe: addresses, ports and names, and nothing else.
//!
//! Like [`Observation`](super::Observation) it only ever grows, because agents and cluster roles
//! of several versions run side by side.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{Key, Name, Replica, Uid};

/// The plan of one agent.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Plan {
    /// The cluster's DNS; absent while its Service is not known.
    pub dns: Option<DnsPlan>,
    /// Agents on the pod network of other nodes.
    pub peers: Vec<NodeTarget>,
    /// The addresses of other nodes.
    pub nodes: Vec<NodeTarget>,
    /// Services, and what is behind them.
    pub services: Vec<ServicePlan>,
    /// The pods that answer DNS on the agent's own node, whose CPU time is read there.
    pub dns_pods: Vec<PodPlan>,
}

/// The cluster's DNS.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DnsPlan {
    /// The Service.
    pub service: Key,
    /// Its addresses and port; empty when it is headless.
    pub addresses: Vec<SocketAddr>,
    /// The pods behind it that this agent asks directly.
    pub replicas: Vec<ReplicaPlan>,
    /// Services whose addresses every replica has to know.
    pub expected: Vec<ExpectedPlan>,
}

/// One pod that answers DNS.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ReplicaPlan {
    /// Which one.
    pub replica: Replica,
    /// Where it answers, as its EndpointSlice says.
    pub address: SocketAddr,
}

/// A Service that every replica has to know.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ExpectedPlan {
    /// The Service.
    pub service: Key,
    /// Its `spec.clusterIPs`, or its ready endpoints when it is headless.
    pub addresses: Vec<IpAddr>,
    /// Whether one of the addresses is enough: endpoints come and go between two plans.
    pub any: bool,
}

/// Something on another node that accepts connections.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NodeTarget {
    /// The node.
    pub node: Name,
    /// Where.
    pub address: SocketAddr,
}

/// A Service, and what is behind it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServicePlan {
    /// The Service.
    pub service: Key,
    /// Its port.
    pub port: u16,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Some of the ready endpoints behind the port.
    pub endpoints: Vec<EndpointPlan>,
}

/// One endpoint of a Service.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EndpointPlan {
    /// Its node, when it is a pod.
    pub node: Option<Name>,
    /// Where.
    pub address: SocketAddr,
}

/// A pod on the agent's own node.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodPlan {
    /// Which one.
    pub pod: Key,
    /// What its control group is named by: its `metadata.uid`, or the hash of the file that it
    /// comes from.
    pub uid: Uid,
    /// Its containers that run; empty where they are not known.
    pub containers: Vec<ContainerPlan>,
}

/// A container that runs.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerPlan {
    /// What it is called in its pod.
    pub name: Name,
    /// The runtime's id of it, by which its control group is named.
    pub id: String,
    /// Whether it answers DNS.
    pub dns: bool,
}

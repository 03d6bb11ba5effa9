//! What came of an agent's DNS queries.

use serde::{Deserialize, Serialize};

use super::Window;
use crate::model::{Key, Name, Protocol};

/// The agent's queries.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Dns {
    /// The DNS Service, as the plan named it.
    pub service: Option<Key>,
    /// The cluster's domain, as the search list of the agent's pod has it.
    pub domain: Option<Name>,
    /// One row for each server, question and protocol.
    pub rows: Vec<DnsRow>,
    /// What replicas say of Services whose addresses are known; the plan names both.
    pub answers: Vec<Answers>,
}

/// The queries of one kind to one server.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DnsRow {
    /// Which server.
    pub path: DnsPath,
    /// What is asked.
    pub query: DnsQuery,
    /// Over which protocol.
    pub protocol: Protocol,
    /// Which replica, on the path of that name.
    pub replica: Option<Replica>,
    /// What came of it.
    pub queries: Window,
    /// Whether the server's address is none that an agent may be sent to: it is not asked.
    pub denied: bool,
}

/// A pod that answers DNS.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Replica {
    /// The pod.
    pub pod: Key,
    /// Its node.
    pub node: Name,
}

/// What one replica says of one Service.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Answers {
    /// Which replica.
    pub replica: Replica,
    /// Of which Service.
    pub service: Key,
    /// Queries that were answered, however.
    pub answered: u64,
    /// Those whose answer is not the Service's addresses, `NXDOMAIN` among them.
    pub wrong: u64,
    /// Whether the newest answer was wrong.
    pub wrong_now: bool,
    /// Whether that one was that there is no such name, or that it has no address: a server may
    /// hide a Service by design.
    pub absent_now: bool,
    /// Whether this replica has ever answered as it should, as far as the agent remembers.
    pub known: bool,
}

/// Which server is asked.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum DnsPath {
    /// The first nameserver of `/etc/resolv.conf`, as workloads do.
    Resolver,
    /// The DNS Service's address.
    Service,
    /// One pod of it, directly.
    Replica,
    /// The cache on the node.
    Nodelocal,
    /// A server outside the cluster.
    Upstream,
    /// One that a newer agent knows.
    #[default]
    #[serde(other)]
    Other,
}

impl DnsPath {
    /// The label value, which is also the name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolver => "resolver",
            Self::Service => "service",
            Self::Replica => "replica",
            Self::Nodelocal => "nodelocal",
            Self::Upstream => "upstream",
            Self::Other => "other",
        }
    }
}

/// What is asked.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum DnsQuery {
    /// A name of the cluster that surely exists.
    Cluster,
    /// A name of the cluster that surely does not.
    Negative,
    /// A name of the world outside.
    External,
    /// IPv4 and IPv6 addresses of a name of the cluster, at once from one socket, as resolvers
    /// ask: the two can collide on their way through connection tracking.
    Pair,
    /// The version of the DNS schema, which a server says without knowing any Service.
    Version,
    /// One that a newer agent knows.
    #[default]
    #[serde(other)]
    Other,
}

impl DnsQuery {
    /// The label value, which is also the name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Negative => "negative",
            Self::External => "external",
            Self::Pair => "pair",
            Self::Version => "version",
            Self::Other => "other",
        }
    }
}

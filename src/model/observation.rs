//! What an agent says when it is asked.
//!
//! Agents of several versions run side by side for hours, so this only ever grows: a group
//! that an older agent lacks is `None`, and what a newer one adds is ignored. There are windows
//! with their length and no counters, durations and no dates: a restart changes nothing, and no
//! two clocks are compared.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::{Failure, Key, Name, Protocol, Uid};

/// Who observed: the puller knows it from the pod that it asked, not from the reply.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Agent {
    /// `spec.nodeName` of the agent's pod.
    pub node: Name,
    /// Which network it observed from.
    pub vantage: Vantage,
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.vantage.as_str())
    }
}

/// Which network an agent observes from.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Vantage {
    /// A pod's, as workloads have it.
    #[default]
    Pod,
    /// The node's own.
    Host,
}

impl Vantage {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Pod, Self::Host];

    /// The label value, which is also the name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Host => "host",
        }
    }
}

/// One reply of an agent.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Observation {
    /// Who says it; believed only of an agent that was named by its URL.
    pub agent: Option<Agent>,
    /// The agent's version.
    pub version: Option<String>,
    /// Since the agent last got a plan; absent when it never did.
    pub plan_age: Option<Duration>,
    /// Absent when the agent is too old to ask DNS.
    pub dns: Option<Dns>,
    /// Absent when the agent is too old to connect to anything.
    pub reach: Option<Vec<Reached>>,
    /// The CPU of the DNS pods on this node; absent on the pod network, and where the node's
    /// control groups cannot be read.
    pub cpu: Option<Vec<Cpu>>,
    /// What answers in the place of others.
    pub captured: Option<Captured>,
}

/// The agent's queries.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Dns {
    /// The DNS Service, as the plan named it.
    pub service: Option<Key>,
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

/// Attempts over a length of time; no counter, so that a restart changes nothing.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Window {
    /// The time that the counts are of.
    pub length: Duration,
    /// Attempts that ended.
    #[serde(deserialize_with = "counted")]
    pub attempts: u64,
    /// Those that failed.
    #[serde(deserialize_with = "counted")]
    pub failures: u64,
    /// Their most frequent reason; absent without failures.
    pub mostly: Option<Failure>,
    /// Those that succeeded after more than 250 ms.
    #[serde(deserialize_with = "counted")]
    pub slow: u64,
    /// Those that succeeded after more than 1 s; they are in `slow` too.
    #[serde(deserialize_with = "counted")]
    pub very_slow: u64,
}

/// Reads a count of an agent, which may be anybody who got hold of a node: sums of what all of
/// them say must not overflow. No honest window comes near.
fn counted<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    u64::deserialize(from).map(|count| count.min(u64::from(u32::MAX)))
}

impl Window {
    /// Adds what another window counted; the more frequent reason stays.
    pub fn add(&mut self, other: &Self) {
        if other.failures > self.failures || self.mostly.is_none() {
            self.mostly = other.mostly.or(self.mostly);
        }
        self.length = self.length.max(other.length);
        self.attempts += other.attempts;
        self.failures += other.failures;
        self.slow += other.slow;
        self.very_slow += other.very_slow;
    }

    /// Returns how many attempts succeeded.
    pub fn answers(&self) -> u64 {
        self.attempts.saturating_sub(self.failures)
    }

    /// Returns the share of attempts that failed; none without attempts.
    pub fn failed(&self) -> Option<f64> {
        let failures = self.failures.min(self.attempts);
        (self.attempts > 0).then(|| failures as f64 / self.attempts as f64)
    }
}

/// What the kernel counted of a pod's CPU time, at the level of the pod: containers count the
/// same throttling once more, and begin anew with each restart.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Cpu {
    /// The pod, as the plan named it.
    pub pod: Key,
    /// Its `metadata.uid`.
    pub uid: Uid,
    /// The time that the counts are of.
    pub length: Duration,
    /// `nr_periods`; periods in which the pod wanted to run.
    pub periods: u64,
    /// `nr_throttled`.
    pub throttled: u64,
    /// Whether the pod has a quota; one without cannot be throttled.
    pub limited: bool,
}

/// Whether somebody answers for targets that surely do not: then no other result is worth
/// anything.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Captured {
    /// A port that is surely closed accepted a connection.
    pub tcp: bool,
    /// An address that surely serves no DNS answered a query.
    pub dns: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_agent_lacks_groups() {
        let observation: Observation = serde_json::from_str("{}").unwrap();
        assert_eq!(observation, Observation::default());
    }

    #[test]
    fn a_newer_agent_adds_groups_fields_targets_and_reasons() {
        let observation: Observation = serde_json::from_str(
            r#"{"mtu": {}, "reach": [{"target": "moon", "probe": "quic", "attempts": {
                "length": {"secs": 300, "nanos": 0}, "attempts": 30, "failures": 1,
                "mostly": "bored", "slowest": 3
            }}]}"#,
        )
        .unwrap();
        let reach = &observation.reach.unwrap()[0];
        assert_eq!((reach.target, reach.probe), (Target::Other, ProbeKind::Other));
        assert_eq!((reach.attempts.attempts, reach.attempts.mostly), (30, Some(Failure::Other)));
    }

    #[test]
    fn what_a_lying_agent_counts_overflows_no_sum() {
        let said = format!(r#"{{"attempts": 1, "failures": {0}, "slow": {0}}}"#, u64::MAX);
        let lie: Window = serde_json::from_str(&said).unwrap();
        let mut total = lie;
        (0..1000).for_each(|_| total.add(&lie));
        assert_eq!((total.answers(), total.failed()), (0, Some(1.0)));
        assert!(serde_json::from_str::<Window>(r#"{"attempts": -1}"#).is_err());
    }

    #[test]
    fn label_values_are_the_names_in_json() {
        for (json, label) in [
            (serde_json::to_value(Vantage::Host), Vantage::Host.as_str()),
            (serde_json::to_value(DnsPath::Nodelocal), DnsPath::Nodelocal.as_str()),
            (serde_json::to_value(DnsQuery::Negative), DnsQuery::Negative.as_str()),
            (serde_json::to_value(Target::PeerPod), Target::PeerPod.as_str()),
            (serde_json::to_value(ProbeKind::Icmp), ProbeKind::Icmp.as_str()),
            (serde_json::to_value(Protocol::Udp), Protocol::Udp.as_str()),
        ] {
            assert_eq!(json.unwrap(), label);
        }
    }

    #[test]
    fn windows_add_up_and_keep_the_more_frequent_reason() {
        let window =
            |failures, mostly| Window { attempts: 10, failures, mostly, ..Window::default() };
        let mut total = window(1, Some(Failure::Refused));
        total.add(&window(4, Some(Failure::Timeout)));
        total.add(&window(0, None));
        assert_eq!((total.attempts, total.failures), (30, 5));
        assert_eq!(total.mostly, Some(Failure::Timeout));
        assert_eq!(Window::default().failed(), None);
    }
}

//! Facts: what is known of a cluster, in own types, without I/O and without a clock.

mod change;
mod clock;
mod cluster;
mod comparison;
mod endpoints;
mod failure;
mod index;
mod kind;
mod labels;
mod lag;
mod mismatch;
mod name;
mod namespace;
mod network_policy;
mod node;
mod observation;
mod plan;
mod pod;
mod service;
mod settings;
mod table;
mod uid;
mod unknown;

pub use change::{Apply, Change, Event};
pub use clock::Clock;
pub use cluster::{Cluster, Observed};
pub use comparison::Comparison;
pub use endpoints::{Endpoint, EndpointPort, EndpointSlice, PodRef};
pub use failure::Failure;
pub use index::Index;
pub use kind::{Fact, Kind};
pub use labels::Labels;
pub use lag::{LAG_BOUNDS, Lag, Lagging};
pub use mismatch::{Mismatch, Mismatches, gets_traffic, port_number};
pub use name::{Key, Name, Object};
pub use namespace::Namespace;
pub use network_policy::{Effect, Expression, NetworkPolicy, Operator, Selector};
pub use node::{Node, Ready, Status};
pub use observation::{
    Agent, Answers, Captured, Cpu, Dns, DnsPath, DnsQuery, DnsRow, Observation, ProbeKind, Reached,
    Replica, Target, Vantage, Window,
};
pub use plan::{
    DnsPlan, EndpointPlan, ExpectedPlan, NodeTarget, Plan, PodPlan, ReplicaPlan, ServicePlan,
};
pub use pod::{Addresses, Pod, Ports};
pub use service::{IpFamily, Protocol, Service, ServicePort, TargetPort};
pub use settings::Settings;
pub use table::{Freshness, STALE_AFTER, Table};
pub use uid::Uid;
pub use unknown::{Skipped, Unanswered, Unknown};

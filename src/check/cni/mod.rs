//! CNI: whether each node can give pods a network.

pub mod cidr_overlap;
mod cilium;
pub mod cni_agents;
pub mod cni_versions;
mod control_plane;
pub(in crate::check) mod identity;
pub mod ip_pools;
pub mod node_network_ready;
mod node_ranges;
mod remedies;
pub(in crate::check) mod running;
pub mod sandbox_failures;
mod waiting;

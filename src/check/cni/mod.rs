//! CNI: whether each node can give pods a network.

pub mod ip_pools;
pub mod node_network_ready;

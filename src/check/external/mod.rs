//! What enters the cluster, and what leaves it.

pub mod certificates;
pub mod gateways;
pub mod ingress;

//! What the control plane was told of ranges, where it runs as pods.

use std::ops::RangeInclusive;

use ipnet::IpNet;

/// The flags of kube-apiserver or kube-controller-manager that speak of ranges.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ControlPlane {
    /// `--service-cluster-ip-range`; a malformed one is left out.
    pub services: Vec<IpNet>,
    /// `--cluster-cidr`, where `--allocate-node-cidrs` says that nodes get their ranges of it.
    pub pods: Vec<IpNet>,
    /// `--service-node-port-range` of an API server, or what that is by itself; absent where it is
    /// malformed.
    pub node_ports: Option<RangeInclusive<u16>>,
}

//! The lab's addresses.

/// The bridge on which the control plane and the nodes meet.
pub(crate) const UNDERLAY: &str = "underlay";

/// The control plane's address on it.
pub(crate) const API_IP: &str = "10.99.0.1";

/// The API server.
pub(crate) const API_URL: &str = "https://10.99.0.1:6443";

/// The Services' addresses.
pub(crate) const SERVICE_RANGE: &str = "10.96.0.0/16";

/// The other family's, of a cluster that has both.
pub(crate) const SERVICE_RANGE_6: &str = "fd96::/112";

/// The API server's Service.
pub(crate) const KUBERNETES_IP: &str = "10.96.0.1";

/// The DNS Service.
pub(crate) const DNS_IP: &str = "10.96.0.10";

/// The pods' addresses.
pub(crate) const POD_RANGE: &str = "10.244.0.0/16";

/// The other family's.
pub(crate) const POD_RANGE_6: &str = "fd24::/56";

/// The control plane's address of the other family.
pub(crate) const API_IP_6: &str = "fd99::1";

/// What stands for the internet: a resolver on an address for documentation.
pub(crate) const INTERNET_IP: &str = "192.0.2.53";

/// Where the ingress proxy listens: another address for documentation.
pub(crate) const INGRESS_IP: &str = "203.0.113.80";

/// The name of a node, the first is 0.
pub(crate) fn node_name(index: usize) -> String {
    format!("n{}", index + 1)
}

/// The address of a node, the first is 0.
pub(crate) fn node_ip(index: usize) -> String {
    format!("10.99.0.{}", index + 11)
}

/// Its address of the other family.
pub(crate) fn node_ip_6(index: usize) -> String {
    format!("fd99::{}", index + 11)
}

//! Names that rules and panels already use and the program is yet to have.
//!
//! This list only ever gets shorter: a test fails for every name that has come.

use netvitals::family::{Desc, Type};

const fn gauge(name: &'static str, labels: &'static [&'static str]) -> Desc {
    Desc { name, help: "", ty: Type::Gauge, labels }
}

const fn counter(name: &'static str, labels: &'static [&'static str]) -> Desc {
    Desc { name, help: "", ty: Type::Counter, labels }
}

const CPU: &[&str] = &["node", "vantage", "namespace", "pod", "container"];

/// The families.
pub(crate) static FAMILIES: &[Desc] = &[
    // Agents.
    counter("netvitals_coredns_cpu_usage_seconds_total", CPU),
    counter("netvitals_coredns_cpu_throttled_seconds_total", CPU),
    // The cluster role.
    gauge("netvitals_service_observers", &["namespace", "service", "port"]),
    gauge("netvitals_service_failing_observers", &["namespace", "service", "port"]),
];

/// The codes of findings.
pub(crate) static CODES: &[&str] = &["service_reachability.unreachable"];

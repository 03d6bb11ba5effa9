//! Names that rules and panels already use and the program is yet to have.
//!
//! This list only ever gets shorter: a test fails for every name that has come.

use netvitals::family::{Desc, Type};

const fn gauge(name: &'static str, labels: &'static [&'static str]) -> Desc {
    Desc { name, help: "", ty: Type::Gauge, labels }
}

/// The families.
pub(crate) static FAMILIES: &[Desc] = &[
    // The cluster role.
    gauge("netvitals_service_observers", &["namespace", "service", "port"]),
    gauge("netvitals_service_failing_observers", &["namespace", "service", "port"]),
];

/// The codes of findings.
pub(crate) static CODES: &[&str] = &["service_reachability.unreachable"];

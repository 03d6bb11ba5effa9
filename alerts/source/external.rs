//! Ways in from outside: load balancers of Services.

use super::promql::{found, once};
use super::{Alert, Group, warning, words};

/// What each code of a load balancer means.
const BALANCERS: &[(&str, &str)] = &[
    ("no_targets", "Nothing behind it gets its traffic."),
    ("pending", "It has no address, and clients outside of the cluster have no way in by it."),
    ("port_error", "What makes its load balancer refuses a port of it."),
    ("stuck_deleting", "It is deleted, and its load balancer is not taken away."),
];

pub(super) fn group() -> Group {
    Group { name: "external", component: "external", alerts: load_balancers().into() }
}

fn load_balancers() -> [Alert; 2] {
    let service = "kubectl -n {{ $labels.namespace }} describe service {{ $labels.name }}";
    [
        Alert {
            why: "By Service and not by code, because one may become another while the alert waits.",
            expr: of(r#"check="load_balancer", severity="warning", code!="load_balancer.no_targets""#),
            pending: "5m",
            keep: "5m",
            summary: "The load balancer of a Service is not as it asks for.",
            says: [
                "Service {{ $labels.namespace }}/{{ $labels.name }}:",
                &words::codes_in_namespace("load_balancer", BALANCERS),
            ]
            .concat(),
            next: service,
            panel: 56,
            ..warning("LoadBalancerPending")
        },
        Alert {
            expr: of(r#"code="load_balancer.no_targets""#),
            pending: "10m",
            keep: "5m",
            summary: "A load balancer leads to no endpoint that is ready.",
            says: "Service {{ $labels.namespace }}/{{ $labels.name }} is of type LoadBalancer, and nothing behind it \
                   gets its traffic: clients outside of the cluster get no answer."
                .into(),
            next: service,
            panel: 56,
            ..warning("LoadBalancerNoTargets")
        },
    ]
}

/// Selects the objects of findings.
fn of(matchers: &str) -> String {
    once(&["namespace", "name"], &found(matchers)) + " == 1"
}

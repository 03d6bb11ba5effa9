//! EndpointSlices and the pods of Services.

use super::promql::{count, found, lines, once, settled};
use super::{Alert, Group, warning, words};

/// What each class of mismatch means for traffic.
const MISMATCHES: &[(&str, &str)] = &[
    ("missing", "Ready pods get no traffic, because no slice names them."),
    ("stale", "Traffic goes to addresses that no pod of the Service has any more."),
    ("readiness", "Slices call pods ready that are not, or the reverse."),
    ("port", "Traffic goes to other ports than the Service and its pods have now."),
    ("node", "Slices place pods on other nodes than they run on."),
    (
        "family",
        "Pods get traffic over one family of addresses and not over another that they have.",
    ),
    ("orphan", "A slice outlived its Service."),
    ("no_port", "The Service points at a port by a name that none of its ready pods has."),
];

pub(super) fn group() -> Group {
    let mismatch = found(r#"check="endpoint_mismatch", severity!="info""#);
    let slices = "kubectl -n {{ $labels.namespace }} get endpointslices -o wide -l \
                  kubernetes.io/service-name={{ $labels.name }}";
    let alerts = vec![
        Alert {
            why: "By Service and not by code, because one mismatch becomes another while the alert waits.",
            expr: once(&["kind", "namespace", "name"], &mismatch) + " == 1",
            pending: "2m",
            summary: "The endpoints of a Service are not its pods.",
            says: [
                "{{ $labels.kind }} {{ $labels.namespace }}/{{ $labels.name }}:",
                &words::codes_in_namespace("endpoint_mismatch", MISMATCHES),
            ]
            .concat(),
            next: slices,
            panel: 52,
            ..warning("EndpointsMismatch")
        },
        Alert {
            why: "One alert for all Services: it is the controller that they have in common.",
            expr: lagging(),
            pending: "2m",
            keep: "2m",
            summary: "Endpoints do not follow their pods in time.",
            says: [
                "What pods did more than a minute ago is not in the EndpointSlices of their Services: ",
                &late(),
                ".",
            ]
            .concat(),
            next: "kubectl -n kube-system logs --tail=200 -l component=kube-controller-manager",
            panel: 53,
            ..warning("EndpointsLagging")
        },
    ];
    Group { name: "endpoints", component: "endpoints", alerts }
}

fn lagging() -> String {
    let services = once(&["namespace", "name"], &found(r#"check="endpoint_lag""#));
    lines(&[&(count(&services) + " >= 1")])
}

fn late() -> String {
    let found = r#"netvitals_finding{cluster=%[1]q, check="endpoint_lag"}"#;
    let query = format!("max by (namespace, name) ({})", settled(&["namespace"], found));
    words::listed(&query, "name", "{{ .Labels.namespace }}/{{ .Labels.name }}")
}

//! CoreDNS and its CPU.

use super::promql::{found, lines, once};
use super::{Alert, Group, info, warning};

pub(super) fn group() -> Group {
    let throttled = once(&["namespace", "pod", "node"], "netvitals_coredns_cpu_throttled_ratio");
    let throttled = format!("{throttled} > 0.25");
    let felt = once(&[], &found(r#"code="coredns_throttling.starved""#));
    let alerts = vec![
        Alert {
            why: "Throttling with its symptom: the check has joined it with slow or failing queries.",
            expr: lines(&[&throttled, "and on (cluster)", &felt]),
            pending: "5m",
            keep: "5m",
            summary: "CoreDNS waits for CPU, and queries feel it.",
            says: "Pod {{ $labels.namespace }}/{{ $labels.pod }} on node {{ $labels.node }} was held back in \
                   {{ $value | humanizePercentage }} of its CPU periods, while queries are slow or fail."
                .into(),
            next: "kubectl -n {{ $labels.namespace }} describe pod {{ $labels.pod }}",
            panel: 31,
            ..warning("CoreDNSThrottled")
        },
        Alert {
            why: "Throttling alone is common and often without effect. With its symptom it is the warning above.",
            expr: lines(&[&throttled, "unless on (cluster)", &felt]),
            pending: "15m",
            keep: "5m",
            summary: "CoreDNS waits for CPU.",
            says: "Pod {{ $labels.namespace }}/{{ $labels.pod }} on node {{ $labels.node }} was held back in \
                   {{ $value | humanizePercentage }} of its CPU periods. Queries do not feel it yet."
                .into(),
            next: "kubectl -n {{ $labels.namespace }} describe pod {{ $labels.pod }}",
            panel: 31,
            ..info("CoreDNSThrottled")
        },
    ];
    Group { name: "coredns", component: "dns", alerts }
}

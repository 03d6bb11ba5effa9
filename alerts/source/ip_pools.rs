//! Pools of addresses, of pods' and of Services', and of ports.

use super::promql::{count, found, indented, lines, nodes, once};
use super::{Alert, Group, critical, info, warning};

/// A pool of ports is of no family.
const POOL: &str = "Pool {{ $labels.pool }} of {{ $labels.ipam }}{{ with $labels.ip_family }} ({{ . }}){{ end }} is \
                    {{ $value | humanizePercentage }} full.";

/// What becomes of those who find nothing left.
const REFUSED: &str = r#"{{ if eq $labels.ipam "services" "node-ports" }}Whoever makes a Service that needs one is refused.{{ else }}Pods without an address do not start.{{ end }}"#;

pub(super) fn group() -> Group {
    let full = once(&["ipam", "pool", "ip_family"], USED);
    let alerts = vec![
        Alert {
            why: "Only pools of the whole cluster for which no other stands in: schedulers fill the pool of a node on purpose.",
            expr: format!("{full} > 0.95"),
            pending: "5m",
            summary: "A pool of addresses is nearly used up.",
            says: format!("{POOL} {REFUSED}"),
            panel: 41,
            ..critical("IPPoolFilling")
        },
        Alert {
            why: "Or at the pace of the last hours full within a day, told only by replicas that have watched for an \
                  hour and still do.",
            expr: filling(&full),
            pending: "15m",
            summary: "A pool of addresses is filling.",
            says: format!("{POOL} It is above 85%, or full within a day at the pace of the last hours."),
            panel: 41,
            ..warning("IPPoolFilling")
        },
        Alert {
            expr: format!("{full} > 0.75 <= 0.85"),
            pending: "15m",
            summary: "A pool of addresses is three quarters full.",
            says: POOL.into(),
            panel: 41,
            ..info("IPPoolFilling")
        },
        Alert {
            expr: format!("{full} >= 1"),
            pending: "1m",
            summary: "A pool of addresses is used up.",
            says: format!("{POOL} {REFUSED}"),
            panel: 41,
            ..critical("IPPoolExhausted")
        },
        Alert {
            why: "A full node is no fault until pods wait for it: the check tells.",
            expr: waited_for(),
            pending: "1m",
            keep: "5m",
            summary: "Pods get no address.",
            says: "{{ if $labels.kind }}{{ $labels.kind }} {{ $labels.name }} has no address left for those that wait \
                   for one{{ if eq $labels.kind \"Node\" }}, or Cilium's operator has none for it{{ end }}.{{ else }}{{ $value }} \
                   pods have waited for an address for minutes, and their pools are not used up: addresses that leaked, or volumes that do not come.{{ end }}"
                .into(),
            next: "kubectl get pods -A -o wide --field-selector status.phase=Pending",
            panel: 42,
            ..warning("IPPoolExhausted")
        },
    ];
    Group { name: "ip-pools", component: "ip-pools", alerts }
}

const USED: &str = r#"netvitals_ip_pool_utilisation_ratio{scope="cluster"}"#;

fn filling(full: &str) -> String {
    let pace = [
        &format!("predict_linear({USED}[6h], 86400)"),
        &format!("and {USED} offset 1h"),
        &format!("and {USED}"),
    ];
    let pace = once(&["ipam", "pool", "ip_family"], &lines(&pace.map(String::as_str)));
    let and = "and on (cluster, ipam, pool, ip_family)";
    let soon = lines(&[&format!("{full} > 0.75 <= 0.95"), and, &format!("{pace} >= 1")]);
    lines(&[&format!("{full} > 0.85 <= 0.95"), "or", "(", &indented(&soon), ")"])
}

fn waited_for() -> String {
    let of_nodes = nodes(&["kind", "name"], r#"code=~"ip_pools[.](exhausted|no_range)""#);
    let others = once(
        &["kind", "name"],
        &found(r#"code=~"ip_pools[.](exhausted|balancers_full)", kind!="Node""#),
    );
    // Addresses that leaked look free: that pods get none is the proof.
    let leaked = count(&once(&["namespace", "name"], &found(r#"code="ip_pools.waiting""#)));
    lines(&[&(of_nodes + " == 1"), "or", &(others + " == 1"), "or", &(leaked + " > 0")])
}

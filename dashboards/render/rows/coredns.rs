//! CoreDNS throttling: whether the kernel holds DNS back.

use crate::render::grafana::{Panel, Row};
use crate::render::query::{on_nodes, once, rate, total};
use crate::rules::Rules;

pub(super) fn row(rules: &Rules) -> Row {
    let bound = rules.rule("NetvitalsCoreDNSThrottled", "warning").threshold();
    let pod = ["namespace", "pod"];
    let used = rate(&on_nodes("netvitals_coredns_cpu_usage_seconds_total", ""));
    let held = rate(&on_nodes("netvitals_coredns_cpu_throttled_seconds_total", ""));
    let panels = vec![
        Panel::lines(
            31,
            "Throttled share of CPU periods",
            "Share of the periods of 100 ms in which a DNS pod had used up its quota. The \
             dashed line is the alert's; it only warns when queries are slow or fail too.",
        )
        .size(12, 8)
        .query(
            &once(
                &["namespace", "pod", "node"],
                &on_nodes("netvitals_coredns_cpu_throttled_ratio", ""),
            ),
            "{{namespace}}/{{pod}} on {{node}}",
        )
        .share()
        .colours("green", &[(bound, "red")])
        .empty("no DNS pod with enough periods, or no host agent")
        .alerts(rules, &["NetvitalsCoreDNSThrottled"]),
        Panel::lines(32, "CPU used", "CPUs that a DNS pod keeps busy.")
            .size(6, 8)
            .query(&total(&pod, &used), "{{namespace}}/{{pod}}")
            .unit("short")
            .empty("no host agent sees a DNS pod"),
        Panel::lines(
            33,
            "Time held back",
            "Share of the time that a DNS pod waits for its next period, added up over its \
             threads.",
        )
        .size(6, 8)
        .query(&total(&pod, &held), "{{namespace}}/{{pod}}")
        .unit("percentunit")
        .empty("no host agent sees a DNS pod")
        .alerts(rules, &["NetvitalsCoreDNSThrottled"]),
    ];
    Row { title: Some((30, "CoreDNS throttling")), panels }
}

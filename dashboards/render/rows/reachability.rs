//! Reachability: of nodes, pods and Services, by k observers each.

use super::FAILING;
use crate::render::grafana::{Panel, Row};
use crate::render::query::{failing, on_nodes, once, quantile, rate, series, total};
use crate::rules::Rules;

pub(super) fn row(rules: &Rules) -> Row {
    let states = Panel::lines(
        67,
        "Nodes by the state of their network",
        "Those that are young, leave or are taken away are left out of every judgement.",
    )
    .size(24, 6)
    .query(&once(&["state"], &series("netvitals_node_network_states", "")), "{{state}}")
    .unit("short")
    .empty("no verdict")
    .alerts(rules, &["NetvitalsNodeNetworkNotReady"]);
    let panels =
        nodes(rules).into_iter().chain(paths(rules)).chain([states, proxies(rules)]).collect();
    Row { title: Some((60, "Reachability")), panels }
}

fn proxies(rules: &Rules) -> Panel {
    Panel::lines(
        120,
        "kube-proxy that is not ready",
        "Nodes whose pod of kube-proxy is not ready, or is missing: Services lead from there to where \
         they led before.",
    )
    .size(24, 6)
    .query(
        &format!("1 - {} > 0", once(&["node"], &on_nodes("netvitals_kube_proxy_ready", ""))),
        "{{node}}",
    )
    .unit("short")
    .colours("green", &[(1.0, "red")])
    .empty("none that is known, or it does not run as pods")
    .alerts(rules, &["NetvitalsKubeProxyDown"])
}

fn nodes(rules: &Rules) -> [Panel; 3] {
    let observed = |panel: Panel, failed, all| {
        panel
            .query(&failing(on_nodes, &["node"], failed, all), "{{node}}")
            .share()
            // Anything above 0 is some failing observer.
            .colours("green", &[(0.001, "yellow"), (FAILING, "red")])
            .empty("no other node observes, or there is no verdict")
    };
    [
        Panel::states(65, "Network of nodes: ready", "What each node says of its own network.")
            .query(&once(&["node"], &on_nodes("netvitals_node_network_ready", "")), "{{node}}")
            .names(&[(0, "not ready", "red"), (1, "ready", "green")])
            .empty("no verdict")
            .alerts(rules, &["NetvitalsNodeNetworkNotReady"]),
        observed(
            Panel::states(
                62,
                "Nodes: failing observers",
                "Share of the observers on other nodes that do not reach a node's own address.",
            ),
            "netvitals_node_failing_observers",
            "netvitals_node_observers",
        )
        .alerts(rules, &["NetvitalsNodeUnreachable"]),
        observed(
            Panel::states(
                61,
                "Pods of nodes: failing observers",
                "Share of the observers on other nodes that do not reach a pod on a node. Red \
                 here and green beside it is the overlay.",
            ),
            "netvitals_pod_network_failing_observers",
            "netvitals_pod_network_observers",
        )
        .alerts(rules, &["NetvitalsPodUnreachable"]),
    ]
}

fn paths(rules: &Rules) -> [Panel; 3] {
    let by = ["probe", "target"];
    let counted = |name| total(&by, &rate(&on_nodes(name, "")));
    let buckets = rate(&on_nodes("netvitals_probe_duration_seconds_bucket", ""));
    let buckets = total(&["le", "probe", "target"], &buckets);
    [
        Panel::lines(
            63,
            "Services: failing observers",
            "Share of the observers for which a Service does not answer at its ClusterIP.",
        )
        .query(
            &failing(
                series,
                &["namespace", "service", "port"],
                "netvitals_service_failing_observers",
                "netvitals_service_observers",
            ),
            "{{namespace}}/{{service}}:{{port}}",
        )
        .share()
        .colours("green", &[(FAILING, "red")])
        .empty("no Service is observed")
        .alerts(rules, &["NetvitalsServiceUnreachable"]),
        Panel::lines(
            64,
            "Failed attempts",
            "Share of the attempts from the chosen nodes that failed, by probe and kind of \
             target. From the agents' own counters.",
        )
        .query(
            &format!(
                "{} / ({} > 0)",
                counted("netvitals_probe_failures_total"),
                counted("netvitals_probe_attempts_total")
            ),
            "{{probe}} to {{target}}",
        )
        .share()
        .empty("no attempts: is an agent scraped?")
        .alerts(rules, &["NetvitalsPodUnreachable", "NetvitalsNodeUnreachable"]),
        Panel::lines(
            66,
            "Time of an attempt",
            "Nine of ten successful attempts from the chosen nodes took less.",
        )
        .query(&quantile("0.9", &buckets), "{{probe}} to {{target}}")
        .unit("s")
        .empty("no attempts: is an agent scraped?"),
    ]
}

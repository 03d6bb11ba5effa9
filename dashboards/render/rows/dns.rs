//! DNS: what workloads feel, and which replica or node is why.

use super::FAILING;
use crate::render::grafana::{Panel, Row};
use crate::render::query::{
    ANSWERED, HEADLINE, dns_slower, dns_success, failing, on_nodes, once, rate, series, total,
};
use crate::rules::Rules;

pub(super) fn row(rules: &Rules) -> Row {
    let mut panels = Vec::from(success(rules).map(|panel| panel.size(12, 8)));
    panels.extend(latency(rules));
    panels.extend(servers(rules).map(|panel| panel.size(6, 7)));
    panels.extend(resources(rules).map(|panel| panel.size(12, 7)));
    panels.push(config(rules).size(24, 6));
    Row { title: Some((20, "DNS")), panels }
}

fn success(rules: &Rules) -> [Panel; 2] {
    let bound = |severity| 1.0 - rules.rule("NetvitalsDNSSuccessLow", severity).threshold();
    [
        Panel::lines(
            21,
            "Success ratio",
            "Queries for cluster names over UDP at the first nameserver, as workloads ask, from \
             pods on the chosen nodes. The dashed line is the alert's.",
        )
        .query(&dns_success(&[]), "chosen nodes")
        .share()
        .colours("red", &[(bound("critical"), "green")])
        .empty("no queries: is an agent scraped?")
        .alerts(rules, &["NetvitalsDNSSuccessLow"]),
        Panel::lines(22, "Success ratio by node", "The same for each node that asks.")
            .query(&dns_success(&["node"]), "{{node}}")
            .share()
            .colours("red", &[(bound("warning"), "green")])
            .empty("no queries: is an agent scraped?")
            .alerts(rules, &["NetvitalsDNSSuccessLow"]),
    ]
}

fn latency(rules: &Rules) -> [Panel; 3] {
    let bound = rules.rule("NetvitalsDNSLatencyHigh", "warning").threshold();
    let failures = rate(&on_nodes("netvitals_dns_query_failures_total", HEADLINE));
    let buckets = rate(&on_nodes("netvitals_dns_query_duration_seconds_bucket", ANSWERED));
    [
        Panel::lines(
            23,
            "Failures by reason",
            "timeout: a packet was lost. servfail: CoreDNS could not answer. refused: nobody is \
             at the port.",
        )
        .query(&total(&["reason"], &failures), "{{reason}}")
        .unit("reqps")
        .empty("no queries: is an agent scraped?")
        .alerts(rules, &["NetvitalsDNSSuccessLow"]),
        Panel::lines(
            24,
            "Slow answers",
            "Share of the answered queries for cluster names that took longer. The dashed line is \
             the alert's.",
        )
        .query(&dns_slower("0.25"), "above 250 ms: warning")
        .query(&dns_slower("1.0"), "above 1 s: critical")
        .share()
        .colours("green", &[(bound, "red")])
        .empty("no answers: is an agent scraped?")
        .alerts(rules, &["NetvitalsDNSLatencyHigh"]),
        Panel::heatmap(
            25,
            "Time of an answer",
            "Answered queries for cluster names by the time that they took. What has no answer \
             after 2 s is a timeout among the failures, and not in here.",
        )
        .query(&total(&["le"], &buckets), "{{le}}")
        .unit("s")
        .empty("no answers: is an agent scraped?")
        .alerts(rules, &["NetvitalsDNSLatencyHigh"]),
    ]
}

fn servers(rules: &Rules) -> [Panel; 4] {
    let by_path = ["path", "query", "protocol"];
    [
        Panel::lines(
            29,
            "DNS servers",
            "Pods behind the DNS Service by their state; of a Service that selects none, what it \
             leads to.",
        )
        .query(&once(&["state"], &series("netvitals_dns_servers", "")), "{{state}}")
        .unit("short")
        .empty("no DNS Service, or it cannot be read")
        .alerts(rules, &["NetvitalsDNSServersDown", "NetvitalsDNSServersFragile"]),
        Panel::lines(
            26,
            "DNS replicas: failing observers",
            "Share of the agents that ask a replica directly and mostly fail. From the dashed \
             line on, the replica is at fault.",
        )
        .query(
            &failing(
                on_nodes,
                &["namespace", "pod", "node"],
                "netvitals_dns_replica_failing_observers",
                "netvitals_dns_replica_observers",
            ),
            "{{namespace}}/{{pod}} on {{node}}",
        )
        .share()
        .colours("green", &[(FAILING, "red")])
        .empty("no replica is observed")
        .alerts(rules, &["NetvitalsDNSReplicaFailing"]),
        Panel::lines(
            27,
            "Success ratio by path",
            "All that the agents ask: by server, kind of name and protocol. Only path resolver, \
             query cluster, udp is what the alert judges.",
        )
        .query(
            &once(&by_path, &series("netvitals_dns_success_ratio", "")),
            "{{path}} {{query}} {{protocol}}",
        )
        .share()
        .empty("too few queries"),
        Panel::lines(
            28,
            "Wrong answers",
            "Services whose addresses a server has wrong: a replica that lost the API answers \
             from the past.",
        )
        .query(
            &once(&["node", "path"], &on_nodes("netvitals_dns_wrong_answers", "")),
            "{{path}} on {{node}}",
        )
        .unit("short")
        .colours("green", &[(1.0, "red")])
        .empty("no answers are compared")
        .alerts(rules, &["NetvitalsDNSAnswersWrong"]),
    ]
}

fn resources(rules: &Rules) -> [Panel; 2] {
    let of_pods = |name| once(&["namespace", "pod"], &on_nodes(name, ""));
    [
        Panel::lines(
            34,
            "CPU limit and request of DNS pods",
            "Cores that what answers DNS in a pod may use at most, where there is a limit, and those \
             that it asks for. From 0.2 down a limit is low.",
        )
        .query(&of_pods("netvitals_coredns_cpu_limit_cores"), "{{namespace}}/{{pod}}: limit")
        .query(&of_pods("netvitals_coredns_cpu_request_cores"), "{{namespace}}/{{pod}}: request")
        .unit("short")
        .empty("no DNS pod, or it cannot be read")
        .alerts(rules, &["NetvitalsCoreDNSUnderprovisioned"]),
        Panel::lines(
            35,
            "Memory limit of DNS pods",
            "Memory that what answers DNS in a pod may use at most, where there is a limit.",
        )
        .query(&of_pods("netvitals_coredns_memory_limit_bytes"), "{{namespace}}/{{pod}}")
        .unit("bytes")
        .empty("no DNS pod with a limit, or it cannot be read")
        .alerts(rules, &["NetvitalsCoreDNSUnderprovisioned"]),
    ]
}

fn config(rules: &Rules) -> Panel {
    Panel::lines(
        36,
        "Findings of the Corefile",
        "What is wrong with what CoreDNS is told, or worth knowing of it: 1 while it is so. It is what \
         the next pod begins with; those that run may go on with an older one.",
    )
    .query(
        &once(&["code", "namespace", "name"], &series("netvitals_finding", r#"check="coredns_config""#)),
        "{{code}} of {{namespace}}/{{name}}",
    )
    .unit("short")
    .empty("nothing is found")
    .alerts(rules, &["NetvitalsCoreDNSMisconfigured"])
}

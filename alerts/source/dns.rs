//! DNS as workloads feel it.

use super::promql::{ANSWERED, HEADLINE, found, lines, nodes, once, share, total};
use super::{Alert, Group, critical, warning};

pub(super) fn group() -> Group {
    let alerts = vec![
        Alert {
            why: "From the agents' own counters, so that it works while the cluster role is down. Failures over \
                  attempts: in a total outage there is no success to divide.",
            expr: failing(&[], "cluster"),
            pending: "2m",
            keep: "5m",
            summary: "Cluster DNS fails for workloads.",
            says: "{{ $value | humanizePercentage }} of the queries for cluster names failed in the last 5 minutes, \
                   as seen from pods on all nodes."
                .into(),
            panel: 21,
            ..critical("DNSSuccessLow")
        },
        Alert {
            expr: failing(&["node"], "cluster, node"),
            pending: "5m",
            keep: "5m",
            summary: "Cluster DNS fails for the workloads of a node.",
            says: "{{ $value | humanizePercentage }} of the queries for cluster names failed in the last 5 minutes, \
                   as seen from a pod on node {{ $labels.node }}."
                .into(),
            panel: 22,
            ..warning("DNSSuccessLow")
        },
        Alert {
            expr: slower("1.0"),
            pending: "5m",
            keep: "5m",
            summary: "Cluster DNS answers far too slowly.",
            says: "{{ $value | humanizePercentage }} of the answered queries for cluster names took longer than 1 s \
                   in the last 5 minutes, as seen from pods on all nodes."
                .into(),
            panel: 24,
            ..critical("DNSLatencyHigh")
        },
        Alert {
            expr: slower("0.25"),
            pending: "5m",
            keep: "5m",
            summary: "Cluster DNS answers slowly.",
            says: "{{ $value | humanizePercentage }} of the answered queries for cluster names took longer than \
                   250 ms in the last 5 minutes, as seen from pods on all nodes."
                .into(),
            panel: 24,
            ..warning("DNSLatencyHigh")
        },
        Alert {
            why: "Every replica has a Service wrong, or most nodes' resolvers do not know the cluster. No ratio of \
                  success shows it: a wrong answer is an answer.",
            expr: once(&["namespace", "name"], &found(&wrong("Service"))) + " == 1",
            pending: "1m",
            keep: "2m",
            summary: "Cluster DNS answers wrongly everywhere.",
            says: "DNS answers with other addresses than the API has, or denies that a name exists, whoever asks; it \
                   was found at Service {{ $labels.namespace }}/{{ $labels.name }}."
                .into(),
            panel: 28,
            ..critical("DNSAnswersWrong")
        },
        Alert {
            expr: wrong_somewhere(),
            pending: "1m",
            keep: "2m",
            summary: "A DNS server answers wrongly.",
            says: "{{ $labels.kind }} {{ with $labels.namespace }}{{ . }}/{{ end }}{{ $labels.name }}: DNS answers \
                   there with other addresses than the API has, or denies that a name exists, while others do not."
                .into(),
            panel: 28,
            ..warning("DNSAnswersWrong")
        },
    ];
    Group { name: "dns", component: "dns", alerts }
}

/// The headline's failures over its attempts, where there are enough of them.
fn failing(by: &[&str], on: &str) -> String {
    let rate = |name: &str| total(by, &format!("rate({name}{{{HEADLINE}}}[5m])"));
    let failures = rate("netvitals_dns_query_failures_total");
    let attempts = rate("netvitals_dns_queries_total");
    let samples = format!("increase(netvitals_dns_queries_total{{{HEADLINE}}}[5m])");
    lines(&[
        &(share(&failures, &attempts) + " > 0.1"),
        &format!("and on ({on})"),
        &(total(by, &samples) + " >= 20"),
    ])
}

/// The headline's answers that took longer than `le` seconds over all of them.
fn slower(le: &str) -> String {
    let series = "netvitals_dns_query_duration_seconds";
    let quick = total(&[], &format!(r#"rate({series}_bucket{{{ANSWERED}, le="{le}"}}[5m])"#));
    let all = total(&[], &format!("rate({series}_count{{{ANSWERED}}}[5m])"));
    let samples = total(&[], &format!("increase({series}_count{{{ANSWERED}}}[5m])"));
    format!("(\n  1 -\n    {quick}\n  /\n    {all}\n) > 0.05\nand on (cluster)\n{samples} >= 20")
}

fn wrong(kind: &str) -> String {
    format!(r#"check="dns_answers", severity="problem", kind="{kind}""#)
}

fn wrong_somewhere() -> String {
    let replicas = once(&["kind", "namespace", "name"], &found(&wrong("Pod")));
    let of_nodes = nodes(&["kind", "name"], r#"check="dns_answers", severity="problem""#);
    lines(&[&(replicas + " == 1"), "or", &(of_nodes + " == 1")])
}

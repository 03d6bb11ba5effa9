//! DNS as workloads feel it.

use super::promql::{
    ANSWERED, HEADLINE, count, exists, found, lines, many, nodes, once, settled, share, total,
};
use super::{Alert, Group, critical, warning, words};

pub(super) fn group() -> Group {
    let asking = count(&exists(&["node"], &format!("netvitals_dns_queries_total{{{HEADLINE}}}")));
    let alerts = vec![
        Alert {
            expr: once(&["namespace", "name"], &found(r#"check="dns_servers", severity="problem""#))
                + " == 1",
            pending: "1m",
            keep: "2m",
            summary: "No DNS server serves the cluster.",
            says: "Behind Service {{ $labels.namespace }}/{{ $labels.name }} no pod is ready, or there is none, or it \
                   leads nowhere: nobody answers for names of the cluster."
                .into(),
            next: "kubectl -n {{ $labels.namespace }} describe service {{ $labels.name }}",
            panel: 29,
            ..critical("DNSServersDown")
        },
        Alert {
            why: "Over a window: what ends again and again runs in between.",
            expr: failing_server(),
            pending: "10m",
            keep: "5m",
            summary: "A DNS server does not serve.",
            says: "Pod {{ $labels.namespace }}/{{ $labels.pod }} is behind the DNS Service and does not get ready: the \
                   others carry its share."
                .into(),
            next: "kubectl -n {{ $labels.namespace }} describe pod {{ $labels.pod }}",
            panel: 29,
            ..warning("DNSServersDown")
        },
        Alert {
            expr: once(
                &["namespace", "name"],
                &found(r#"check="dns_servers", severity="warning", kind="Service""#),
            ) + " == 1",
            pending: "30m",
            keep: "15m",
            summary: "One failure more ends cluster DNS.",
            says: "Service {{ $labels.namespace }}/{{ $labels.name }} has one pod, or all on one node, while other \
                   nodes could have one."
                .into(),
            next: "kubectl -n {{ $labels.namespace }} get pods -o wide",
            panel: 29,
            ..warning("DNSServersFragile")
        },
        Alert {
            expr: once(
                &["kind", "namespace", "name"],
                &found(r#"check="coredns_resources", severity="warning""#),
            ) + " == 1",
            pending: "15m",
            keep: "5m",
            summary: "CoreDNS may use too little CPU or memory.",
            says: "{{ if eq $labels.kind \"Pod\" }}A container of pod {{ $labels.namespace }}/{{ $labels.name }} ended \
                   within a day because its memory was used up.{{ else }}The pods behind Service \
                   {{ $labels.namespace }}/{{ $labels.name }} may use 200m of CPU or less: a burst of queries is \
                   answered late.{{ end }}"
                .into(),
            next: "kubectl -n {{ $labels.namespace }} {{ if eq $labels.kind \"Pod\" }}describe pod \
                   {{ $labels.name }}{{ else }}get pods -o \
                   'custom-columns=POD:.metadata.name,CPU:.spec.containers[*].resources.limits.cpu'{{ end }}",
            panel: 34,
            ..warning("CoreDNSUnderprovisioned")
        },
        Alert {
            why: "CoreDNS takes a Corefile at its beginning and where it has the plugin reload: what is wrong with it \
                  shows minutes later, or with the next restart.",
            expr: misconfigured("problem"),
            pending: "2m",
            keep: "5m",
            summary: "CoreDNS is told what breaks DNS.",
            says: "The Corefile in ConfigMap {{ $labels.namespace }}/{{ $labels.name }} is refused by CoreDNS, leads \
                   queries back to it, or does not answer for the cluster's names."
                .into(),
            next: CONFIG,
            panel: 36,
            ..critical("CoreDNSMisconfigured")
        },
        Alert {
            expr: misconfigured("warning"),
            pending: "15m",
            keep: "5m",
            summary: "CoreDNS lacks what it should be told.",
            says: "The Corefile in ConfigMap {{ $labels.namespace }}/{{ $labels.name }} leaves out or says twice what \
                   DNS needs, or keeps answers for long; the finding says which."
                .into(),
            next: CONFIG,
            panel: 36,
            ..warning("CoreDNSMisconfigured")
        },
        Alert {
            why: "From the agents' own counters, so that it works while the cluster role is down. Failures over \
                  attempts: in a total outage there is no success to divide. Still so in the last 2 minutes: what has \
                  healed pages nobody. What keeps netvitals' own pods from asking says nothing of workloads.",
            expr: many(&failing_nodes(), &asking),
            pending: "3m",
            keep: "5m",
            summary: "Cluster DNS fails for the workloads of several nodes, or of the only one.",
            says: [
                "More than a tenth of the queries for cluster names failed in the last 5 minutes, as seen from pods \
                 on these nodes: ",
                &words::listed(
                    &over("cluster=%[1]q, ", "5m"),
                    "node",
                    "{{ .Labels.node }} ({{ .Value | humanizePercentage }})",
                ),
                ".",
            ]
            .concat(),
            next: "kubectl -n kube-system get pods -o wide",
            panel: 21,
            ..critical("DNSSuccessLow")
        },
        Alert {
            expr: failing_nodes(),
            pending: "5m",
            keep: "5m",
            summary: "Cluster DNS fails for the workloads of a node.",
            says: "{{ $value | humanizePercentage }} of the queries for cluster names failed in the last 5 minutes, \
                   as seen from a pod on node {{ $labels.node }}."
                .into(),
            next: "kubectl get pods -A -o wide --field-selector spec.nodeName={{ $labels.node }}",
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
            next: "kubectl -n kube-system top pods",
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
            next: "kubectl -n kube-system top pods",
            panel: 24,
            ..warning("DNSLatencyHigh")
        },
        Alert {
            why: "Its share of all queries may be too small for the ratio of success.",
            expr: failing_replica(),
            pending: "2m",
            keep: "5m",
            summary: "A DNS server fails for those that ask it.",
            says: "Pod {{ $labels.namespace }}/{{ $labels.pod }} on node {{ $labels.node }} fails for most of the \
                   agents that ask it directly, so that its share of all queries is lost."
                .into(),
            next: "kubectl -n {{ $labels.namespace }} logs --tail=50 {{ $labels.pod }}",
            panel: 26,
            ..warning("DNSReplicaFailing")
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
            next: "kubectl -n {{ $labels.namespace }} get service {{ $labels.name }} -o wide",
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
            next: "kubectl {{ with $labels.namespace }}-n {{ . }} {{ end }}describe {{ $labels.kind }} \
                   {{ $labels.name }}",
            panel: 28,
            ..warning("DNSAnswersWrong")
        },
    ];
    Group { name: "dns", component: "dns", alerts }
}

const CONFIG: &str = "kubectl -n {{ $labels.namespace }} get configmap {{ $labels.name }} -o jsonpath='{.data.Corefile}'";

fn misconfigured(severity: &str) -> String {
    let labels = format!(r#"check="coredns_config", severity="{severity}""#);
    once(&["kind", "namespace", "name"], &found(&labels)) + " == 1"
}

/// The headline's failures over its attempts, by node, where there are enough of them, and still so.
fn failing_nodes() -> String {
    let samples = format!("increase(netvitals_dns_queries_total{{{HEADLINE}}}[5m])");
    lines(&[
        &over("", "5m"),
        "and on (cluster, node)",
        &(total(&["node"], &samples) + " >= 20"),
        "and on (cluster, node)",
        &over("", "2m"),
        "unless on (cluster)",
        &once(&[], &found(r#"code="agents.restricted_by_policy""#)),
    ])
}

/// The headline's failures over its attempts, by node, where they are many.
fn over(cluster: &str, window: &str) -> String {
    let rate =
        |name: &str| total(&["node"], &format!("rate({name}{{{cluster}{HEADLINE}}}[{window}])"));
    share(&rate("netvitals_dns_query_failures_total"), &rate("netvitals_dns_queries_total"))
        + " > 0.1"
}

/// The headline's answers that took longer than `le` seconds over all of them, and still do.
fn slower(le: &str) -> String {
    let series = "netvitals_dns_query_duration_seconds";
    let over = |window: &str| {
        let quick =
            total(&[], &format!(r#"rate({series}_bucket{{{ANSWERED}, le="{le}"}}[{window}])"#));
        let all = total(&[], &format!("rate({series}_count{{{ANSWERED}}}[{window}])"));
        format!("(\n  1 -\n    {quick}\n  /\n    {all}\n) > 0.05")
    };
    let samples = total(&[], &format!("increase({series}_count{{{ANSWERED}}}[5m])"));
    lines(&[
        &over("5m"),
        "and on (cluster)",
        &format!("{samples} >= 20"),
        "and on (cluster)",
        &over("2m"),
    ])
}

fn failing_replica() -> String {
    let found = settled(&["namespace", "node"], &found(r#"code="dns_success.replica_failing""#));
    let found = format!(r#"label_replace({found}, "pod", "$1", "name", "(.+)")"#);
    super::promql::fold("max", &["namespace", "pod", "node"], &found) + " == 1"
}

fn failing_server() -> String {
    let found = found(r#"check="dns_servers", severity="warning", kind="Pod""#);
    let found = settled(&["namespace"], &format!("max_over_time({found}[5m])"));
    let found = format!(r#"label_replace({found}, "pod", "$1", "name", "(.+)")"#);
    super::promql::fold("max", &["namespace", "pod"], &found) + " == 1"
}

fn wrong(kind: &str) -> String {
    format!(r#"check="dns_answers", severity="problem", kind="{kind}""#)
}

fn wrong_somewhere() -> String {
    let replicas = once(&["kind", "namespace", "name"], &found(&wrong("Pod")));
    let of_nodes = nodes(&["kind", "name"], r#"check="dns_answers", severity="problem""#);
    lines(&[&(replicas + " == 1"), "or", &(of_nodes + " == 1")])
}

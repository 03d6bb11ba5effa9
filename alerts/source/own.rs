//! netvitals itself: whether the rest can be believed.

use super::promql::{found, lines, nodes, once};
use super::{Alert, Group, critical, info, warning};

pub(super) fn group() -> Group {
    let mut alerts = Vec::from(agents());
    alerts.extend(sources());
    alerts.extend(unknown());
    alerts.extend(down());
    Group { name: "self", component: "netvitals", alerts }
}

fn agents() -> [Alert; 2] {
    let reporting = once(&["vantage", "node"], "netvitals_agent_reporting");
    let of_nodes = nodes(&["code", "kind", "name"], r#"check="agents", severity!="info""#);
    let others = found(r#"check="agents", severity!="info", kind!="Node""#);
    let others = once(&["code", "kind", "name"], &others);
    [
        Alert {
            expr: format!("1 - avg by (cluster) (\n  {reporting}\n) > 0.5"),
            pending: "5m",
            summary: "Most agents of netvitals say nothing.",
            says: "{{ $value | humanizePercentage }} of the agents have not reported. What only they see, DNS and \
                   reachability, is unknown there."
                .into(),
            panel: 72,
            ..critical("AgentMissing")
        },
        Alert {
            expr: lines(&[&(of_nodes + " == 1"), "or", &(others + " == 1")]),
            pending: "5m",
            summary: "Agents of netvitals are missing, silent or hindered.",
            says: "{{ $labels.code }} on {{ $labels.kind }} {{ $labels.name }}: {{ if eq $labels.code \
                   \"agents.restricted_by_policy\" }}it restricts netvitals' own pods, so what they fail to reach \
                   may be reached by workloads{{ else if eq $labels.code \"agents.refused\" }}its Pod Security \
                   refuses the host agents, so CPU throttling of the DNS pods is unknown{{ else if eq $labels.code \
                   \"agents.collector_isolated\" }}a replica of the cluster role there hears few of the agents, so \
                   it cannot judge, while another may{{ else }}what only an agent sees, DNS and reachability, is \
                   unknown there{{ end }}."
                .into(),
            panel: 72,
            ..warning("AgentMissing")
        },
    ]
}

fn sources() -> [Alert; 2] {
    let last = once(&["source"], "netvitals_source_last_success_timestamp_seconds");
    [
        Alert {
            expr: once(&[], r#"netvitals_source_up{source!="agents"}"#) + " == 0",
            pending: "5m",
            summary: "netvitals sees nothing of the Kubernetes API.",
            says: "No kind of object is known to be fresh. Checks that read the API are unknown or soon will be; DNS \
                   and reachability are still judged."
                .into(),
            panel: 71,
            ..critical("SourceStale")
        },
        Alert {
            expr: lines(&[
                &(once(&["source"], "netvitals_source_up") + " == 0"),
                "or",
                &format!("time() - {last} > 300"),
            ]),
            pending: "5m",
            summary: "A source of netvitals is stale.",
            says: "Nothing has proved the source {{ $labels.source }} fresh for minutes. Checks that need it are \
                   unknown or soon will be."
                .into(),
            panel: 71,
            ..warning("SourceStale")
        },
    ]
}

fn unknown() -> [Alert; 2] {
    [
        Alert {
            why: "Not while another replica has the answer.",
            expr: lines(&[
                &(once(&["check", "reason"], "netvitals_check_unknown") + " == 1"),
                "and on (cluster, check)",
                &(once(&["check"], "netvitals_check_answered") + " == 0"),
            ]),
            pending: "10m",
            summary: "A check of netvitals has no answer.",
            says: "The check {{ $labels.check }} has no answer: {{ $labels.reason }}. That is not the same as healthy."
                .into(),
            panel: 8,
            ..warning("CheckUnknown")
        },
        Alert {
            expr: once(&["check", "part", "reason"], "netvitals_check_gaps") + " == 1",
            pending: "15m",
            summary: "A part of a check of netvitals has no answer.",
            says: "The check {{ $labels.check }} has no answer for {{ $labels.part }}: {{ $labels.reason }}.".into(),
            panel: 73,
            ..info("CheckUnknown")
        },
    ]
}

fn down() -> [Alert; 3] {
    [
        Alert {
            why: "A report that is old is not published: absence covers both. The first part names the cluster where \
                  one Prometheus holds several.",
            expr: "(\n  group by (cluster) (netvitals_build_info)\n  unless on (cluster)\n  group by (cluster) \
                   (netvitals_report_timestamp_seconds)\n)\nor\nabsent(netvitals_report_timestamp_seconds)"
                .into(),
            pending: "5m",
            role: "cluster",
            summary: "No verdict of netvitals reaches Prometheus.",
            says: "No replica of the cluster role publishes a report, so every alert but those on the agents' own \
                   counters is silent."
                .into(),
            panel: 6,
            ..critical("Down")
        },
        Alert {
            expr: once(&[], r#"netvitals_agents_expected{vantage="pod"}"#)
                + " > 0\nunless on (cluster)\n\
                   group by (cluster) (netvitals_dns_queries_total{vantage=\"pod\"})",
            pending: "5m",
            role: "agent",
            summary: "No counter of the agents of netvitals reaches Prometheus.",
            says: "Agents are expected and Prometheus has the counters of none, so the alerts on DNS are silent."
                .into(),
            panel: 4,
            ..critical("Down")
        },
        Alert {
            why: "A target that was netvitals within a day, whatever its job is called.",
            expr: "max by (cluster, job, instance, namespace, pod) (\n  up == 0 and on (cluster, job, instance) \
                   last_over_time(netvitals_build_info[1d])\n)"
                .into(),
            pending: "10m",
            role: "target",
            summary: "A target of netvitals cannot be scraped.",
            says: "Prometheus cannot scrape {{ $labels.instance }} of job {{ $labels.job }}.".into(),
            panel: 74,
            ..warning("Down")
        },
    ]
}

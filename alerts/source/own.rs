//! netvitals itself: whether the rest can be believed.

use super::promql::{count, exists, found, lines, nodes, of_lasting, once, settled};
use super::{Alert, Group, critical, info, warning, words};

pub(super) fn group() -> Group {
    let mut alerts = Vec::from(agents());
    alerts.extend(sources());
    alerts.extend(unknown());
    alerts.extend(down());
    alerts.extend(faults());
    Group { name: "self", component: "netvitals", alerts }
}

/// What each finding about agents means.
const AGENTS: &[(&str, &str)] = &[
    ("missing", "It has no running agent, so that nothing is known of its network."),
    ("stale", "Its agent runs and does not answer, so that nothing new is known of its network."),
    (
        "refused",
        "Its Pod Security refuses the host agents, so that CPU throttling of the DNS pods is unknown.",
    ),
    (
        "restricted_by_policy",
        "It restricts netvitals' own pods, so that they may fail to reach what workloads reach; \
         NetvitalsDNSSuccessLow is silent meanwhile.",
    ),
    (
        "collector_isolated",
        "A replica of the cluster role there hears few of the agents, so that it cannot judge, while another may.",
    ),
];

fn agents() -> [Alert; 2] {
    [
        Alert {
            why: "Each vantage by itself, or the living of one would hide the dead of the other. Host agents that Pod \
                  Security refuses are a warning.",
            expr: silent(),
            pending: "5m",
            summary: "Most agents of netvitals say nothing.",
            says: "{{ $value | humanizePercentage }} of the agents of vantage {{ $labels.vantage }} have not \
                   reported. What only they see is unknown."
                .into(),
            next: "kubectl get daemonsets -A -l app.kubernetes.io/name=netvitals",
            panel: 72,
            ..critical("AgentMissing")
        },
        Alert {
            why: "By object and not by code, because missing becomes silent and the reverse while the alert waits. An \
                  agent that begins again and again is told by its share of the last quarter of an hour.",
            expr: hindered(),
            pending: "5m",
            summary: "Agents of netvitals are missing, silent or hindered.",
            says: [
                "{{ $labels.kind }} {{ with $labels.namespace }}{{ . }}/{{ end }}{{ $labels.name }}:",
                &words::codes(
                    "agents",
                    AGENTS,
                    "Its agent has spoken less than half of the time in the last 15 minutes.",
                ),
            ]
            .concat(),
            next: "kubectl get pods -A -o wide -l app.kubernetes.io/name=netvitals",
            panel: 72,
            ..warning("AgentMissing")
        },
    ]
}

fn silent() -> String {
    let reporting = once(&["vantage", "node"], "netvitals_agent_reporting");
    let refused = once(&[], &found(r#"code="agents.refused""#));
    lines(&[
        &format!("1 - avg by (cluster, vantage) (\n  {reporting}\n) > 0.5"),
        "unless on (cluster, vantage)",
        &format!(r#"label_replace({refused}, "vantage", "host", "", "")"#),
    ])
}

fn hindered() -> String {
    let of = |kind: &str| found(&format!(r#"check="agents", severity!="info", {kind}"#));
    let of_nodes = nodes(&["kind", "name"], r#"check="agents", severity!="info""#);
    let policies = once(&["kind", "namespace", "name"], &of(r#"kind="NetworkPolicy""#));
    let others = once(&["kind", "name"], &of(r#"kind!~"Node|NetworkPolicy""#));
    // What is gone by now has an average still.
    let reporting = "netvitals_agent_reporting";
    let by = ["node", "vantage"];
    let share = once(&by, &format!("avg_over_time({reporting}[15m]) and {reporting}"));
    let spoke = once(&by, &format!("max_over_time({reporting}[15m])"));
    let again = format!(
        "min by (cluster, node) (\n  {share} < 0.5\n  and on (cluster, node, vantage)\n  {spoke} == 1\n)"
    );
    let again = format!(
        "label_replace(label_replace(\n{again},\n\"kind\", \"Node\", \"\", \"\"), \"name\", \"$1\", \"node\", \"(.+)\")"
    );
    lines(&[
        &(of_nodes + " == 1"),
        "or",
        &(policies + " == 1"),
        "or",
        &(others + " == 1"),
        "or on (cluster, node)",
        &again,
    ])
}

fn sources() -> [Alert; 2] {
    let last = once(&["source"], "netvitals_source_last_success_timestamp_seconds");
    let logs = "kubectl -n NAMESPACE logs --tail=50 --prefix -l \
                app.kubernetes.io/name=netvitals,app.kubernetes.io/component=cluster";
    [
        Alert {
            expr: once(&[], r#"netvitals_source_up{source!="agents"}"#) + " == 0",
            pending: "5m",
            summary: "netvitals sees nothing of the Kubernetes API.",
            says: "No kind of object is known to be fresh. Checks that read the API are unknown or soon will be; DNS \
                   and reachability are still judged."
                .into(),
            next: logs,
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
            next: logs,
            panel: 71,
            ..warning("SourceStale")
        },
    ]
}

fn unknown() -> [Alert; 2] {
    let reasons = |family: &str, labels: &str| {
        let query = format!("max by (reason) ({family}{{cluster=%q, check=%q{labels}}})");
        format!(
            "{{{{ range $i, $it := query (printf `{query}` $labels.cluster $labels.check{}) | sortByLabel \
             \"reason\" }}}}{{{{ if $i }}}}, {{{{ end }}}}{{{{ .Labels.reason }}}}{{{{ end }}}}",
            if labels.is_empty() { "" } else { " $labels.part" }
        )
    };
    [
        Alert {
            why: "Not while another replica has the answer. Without the reason, which may change while the alert waits.",
            expr: lines(&[
                &(once(&["check"], "netvitals_check_unknown") + " == 1"),
                "and on (cluster, check)",
                &(once(&["check"], "netvitals_check_answered") + " == 0"),
            ]),
            pending: "10m",
            summary: "A check of netvitals has no answer.",
            says: [
                "The check {{ $labels.check }} has no answer (",
                &reasons("netvitals_check_unknown", ""),
                "). That is not the same as healthy.",
            ]
            .concat(),
            next: "",
            panel: 8,
            ..warning("CheckUnknown")
        },
        Alert {
            expr: once(&["check", "part"], "netvitals_check_gaps") + " == 1",
            pending: "15m",
            summary: "A part of a check of netvitals has no answer.",
            says: [
                "The check {{ $labels.check }} has no answer for {{ $labels.part }} (",
                &reasons("netvitals_check_gaps", ", part=%q"),
                ").",
            ]
            .concat(),
            panel: 73,
            ..info("CheckUnknown")
        },
    ]
}

fn down() -> [Alert; 3] {
    let pods = "kubectl get pods -A -o wide -l app.kubernetes.io/name=netvitals";
    let reports = exists(&[], &of_lasting("netvitals_report_timestamp_seconds"));
    let counters = of_lasting(r#"netvitals_dns_queries_total{vantage="pod"}"#);
    let counters = count(&exists(&["node"], &counters));
    let expected = once(&[], r#"netvitals_agents_expected{vantage="pod"}"#);
    [
        Alert {
            why: "A report that is old is not published: absence covers both. A replica that begins again and again \
                  gives none that lasts. A cluster that has vanished is missed for a day; the second part is for the \
                  one that never was there.",
            expr: lines(&[
                "group by (cluster) (last_over_time(netvitals_build_info[1d]))",
                "unless on (cluster)",
                &reports,
                "or",
                "absent(last_over_time(netvitals_build_info[1d]))",
            ]),
            pending: "5m",
            role: "cluster",
            summary: "No verdict of netvitals reaches Prometheus.",
            says: "No replica of the cluster role publishes a report, or each begins again and again, so that every \
                   alert but those on the agents' own counters is silent."
                .into(),
            is_blind: true,
            next: pods,
            panel: 6,
            ..critical("Down")
        },
        Alert {
            why: "Prometheus may reach some of the agents: by fewer than half the alerts on DNS cannot be judged.",
            expr: lines(&[
                &(expected.clone() + " > 0"),
                "unless on (cluster)",
                &format!("{counters} / on (cluster) {expected} >= 0.5"),
            ]),
            pending: "5m",
            role: "agent",
            summary: "Few counters of the agents of netvitals reach Prometheus.",
            says: "Agents are expected on {{ $value }} nodes, and Prometheus has the counters of fewer than half of \
                   them, so that the alerts on DNS are silent."
                .into(),
            is_blind: true,
            next: pods,
            panel: 4,
            ..critical("Down")
        },
        Alert {
            why: "A target that was netvitals within a day, whatever its job is called; and not only now, because one \
                  that begins again and again is up at times.",
            expr: "max by (cluster, job, instance, namespace, pod, node) (\n  (avg_over_time(up[10m]) and up) < 0.5\n  and \
                   on (cluster, job, instance) last_over_time(netvitals_build_info[1d])\n)"
                .into(),
            pending: "5m",
            role: "target",
            summary: "A target of netvitals cannot be scraped.",
            says: "Prometheus could scrape {{ $labels.instance }} of job {{ $labels.job }} in \
                   {{ $value | humanizePercentage }} of the last 10 minutes."
                .into(),
            is_blind: true,
            next: pods,
            panel: 74,
            ..warning("Down")
        },
    ]
}

/// What goes wrong within netvitals, and leaves the rest alive.
fn faults() -> [Alert; 4] {
    let logs = "kubectl -n NAMESPACE logs --tail=50 --prefix -l app.kubernetes.io/name=netvitals";
    let instances =
        r"max by (instance) (netvitals_config_last_reload_successful{cluster=%[1]q}) == 0";
    let readers =
        settled(&["node"], r"increase(netvitals_agent_read_failures_total{cluster=%[1]q}[5m])");
    let readers = format!("max by (node) ({readers}) > 0");
    [
        Alert {
            expr: count(&(once(&["instance"], "netvitals_config_last_reload_successful") + " == 0"))
                + " >= 1",
            pending: "5m",
            summary: "A changed configuration of netvitals is not valid.",
            says: [
                "What these processes last read is not valid, so that they go on with what they had: ",
                &words::listed(instances, "instance", "{{ .Labels.instance }}"),
                ".",
            ]
            .concat(),
            next: logs,
            panel: 75,
            ..warning("ConfigReloadFailed")
        },
        Alert {
            expr: once(&["task"], "increase(netvitals_task_panics_total[15m])") + " > 0",
            pending: "1m",
            keep: "5m",
            summary: "A task of netvitals has panicked.",
            says: "The task {{ $labels.task }} has panicked within the last 15 minutes, and was begun anew. That is a \
                   defect of netvitals."
                .into(),
            next: logs,
            panel: 76,
            ..warning("TaskPanicked")
        },
        Alert {
            expr: once(&["metric"], "increase(netvitals_series_dropped_total[10m])") + " > 0",
            pending: "5m",
            keep: "5m",
            summary: "netvitals leaves series out.",
            says: "There are more series of {{ $labels.metric }} than netvitals exports, so that alerts on the rest \
                   are silent."
                .into(),
            panel: 77,
            ..warning("SeriesDropped")
        },
        Alert {
            why: "For longer than a start takes.",
            expr: once(&["source"], "increase(netvitals_agent_read_failures_total[5m])") + " > 0",
            pending: "15m",
            summary: "Agents of netvitals cannot read what they work with.",
            says: [
                "Agents cannot read {{ $labels.source }}, and go on with what they had, on nodes: ",
                &words::listed(&readers, "node", "{{ .Labels.node }}"),
                ".",
            ]
            .concat(),
            next: logs,
            panel: 78,
            ..warning("AgentReadFailing")
        },
    ]
}

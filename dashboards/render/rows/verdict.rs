//! What is wrong, why, and since when.

use crate::render::grafana::{Panel, Row};
use crate::render::query::{dns_success, fold, on_nodes, once, series};
use crate::rules::Rules;

/// Where each finding stands with its message and commands; users put their own in its place.
const PAGE: &str = "https://netvitals.example.com/";
const STATUS: &str = "Status page: what to inspect, fix and verify";

pub(super) fn row(rules: &Rules) -> Row {
    let mut panels = Vec::from(numbers(rules).map(|panel| panel.size(4, 4)));
    panels.extend([causes(), firing(), checks(rules), nodes(), findings()]);
    Row { title: None, panels }
}

fn numbers(rules: &Rules) -> [Panel; 6] {
    let found = |severity| {
        let family = series("netvitals_check_findings", &format!(r#"severity="{severity}""#));
        format!("sum({})", once(&["check"], &family))
    };
    let answered = once(&["check"], &series("netvitals_check_answered", ""));
    let reporting = once(&["vantage", "node"], &on_nodes("netvitals_agent_reporting", ""));
    let silent = rules.rule("NetvitalsAgentMissing", "critical").threshold();
    let failures = rules.rule("NetvitalsDNSSuccessLow", "critical").threshold();
    [
        Panel::stat(1, "Problems", "Open findings that break something.")
            .query(&found("problem"), "")
            .colours("green", &[(1.0, "red")])
            .empty("no verdict"),
        Panel::stat(
            2,
            "Warnings",
            "Open findings that are worth a look before they break something.",
        )
        .query(&found("warning"), "")
        .colours("green", &[(1.0, "orange")])
        .empty("no verdict"),
        Panel::stat(
            3,
            "Checks without an answer",
            "Unknown is not healthy: what these would find is not seen.",
        )
        .query(&format!("sum(1 - {answered})"), "")
        .colours("green", &[(1.0, "purple")])
        .empty("no verdict")
        .alerts(rules, &["NetvitalsCheckUnknown"]),
        Panel::stat(
            4,
            "Agents that report",
            "Share of the expected agents that some replica of the cluster role has heard of \
             late; of several clusters the worst.",
        )
        .query(&format!("min({})", fold("avg", &[], &reporting)), "")
        .share()
        .colours("red", &[(1.0 - silent, "orange"), (1.0, "green")])
        .empty("no agent is known")
        .alerts(rules, &["NetvitalsAgentMissing", "NetvitalsDown"]),
        Panel::stat(
            5,
            "DNS success",
            "Share of the queries for cluster names that succeeded, from pods on the chosen \
             nodes. From the agents' own counters; of several clusters the worst.",
        )
        .query(&format!("min({})", dns_success(&[])), "")
        .share()
        .colours("red", &[(1.0 - failures, "green")])
        .empty("no queries")
        .alerts(rules, &["NetvitalsDNSSuccessLow"]),
        Panel::stat(
            6,
            "Age of the verdict",
            "Since the checks were last asked. A report that is too old is not served.",
        )
        .query(
            &format!(
                "max(time() - {})",
                once(&[], &series("netvitals_report_timestamp_seconds", ""))
            ),
            "",
        )
        .unit("s")
        .colours("green", &[(60.0, "orange")])
        .empty("no verdict")
        .alerts(rules, &["NetvitalsDown"]),
    ]
}

fn causes() -> Panel {
    let columns = ["layer", "code", "kind", "namespace", "name", "cluster"];
    Panel::table(
        7,
        "Root cause",
        "What to repair first: the rest goes away with it, or comes after it.",
        &columns,
    )
    .size(14, 6)
    .query(&once(&columns[..5], &series("netvitals_root_cause", "")), "")
    .link(STATUS, PAGE)
    .colours("red", &[])
    .empty("nothing is broken, or there is no verdict")
}

fn firing() -> Panel {
    let columns = ["alertname", "severity", "component", "Value", "cluster"];
    let alerts = series("ALERTS", r#"alertname=~"Netvitals.+", alertstate="firing""#);
    Panel::table(
        11,
        "Firing alerts",
        "The alerts of netvitals that this Prometheus fires.",
        &columns,
    )
    .size(10, 6)
    .query(&format!("count by (cluster, alertname, severity, component) ({alerts})"), "")
    .link("Runbook", "https://runbooks.example.com/${__data.fields.alertname}.md")
    .empty("no alert fires, or the rules are not loaded")
}

fn checks(rules: &Rules) -> Panel {
    let problems = once(&["check"], &series("netvitals_check_findings", r#"severity="problem""#));
    let answered = once(&["check"], &series("netvitals_check_answered", ""));
    Panel::states(8, "Checks", "One bar for each check that applies to this cluster.")
        .size(12, 8)
        .query(&format!("1 + ({problems} > bool 0) or {answered}"), "{{check}}")
        .names(&[(0, "no answer", "purple"), (1, "nothing found", "green"), (2, "problem", "red")])
        .empty("no verdict")
        .alerts(rules, &["NetvitalsCheckUnknown"])
}

fn nodes() -> Panel {
    // By name, because a label `node` that is empty is filled by scrapes without `honorLabels`.
    let found = |severity| {
        let findings = format!(r#"kind="Node", name=~"$node", severity="{severity}""#);
        let findings = series("netvitals_finding", &findings);
        format!(
            r#"max by (cluster, node) (label_replace({findings}, "node", "$1", "name", "(.+)"))"#
        )
    };
    let reporting = once(&["node", "vantage"], &on_nodes("netvitals_agent_reporting", ""));
    Panel::states(
        10,
        "Nodes",
        "One bar for each node that has an agent or a finding: the worst finding about the node \
         itself.",
    )
    .size(12, 8)
    .query(
        &format!(
            "2 * {} or {} or 3 * (1 - min by (cluster, node) ({reporting}))",
            found("problem"),
            found("warning")
        ),
        "{{node}}",
    )
    .names(&[
        (0, "nothing found", "green"),
        (1, "warning", "orange"),
        (2, "problem", "red"),
        (3, "an agent is silent", "purple"),
    ])
    .empty("no agent is known")
}

fn findings() -> Panel {
    let columns = ["severity", "layer", "check", "code", "kind", "namespace", "name", "cluster"];
    Panel::table(
        9,
        "Findings",
        "What is open, at most 100 for each check; the status page of the cluster role has the \
         messages.",
        &columns,
    )
    .size(24, 8)
    .query(&once(&columns[..7], &series("netvitals_finding", "")), "")
    .link(STATUS, PAGE)
    .empty("nothing is found, or there is no verdict")
}

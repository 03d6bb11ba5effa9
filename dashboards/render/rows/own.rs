//! netvitals itself: whether the rest can be believed.

use crate::render::grafana::{Panel, Row};
use crate::render::query::{fold, increase, of_netvitals, on_nodes, once, rate, series};
use crate::rules::Rules;

pub(super) fn row(rules: &Rules) -> Row {
    let scraped = series("netvitals_build_info", "");
    let up = series("up", "");
    let panels = [
        Panel::states(
            71,
            "Sources",
            "Whether some replica of the cluster role has a fresh view of each source.",
        )
        .query(&once(&["source"], &series("netvitals_source_up", "")), "{{source}}")
        .names(&[(0, "stale", "red"), (1, "fresh", "green")])
        .empty("no cluster role is scraped")
        .alerts(rules, &["NetvitalsSourceStale"]),
        Panel::states(
            72,
            "Agents",
            "Whether some replica of the cluster role has heard each agent of late.",
        )
        .query(
            &once(&["node", "vantage"], &on_nodes("netvitals_agent_reporting", "")),
            "{{node}} {{vantage}}",
        )
        .names(&[(0, "silent", "red"), (1, "reports", "green")])
        .empty("no agent is expected, or there is no verdict")
        .alerts(rules, &["NetvitalsAgentMissing"]),
        Panel::table(
            73,
            "Without an answer",
            "Checks, and parts of checks, that some replica cannot answer, and why.",
            &["check", "part", "reason", "cluster"],
        )
        .query(&once(&["check", "reason"], &series("netvitals_check_unknown", "")), "")
        .query(&once(&["check", "part", "reason"], &series("netvitals_check_gaps", "")), "")
        .empty("everything that can be asked is answered, or there is no verdict")
        .alerts(rules, &["NetvitalsCheckUnknown"]),
        Panel::states(
            74,
            "Targets",
            "Whether Prometheus can scrape each target that was netvitals within a day.",
        )
        .query(
            &format!(
                "min by (cluster, job, instance) ({up} and on (cluster, job, instance) last_over_time({scraped}[1d]))"
            ),
            "{{job}} {{instance}}",
        )
        .names(&[(0, "down", "red"), (1, "up", "green")])
        .empty("nothing of netvitals is scraped")
        .alerts(rules, &["NetvitalsDown"]),
    ];
    let mut panels = Vec::from(panels.map(|panel| panel.size(6, 8)));
    panels.extend(faults(rules).map(|panel| panel.size(6, 6)));
    panels.extend(costs(rules).map(|panel| panel.size(6, 6)));
    Row { title: Some((70, "netvitals itself")), panels }
}

/// What goes wrong within netvitals.
fn faults(rules: &Rules) -> [Panel; 4] {
    let valid = series("netvitals_config_last_reload_successful", "");
    let grown = |by: &[&str], series: &str| once(by, &increase(series));
    [
        Panel::states(
            75,
            "Configuration",
            "Whether what each process last read is valid; else it goes on with what it had.",
        )
        .query(&fold("min", &["job", "instance"], &valid), "{{job}} {{instance}}")
        .names(&[(0, "not valid", "red"), (1, "valid", "green")])
        .empty("nothing of netvitals is scraped")
        .alerts(rules, &["NetvitalsConfigReloadFailed"]),
        Panel::lines(76, "Panics", "Of each task of netvitals; every one is a defect.")
            .query(&grown(&["task"], &series("netvitals_task_panics_total", "")), "{{task}}")
            .unit("short")
            .empty("nothing of netvitals is scraped")
            .alerts(rules, &["NetvitalsTaskPanicked"]),
        Panel::lines(
            77,
            "Series left out",
            "What a cap kept out of reports, each time that one was made: alerts do not see it.",
        )
        .query(
            &grown(&["metric", "reason"], &series("netvitals_series_dropped_total", "")),
            "{{metric}} {{reason}}",
        )
        .unit("short")
        .empty("no cap was ever reached, or no cluster role is scraped")
        .alerts(rules, &["NetvitalsSeriesDropped"]),
        Panel::lines(
            78,
            "Readings that failed",
            "Of what agents work with; the last good plan and resolver's configuration stay in use.",
        )
        .query(
            &grown(&["node", "source"], &on_nodes("netvitals_agent_read_failures_total", "")),
            "{{source}} on {{node}}",
        )
        .unit("short")
        .empty("no agent is scraped")
        .alerts(rules, &["NetvitalsAgentReadFailing"]),
    ]
}

/// What netvitals is and costs.
fn costs(rules: &Rules) -> [Panel; 4] {
    let by_job = |op, expr: &str| fold(op, &["job"], &of_netvitals(expr));
    let columns = ["version", "revision", "Value", "cluster"];
    let versions = fold("count", &columns[..2], &series("netvitals_build_info", ""));
    let begun = format!("changes({}[1d])", series("process_start_time_seconds", ""));
    [
        Panel::table(
            79,
            "Versions",
            "How many processes run which; one, but for a rollout.",
            &columns,
        )
        .query(&versions, "")
        .empty("nothing of netvitals is scraped"),
        Panel::lines(81, "CPU", "CPUs that the busiest process of each job keeps busy.")
            .query(&by_job("max", &rate(&series("process_cpu_seconds_total", ""))), "{{job}}")
            .unit("short")
            .empty("nothing of netvitals is scraped"),
        Panel::lines(82, "Memory", "Resident memory of the largest process of each job.")
            .query(&by_job("max", &series("process_resident_memory_bytes", "")), "{{job}}")
            .unit("bytes")
            .empty("nothing of netvitals is scraped"),
        Panel::lines(
            83,
            "Restarts",
            "How often a process of each job has begun anew within a day, at one address.",
        )
        .query(&by_job("max", &begun), "{{job}}")
        .unit("short")
        .empty("nothing of netvitals is scraped")
        .alerts(rules, &["NetvitalsDown"]),
    ]
}

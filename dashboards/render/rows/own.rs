//! netvitals itself: whether the rest can be believed.

use crate::render::grafana::{Panel, Row};
use crate::render::query::{once, series};
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
            &once(&["node", "vantage"], &series("netvitals_agent_reporting", "")),
            "{{node}} {{vantage}}",
        )
        .names(&[(0, "silent", "red"), (1, "reports", "green")])
        .empty("no agent is expected, or there is no verdict")
        .alerts(rules, &["NetvitalsAgentMissing"]),
        Panel::table(
            73,
            "Without an answer",
            "Checks, and parts of checks, that some replica cannot answer, and why.",
            &["check", "part", "reason"],
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
                "min by (job, instance) ({up} and on (job, instance) last_over_time({scraped}[1d]))"
            ),
            "{{job}} {{instance}}",
        )
        .names(&[(0, "down", "red"), (1, "up", "green")])
        .empty("nothing of netvitals is scraped")
        .alerts(rules, &["NetvitalsDown"]),
    ];
    let panels = panels.map(|panel| panel.size(6, 8)).into();
    Row { title: Some((70, "netvitals itself")), panels }
}

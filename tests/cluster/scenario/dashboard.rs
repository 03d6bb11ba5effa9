//! The dashboard as it ships: a real Prometheus that scrapes a healthy cluster answers every query.

use super::{Scenario, shipped};
use crate::queries;
use crate::stage::Stage;
use crate::wait::{holds, secs, until};

pub(super) const ALL: &[Scenario] = &[shipped("dashboard_has_an_answer_to_every_query", answered)];

/// Panels that have something to show in a healthy cluster.
const FILLED: [u32; 26] = [
    1, 2, 3, 4, 5, 6, 8, 10, 21, 22, 23, 24, 25, 35, 51, 55, 61, 62, 64, 65, 67, 71, 72, 79, 81, 82,
];

/// No query is refused, none comes with a warning, and no panel that should be filled is empty.
fn answered(stage: &Stage) {
    let monitor = stage.monitor();
    let queries = queries::all("1m");
    until("Prometheus answers every query of the dashboard", secs(180), || {
        let mut complaints = Vec::new();
        for queries::Query { place, expr } in &queries {
            let answer = monitor.answer(expr)?;
            let complaint =
                ["error", "warnings", "infos"].iter().find(|key| !answer[**key].is_null());
            if let Some(key) = complaint {
                complaints.push(format!("{place}: {}: {expr}", answer[*key]));
            }
            let id = place.split(' ').next().and_then(|id| id.parse().ok());
            let filled = id.is_some_and(|id| FILLED.contains(&id));
            let empty = answer["data"]["result"].as_array().is_none_or(Vec::is_empty);
            if filled && empty {
                complaints.push(format!("{place}: nothing to show: {expr}"));
            }
        }
        holds(complaints.is_empty(), || complaints.join("\n"))
    });
    println!("    {} queries answered", queries.len());
}

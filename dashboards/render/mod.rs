//! The dashboard *Network vital signs / Overview*, as text.

mod grafana;
mod query;
mod rows;

use grafana::Dashboard;

use crate::rules::Rules;

/// Returns the dashboard, with thresholds and links as `rules` have them.
pub(crate) fn overview(rules: &Rules) -> String {
    let dashboard = Dashboard::new(rows::all(rules));
    serde_json::to_string_pretty(&dashboard).expect("a dashboard has text keys") + "\n"
}

//! What is made from the rules, as text by path.

mod grafana;
mod query;
mod rows;

use grafana::Dashboard;

use crate::rules::{Rules, SOURCE};

/// Returns each file that is made, by its path in the checkout; the chart can only read its own.
pub(crate) fn files() -> [(&'static str, String); 4] {
    let dashboard = Dashboard::new(rows::all(&Rules::shipped()));
    let json = serde_json::to_string_pretty(&dashboard).expect("a dashboard has text keys") + "\n";
    [
        ("alerts/prometheusrule.yaml", prometheus_rule()),
        ("dashboards/netvitals-overview.json", json.clone()),
        ("deploy/helm/netvitals/files/dashboards/netvitals-overview.json", json),
        ("deploy/helm/netvitals/files/netvitals.rules.yaml", SOURCE.to_owned()),
    ]
}

/// Returns the rules as the Prometheus operator wants them, comments included.
fn prometheus_rule() -> String {
    let (_, groups) = SOURCE.split_once("groups:\n").expect("the rules come in groups");
    let mut text = String::from(
        "# Made from netvitals.rules.yaml by `cargo run --example render`: edit that one.\n\
         apiVersion: monitoring.coreos.com/v1\n\
         kind: PrometheusRule\n\
         metadata:\n  name: netvitals\n  labels:\n    app.kubernetes.io/name: netvitals\n\
         spec:\n  groups:\n",
    );
    for line in groups.lines() {
        if !line.is_empty() {
            text.push_str("  ");
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}

//! Every query of the shipped dashboard, with its variables filled in, so that a test bed can ask
//! a real Prometheus.
//!
//! Not a module of the program: it is taken in by path.
//!
//! ```text
//! #[path = "../dashboards/queries.rs"]
//! mod queries;
//!
//! for query in queries::all("1m") { /* GET /api/v1/query?query={query.expr} */ }
//! ```

use serde_json::Value;

/// The dashboard, as it ships.
pub(crate) const DASHBOARD: &str = include_str!("netvitals-overview.json");

/// One query.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// Who asks: `21 Success ratio`, `annotation Firing alerts`, `variable node`.
    pub(crate) place: String,
    /// PromQL.
    pub(crate) expr: String,
}

/// Returns every query of panels, annotations and variables, for all clusters and nodes. Rates
/// are taken over `interval`; a variable asks for the series that it takes its values from.
pub(crate) fn all(interval: &str) -> Vec<Query> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("the dashboard is JSON");
    let mut queries = Vec::new();
    let mut add = |place: String, expr: &Value| {
        let expr = expr.as_str().expect("a query is text");
        let expr = expr.replace("$__rate_interval", interval);
        let expr = expr.replace("$cluster", ".*").replace("$node", ".*");
        queries.push(Query { place, expr });
    };
    for panel in items(&dashboard["panels"]) {
        for target in items(&panel["targets"]) {
            add(format!("{} {}", panel["id"], text(&panel["title"])), &target["expr"]);
        }
    }
    for annotation in items(&dashboard["annotations"]["list"]) {
        add(format!("annotation {}", text(&annotation["name"])), &annotation["expr"]);
    }
    for variable in items(&dashboard["templating"]["list"]) {
        let call = variable["definition"].as_str().and_then(|it| it.strip_prefix("label_values("));
        if let Some((series, _)) = call.and_then(|call| call.rsplit_once(", ")) {
            let exists = format!("group({series})");
            add(format!("variable {}", text(&variable["name"])), &exists.into());
        }
    }
    queries
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a name is text")
}

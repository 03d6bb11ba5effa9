//! The shipped dashboard: its form, its queries, and that alerts and panels find each other.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{contract, queries, render, source};

/// Grafana's names of the units that are used; a free text would be shown as it is.
const UNITS: [&str; 6] = ["bytes", "none", "percentunit", "reqps", "s", "short"];

fn dashboard() -> Value {
    // As it is made now: the committed one is compared with it elsewhere.
    serde_json::from_str(&render::overview(&source::rules())).expect("the dashboard is JSON")
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// Returns the panels that ask something.
fn panels() -> Vec<Value> {
    let mut panels = list(&dashboard()["panels"]);
    panels.retain(|panel| panel["type"] != "row");
    panels
}

#[test]
fn queries_say_what_the_program_has() {
    for query in queries::all("5m") {
        let (faults, _) = contract::read(&query.expr);
        assert!(faults.is_empty(), "{}: {}: {faults:#?}", query.place, query.expr);
        assert!(
            !query.expr.replace(r#""$1""#, "").contains('$'),
            "{} has another variable: {}",
            query.place,
            query.expr
        );
    }
}

#[test]
fn every_panel_asks_and_every_family_of_a_sign_is_asked_for() {
    let places: Vec<String> = queries::all("5m").into_iter().map(|query| query.place).collect();
    for panel in panels() {
        let id = format!("{} ", panel["id"]);
        assert!(places.iter().any(|place| place.starts_with(&id)), "panel {id} asks nothing");
    }
    for place in ["annotation Firing alerts", "variable cluster", "variable node"] {
        assert!(places.iter().any(|it| it == place), "{place}");
    }
}

#[test]
fn it_is_in_the_form_that_grafana_takes_without_import() {
    let dashboard = dashboard();
    assert_eq!(dashboard["schemaVersion"], 39);
    assert_eq!(dashboard["uid"], "netvitals-overview");
    assert_eq!(dashboard["editable"], false);
    assert_eq!(dashboard.get("id"), None, "an id belongs to one Grafana");
    assert_eq!(dashboard.get("__inputs"), None, "inputs are asked for only by manual import");
    assert!(!queries::DASHBOARD.contains("${DS_"));
}

#[test]
fn panels_have_ids_of_their_own_and_do_not_overlap() {
    let panels = list(&dashboard()["panels"]);
    let mut ids = BTreeSet::new();
    let mut cells = BTreeSet::new();
    for panel in &panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{} is taken", panel["id"]);
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|it| panel["gridPos"][it].as_u64().unwrap());
        assert!(w > 0 && h > 0 && x + w <= 24, "{}", panel["title"]);
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "{} lies on another panel", panel["title"]);
        }
    }
}

#[test]
fn a_panel_says_what_it_shows_in_which_unit_and_what_emptiness_means() {
    for panel in panels() {
        let title = panel["title"].as_str().unwrap();
        let description = panel["description"].as_str().unwrap();
        assert!(description.ends_with('.'), "{title}: {description}");
        let defaults = &panel["fieldConfig"]["defaults"];
        let unit = defaults["unit"].as_str().unwrap();
        assert!(UNITS.contains(&unit), "{title}: {unit}");
        let counts = ["stat", "table", "state-timeline"].contains(&panel["type"].as_str().unwrap());
        assert!(unit != "none" || counts, "{title} has no unit");
        let empty = defaults["noValue"].as_str().unwrap();
        assert!(!empty.is_empty() && empty != "no data", "{title}: {empty}");
        for step in list(&defaults["thresholds"]["steps"]) {
            assert_ne!(step["value"], 80, "{title} has Grafana's own threshold");
        }
    }
}

#[test]
fn everything_asks_the_chosen_data_source() {
    let dashboard = dashboard();
    let chosen = |value: &Value| value["datasource"]["uid"] == "${datasource}";
    for panel in panels() {
        assert!(chosen(&panel), "{}", panel["title"]);
        assert!(list(&panel["targets"]).iter().all(chosen), "{}", panel["title"]);
    }
    assert!(list(&dashboard["annotations"]["list"]).iter().all(chosen));
    let mut variables = list(&dashboard["templating"]["list"]);
    assert_eq!(variables.remove(0)["type"], "datasource");
    assert!(variables.iter().all(chosen));
}

#[test]
fn every_variable_is_used_and_queries_are_for_the_chosen_cluster() {
    let dashboard = dashboard();
    let exprs: Vec<String> = panels()
        .iter()
        .flat_map(|panel| list(&panel["targets"]))
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect();
    for variable in list(&dashboard["templating"]["list"]) {
        let name = format!("${}", variable["name"].as_str().unwrap());
        let used = exprs.iter().any(|expr| expr.contains(&name)) || name == "$datasource";
        assert!(used, "{name} is not used");
    }
    for expr in exprs {
        let series = expr.matches("netvitals_").count();
        assert_eq!(
            expr.matches(r#"cluster=~"$cluster""#).count(),
            series + foreign(&expr),
            "{expr}"
        );
        let windows = expr.matches('[').count();
        let fit = expr.matches("[$__rate_interval]").count() + expr.matches("[1d]").count();
        assert_eq!(windows, fit, "{expr}");
    }
}

#[test]
fn a_sick_cluster_does_not_hide_behind_a_healthy_one() {
    for query in queries::all("5m").iter().filter(|query| query.place.starts_with(char::is_numeric))
    {
        let expr = &query.expr;
        for by in expr.split("by (").skip(1) {
            assert!(by.starts_with("cluster"), "{}: {expr}", query.place);
        }
        for on in expr.split("on (").skip(1).filter(|_| !expr.contains("by (cluster)")) {
            assert!(on.starts_with("cluster"), "{}: {expr}", query.place);
        }
    }
    let variables = list(&dashboard()["templating"]["list"]);
    let current = |name: &str| {
        let variable = variables.iter().find(|variable| variable["name"] == name);
        variable.expect("a variable")["current"].clone()
    };
    assert_eq!(current("cluster"), serde_json::json!({}), "the first one is chosen");
    assert_eq!(current("node")["value"], "$__all");
}

#[test]
fn what_is_about_nodes_is_about_the_chosen_ones() {
    // Of these an empty node says that it is the cluster's.
    const OF_CLUSTERS: [&str; 2] = ["netvitals_finding", "netvitals_root_cause"];
    let of_nodes: Vec<&str> = contract::families()
        .filter(|desc| desc.labels.contains(&"node") && !OF_CLUSTERS.contains(&desc.name))
        .map(|desc| desc.name)
        .collect();
    for target in panels().iter().flat_map(|panel| list(&panel["targets"])) {
        let expr = target["expr"].as_str().unwrap();
        for selector in expr.split("netvitals_").skip(1).filter_map(|rest| rest.split('}').next()) {
            let (name, matchers) = selector.split_once('{').unwrap();
            let name = format!("netvitals_{name}");
            let is_of_nodes = of_nodes.iter().any(|it| {
                name.strip_prefix(it)
                    .is_some_and(|rest| ["", "_bucket", "_sum", "_count"].contains(&rest))
            });
            let chosen = matchers.contains(r#"node=~"$node""#);
            let of_cluster =
                [r#"scope="cluster""#, r#"scope="shared""#, r#"scope=~"cluster|shared""#]
                    .iter()
                    .any(|scope| matchers.contains(scope));
            assert!(!is_of_nodes || chosen || of_cluster, "{expr}");
        }
    }
}

fn foreign(expr: &str) -> usize {
    ["ALERTS{", "(up{", "process_"].iter().map(|name| expr.matches(name).count()).sum()
}

#[test]
fn the_links_of_alerts_lead_to_panels_that_lead_to_their_runbooks() {
    for rule in source::rules().iter() {
        let url = &rule.annotations["dashboard_url"];
        let (uid, id) = url.split_once("/d/").unwrap().1.split_once("?viewPanel=").unwrap();
        let (id, _) = id.split_once("{{").unwrap();
        assert_eq!(uid, dashboard()["uid"], "{}", rule.alert);
        let id: u64 = id.parse().unwrap();
        let panel = panels().into_iter().find(|panel| panel["id"] == id);
        let panel = panel.unwrap_or_else(|| panic!("{}: there is no panel {id}", rule.alert));
        let runbook = &rule.annotations["runbook_url"];
        let leads = list(&panel["links"]).iter().any(|link| link["url"] == runbook.as_str());
        assert!(leads, "panel {id} does not lead to the runbook of {}", rule.alert);
    }
}

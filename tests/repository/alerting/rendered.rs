//! What is committed is what the source makes.

use std::collections::BTreeMap;
use std::{env, fs};

use super::rules::Rules;
use super::{render, source};

/// Returns each file that is made, by its path in the checkout; the chart can only read its own.
fn files() -> [(&'static str, String); 5] {
    let (rules, dashboard) = (source::file(), render::overview(&source::rules()));
    [
        ("alerts/netvitals.rules.yaml", rules.clone()),
        ("alerts/prometheusrule.yaml", source::object()),
        ("dashboards/netvitals-overview.json", dashboard.clone()),
        ("deploy/helm/netvitals/files/dashboards/netvitals-overview.json", dashboard),
        ("deploy/helm/netvitals/files/netvitals.rules.yaml", rules),
    ]
}

#[test]
fn what_is_made_from_the_source_is_up_to_date() {
    for (path, text) in files() {
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(path, &text).expect("a file of this repository");
        }
        let committed = fs::read_to_string(path).unwrap_or_default();
        let differs = committed.lines().zip(text.lines()).find(|(is, should)| is != should);
        assert!(
            committed == text,
            "{path} is old: run `UPDATE_GOLDEN=1 cargo test --test repository alerting`: {differs:?}"
        );
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Object {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Rules,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
    labels: BTreeMap<String, String>,
}

#[test]
fn the_operator_gets_the_same_rules() {
    let object: Object = serde_saphyr::from_str(&source::object()).unwrap();
    assert_eq!(
        (object.api_version.as_str(), object.kind.as_str()),
        ("monitoring.coreos.com/v1", "PrometheusRule")
    );
    assert_eq!(object.metadata.name, "netvitals");
    assert_eq!(object.metadata.labels["app.kubernetes.io/name"], "netvitals");
    assert_eq!(object.spec, source::rules());
}

#[test]
fn lines_are_broken_only_where_reading_joins_them() {
    for line in source::file().lines() {
        assert_eq!(line, line.trim_end(), "a space at the end of a line");
        // One word of a template may be longer: what stands between two spaces stays whole.
        let longest = line.split(' ').map(str::len).max().unwrap_or_default();
        let is_expr = line.contains("netvitals_");
        assert!(is_expr || longest > 60 || line.len() <= 120, "{}: {line}", line.len());
    }
}

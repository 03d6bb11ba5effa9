//! What is committed is what the generator makes.

use std::collections::BTreeMap;
use std::fs;

use super::render;
use super::rules::Rules;

#[test]
fn what_is_made_from_the_rules_is_up_to_date() {
    for (path, text) in render::files() {
        let committed = fs::read_to_string(path).unwrap();
        assert!(committed == text, "{path} is old: run `cargo run --example render`");
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
    let text = fs::read_to_string("alerts/prometheusrule.yaml").unwrap();
    let object: Object = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(
        (object.api_version.as_str(), object.kind.as_str()),
        ("monitoring.coreos.com/v1", "PrometheusRule")
    );
    assert_eq!(object.metadata.name, "netvitals");
    assert_eq!(object.metadata.labels["app.kubernetes.io/name"], "netvitals");
    assert_eq!(object.spec, Rules::shipped());
}

//! What the Prometheus operator makes of monitors: jobs of a Prometheus, as far as the chart's monitors need it.

use serde_json::{Map, Value, json};

/// The jobs of the ServiceMonitors and PodMonitors among `objects`.
pub(crate) fn jobs(objects: &[Value]) -> Vec<Value> {
    let mut jobs = Vec::new();
    for monitor in objects {
        let (role, endpoints) = match monitor["kind"].as_str() {
            Some("ServiceMonitor") => ("service", "endpoints"),
            Some("PodMonitor") => ("pod", "podMetricsEndpoints"),
            _ => continue,
        };
        let endpoints = monitor["spec"][endpoints].as_array().into_iter().flatten();
        jobs.extend(endpoints.map(|endpoint| job(role, monitor, endpoint)));
    }
    jobs
}

fn job(role: &str, monitor: &Value, endpoint: &Value) -> Value {
    let (discovery, port) = match role {
        "service" => ("endpointslice", "__meta_kubernetes_endpointslice_port_name"),
        _ => ("pod", "__meta_kubernetes_pod_container_port_name"),
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (namespace, name) =
        (text(&monitor["metadata"]["namespace"]), text(&monitor["metadata"]["name"]));
    let mut rules = selected(role, &monitor["spec"]["selector"]);
    rules.push(json!({"source_labels": [port], "regex": endpoint["port"], "action": "keep"}));
    rules.push(json!({
        "source_labels": ["__meta_kubernetes_pod_phase"], "regex": "(Failed|Succeeded)",
        "action": "drop",
    }));
    let mut copied = vec![
        ("__meta_kubernetes_namespace", "namespace"),
        ("__meta_kubernetes_pod_name", "pod"),
        ("__meta_kubernetes_pod_container_name", "container"),
    ];
    if role == "service" {
        copied.push(("__meta_kubernetes_service_name", "service"));
        copied.push(("__meta_kubernetes_service_name", "job"));
    } else {
        rules.push(json!({"target_label": "job", "replacement": format!("{namespace}/{name}")}));
    }
    let copy = |(from, to)| json!({"source_labels": [from], "target_label": to});
    rules.extend(copied.into_iter().map(copy));
    rules.push(json!({"target_label": "endpoint", "replacement": endpoint["port"]}));
    rules.extend(endpoint["relabelings"].as_array().into_iter().flatten().map(in_snake_case));
    json!({
        "job_name": format!("{role}Monitor/{namespace}/{name}"),
        "honor_labels": endpoint["honorLabels"],
        "sample_limit": monitor["spec"]["sampleLimit"].as_u64().unwrap_or(0),
        "kubernetes_sd_configs":
            [{"role": discovery, "namespaces": {"names": monitor["spec"]["namespaceSelector"]["matchNames"]}}],
        "relabel_configs": rules,
    })
}

/// What keeps the targets that a selector names.
fn selected(role: &str, selector: &Value) -> Vec<Value> {
    let keep = |key: &str, regex: String| {
        let key: String =
            key.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '_' }).collect();
        let label = format!("__meta_kubernetes_{role}_label_{key}");
        json!({"source_labels": [label], "regex": regex, "action": "keep"})
    };
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let mut rules: Vec<Value> =
        labels.map(|(key, value)| keep(key, value.as_str().expect("a text").to_owned())).collect();
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        assert_eq!(expression["operator"], "In", "only what the chart has");
        let values = expression["values"].as_array().expect("values").iter();
        let values: Vec<&str> = values.filter_map(Value::as_str).collect();
        let key = expression["key"].as_str().expect("a key");
        rules.push(keep(key, format!("({})", values.join("|"))));
    }
    rules
}

/// A rule of a monitor as Prometheus writes it.
fn in_snake_case(rule: &Value) -> Value {
    let snake = |key: &str| {
        let word = |it: char| {
            if it.is_ascii_uppercase() {
                format!("_{}", it.to_ascii_lowercase())
            } else {
                it.to_string()
            }
        };
        key.chars().map(word).collect::<String>()
    };
    let rule = rule.as_object().expect("a rule");
    rule.iter().map(|(key, value)| (snake(key), value.clone())).collect::<Map<_, _>>().into()
}

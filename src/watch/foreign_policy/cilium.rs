//! The labels by which Cilium selects, each with where it is from.

use super::both::{Both, NAME};
use crate::model::{Expression, Name, Operator, Selector, Subject};

/// Returns whom a selector of Cilium's selects; none where that is no pod.
pub(super) fn subject(selector: Selector) -> Option<Subject> {
    let mut both = Both::default();
    let is = |key: &Name, value: &Name| Expression {
        key: key.clone(),
        operator: Operator::In,
        values: vec![value.clone()],
    };
    let labels = selector.labels.iter().map(|(key, value)| is(key, value));
    for mut expression in labels.chain(selector.expressions) {
        let (source, key) = expression.key.split_once(':').unwrap_or(("any", &expression.key));
        let key = match (source, key) {
            ("any" | "k8s", key) => key,
            // The host, the world, what Cilium itself runs.
            ("reserved", _) => return None,
            // Of what runs a container, which nothing here knows.
            _ => continue,
        };
        let of_namespace = if key == "io.kubernetes.pod.namespace" {
            Some(NAME)
        } else {
            key.strip_prefix("io.cilium.k8s.namespace.labels.")
        };
        if let Some(key) = of_namespace {
            expression.key = key.into();
            both.namespaces.push(expression);
        } else if !key.starts_with("io.cilium.k8s.") && !key.starts_with("io.kubernetes.") {
            expression.key = key.into();
            both.pods.push(expression);
        }
    }
    Some(both.subject())
}

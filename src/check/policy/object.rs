//! Policies that remedies make.

use serde_json::{Value, json};

use crate::model::Labels;
use crate::policy::Direction;

/// The longest name that an object may have.
const LONGEST: usize = 253;

/// Returns, as JSON, a policy with one rule for the pods that are `selected`; none where its name would be too long.
pub(super) fn allowing(
    name: &str,
    selected: &Value,
    direction: Direction,
    rule: &Value,
) -> Option<String> {
    if name.len() > LONGEST {
        return None;
    }
    let policy_type = match direction {
        Direction::Egress => "Egress",
        Direction::Ingress => "Ingress",
    };
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {
            "podSelector": selected,
            "policyTypes": [policy_type],
            direction.as_str(): [rule],
        },
    });
    Some(policy.to_string())
}

/// Labels as `matchLabels` has them.
pub(super) fn labels(all: &Labels) -> Value {
    all.iter().map(|(key, value)| (key.to_string(), Value::from(&**value))).collect()
}

//! Policies that remedies make.

use serde_json::{Value, json};

use crate::model::{Name, Protocol};
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
pub(super) fn labels<'a>(all: impl IntoIterator<Item = (&'a Name, &'a Name)>) -> Value {
    all.into_iter().map(|(key, value)| (key.to_string(), Value::from(&**value))).collect()
}

/// Pods with such labels in one namespace, as the peer of a rule.
pub(super) fn peer(namespace: &Name, labels: &Value) -> Value {
    json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": &**namespace}},
        "podSelector": {"matchLabels": labels},
    })
}

/// A port as a rule has it.
pub(super) fn port(protocol: Protocol, number: u16) -> Value {
    let protocol = match protocol {
        Protocol::Udp => "UDP",
        Protocol::Sctp => "SCTP",
        Protocol::Tcp | Protocol::Other => "TCP",
    };
    json!({"protocol": protocol, "port": number})
}

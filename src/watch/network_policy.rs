//! NetworkPolicies as the API sends them.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::field::{Text, or_default};
use super::object::Watched;
use crate::model::{Effect, Expression, Labels, Name, NetworkPolicy, Operator, Selector};

/// What is kept of `metadata`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    labels: Option<Labels>,
}

#[derive(Deserialize)]
pub(crate) struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    spec: Spec<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pod_selector: WireSelector<'a>,
    #[serde(borrow)]
    policy_types: Option<Vec<Text<'a>>>,
    ingress: Option<Vec<Rule>>,
    egress: Option<Vec<Rule>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSelector<'a> {
    match_labels: Option<Labels>,
    #[serde(borrow)]
    match_expressions: Option<Vec<WireExpression<'a>>>,
}

#[derive(Deserialize)]
struct WireExpression<'a> {
    key: Option<Name>,
    #[serde(borrow)]
    operator: Option<Text<'a>>,
    values: Option<Vec<Name>>,
}

/// A rule of either direction.
#[derive(Deserialize)]
struct Rule {
    from: Option<Vec<IgnoredAny>>,
    to: Option<Vec<IgnoredAny>>,
    ports: Option<Vec<IgnoredAny>>,
}

impl Rule {
    /// Whether it allows everything: an empty list means any, as does an absent one.
    fn is_open(&self) -> bool {
        [&self.from, &self.to, &self.ports].into_iter().flatten().all(Vec::is_empty)
    }
}

impl Watched for NetworkPolicy {
    type Metadata<'a> = Metadata;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata, Wire { spec }: Wire<'_>) -> Self {
        let (ingress, egress) = (spec.ingress.unwrap_or_default(), spec.egress.unwrap_or_default());
        // Without types, ingress is meant, and egress if there are rules for it.
        let applies = |direction: &str, otherwise: bool| match &spec.policy_types {
            Some(types) if !types.is_empty() => types.iter().any(|one| **one == *direction),
            _ => otherwise,
        };
        let effect = |applies: bool, rules: &[Rule]| match applies {
            false => Effect::Absent,
            true if rules.iter().any(Rule::is_open) => Effect::Opens,
            true => Effect::Restricts,
        };
        Self {
            labels: metadata.labels.unwrap_or_default(),
            ingress: effect(applies("Ingress", true), &ingress),
            egress: effect(applies("Egress", !egress.is_empty()), &egress),
            selector: spec.pod_selector.into(),
        }
    }
}

impl From<WireSelector<'_>> for Selector {
    fn from(wire: WireSelector<'_>) -> Self {
        let expressions = wire.match_expressions.into_iter().flatten().map(Into::into);
        Self { labels: wire.match_labels.unwrap_or_default(), expressions: expressions.collect() }
    }
}

impl From<WireExpression<'_>> for Expression {
    fn from(wire: WireExpression<'_>) -> Self {
        Self {
            key: wire.key.unwrap_or_default(),
            operator: match wire.operator.as_deref() {
                Some("In") => Operator::In,
                Some("NotIn") => Operator::NotIn,
                Some("Exists") => Operator::Exists,
                Some("DoesNotExist") => Operator::DoesNotExist,
                _ => Operator::Other,
            },
            values: wire.values.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::object::tests::{absent, read};

    #[test]
    fn every_field_may_be_absent_or_null() {
        let empty = absent::<NetworkPolicy>(
            r#"{
                "metadata": { "labels": { "a": "b" } },
                "spec": {
                    "podSelector": { "matchLabels": { "a": "b" }, "matchExpressions": [
                        { "key": "a", "operator": "In", "values": ["b"] }] },
                    "policyTypes": ["Ingress"],
                    "ingress": [{ "from": [], "ports": [] }],
                    "egress": [{ "to": [], "ports": [] }]
                }
            }"#,
        );
        // As the API reads it: every pod, and nothing may come in.
        let restricts = NetworkPolicy { ingress: Effect::Restricts, ..NetworkPolicy::default() };
        assert_eq!(empty, restricts);
    }

    #[test]
    fn a_direction_is_restricted_unless_a_rule_allows_everything() {
        use Effect::{Absent, Opens, Restricts};
        for (spec, ingress, egress) in [
            (r#"{ "policyTypes": ["Ingress"] }"#, Restricts, Absent),
            (r#"{ "policyTypes": ["Egress"] }"#, Absent, Restricts),
            (r#"{ "policyTypes": ["Ingress", "Egress"] }"#, Restricts, Restricts),
            (r#"{ "policyTypes": ["Ingress"], "ingress": [{}] }"#, Opens, Absent),
            (r#"{ "policyTypes": ["Egress"], "egress": [{}] }"#, Absent, Opens),
            (r#"{ "policyTypes": ["Egress"], "ingress": [{}] }"#, Absent, Restricts),
            (r#"{ "ingress": [{ "ports": [] }] }"#, Opens, Absent),
            (r#"{ "ingress": [{ "ports": [{ "port": 80 }] }] }"#, Restricts, Absent),
            (r#"{ "ingress": [{ "from": [{ "podSelector": {} }] }, {}] }"#, Opens, Absent),
            (r#"{ "egress": [{ "to": [{ "ipBlock": {} }] }] }"#, Restricts, Restricts),
            (r#"{ "egress": [{ "to": [] }] }"#, Restricts, Opens),
        ] {
            let policy: NetworkPolicy = read(&format!(r#"{{ "spec": {spec} }}"#));
            assert_eq!((policy.ingress, policy.egress), (ingress, egress), "{spec}");
        }
    }

    #[test]
    fn a_selector_has_its_labels_and_its_expressions() {
        let policy: NetworkPolicy = read(
            r#"{ "spec": { "podSelector": { "matchLabels": { "app": "cart" }, "matchExpressions": [
                { "key": "tier", "operator": "NotIn", "values": ["web"] },
                { "key": "tier", "operator": "Near" }] } } }"#,
        );
        let expression = |operator, values: &[&str]| Expression {
            key: "tier".into(),
            operator,
            values: values.iter().copied().map(Name::from).collect(),
        };
        assert_eq!(policy.selector.labels, [("app", "cart")].into());
        assert_eq!(
            policy.selector.expressions,
            [expression(Operator::NotIn, &["web"]), expression(Operator::Other, &[])]
        );
    }
}

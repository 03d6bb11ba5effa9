//! NetworkPolicies as the API sends them.

use serde::Deserialize;

use super::field::{Target, Text, or_default, protocol};
use super::object::Watched;
use crate::model::{
    Expression, Labels, Name, NetworkPolicy, Operator, Peer, PolicyPorts, PortRange, Rule,
    Selector, TargetPort,
};

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
    #[serde(borrow)]
    ingress: Option<Vec<WireRule<'a>>>,
    #[serde(borrow)]
    egress: Option<Vec<WireRule<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireSelector<'a> {
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
struct WireRule<'a> {
    #[serde(borrow)]
    from: Option<Vec<WirePeer<'a>>>,
    #[serde(borrow)]
    to: Option<Vec<WirePeer<'a>>>,
    #[serde(borrow)]
    ports: Option<Vec<WirePort<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePeer<'a> {
    #[serde(borrow)]
    pod_selector: Option<WireSelector<'a>>,
    #[serde(borrow)]
    namespace_selector: Option<WireSelector<'a>>,
    #[serde(borrow)]
    ip_block: Option<WireBlock<'a>>,
}

#[derive(Deserialize)]
struct WireBlock<'a> {
    #[serde(borrow)]
    cidr: Option<Text<'a>>,
    #[serde(borrow)]
    except: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePort<'a> {
    port: Option<Target>,
    end_port: Option<u16>,
    #[serde(borrow)]
    protocol: Option<Text<'a>>,
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
        let (gets, sends) = (applies("Ingress", true), applies("Egress", !egress.is_empty()));
        let rules = |rules: Vec<WireRule<'_>>| rules.into_iter().map(Into::into).collect();
        Self {
            labels: metadata.labels.unwrap_or_default(),
            ingress: gets.then(|| rules(ingress)),
            egress: sends.then(|| rules(egress)),
            selector: spec.pod_selector.into(),
        }
    }
}

impl From<WireRule<'_>> for Rule {
    fn from(wire: WireRule<'_>) -> Self {
        let peers = wire.from.into_iter().chain(wire.to).flatten();
        let ports = wire.ports.into_iter().flatten();
        Self { peers: peers.map(Into::into).collect(), ports: ports.map(Into::into).collect() }
    }
}

impl From<WirePeer<'_>> for Peer {
    fn from(wire: WirePeer<'_>) -> Self {
        let pods = match (wire.namespace_selector, wire.pod_selector) {
            (None, None) => None,
            (namespaces, pods) => Some((namespaces.map(Into::into), pods.map(Into::into))),
        };
        match (wire.ip_block, pods) {
            (Some(block), None) => block.peer().unwrap_or(Self::Other),
            (None, Some((namespaces, pods))) => Self::Pods { namespaces, pods },
            // Both forms at once, or one that is newer than this.
            _ => Self::Other,
        }
    }
}

impl WireBlock<'_> {
    /// Returns what it says; absent where a range of it cannot be read.
    fn peer(self) -> Option<Peer> {
        let range = self.cidr?.parse().ok()?;
        let except: Option<_> =
            self.except.into_iter().flatten().map(|it| it.parse().ok()).collect();
        Some(Peer::Block { range, except: except? })
    }
}

impl From<WirePort<'_>> for PortRange {
    fn from(wire: WirePort<'_>) -> Self {
        let ports = match (wire.port.map(|port| port.0), wire.end_port) {
            (None, None) => PolicyPorts::Any,
            (Some(TargetPort::Name(name)), None) if !name.is_empty() => PolicyPorts::Named(name),
            (Some(TargetPort::Number(first)), last)
                if (1..=last.unwrap_or(first)).contains(&first) =>
            {
                PolicyPorts::Range(first, last.unwrap_or(first))
            }
            _ => PolicyPorts::Other,
        };
        Self { protocol: protocol(wire.protocol.as_deref()), ports }
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
    use crate::model::Protocol;
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
        let nothing = NetworkPolicy { ingress: Some(Vec::new()), ..NetworkPolicy::default() };
        assert_eq!(empty, nothing);
    }

    #[test]
    fn a_direction_applies_by_the_types_or_else_by_the_rules() {
        for (spec, ingress, egress) in [
            (r#"{ "policyTypes": ["Ingress"] }"#, Some(0), None),
            (r#"{ "policyTypes": ["Egress"] }"#, None, Some(0)),
            (r#"{ "policyTypes": ["Ingress", "Egress"] }"#, Some(0), Some(0)),
            (r#"{ "policyTypes": ["Ingress"], "ingress": [{}] }"#, Some(1), None),
            (r#"{ "policyTypes": ["Egress"], "ingress": [{}] }"#, None, Some(0)),
            (r#"{ "ingress": [{ "ports": [] }] }"#, Some(1), None),
            (r#"{ "egress": [{ "to": [] }] }"#, Some(0), Some(1)),
        ] {
            let policy: NetworkPolicy = read(&format!(r#"{{ "spec": {spec} }}"#));
            let rules = [policy.ingress, policy.egress].map(|rules| rules.map(|it| it.len()));
            assert_eq!(rules, [ingress, egress], "{spec}");
        }
    }

    #[test]
    fn a_rule_has_its_peers_and_its_ports() {
        let policy: NetworkPolicy = read(
            r#"{ "spec": { "ingress": [{
                "from": [{ "namespaceSelector": {} }, { "podSelector": {} }, {},
                    { "ipBlock": { "cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"] } },
                    { "ipBlock": { "cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "x"] } },
                    { "ipBlock": { "cidr": "x" } },
                    { "ipBlock": { "cidr": "10.0.0.0/8" }, "podSelector": {} }],
                "ports": [{}, { "port": "http" }, { "port": 53, "protocol": "UDP" },
                    { "port": 1, "endPort": 65535 }, { "port": 7, "protocol": "SCTP" },
                    { "port": 7, "protocol": "ICMP" }, { "port": 2, "endPort": 1 },
                    { "port": 0 }, { "port": "" }, { "port": "http", "endPort": 9 },
                    { "endPort": 9 }] }] } }"#,
        );
        let all = || Some(Selector::default());
        let range = |text: &str| text.parse().unwrap();
        let port = |protocol, ports| PortRange { protocol, ports };
        let (tcp, udp, sctp) = (Protocol::Tcp, Protocol::Udp, Protocol::Sctp);
        let rule = Rule {
            peers: vec![
                Peer::Pods { namespaces: all(), pods: None },
                Peer::Pods { namespaces: None, pods: all() },
                Peer::Other,
                Peer::Block { range: range("10.0.0.0/8"), except: vec![range("10.1.0.0/16")] },
                Peer::Other,
                Peer::Other,
                Peer::Other,
            ],
            ports: vec![
                port(tcp, PolicyPorts::Any),
                port(tcp, PolicyPorts::Named("http".into())),
                port(udp, PolicyPorts::Range(53, 53)),
                port(tcp, PolicyPorts::Range(1, 65535)),
                port(sctp, PolicyPorts::Range(7, 7)),
                port(Protocol::Other, PolicyPorts::Range(7, 7)),
                port(tcp, PolicyPorts::Other),
                port(tcp, PolicyPorts::Other),
                port(tcp, PolicyPorts::Other),
                port(tcp, PolicyPorts::Other),
                port(tcp, PolicyPorts::Other),
            ],
        };
        assert_eq!(policy.ingress, Some(vec![rule]));
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

//! NetworkPolicies, as far as they concern netvitals' own pods.

use ipnet::IpNet;

use super::{Fact, Kind, Labels, Name, Protocol};

/// What is kept of a NetworkPolicy.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NetworkPolicy {
    /// `metadata.labels`.
    pub labels: Labels,
    /// `spec.podSelector`.
    pub selector: Selector,
    /// `spec.ingress`: what its pods may get; absent where it does not speak of that, as
    /// `spec.policyTypes` says.
    pub ingress: Option<Vec<Rule>>,
    /// `spec.egress`: what its pods may send.
    pub egress: Option<Vec<Rule>>,
}

/// What a NetworkPolicy lets through. Policies add up: what one of them lets through is let
/// through, whatever the others say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rule {
    /// `from` or `to`; empty means any.
    pub peers: Vec<Peer>,
    /// `ports`; empty means any.
    pub ports: Vec<PortRange>,
}

/// Whose traffic a rule lets through.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Peer {
    /// Pods.
    Pods {
        /// `namespaceSelector`; absent means the policy's own namespace.
        namespaces: Option<Selector>,
        /// `podSelector`; absent means all.
        pods: Option<Selector>,
    },
    /// Addresses.
    Block {
        /// `ipBlock.cidr`.
        range: IpNet,
        /// `ipBlock.except`.
        except: Vec<IpNet>,
    },
    /// What is not understood, which lets nothing through.
    Other,
}

/// The ports of a protocol.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PortRange {
    /// `protocol`.
    pub protocol: Protocol,
    /// `port` and `endPort`.
    pub ports: PolicyPorts,
}

/// Which ports.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PolicyPorts {
    /// All: `port` is absent.
    Any,
    /// The container port of that name.
    Named(Name),
    /// From the first to the last.
    Range(u16, u16),
}

/// A `LabelSelector`; unlike a Service's, an empty one matches everything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Selector {
    /// `matchLabels`.
    pub labels: Labels,
    /// `matchExpressions`.
    pub expressions: Vec<Expression>,
}

/// One of `matchExpressions`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expression {
    /// `key`.
    pub key: Name,
    /// `operator`; one that is not known matches nothing.
    pub operator: Operator,
    /// `values`.
    pub values: Vec<Name>,
}

/// The operator of an expression.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operator {
    /// The label is there with one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
    /// One that is not known.
    Other,
}

impl Fact for NetworkPolicy {
    const KIND: &'static Kind =
        &Kind { group: "networking.k8s.io", ..Kind::new("NetworkPolicy", "networkpolicies") };
}

impl Selector {
    /// Whether it matches `labels`.
    pub fn matches(&self, labels: &Labels) -> bool {
        (self.labels.is_empty() || self.labels.select(labels))
            && self.expressions.iter().all(|expression| expression.matches(labels))
    }
}

impl Expression {
    fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let listed = value.is_some_and(|value| self.values.contains(value));
        match self.operator {
            Operator::In => listed,
            Operator::NotIn => !listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Other => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_selector_matches_everything_and_expressions_narrow_it() {
        let labels = Labels::from([("app", "netvitals")]);
        let with = |key: &str, operator, values: &[&str]| Selector {
            expressions: vec![Expression {
                key: key.into(),
                operator,
                values: values.iter().copied().map(Name::from).collect(),
            }],
            ..Selector::default()
        };
        for (selector, matches) in [
            (Selector::default(), true),
            (Selector { labels: [("app", "cart")].into(), ..Selector::default() }, false),
            (with("app", Operator::In, &["cart", "netvitals"]), true),
            (with("app", Operator::NotIn, &["netvitals"]), false),
            (with("tier", Operator::NotIn, &["web"]), true),
            (with("tier", Operator::Exists, &[]), false),
            (with("tier", Operator::DoesNotExist, &[]), true),
            (with("app", Operator::Other, &[]), false),
        ] {
            assert_eq!(selector.matches(&labels), matches, "{selector:?}");
        }
    }
}

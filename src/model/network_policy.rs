//! NetworkPolicies.

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
    /// What is not understood.
    Other,
}

/// The ports of a protocol.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PortRange {
    /// `protocol`; another than TCP, UDP and SCTP is not understood.
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
    /// What is not understood.
    Other,
}

/// A `LabelSelector`; unlike a Service's, an empty one matches everything.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Selector {
    /// `matchLabels`.
    pub labels: Labels,
    /// `matchExpressions`.
    pub expressions: Vec<Expression>,
}

/// One of `matchExpressions`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Expression {
    /// `key`.
    pub key: Name,
    /// `operator`.
    pub operator: Operator,
    /// `values`.
    pub values: Vec<Name>,
}

/// The operator of an expression.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
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
    /// Whether it matches `labels`; absent where that depends on what is not understood.
    pub fn matches(&self, labels: &Labels) -> Option<bool> {
        if !self.labels.is_empty() && !self.labels.select(labels) {
            return Some(false);
        }
        let mut all = Some(true);
        for expression in &self.expressions {
            match expression.matches(labels) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => all = None,
            }
        }
        all
    }
}

impl Expression {
    fn matches(&self, labels: &Labels) -> Option<bool> {
        let value = labels.get(&self.key);
        let listed = || value.is_some_and(|value| self.values.contains(value));
        let (has_values, matches) = match self.operator {
            Operator::In => (true, listed()),
            Operator::NotIn => (true, !listed()),
            Operator::Exists => (false, value.is_some()),
            Operator::DoesNotExist => (false, value.is_none()),
            Operator::Other => return None,
        };
        // The API server takes no other, so that nothing says what it would mean.
        let is_sound = !self.key.is_empty() && has_values != self.values.is_empty();
        is_sound.then_some(matches)
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
        let app = || Labels::from([("app", "cart")]);
        for (selector, matches) in [
            (Selector::default(), Some(true)),
            (Selector { labels: app(), ..Selector::default() }, Some(false)),
            (with("app", Operator::In, &["cart", "netvitals"]), Some(true)),
            (with("app", Operator::NotIn, &["netvitals"]), Some(false)),
            (with("tier", Operator::NotIn, &["web"]), Some(true)),
            (with("tier", Operator::Exists, &[]), Some(false)),
            (with("tier", Operator::DoesNotExist, &[]), Some(true)),
            // What is not understood decides nothing, and is not asked where the rest decides.
            (with("app", Operator::Other, &[]), None),
            (with("app", Operator::In, &[]), None),
            (with("app", Operator::NotIn, &[]), None),
            (with("app", Operator::Exists, &["netvitals"]), None),
            (with("", Operator::DoesNotExist, &[]), None),
            (Selector { labels: app(), ..with("app", Operator::Other, &[]) }, Some(false)),
        ] {
            assert_eq!(selector.matches(&labels), matches, "{selector:?}");
        }
    }
}

//! What NetworkPolicies let through, by the semantics of `networking.k8s.io/v1`.
//!
//! From the ground up: `traffic` is what is asked and `verdict` what is answered; `namespace` and
//! `rule` say what one rule lets through; `index` finds the policies that may select a pod, `class`
//! takes those together that do. What cannot be known is carried along, so that an answer is given
//! wherever every way of filling the gap leads to it, and nowhere else.
//!
//! A pod is judged by what selects it: pods of a namespace that its selectors do not tell apart are
//! looked at once, however many there are.

mod class;
mod index;
mod namespace;
mod other;
mod rule;
#[cfg(test)]
mod tests;
mod traffic;
mod verdict;

use std::cell::RefCell;
use std::rc::Rc;

use self::class::Class;
use self::index::Index;
use self::rule::{Door, Other, Sight};
use crate::cluster::Table;
use crate::model::{Key, Kind, Labels, Name, NameMap, Namespace, NetworkPolicy, Pod, Protocol};

pub use self::namespace::InNamespace;
pub use self::other::OtherPolicy;
pub use self::traffic::{Direction, End, Traffic};
pub use self::verdict::{Doubt, Exempt, Reason, Verdict};

/// The policies of a cluster.
#[derive(Debug)]
pub struct Policies<'a> {
    policies: &'a Table<NetworkPolicy>,
    namespaces: Option<&'a Table<Namespace>>,
    others: Vec<OtherPolicy>,
    seen: RefCell<Seen<'a>>,
}

/// A namespace, and those labels of a pod for which some selector asks there.
type Asked = (Name, Vec<(Name, Name)>);

/// What was found out while judging.
#[derive(Debug, Default)]
struct Seen<'a> {
    namespaces: NameMap<Name, InNamespace>,
    indices: NameMap<Name, Rc<Index<'a>>>,
    /// By namespace and labels.
    classes: NameMap<(Name, Labels), Rc<Class<'a>>>,
    /// Pods of a Job, of a StatefulSet have labels of their own, for which no policy asks.
    by_asked: NameMap<Asked, Rc<Class<'a>>>,
}

impl<'a> Policies<'a> {
    /// Judges by `policies`; of a namespace that is not among `namespaces` the name is known.
    pub fn new(
        policies: &'a Table<NetworkPolicy>,
        namespaces: Option<&'a Table<Namespace>>,
    ) -> Self {
        Self { policies, namespaces, others: Vec::new(), seen: RefCell::default() }
    }

    /// Beside them there are policies of other APIs.
    pub fn beside(self, others: Vec<OtherPolicy>) -> Self {
        Self { others, seen: RefCell::default(), ..self }
    }

    /// Says whether the policies of one direction let traffic through: for egress those of the pod
    /// that sends it, for ingress those of the pod that gets it. It arrives where both do.
    pub fn judge(&self, direction: Direction, traffic: &Traffic<'_>) -> Verdict<'a> {
        let (own, far) = match direction {
            Direction::Egress => (traffic.from, traffic.to),
            Direction::Ingress => (traffic.to, traffic.from),
        };
        let End::Pod(key, Some(pod)) = own else {
            return Verdict::NotApplicable(Exempt::NoPod);
        };
        let (other, seen) = match far {
            End::Pod(_, None) => return Verdict::NotApplicable(Exempt::NoPod),
            End::Pod(key, Some(pod)) => {
                let namespace = self.namespace(&key.namespace);
                (Some((key, pod)), Other::Pod { namespace, pod })
            }
            End::Address(address) => (None, Other::Address(address)),
        };
        if pod.ended || other.is_some_and(|(_, other)| other.ended) {
            return Verdict::NotApplicable(Exempt::Ended);
        }
        if pod.host_network {
            return Verdict::NotApplicable(Exempt::HostNetwork);
        }
        if traffic.protocol == Protocol::Other {
            return Verdict::NotApplicable(Exempt::Protocol);
        }
        // What a pod sends to itself never leaves it.
        if other.is_some_and(|(other, _)| other == key) {
            return Verdict::Allow;
        }
        let class = self.class(&key.namespace, &pod.labels);
        if let Some(kind) = class.other_api {
            let doubt = Doubt { reason: Reason::OtherApi(kind), policy: None };
            return Verdict::Indeterminate(doubt);
        }
        let on_host = other.map(|(_, other)| other).filter(|other| other.host_network);
        let is_own_node = on_host.is_some_and(|it| it.node.is_some() && it.node == pod.node);
        // As a kubelet asks its pods.
        if direction == Direction::Ingress && is_own_node {
            return Verdict::Allow;
        }
        let gets = match direction {
            Direction::Egress => other.map(|(_, other)| other),
            Direction::Ingress => Some(pod),
        };
        let sight = Sight {
            direction,
            own: &key.namespace,
            other: seen,
            door: Door {
                ports: gets.map(|pod| &pod.ports),
                protocol: traffic.protocol,
                port: traffic.port,
            },
        };
        match class.isolation(direction).verdict(|rules| sight.through(rules)) {
            Verdict::Deny(_) if on_host.is_some() => {
                Verdict::Indeterminate(Doubt { reason: Reason::HostNetwork, policy: None })
            }
            verdict => verdict,
        }
    }

    /// Says whether the policies of a pod let anything in on one of its ports, whoever sends it. What the pod sends to
    /// itself, and what its node sends, comes in by whatever policy.
    pub fn admits(&self, key: &Key, pod: &Pod, protocol: Protocol, port: u16) -> Verdict<'a> {
        let exempt = match pod {
            pod if pod.ended => Some(Exempt::Ended),
            pod if pod.host_network => Some(Exempt::HostNetwork),
            _ => (protocol == Protocol::Other).then_some(Exempt::Protocol),
        };
        if let Some(exempt) = exempt {
            return Verdict::NotApplicable(exempt);
        }
        let class = self.class(&key.namespace, &pod.labels);
        if let Some(kind) = class.other_api {
            let doubt = Doubt { reason: Reason::OtherApi(kind), policy: None };
            return Verdict::Indeterminate(doubt);
        }
        let door = Door { ports: Some(&pod.ports), protocol, port };
        class.isolation(Direction::Ingress).verdict(|rules| door.is_open_by(rules))
    }

    /// Returns the policies that select a pod and speak of a direction: what none of them lets
    /// through is kept away.
    pub fn isolating(&self, direction: Direction, key: &Key, pod: &Pod) -> Vec<&'a Key> {
        if pod.host_network || pod.ended {
            return Vec::new();
        }
        self.class(&key.namespace, &pod.labels).isolation(direction).policies().collect()
    }

    /// Whether policies of a direction select every one of these pods, so that one more closes none.
    pub fn isolate_all<'p>(
        &self,
        direction: Direction,
        mut pods: impl Iterator<Item = (&'p Key, &'p Pod)>,
    ) -> bool {
        pods.all(|(key, pod)| !self.isolating(direction, key, pod).is_empty())
    }

    /// Returns the number of the group of pods to which one with these labels belongs: no policy
    /// that selects pods tells those of one group apart.
    pub fn group(&self, namespace: &Name, labels: &Labels) -> usize {
        self.class(namespace, labels).number
    }

    fn class(&self, namespace: &Name, labels: &Labels) -> Rc<Class<'a>> {
        let whole = (namespace.clone(), labels.clone());
        if let Some(known) = self.seen.borrow().classes.get(&whole) {
            return known.clone();
        }
        let index = self.index(namespace);
        let asked = labels.iter().filter(|(key, _)| index.asks_for(key));
        let asked = asked.map(|(key, value)| (key.clone(), value.clone())).collect();
        let asked: Asked = (namespace.clone(), asked);
        let known = self.seen.borrow().by_asked.get(&asked).cloned();
        let class = known.unwrap_or_else(|| {
            let other_api = self.other_api(&index, labels);
            let candidates = index.candidates(labels);
            let number = self.seen.borrow().by_asked.len();
            Rc::new(Class::new(number, &candidates, labels, index.lacks_one, other_api))
        });
        let mut seen = self.seen.borrow_mut();
        seen.by_asked.insert(asked, class.clone());
        seen.classes.insert(whole, class.clone());
        class
    }

    fn index(&self, namespace: &Name) -> Rc<Index<'a>> {
        let new = || {
            let lacks_one = self.policies.namespace(namespace).is_err();
            let policies = self.policies.last_known_namespace(namespace);
            let there = self.namespace(namespace);
            let others = self.others.iter().enumerate();
            let others = others.filter(|(_, other)| there.may_be(&other.namespaces));
            Rc::new(Index::new(policies, lacks_one).beside(others))
        };
        if let Some(known) = self.seen.borrow().indices.get(namespace) {
            return known.clone();
        }
        let index = new();
        self.seen.borrow_mut().indices.insert(namespace.clone(), index.clone());
        index
    }

    fn namespace(&self, name: &Name) -> InNamespace {
        let new = || {
            let known = self.namespaces.and_then(|all| all.get(&Key::new("", name.clone())));
            InNamespace::new(name, known.map(|it| &it.labels))
        };
        self.seen.borrow_mut().namespaces.entry(name.clone()).or_insert_with(new).clone()
    }

    /// Returns the kind of a policy of another API that selects such pods, as far as can be seen.
    fn other_api(&self, index: &Index<'_>, labels: &Labels) -> Option<&'static Kind> {
        let others = index.others.iter().filter_map(|at| self.others.get(*at));
        others.filter(|it| it.pods.matches(labels) != Some(false)).map(|it| it.kind).min()
    }
}

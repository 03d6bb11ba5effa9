//! The semantics of policies, written down as they are told: slow, and without any of the code
//! that they are held against.
//!
//! What cannot be known is answered in every way there is, one after the other; of what comes out
//! each time an answer is made.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::{
    Expression, Key, Labels, Name, NetworkPolicy, Operator, Peer, Pod, PolicyPorts, PortRange,
    Protocol, Rule, Selector,
};
use crate::policy::{Direction, OtherPolicy};

/// All there is.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    /// The labels of namespaces, where they are known.
    pub(super) namespaces: Vec<(Name, Option<Labels>)>,
    pub(super) pods: Vec<OnePod>,
    pub(super) policies: Vec<(Key, NetworkPolicy)>,
    /// Policies that nobody can read.
    pub(super) undecoded: Vec<Key>,
    pub(super) others: Vec<OtherPolicy>,
}

/// A pod, and its named ports as a list.
#[derive(Clone, Debug)]
pub(super) struct OnePod {
    pub(super) key: Key,
    pub(super) pod: Pod,
    pub(super) ports: Vec<(Name, u16, Protocol)>,
}

/// An end: the place of a pod in the world, or an address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Pod(usize),
    Address(IpAddr),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) direction: Direction,
    pub(super) own: usize,
    pub(super) other: Place,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    Allow,
    Deny(Vec<Key>),
    Either,
    Exempt,
    /// There are more ways than are tried.
    TooMany,
}

/// What is not known, answered: by what it is, and where in memory that stands.
#[derive(Default)]
struct Guesses {
    made: Vec<((usize, &'static str), bool)>,
    used: usize,
}

impl Guesses {
    fn ask<T>(&mut self, what: &'static str, of: &T) -> bool {
        let name = (std::ptr::from_ref(of) as usize, what);
        if let Some((_, guess)) = self.made[..self.used].iter().find(|(known, _)| *known == name) {
            return *guess;
        }
        if self.used == self.made.len() {
            self.made.push((name, false));
        }
        assert_eq!(self.made[self.used].0, name, "the same way until something else is guessed");
        self.used += 1;
        self.made[self.used - 1].1
    }

    /// Whether there is one more way.
    fn next(&mut self) -> bool {
        self.made.truncate(self.used);
        self.used = 0;
        while let Some((name, guess)) = self.made.pop() {
            if !guess {
                self.made.push((name, true));
                return true;
            }
        }
        false
    }
}

pub(super) fn judge(world: &World, question: &Question) -> Answer {
    let own = &world.pods[question.own];
    let other = match question.other {
        Place::Pod(at) => Some(&world.pods[at]),
        Place::Address(_) => None,
    };
    let ends = || [Some(own), other].into_iter().flatten();
    if own.pod.host_network
        || question.protocol == Protocol::Other
        || ends().any(|end| end.pod.ended)
    {
        return Answer::Exempt;
    }
    let (mut guesses, mut answers) = (Guesses::default(), BTreeSet::new());
    let mut isolating: Option<BTreeSet<Key>> = None;
    for _ in 0..4096 {
        let (lets, by) = once(world, question, own, other, &mut guesses);
        answers.insert(lets);
        let before = isolating.take().unwrap_or_else(|| by.clone());
        isolating = Some(before.intersection(&by).cloned().collect());
        if answers.len() > 1 {
            return Answer::Either;
        }
        if !guesses.next() {
            return if answers.contains(&true) {
                Answer::Allow
            } else {
                Answer::Deny(isolating.into_iter().flatten().collect())
            };
        }
    }
    Answer::TooMany
}

/// Says whether it is let through, and by which policies the pod is isolated.
fn once(
    world: &World,
    question: &Question,
    own: &OnePod,
    other: Option<&OnePod>,
    guesses: &mut Guesses,
) -> (bool, BTreeSet<Key>) {
    let mut isolating = BTreeSet::new();
    if other.is_some_and(|other| other.key == own.key) {
        return (true, isolating);
    }
    for policy in &world.others {
        if in_namespace(world, &own.key.namespace, &policy.namespaces, guesses)
            && selects(&policy.pods, &own.pod.labels, guesses)
        {
            return (guesses.ask("another API", policy), isolating);
        }
    }
    let on_host = other.is_some_and(|other| other.pod.host_network);
    if on_host
        && question.direction == Direction::Ingress
        && own.pod.node.is_some()
        && other.is_some_and(|other| other.pod.node == own.pod.node)
    {
        return (true, isolating);
    }
    let mut lets = false;
    for (key, policy) in &world.policies {
        let rules = match question.direction {
            Direction::Egress => &policy.egress,
            Direction::Ingress => &policy.ingress,
        };
        let Some(rules) = rules else { continue };
        if key.namespace == own.key.namespace && selects(&policy.selector, &own.pod.labels, guesses)
        {
            isolating.insert(key.clone());
            for rule in rules {
                lets = lets || matches(world, question, own, other, rule, guesses);
            }
        }
    }
    for key in &world.undecoded {
        if key.namespace == own.key.namespace && guesses.ask("selects", key) {
            isolating.insert(key.clone());
            lets |= guesses.ask("lets through", key);
        }
    }
    let lets = isolating.is_empty() || lets;
    (lets || (on_host && guesses.ask("a host", question)), isolating)
}

fn matches(
    world: &World,
    question: &Question,
    own: &OnePod,
    other: Option<&OnePod>,
    rule: &Rule,
    guesses: &mut Guesses,
) -> bool {
    let peers: Vec<Option<&Peer>> = match &rule.peers[..] {
        [] => vec![None],
        peers => peers.iter().map(Some).collect(),
    };
    let ports: Vec<Option<&PortRange>> = match &rule.ports[..] {
        [] => vec![None],
        ports => ports.iter().map(Some).collect(),
    };
    for peer in &peers {
        for port in &ports {
            let is_block = matches!(peer, Some(Peer::Block { .. }));
            let is_name = matches!(port, Some(PortRange { ports: PolicyPorts::Named(_), .. }));
            let is_open = is_block && is_name && question.direction == Direction::Egress;
            if peer.is_none_or(|peer| is_peer(world, question, own, other, peer, guesses))
                && port.is_none_or(|port| is_port(question, own, other, port, guesses))
                && (!is_open || guesses.ask("a name of a range", rule))
            {
                return true;
            }
        }
    }
    false
}

fn is_peer(
    world: &World,
    question: &Question,
    own: &OnePod,
    other: Option<&OnePod>,
    peer: &Peer,
    guesses: &mut Guesses,
) -> bool {
    match peer {
        Peer::Other => guesses.ask("a peer", peer),
        Peer::Pods { namespaces, pods } => {
            let Some(other) = other else { return false };
            let there = match namespaces {
                None => other.key.namespace == own.key.namespace,
                Some(selector) => in_namespace(world, &other.key.namespace, selector, guesses),
            };
            let is_one = pods.as_ref().is_none_or(|pods| selects(pods, &other.pod.labels, guesses));
            there && is_one && (!other.pod.host_network || guesses.ask("a host", peer))
        }
        Peer::Block { range, except } => {
            let addresses: Vec<IpAddr> = match (question.other, other) {
                (Place::Address(address), _) => vec![address],
                (_, Some(other)) => other.pod.addresses.iter().collect(),
                (Place::Pod(_), None) => unreachable!("a place is that of a pod"),
            };
            if addresses.is_empty() {
                return guesses.ask("an address", peer);
            }
            let is_in = |address: &IpAddr| {
                is_within(address, range) && !except.iter().any(|it| is_within(address, it))
            };
            addresses.iter().any(is_in)
        }
    }
}

fn is_port(
    question: &Question,
    own: &OnePod,
    other: Option<&OnePod>,
    range: &PortRange,
    guesses: &mut Guesses,
) -> bool {
    if range.protocol == Protocol::Other {
        return guesses.ask("a protocol", range);
    }
    if range.protocol != question.protocol {
        return false;
    }
    match &range.ports {
        PolicyPorts::Any => true,
        PolicyPorts::Range(first, last) => *first <= question.port && question.port <= *last,
        PolicyPorts::Other => guesses.ask("ports", range),
        PolicyPorts::Named(name) => {
            let gets = match question.direction {
                Direction::Ingress => Some(own),
                Direction::Egress => other,
            };
            let Some(gets) = gets else { return false };
            for (known, number, protocol) in &gets.ports {
                if known == name && *protocol == question.protocol {
                    return *number == question.port;
                }
            }
            guesses.ask("a name", range)
        }
    }
}

fn in_namespace(
    world: &World,
    namespace: &Name,
    selector: &Selector,
    guesses: &mut Guesses,
) -> bool {
    let by_name = "kubernetes.io/metadata.name";
    let labels = world.namespaces.iter().find(|(name, _)| name == namespace);
    let labels = labels.and_then(|(_, labels)| labels.clone());
    let mut all = vec![(Name::from(by_name), namespace.clone())];
    match labels {
        Some(labels) => all.extend(labels.iter().map(|(key, value)| (key.clone(), value.clone()))),
        None => {
            let asks = selector.labels.iter().map(|(key, _)| key);
            let mut asks = asks.chain(selector.expressions.iter().map(|it| &it.key));
            if asks.any(|key| **key != *by_name) {
                return guesses.ask("a namespace", selector);
            }
        }
    }
    among(selector, &all, guesses)
}

fn selects(selector: &Selector, labels: &Labels, guesses: &mut Guesses) -> bool {
    let all: Vec<(Name, Name)> =
        labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    among(selector, &all, guesses)
}

fn among(selector: &Selector, labels: &[(Name, Name)], guesses: &mut Guesses) -> bool {
    for (key, value) in selector.labels.iter() {
        if !labels.iter().any(|(known, is)| known == key && is == value) {
            return false;
        }
    }
    for expression in &selector.expressions {
        let Expression { key, operator, values } = expression;
        let value = labels.iter().find(|(known, _)| known == key).map(|(_, value)| value);
        let holds = match (operator, value) {
            (Operator::Other, _) => guesses.ask("an operator", expression),
            (Operator::In | Operator::NotIn, _) if values.is_empty() => {
                guesses.ask("no values", expression)
            }
            (Operator::Exists | Operator::DoesNotExist, _) if !values.is_empty() => {
                guesses.ask("values", expression)
            }
            (Operator::In, Some(value)) => values.iter().any(|one| one == value),
            (Operator::In, None) => false,
            (Operator::NotIn, Some(value)) => values.iter().all(|one| one != value),
            (Operator::NotIn, None) => true,
            (Operator::Exists, value) => value.is_some(),
            (Operator::DoesNotExist, value) => value.is_none(),
        };
        if !holds {
            return false;
        }
    }
    true
}

/// Whether an address is in a range, bit by bit; IPv4 is written as IPv6 has it.
fn is_within(address: &IpAddr, range: &IpNet) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
        IpAddr::V6(address) => u128::from(address),
    };
    let length = match range {
        IpNet::V4(range) => 96 + u32::from(range.prefix_len()),
        IpNet::V6(range) => u32::from(range.prefix_len()),
    };
    let (address, network) = (bits(*address), bits(range.addr()));
    // A range of IPv6 that is wider than all of IPv4 has nothing of it.
    if length < 96 && address >> 32 == 0xffff {
        return false;
    }
    (0..length).all(|at| (address ^ network) >> (127 - at) & 1 == 0)
}

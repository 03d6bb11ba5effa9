//! What holds of all policies, tried on many that are made up.

use std::net::IpAddr;

use fastrand::Rng;

use super::literal::{Answer, OnePod, Place, Question, World, judge};
use crate::cluster::{Cluster, Event};
use crate::fixtures::cluster;
use crate::model::{
    Expression, Key, Kind, Labels, Name, Namespace, NetworkPolicy, Operator, Peer, Pod,
    PolicyPorts, PortRange, Ports, Protocol, Rule, Selector,
};
use crate::policy::{Direction, End, OtherPolicy, Policies, Traffic, Verdict};

const PROTOCOLS: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];

const RANGES: [&str; 10] = [
    "0.0.0.0/0",
    "10.0.0.0/29",
    "10.0.0.4/30",
    "10.0.0.1/32",
    "::/0",
    "fd00::/125",
    "fd00::4/126",
    "::ffff:10.0.0.0/125",
    "::ffff:10.0.0.2/127",
    "::/96",
];

static KIND: Kind = Kind::new("Another", "others");

/// Makes things up: the same ones from the same seed.
struct Maker(Rng);

impl Maker {
    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.0.usize(..of.len())]
    }

    /// One time in so many.
    fn rarely(&mut self, times: u32) -> bool {
        self.0.u32(..times) == 0
    }

    fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.0.usize(..=most)).map(|_| make(self)).collect()
    }

    fn labels(&mut self, most: usize) -> Labels {
        let all =
            self.some(most, |it| (it.one(&["a", "b", "c"]).into(), it.one(&["x", "y"]).into()));
        all.into_iter().collect::<std::collections::BTreeMap<Name, Name>>().into()
    }

    fn expression(&mut self) -> Expression {
        let operator = match self.one(&[0, 1, 2, 3]) {
            _ if self.rarely(16) => Operator::Other,
            0 => Operator::In,
            1 => Operator::NotIn,
            2 => Operator::Exists,
            _ => Operator::DoesNotExist,
        };
        let mut values = self.some(2, |it| it.one(&["x", "y", "n0", "n1"]).into());
        // What the API server would take, mostly.
        if !self.rarely(16) {
            match operator {
                Operator::In | Operator::NotIn if values.is_empty() => values.push("x".into()),
                Operator::Exists | Operator::DoesNotExist => values.clear(),
                _ => {}
            }
        }
        Expression { key: self.one(&["a", "b", "c"]).into(), operator, values }
    }

    fn selector(&mut self) -> Selector {
        Selector { labels: self.labels(1), expressions: self.some(1, Self::expression) }
    }

    fn of_namespaces(&mut self) -> Selector {
        if !self.rarely(3) {
            return self.selector();
        }
        let name = self.one(&["n0", "n1", "n2"]);
        Selector { labels: [("kubernetes.io/metadata.name", name)].into(), ..self.selector() }
    }

    fn peer(&mut self) -> Peer {
        let range = |it: &mut Self| it.one(&RANGES).parse().unwrap();
        match self.one(&[0, 1, 2, 3, 3]) {
            _ if self.rarely(24) => Peer::Other,
            0 => Peer::Pods { namespaces: None, pods: Some(self.selector()) },
            1 => Peer::Pods { namespaces: Some(self.of_namespaces()), pods: None },
            2 => Peer::Pods { namespaces: Some(self.of_namespaces()), pods: Some(self.selector()) },
            _ => Peer::Block { range: range(self), except: self.some(2, range) },
        }
    }

    fn port(&mut self) -> PortRange {
        let protocol = if self.rarely(24) { Protocol::Other } else { self.one(&PROTOCOLS) };
        let ports = match self.one(&[0, 1, 1, 2]) {
            _ if self.rarely(24) => PolicyPorts::Other,
            0 => PolicyPorts::Any,
            1 => PolicyPorts::Range(self.0.u16(1..6), self.0.u16(1..6)),
            _ => PolicyPorts::Named(self.one(&["web", "dns"]).into()),
        };
        PortRange { protocol, ports }
    }

    fn rule(&mut self) -> Rule {
        Rule { peers: self.some(3, Self::peer), ports: self.some(3, Self::port) }
    }

    fn rules(&mut self) -> Option<Vec<Rule>> {
        self.0.bool().then(|| self.some(3, Self::rule))
    }

    fn pod(&mut self, at: usize) -> OnePod {
        let ports =
            self.some(2, |it| (it.one(&["web", "dns"]).into(), it.0.u16(1..6), it.one(&PROTOCOLS)));
        let v4 = self.0.u8(..8);
        let v6 = self.0.u16(..8);
        let v4 = (!self.rarely(4)).then(|| IpAddr::from([10, 0, 0, v4]));
        let v6 = (!self.rarely(2)).then(|| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, v6]));
        let pod = Pod {
            labels: self.labels(3),
            addresses: v4.into_iter().chain(v6).collect(),
            ports: Ports::new(ports.clone()),
            node: (!self.rarely(6)).then(|| self.one(&["m0", "m1"]).into()),
            host_network: self.rarely(8),
            ended: self.rarely(24),
            ..Pod::default()
        };
        let namespace = self.one(&["n0", "n0", "n1", "n2"]);
        OnePod { key: Key::new(namespace, format!("p{at}")), pod, ports }
    }

    fn world(&mut self) -> World {
        let namespaces = ["n0", "n1"].map(|name| (Name::from(name), Some(self.labels(2))));
        let mut key = 0;
        let mut named = |it: &mut Self| {
            key += 1;
            Key::new(it.one(&["n0", "n0", "n1", "n2"]), format!("policy-{key}"))
        };
        let policies = self.some(5, |it| {
            let (labels, selector) = (Labels::default(), it.selector());
            (named(it), NetworkPolicy { labels, selector, ingress: it.rules(), egress: it.rules() })
        });
        let undecoded = if self.rarely(12) { vec![named(self)] } else { Vec::new() };
        let others = if self.rarely(12) {
            let (namespaces, pods) = (self.of_namespaces(), self.selector());
            vec![OtherPolicy { kind: &KIND, namespaces, pods }]
        } else {
            Vec::new()
        };
        let pods = (0..5).map(|at| self.pod(at)).collect();
        World { namespaces: namespaces.into(), pods, policies, undecoded, others }
    }

    fn question(&mut self) -> Question {
        let addresses = ["10.0.0.3", "::ffff:10.0.0.5", "fd00::5", "1.2.3.4"];
        let other = if self.rarely(4) {
            Place::Address(self.one(&addresses).parse().unwrap())
        } else {
            Place::Pod(self.0.usize(..5))
        };
        let protocol = if self.rarely(32) { Protocol::Other } else { self.one(&PROTOCOLS) };
        let (own, port) = (self.0.usize(..5), self.0.u16(1..6));
        Question { direction: self.one(&Direction::ALL), own, other, protocol, port }
    }
}

fn facts(world: &World) -> Cluster {
    let mut facts = cluster();
    for (name, labels) in &world.namespaces {
        if let Some(labels) = labels.clone() {
            let namespace = Namespace { labels, ..Namespace::default() };
            facts = facts.with(Event::Put(Key::new("", name.clone()), namespace));
        }
    }
    for (key, policy) in &world.policies {
        facts = facts.with(Event::Put(key.clone(), policy.clone()));
    }
    for key in &world.undecoded {
        facts = facts.with(Event::<NetworkPolicy>::Undecoded(key.clone()));
    }
    facts
}

fn policies<'a>(facts: &'a Cluster, world: &World) -> Policies<'a> {
    let known = facts.last_known().expect("a list of policies");
    Policies::new(known, facts.last_known()).beside(world.others.clone())
}

fn ask<'a>(policies: &Policies<'a>, world: &World, question: &Question) -> Verdict<'a> {
    let pod = |at: usize| End::Pod(&world.pods[at].key, Some(&world.pods[at].pod));
    let own = pod(question.own);
    let other = match question.other {
        Place::Pod(at) => pod(at),
        Place::Address(address) => End::Address(address),
    };
    let Question { direction, protocol, port, .. } = *question;
    let (from, to) = match direction {
        Direction::Egress => (own, other),
        Direction::Ingress => (other, own),
    };
    policies.judge(direction, &Traffic { from, to, protocol, port })
}

fn plain(verdict: Verdict<'_>) -> Answer {
    match verdict {
        Verdict::Allow => Answer::Allow,
        Verdict::Deny(by) => Answer::Deny(by.into_iter().cloned().collect()),
        Verdict::Indeterminate(_) => Answer::Either,
        Verdict::NotApplicable(_) => Answer::Exempt,
    }
}

/// Gives `hold` many worlds, with questions about each.
fn tried(times: u64, mut hold: impl FnMut(&mut Maker, World, &[Question])) {
    for seed in 0..times {
        let mut maker = Maker(Rng::with_seed(seed));
        let world = maker.world();
        let questions: Vec<Question> = (0..12).map(|_| maker.question()).collect();
        hold(&mut maker, world, &questions);
    }
}

#[test]
fn every_answer_is_that_of_the_semantics_as_they_are_told() {
    let mut counts = [0; 5];
    tried(3000, |_, world, questions| {
        let facts = facts(&world);
        let policies = policies(&facts, &world);
        for question in questions {
            let told = judge(&world, question);
            let kind = match told {
                Answer::Allow => 0,
                Answer::Deny(_) => 1,
                Answer::Either => 2,
                Answer::Exempt => 3,
                Answer::TooMany => 4,
            };
            counts[kind] += 1;
            if told != Answer::TooMany {
                let found = plain(ask(&policies, &world, question));
                assert_eq!(found, told, "{question:?} in {world:#?}");
            }
        }
    });
    let [allow, deny, either, exempt, too_many] = counts;
    let each = allow.min(deny).min(either).min(exempt);
    assert!(each > 2000 && too_many < 100, "something is hardly tried: {counts:?}");
}

#[test]
fn where_somebody_is_let_in_the_port_is_not_shut_to_all() {
    let (mut open, mut shut) = (0, 0);
    tried(1000, |_, world, questions| {
        let facts = facts(&world);
        let policies = policies(&facts, &world);
        for question in questions.iter().filter(|it| it.direction == Direction::Ingress) {
            let OnePod { key, pod, .. } = &world.pods[question.own];
            let is_own = match question.other {
                Place::Pod(at) => {
                    let other = &world.pods[at].pod;
                    at == question.own || (other.host_network && other.node == pod.node)
                }
                Place::Address(_) => false,
            };
            let verdict = policies.admits(key, pod, question.protocol, question.port);
            if let Verdict::Deny(_) = verdict {
                shut += 1;
            }
            if !is_own && ask(&policies, &world, question) == Verdict::Allow {
                let is_shut = matches!(verdict, Verdict::Deny(_) | Verdict::NotApplicable(_));
                assert!(!is_shut, "{verdict:?} to {question:?} in {world:#?}");
                open += 1;
            }
        }
    });
    assert!(open > 300 && shut > 300, "something is hardly tried: {open} open, {shut} shut");
}

#[test]
fn a_rule_more_takes_nothing_away() {
    let mut kept = 0;
    tried(1000, |maker, world, questions| {
        let mut more = world.clone();
        for (_, policy) in &mut more.policies {
            for rules in [&mut policy.ingress, &mut policy.egress] {
                rules.iter_mut().for_each(|rules| rules.push(maker.rule()));
            }
        }
        let (before, after) = (facts(&world), facts(&more));
        let (before, after) = (policies(&before, &world), policies(&after, &more));
        for question in questions {
            if ask(&before, &world, question) == Verdict::Allow {
                let found = ask(&after, &more, question);
                assert_eq!(found, Verdict::Allow, "{question:?} in {more:#?}");
                kept += 1;
            }
        }
    });
    assert!(kept > 1000, "{kept}");
}

#[test]
fn without_policies_all_is_let_through() {
    tried(300, |_, world, questions| {
        let none =
            World { policies: Vec::new(), undecoded: Vec::new(), others: Vec::new(), ..world };
        let facts = facts(&none);
        for question in questions {
            let found = ask(&policies(&facts, &none), &none, question);
            let lets = matches!(found, Verdict::Allow | Verdict::NotApplicable(_));
            assert!(lets, "{found:?} to {question:?} in {none:#?}");
        }
    });
}

#[test]
fn no_order_of_rules_peers_ports_and_expressions_matters() {
    tried(1000, |maker, world, questions| {
        let mut turned = world.clone();
        maker.0.shuffle(&mut turned.policies);
        for (_, policy) in &mut turned.policies {
            maker.0.shuffle(&mut policy.selector.expressions);
            for rules in [&mut policy.ingress, &mut policy.egress].into_iter().flatten() {
                maker.0.shuffle(rules);
                for rule in rules {
                    maker.0.shuffle(&mut rule.peers);
                    maker.0.shuffle(&mut rule.ports);
                }
            }
        }
        let (before, after) = (facts(&world), facts(&turned));
        let (before, after) = (policies(&before, &world), policies(&after, &turned));
        for question in questions {
            let found = ask(&after, &turned, question);
            assert_eq!(found, ask(&before, &world, question), "{question:?} in {world:#?}");
        }
    });
}

#[test]
fn what_was_judged_before_changes_nothing_of_a_pod_with_other_labels() {
    tried(500, |maker, mut world, questions| {
        let facts = facts(&world);
        let used = policies(&facts, &world);
        for question in questions {
            ask(&used, &world, question);
            world.pods[question.own].pod.labels = maker.labels(3);
            let fresh = policies(&facts, &world);
            let found = ask(&used, &world, question);
            assert_eq!(found, ask(&fresh, &world, question), "{question:?} in {world:#?}");
        }
    });
}

//! Whether policies let through what netvitals' own pods need.
//!
//! Policies add up, so what is needed is held against all rules of all policies that select a pod.
//! One that keeps away most of what a pod needs of a kind is told; it explains only what that kind
//! can cause, and only where most of it fails: not every cluster enforces policies.

use std::collections::{BTreeMap, BTreeSet};

use super::RESTRICTED_BY_POLICY;
use crate::check::policy::foreign::foreign;
use crate::check::{Finding, Output, Symptom};
use crate::cluster::agents::{Agents, agent};
use crate::cluster::{Cluster, endpoints};
use crate::model::{
    Agent, DnsPath, DnsQuery, Key, Labels, Name, Namespace, NetworkPolicy, Observation, Pod,
    Protocol, Service, Target, Vantage, Window,
};
use crate::policy::{self, Direction, Policies, Reason, Traffic, Verdict};

/// The label that says what an object is part of.
const NAME: &str = "app.kubernetes.io/name";

/// The port on which netvitals' own pods are asked, and its name in their containers.
const HTTP: (&str, u16) = ("http", 12350);

/// What a pod needs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Need {
    /// To ask the DNS pods.
    Dns,
    /// To reach the other agents.
    Agents,
    /// To be asked by netvitals' own pods.
    Asked,
}

impl Need {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "to the DNS pods",
            Self::Agents => "to other agents",
            Self::Asked => "from netvitals' own pods",
        }
    }

    const fn direction(self) -> Direction {
        match self {
            Self::Dns | Self::Agents => Direction::Egress,
            Self::Asked => Direction::Ingress,
        }
    }

    const fn symptom(self) -> Symptom {
        match self {
            Self::Dns => Symptom::AgentsAsk,
            Self::Agents => Symptom::AgentsReach,
            Self::Asked => Symptom::AgentsAnswer,
        }
    }
}

/// The pod at the other end of what is needed, and the port that is asked there or here.
#[derive(Clone, Copy)]
struct End<'a> {
    key: &'a Key,
    pod: &'a Pod,
    protocol: Protocol,
    port: u16,
}

/// All that is looked at.
struct View<'a> {
    cluster: &'a Cluster,
    /// The name of the agent that will come.
    another: &'a Key,
    /// netvitals' own pods that policies apply to.
    pods: Vec<(&'a Key, &'a Pod)>,
    dns: Vec<End<'a>>,
}

/// Finds policies that keep netvitals' own pods from what they need.
pub(super) fn restricted(cluster: &Cluster, agents: &Agents<'_>, out: &mut Output) {
    let own = &cluster.settings().namespace;
    let Ok(table) = cluster.read::<NetworkPolicy>() else { return };
    if let Err(why) = table.namespace(own) {
        return out.gap("networkpolicies", why);
    }
    let another = Key::new(own.clone(), "");
    let view = View::of(cluster, &another);
    let policies = Policies::new(table, cluster.last_known::<Namespace>()).beside(foreign(cluster));
    // The chart's own let through what netvitals needs, and its values may add to that.
    let is_own = own_labels(cluster);
    let opens = |key: &&Key| table.get(key).is_some_and(|policy| is_own(&policy.labels));
    let mut kept: BTreeMap<&Key, BTreeMap<Need, BTreeSet<&Key>>> = BTreeMap::new();
    for &(key, pod) in &view.pods {
        for (need, ends) in view.needs(key, pod) {
            let isolating = policies.isolating(need.direction(), key, pod);
            if isolating.iter().any(opens) {
                continue;
            }
            let lost = ends.iter().filter(|end| !lets(&policies, need, (key, pod), end)).count();
            if 2 * lost > ends.len() {
                for policy in isolating {
                    kept.entry(policy).or_default().entry(need).or_default().insert(key);
                }
            }
        }
    }
    for (policy, needs) in kept {
        let pods: BTreeSet<&&Key> = needs.values().flatten().collect();
        let what: Vec<String> =
            needs.keys().map(|it| format!("{} {}", it.direction().as_str(), it.as_str())).collect();
        let message = format!(
            "it keeps from {} of netvitals' own pods {}: look at its rules",
            pods.len(),
            what.join(", ")
        );
        let causes = needs.iter().filter(|(need, pods)| view.mostly_fails(agents, **need, pods));
        let causes = causes.map(|(need, _)| need.symptom()).collect();
        let finding = Finding::of::<NetworkPolicy>(&RESTRICTED_BY_POLICY, policy.clone(), message);
        out.finding(finding.causing(causes));
    }
}

/// Returns how netvitals' own objects are told from others by their labels: the installation may
/// have another name, which the agents have.
fn own_labels(cluster: &Cluster) -> impl Fn(&Labels) -> bool {
    let pods = cluster.last_known::<Pod>().into_iter();
    let pods = pods.flat_map(|pods| pods.last_known_namespace(&cluster.settings().namespace));
    let agents = pods.filter(|(_, pod)| !pod.ended && agent(cluster, pod).is_some());
    let names: BTreeSet<Name> =
        agents.filter_map(|(_, pod)| pod.labels.get(NAME).cloned()).collect();
    move |labels| {
        let name = labels.get(NAME);
        name.is_some_and(|name| **name == *"netvitals" || names.contains(name))
    }
}

impl<'a> View<'a> {
    fn of(cluster: &'a Cluster, another: &'a Key) -> Self {
        let own = &cluster.settings().namespace;
        let is_own = own_labels(cluster);
        let known = |namespace: &Name| -> Vec<(&'a Key, &'a Pod)> {
            let pods = cluster.last_known::<Pod>().into_iter();
            let pods = pods.flat_map(|pods| pods.last_known_namespace(namespace));
            pods.filter(|(_, pod)| !pod.ended).collect()
        };
        // A policy does nothing to a pod on the node's own network.
        let pods = known(own).into_iter();
        let pods = pods.filter(|(_, pod)| !pod.host_network && is_own(&pod.labels)).collect();
        let key = &cluster.settings().dns_service;
        let service = cluster.last_known::<Service>().and_then(|services| services.get(key));
        let dns = service.and_then(|service| {
            let port = service.ports.iter().find(|port| port.protocol == Protocol::Udp)?;
            let selected = known(&key.namespace).into_iter();
            let selected = selected.filter(|(_, pod)| service.selects(pod) && !pod.host_network);
            let end = |(key, pod)| {
                let number = endpoints::port_number(port, pod)?;
                Some(End { key, pod, protocol: Protocol::Udp, port: number })
            };
            Some(selected.filter_map(end).collect())
        });
        Self { cluster, another, pods, dns: dns.unwrap_or_default() }
    }

    /// Returns what one of netvitals' own pods needs; what others send to the cluster role changes
    /// nothing of what agents see.
    fn needs(&self, key: &'a Key, pod: &'a Pod) -> Vec<(Need, Vec<End<'a>>)> {
        let is_agent = |pod: &Pod| agent(self.cluster, pod).is_some();
        let end = |(key, pod): (&'a Key, &'a Pod), asked: &Pod| End {
            key,
            pod,
            protocol: Protocol::Tcp,
            port: asked.ports.number(HTTP.0, Protocol::Tcp).unwrap_or(HTTP.1),
        };
        let others = || self.pods.iter().copied().filter(|(other, _)| *other != key);
        // One that is alone stands for those that will come.
        let or_itself = |others: Vec<End<'a>>| {
            if others.is_empty() { vec![end((self.another, pod), pod)] } else { others }
        };
        let agents = others().filter(|(_, pod)| is_agent(pod)).map(|it| end(it, it.1)).collect();
        let mut needs = vec![(Need::Dns, self.dns.clone()), (Need::Agents, or_itself(agents))];
        if is_agent(pod) {
            let asking = others().map(|it| end(it, pod)).collect();
            needs.push((Need::Asked, or_itself(asking)));
        }
        needs
    }

    /// Whether most of what these pods need of a kind does fail.
    fn mostly_fails(&self, all: &Agents<'_>, need: Need, pods: &BTreeSet<&Key>) -> bool {
        let of_pods = self.pods.iter().filter(|(key, _)| pods.contains(key));
        let agents: Vec<Agent> = of_pods.filter_map(|(_, pod)| agent(self.cluster, pod)).collect();
        let nodes: BTreeSet<&Name> = agents.iter().map(|agent| &agent.node).collect();
        let speaking = || all.speaking(Vantage::Pod);
        let said = || speaking().filter(|(it, _)| agents.contains(it)).map(|(_, said)| said);
        match need {
            Need::Dns => most(said().map(queries)),
            Need::Agents => most(said().map(|said| attempts(said, |_| true))),
            Need::Asked => {
                let silent = agents.iter().filter(|agent| !all.speaks(agent)).count();
                let seen = speaking().map(|(_, said)| attempts(said, |node| nodes.contains(node)));
                2 * silent > agents.len() || most(seen)
            }
        }
    }
}

/// Whether policies let a pod have what it needs; what is not understood lets nothing through.
fn lets(policies: &Policies<'_>, need: Need, own: (&Key, &Pod), end: &End<'_>) -> bool {
    let own = policy::End::Pod(own.0, Some(own.1));
    let other = policy::End::Pod(end.key, Some(end.pod));
    let (from, to) = match need.direction() {
        Direction::Egress => (own, other),
        Direction::Ingress => (other, own),
    };
    let traffic = Traffic { from, to, protocol: end.protocol, port: end.port };
    match policies.judge(need.direction(), &traffic) {
        Verdict::Allow | Verdict::NotApplicable(_) => true,
        Verdict::Deny(_) => false,
        Verdict::Indeterminate(doubt) => doubt.reason != Reason::NotUnderstood,
    }
}

fn queries(said: &Observation) -> Window {
    let mut sum = Window::default();
    let rows = said.dns().into_iter().flat_map(|dns| &dns.rows);
    rows.filter(|row| (row.path, row.query) == (DnsPath::Resolver, DnsQuery::Cluster))
        .for_each(|row| sum.add(&row.queries));
    sum
}

fn attempts(said: &Observation, on: impl Fn(&Name) -> bool) -> Window {
    let mut sum = Window::default();
    let rows = said.reach().into_iter().flatten().filter(|row| row.target == Target::PeerPod);
    rows.filter(|row| row.node.as_ref().is_some_and(&on)).for_each(|row| sum.add(&row.attempts));
    sum
}

/// Whether most of those that tried fail more than a tenth of their attempts, as `dns_success` has
/// it: a window still holds what worked before the policy.
fn most(windows: impl Iterator<Item = Window>) -> bool {
    let tried: Vec<Window> = windows.filter(|window| window.attempts > 0).collect();
    let failing = tried.iter().filter(|it| it.fails()).count();
    2 * failing > tried.len()
}

#[cfg(test)]
mod tests;

//! Do netvitals' own agents run, speak, and see what workloads see?
//!
//! Everything on connectivity and names is what agents say. One that is missing or silent is a
//! blind spot, and one that a policy restricts sees failures that workloads do not have.
//!
//! Without the API it goes on with the agents that were known, and says what it cannot see. Left
//! out: agents on nodes that are young or taken away; pods that are no agents.

mod codes;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use self::codes::{COLLECTOR_ISOLATED, MISSING, REFUSED, RESTRICTED_BY_POLICY, STALE};
use super::{Check, Code, Finding, Layer, Output};
use crate::cluster::Cluster;
use crate::cluster::agents::{Agents, agent};
use crate::family::Family;
use crate::model::{
    Agent, Effect, Fact, Key, Labels, Name, Namespace, NetworkPolicy, Node, Object, Pod, Skipped,
    Unanswered, Vantage,
};

/// Compares the agents that there should be with those that speak.
pub static CHECK: Check = Check {
    id: "agents",
    layer: Layer::Netvitals,
    question: "Do netvitals' own agents run, speak, and see what workloads see?",
    needs: &[],
    wants: &[Namespace::KIND, NetworkPolicy::KIND, Node::KIND, Pod::KIND],
    families: &[EXPECTED.desc(), REPORTING.desc(), LAST.desc()],
    codes: &[&COLLECTOR_ISOLATED, &MISSING, &REFUSED, &RESTRICTED_BY_POLICY, &STALE],
    run,
};

static EXPECTED: Family<1> = Family::gauge(
    "netvitals_agents_expected",
    "Agents that should run: one for each node that can, and is neither young nor taken away.",
    ["vantage"],
);

static REPORTING: Family<2> = Family::gauge(
    "netvitals_agent_reporting",
    "Whether an agent answered in the last 75 seconds.",
    ["node", "vantage"],
);

static LAST: Family<2> = Family::gauge(
    "netvitals_agent_last_observation_timestamp_seconds",
    "When an agent answered last, in seconds since 1970; absent for one that did not of late.",
    ["node", "vantage"],
);

/// The label that says what an object is part of.
const NAME: &str = "app.kubernetes.io/name";

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let settings = cluster.settings();
    if (&settings.agents, &settings.host_agents, settings.named_agents) == (&None, &None, 0) {
        return Err(Skipped::NotConfigured.into());
    }
    let agents = Agents::of(cluster);
    let expected = match expected(cluster) {
        Ok(expected) => Some(expected),
        Err(why) if agents.iter().next().is_none() => return Err(why),
        Err(why) => {
            out.gap("nodes", why);
            None
        }
    };
    measure(&agents, expected.as_ref(), out);
    if let Some(expected) = &expected {
        missing(cluster, &agents, expected, out);
    }
    silent(cluster, &agents, out);
    restricted(cluster, out);
    Ok(())
}

/// Returns the agents that there should be.
fn expected(cluster: &Cluster) -> Result<BTreeSet<Agent>, Unanswered> {
    let (settings, nodes) = (cluster.settings(), cluster.read::<Node>()?);
    let configured = [(Vantage::Pod, &settings.agents), (Vantage::Host, &settings.host_agents)];
    let vantages: Vec<Vantage> = configured
        .into_iter()
        .filter(|(_, daemon_set)| daemon_set.is_some())
        .map(|(vantage, _)| vantage)
        .collect();
    let mut expected = BTreeSet::new();
    for (Key { name, .. }, node) in nodes.iter() {
        if node.runs_agents() && cluster.is_settled(name, node) {
            let agent = |vantage: &Vantage| Agent { node: name.clone(), vantage: *vantage };
            expected.extend(vantages.iter().map(agent));
        }
    }
    Ok(expected)
}

fn measure(agents: &Agents<'_>, expected: Option<&BTreeSet<Agent>>, out: &mut Output) {
    for vantage in Vantage::ALL {
        if let Some(expected) = expected {
            let count = expected.iter().filter(|agent| agent.vantage == vantage).count();
            out.sample(&EXPECTED, [vantage.as_str()], count as f64);
        }
    }
    let heard: BTreeMap<&Agent, _> =
        agents.iter().filter_map(|(agent, it)| Some((agent, it.heard?))).collect();
    let known: BTreeSet<&Agent> =
        heard.keys().copied().chain(expected.into_iter().flatten()).collect();
    for agent in known {
        let labels = [&*agent.node, agent.vantage.as_str()];
        out.sample(&REPORTING, labels, f64::from(u8::from(agents.speaks(agent))));
        if let Some(at) = heard.get(agent) {
            out.sample(&LAST, labels, at.unix.as_secs_f64());
        }
    }
}

/// Finds nodes without an agent, and the reason why no node has one.
fn missing(cluster: &Cluster, agents: &Agents<'_>, expected: &BTreeSet<Agent>, out: &mut Output) {
    let settings = cluster.settings();
    let pods = cluster.read::<Pod>();
    if let Err(why) = pods.and_then(|pods| Ok(pods.namespace(&settings.namespace).map(|_| ())?)) {
        out.gap("pods", why);
        return;
    }
    let refused = refused(cluster, agents, expected, out);
    let mut nodes: BTreeMap<&Name, Vec<String>> = BTreeMap::new();
    for agent in expected {
        if agents.speaks(agent) || (refused && agent.vantage == Vantage::Host) {
            continue;
        }
        let why = match agents.get(agent).and_then(|it| it.pod.as_ref()) {
            Some(pod) if pod.ready => continue,
            Some(pod) => format!("{} ({} is not ready)", agent.vantage.as_str(), pod.name),
            None => format!("{} (no pod)", agent.vantage.as_str()),
        };
        nodes.entry(&agent.node).or_default().push(why);
    }
    for (node, agents) in nodes {
        let message = format!(
            "without an agent of vantage {}: look at the DaemonSet's pods and their events",
            agents.join(", ")
        );
        out.finding(on(&MISSING, node, message));
    }
}

/// Finds out whether Pod Security keeps all host agents away.
fn refused(
    cluster: &Cluster,
    agents: &Agents<'_>,
    expected: &BTreeSet<Agent>,
    out: &mut Output,
) -> bool {
    let is_host = |agent: &Agent| agent.vantage == Vantage::Host;
    if !expected.iter().any(is_host) || agents.iter().any(|(agent, _)| is_host(agent)) {
        return false;
    }
    let own = Key::new("", cluster.settings().namespace.clone());
    let namespaces = match cluster.read::<Namespace>() {
        Ok(namespaces) => namespaces,
        Err(why) => {
            out.gap("namespace", why);
            return false;
        }
    };
    let level = namespaces.get(&own).and_then(Namespace::enforced);
    let Some(level) = level.filter(|level| ["baseline", "restricted"].contains(level)) else {
        return false;
    };
    let message = format!(
        "Pod Security level {level} refuses every host agent: run kubectl label ns {} \
         pod-security.kubernetes.io/enforce=privileged --overwrite, or switch host agents off",
        own.name
    );
    let subject = Object { kind: Namespace::KIND, key: own };
    out.finding(Finding { code: &REFUSED, subject, node: None, message });
    true
}

/// Finds agents that ought to speak and do not: one finding each, or a single one where it is
/// rather the listener that is cut off.
fn silent(cluster: &Cluster, agents: &Agents<'_>, out: &mut Output) {
    let (all, silent) = (agents.expected(&Vantage::ALL).len(), agents.silent());
    let own = || Object {
        kind: Namespace::KIND,
        key: Key::new("", cluster.settings().namespace.clone()),
    };
    if all > 1 && 2 * silent.len() > all {
        let message = format!(
            "{} of {all} agents are silent at once: look at the network of the node that this \
             replica runs on",
            silent.len()
        );
        out.finding(Finding { code: &COLLECTOR_ISOLATED, subject: own(), node: None, message });
        return;
    }
    let mut nodes: BTreeMap<&Name, Vec<&str>> = BTreeMap::new();
    for agent in silent {
        nodes.entry(&agent.node).or_default().push(agent.vantage.as_str());
    }
    for (node, vantages) in nodes {
        let message = format!(
            "its agent of vantage {} is silent: look at whether the node is reached, then at the \
             agent's log",
            vantages.join(", ")
        );
        out.finding(on(&STALE, node, message));
    }
    let named =
        agents.iter().filter(|(agent, it)| it.pod.is_none() && agents.speaks(agent)).count();
    let lacking = cluster.settings().named_agents.saturating_sub(named);
    if lacking > 0 && agents.had_time() {
        let message = format!(
            "{lacking} of {} agents that are named by their URL do not answer: look at the log",
            cluster.settings().named_agents
        );
        out.finding(Finding { code: &MISSING, subject: own(), node: None, message });
    }
}

/// Finds policies of others that make agents see what workloads do not, unless another policy for
/// the same pods lets through what they keep away.
fn restricted(cluster: &Cluster, out: &mut Output) {
    let namespace = &cluster.settings().namespace;
    let policies = match cluster.read::<NetworkPolicy>() {
        Ok(policies) => policies.namespace(namespace),
        Err(why) => return out.gap("policies", why),
    };
    let policies = match policies {
        Ok(policies) => policies,
        Err(why) => return out.gap("policies", why),
    };
    let pods = cluster.last_known::<Pod>().into_iter();
    let pods = pods.flat_map(|pods| pods.last_known_namespace(namespace)).map(|(_, pod)| pod);
    let pods: Vec<&Pod> = pods.filter(|pod| !pod.ended).collect();
    // The installation may have another name than netvitals; the agents say which.
    let agents = pods.iter().filter(|pod| agent(cluster, pod).is_some());
    let names: BTreeSet<&Name> = agents.filter_map(|pod| pod.labels.get(NAME)).collect();
    let is_own = |labels: &Labels| {
        let name = labels.get(NAME);
        name.is_some_and(|name| **name == *"netvitals" || names.contains(name))
    };
    let policies: Vec<(&Key, &NetworkPolicy)> = policies.collect();
    let mut restricted: BTreeMap<&Key, Restricted> = BTreeMap::new();
    // A policy does nothing to a pod on the node's own network.
    for pod in pods.iter().filter(|pod| !pod.host_network && is_own(&pod.labels)) {
        let selecting = policies.iter().filter(|(_, it)| it.selector.matches(&pod.labels));
        let selecting: Vec<&(&Key, &NetworkPolicy)> = selecting.collect();
        // The chart's own let through what netvitals needs.
        let is_open = |effect: fn(&NetworkPolicy) -> Effect| {
            selecting.iter().any(|(_, it)| match effect(it) {
                Effect::Absent => false,
                Effect::Opens => true,
                Effect::Restricts => is_own(&it.labels),
            })
        };
        // What others send to the cluster role changes nothing of what agents see.
        let ingress = agent(cluster, pod).is_some() && !is_open(|it| it.ingress);
        let egress = !is_open(|it| it.egress);
        for (key, policy) in selecting {
            let ingress = ingress && policy.ingress == Effect::Restricts;
            let egress = egress && policy.egress == Effect::Restricts;
            if ingress || egress {
                restricted.entry(key).or_default().add(ingress, egress);
            }
        }
    }
    for (key, Restricted { ingress, egress, pods }) in restricted {
        let directions = [("ingress", ingress), ("egress", egress)];
        let directions: Vec<&str> =
            directions.into_iter().filter(|(_, is)| *is).map(|(direction, _)| direction).collect();
        let direction = directions.join(" and ");
        let message =
            format!("it restricts {direction} of {pods} of netvitals' own pods: look at its rules");
        let subject = Object { kind: NetworkPolicy::KIND, key: key.clone() };
        out.finding(Finding { code: &RESTRICTED_BY_POLICY, subject, node: None, message });
    }
}

/// What a policy keeps from netvitals' own pods, and no other policy lets through.
#[derive(Default)]
struct Restricted {
    ingress: bool,
    egress: bool,
    pods: usize,
}

impl Restricted {
    fn add(&mut self, ingress: bool, egress: bool) {
        self.ingress |= ingress;
        self.egress |= egress;
        self.pods += 1;
    }
}

fn on(code: &'static Code, node: &Name, message: String) -> Finding {
    let subject = Object { kind: Node::KIND, key: Key::new("", node.clone()) };
    Finding { code, subject, node: Some(node.clone()), message }
}

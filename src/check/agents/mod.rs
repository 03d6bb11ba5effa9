//! Do netvitals' own agents run, speak, and see what workloads see?
//!
//! Everything on connectivity and names is what agents say. One that is missing or silent is a
//! blind spot, and one that a policy restricts sees failures that workloads do not have.
//!
//! Without the API it goes on with the agents that were known, and says what it cannot see. Left
//! out: agents on nodes that are young or taken away; pods that are no agents.

mod codes;
mod policy;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use self::codes::{COLLECTOR_ISOLATED, MISSING, REFUSED, RESTRICTED_BY_POLICY, STALE};
use super::words::{count, some};
use super::{Check, Code, Finding, Layer, Output};
use crate::cluster::Cluster;
use crate::cluster::agents::Agents;
use crate::family::Family;
use crate::model::{
    Agent, Fact, Key, Name, Namespace, NetworkPolicy, Node, Pod, Skipped, Unanswered, Vantage,
};

/// Compares the agents that there should be with those that speak.
pub static CHECK: Check = Check {
    id: "agents",
    layer: Layer::Netvitals,
    question: "Do netvitals' own agents run, speak, and see what workloads see?",
    runbook: "NetvitalsAgentMissing",
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

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let settings = cluster.settings();
    if (&settings.agents, &settings.host_agents, settings.named_agents) == (&None, &None, 0) {
        return Err(Skipped::NotConfigured.into());
    }
    let agents = Agents::of(cluster);
    let expected = match expected(cluster) {
        Ok(expected) => Some(expected),
        Err(why) if agents.iter().next().is_none() => return Err(why),
        Err(_) => None,
    };
    measure(&agents, expected.as_ref(), out);
    if let Some(expected) = &expected {
        missing(cluster, &agents, expected, out);
    }
    silent(cluster, &agents, out);
    policy::restricted(cluster, &agents, out);
    let all = agents.iter().map(|(agent, _)| agent).chain(expected.iter().flatten());
    let all: BTreeSet<&Agent> = all.collect();
    let answering = all.iter().filter(|agent| agents.speaks(agent)).count();
    out.statement(format!("{} of {} answer", count(answering), some(all.len(), "agent")));
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
    let Ok(pods) = cluster.read::<Pod>() else { return };
    if let Err(why) = pods.namespace(&settings.namespace) {
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
        out.finding(on(cluster, &MISSING, node, message));
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
    let Ok(namespaces) = cluster.read::<Namespace>() else { return false };
    let level = namespaces.get(&own).and_then(Namespace::enforced);
    let Some(level) = level.filter(|level| ["baseline", "restricted"].contains(level)) else {
        return false;
    };
    let message = format!(
        "Pod Security level {level} refuses every host agent: run kubectl label ns {} \
         pod-security.kubernetes.io/enforce=privileged --overwrite, or switch host agents off",
        own.name
    );
    out.finding(Finding::of::<Namespace>(&REFUSED, own, message));
    true
}

/// Finds agents that ought to speak and do not: one finding for each node, or a single one where
/// it is rather this replica that is cut off.
fn silent(cluster: &Cluster, agents: &Agents<'_>, out: &mut Output) {
    let (all, silent) = (agents.expected(&Vantage::ALL).len(), agents.silent());
    let own = || Key::new("", cluster.settings().namespace.clone());
    if all > 1 && 2 * silent.len() > all {
        let message = format!(
            "{} of {all} agents are silent at once: look at the network of the node that this \
             replica runs on",
            silent.len()
        );
        out.finding(Finding::of::<Namespace>(&COLLECTOR_ISOLATED, own(), message));
        return;
    }
    let mut nodes: BTreeMap<&Name, Vec<&Agent>> = BTreeMap::new();
    for agent in silent {
        nodes.entry(&agent.node).or_default().push(agent);
    }
    for (node, here) in nodes {
        let vantages: Vec<&str> = here.iter().map(|agent| agent.vantage.as_str()).collect();
        let pod = here.iter().find_map(|agent| agents.get(agent)?.pod.as_ref());
        let message = format!(
            "its agent of vantage {} is silent: look at whether the node is reached, then at the \
             agent's log",
            vantages.join(", ")
        );
        let pod = pod.map(|pod| &pod.name);
        out.finding(on(cluster, &STALE, node, message).with("pod", pod));
    }
    let named =
        agents.iter().filter(|(agent, it)| it.pod.is_none() && agents.speaks(agent)).count();
    let lacking = cluster.settings().named_agents.saturating_sub(named);
    if lacking > 0 && agents.had_time() {
        let message = format!(
            "{lacking} of {} agents that are named by their URL do not answer: look at the log",
            cluster.settings().named_agents
        );
        out.finding(Finding::of::<Namespace>(&MISSING, own(), message));
    }
}

fn on(cluster: &Cluster, code: &'static Code, node: &Name, message: String) -> Finding {
    Finding::of_node(code, node, message).with("own", Some(&cluster.settings().namespace))
}

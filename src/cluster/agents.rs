//! Which agents there are, which of them speak, and which can be believed.
//!
//! Said once: plans, the pulling of observations and every check ask here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::{Clock, Cluster};
use crate::model::{
    Agent, Captured, Fact, Name, Node, Observation, Pod, Protocol, Skipped, Unanswered, Unknown,
    Vantage,
};

/// An agent that did not answer for so long is silent: what it said last may be long past.
const SILENT_AFTER: Duration = Duration::from_secs(75);

/// The name of the container port on which agents answer.
const PORT: &str = "http";

/// All agents, as they were last seen: an API that is away must not make them vanish.
#[derive(Debug)]
pub struct Agents<'a> {
    cluster: &'a Cluster,
    known: BTreeMap<Agent, AgentState>,
}

/// What is known of one agent.
#[derive(Clone, Debug, Default)]
pub struct AgentState {
    /// Its pod; absent for an agent that was named by its URL.
    pub pod: Option<AgentPod>,
    /// When it spoke last; absent when it never did, and when that is too long ago.
    pub heard: Option<Clock>,
    /// Whether what it sees counts: its node is neither young nor being taken away.
    pub settled: bool,
}

/// The pod of an agent.
#[derive(Clone, Debug)]
pub struct AgentPod {
    /// Its name, in the namespace of the installation.
    pub name: Name,
    /// Whether it is ready, and not being deleted.
    pub ready: bool,
    /// Where it answers; absent until it has an address.
    pub address: Option<SocketAddr>,
    terminating: bool,
}

/// What those agents say that can be believed.
#[derive(Debug)]
pub struct Believed<'a, T> {
    /// Each with its node.
    pub words: Vec<(&'a Name, T)>,
    /// How many agents spoke, believed or not, without those on unsettled nodes.
    pub speaking: usize,
    /// How many ought to.
    pub expected: usize,
}

impl<'a> Agents<'a> {
    /// Finds the pods of the own DaemonSets, and the agents that spoke.
    ///
    /// Only those pods are asked: a report cannot be forged by posting one.
    pub fn of(cluster: &'a Cluster) -> Self {
        let namespace = &cluster.settings().namespace;
        let mut known: BTreeMap<Agent, AgentState> = BTreeMap::new();
        let pods = cluster.last_known::<Pod>().into_iter();
        for (key, pod) in pods.flat_map(|pods| pods.last_known_namespace(namespace)) {
            debug_assert_eq!(key.namespace, *namespace);
            let (Some(agent), false) = (agent(cluster, pod), pod.ended) else { continue };
            let it = &mut known.entry(agent).or_default().pod;
            let pod = AgentPod::of(&key.name, pod);
            // While a DaemonSet rolls there are two for a moment.
            if it.as_ref().is_none_or(|known| known.rank() < pod.rank()) {
                *it = Some(pod);
            }
        }
        for (agent, observed) in cluster.last_observed() {
            known.entry(agent.clone()).or_default().heard = Some(observed.at);
        }
        let nodes = Nodes::of(cluster);
        for (agent, it) in &mut known {
            it.settled = nodes.is_settled(&agent.node);
        }
        Self { cluster, known }
    }

    /// Returns where each agent answers that has an address.
    pub fn contacts(&self) -> BTreeMap<Agent, SocketAddr> {
        let address = |it: &AgentState| it.pod.as_ref().and_then(|pod| pod.address);
        self.known.iter().filter_map(|(agent, it)| Some((agent.clone(), address(it)?))).collect()
    }

    /// Returns every agent, and what is known of it.
    pub fn iter(&self) -> impl Iterator<Item = (&Agent, &AgentState)> {
        self.known.iter()
    }

    /// Returns what is known of an agent.
    pub fn get(&self, agent: &Agent) -> Option<&AgentState> {
        self.known.get(agent)
    }

    /// Whether an agent answered of late.
    pub fn speaks(&self, agent: &Agent) -> bool {
        let heard = self.known.get(agent).and_then(|it| it.heard);
        heard.is_some_and(|heard| self.cluster.now().since(heard) <= SILENT_AFTER)
    }

    /// Returns what the agents of a vantage say that answered of late, settled or not.
    pub fn speaking(&self, vantage: Vantage) -> impl Iterator<Item = (&'a Agent, &'a Observation)> {
        let of_vantage = self.cluster.last_observed().filter(move |(it, _)| it.vantage == vantage);
        of_vantage.filter(|(it, _)| self.speaks(it)).map(|(agent, it)| (agent, &it.observation))
    }

    /// Returns the agents that ought to answer: their pod is ready, or they did before.
    pub fn expected(&self, vantages: &[Vantage]) -> Vec<&Agent> {
        let ought = |it: &AgentState| it.settled && it.pod.as_ref().is_none_or(|pod| pod.ready);
        let all = self.known.iter();
        all.filter(|(agent, it)| vantages.contains(&agent.vantage) && ought(it))
            .map(|(agent, _)| agent)
            .collect()
    }

    /// Returns the agents that ought to answer and do not; one that was never heard has as long a
    /// time after the start.
    pub fn silent(&self) -> Vec<&Agent> {
        let mut silent = self.expected(&Vantage::ALL);
        silent.retain(|agent| {
            let heard = self.known.get(*agent).and_then(|it| it.heard).unwrap_or_default();
            self.cluster.now().since(heard) > SILENT_AFTER
        });
        silent
    }

    /// Whether every agent had the time to be heard since the start.
    pub fn had_time(&self) -> bool {
        self.cluster.now().uptime > SILENT_AFTER
    }

    /// Returns one group of what the agents of a vantage say. `group` says why an observation
    /// lacks it, `is_captured` whether what was captured there spoils it; such agents go to
    /// `gap`. Agents on nodes that are young or being taken away are left out without a gap.
    ///
    /// # Errors
    ///
    /// Says why no agent can be believed: none is configured, most are silent, none has the group,
    /// all are captured.
    pub fn believed<T>(
        &self,
        vantage: Vantage,
        group: impl Fn(&'a Observation) -> Result<T, Unanswered>,
        is_captured: impl Fn(Captured) -> bool,
        gap: &mut dyn FnMut(Unanswered),
    ) -> Result<Believed<'a, T>, Unanswered> {
        let (mut words, mut speaking, mut unsettled) = (Vec::new(), 0, 0);
        let mut why: Unanswered = Unknown::Stale("agents").into();
        for (agent, observation) in self.speaking(vantage) {
            // What is still being set up on a young node fails there, and nothing is wrong.
            if !self.known.get(agent).is_none_or(|it| it.settled) {
                unsettled += 1;
                continue;
            }
            speaking += 1;
            why = match group(observation) {
                Err(why) => why,
                Ok(_) if observation.captured.is_some_and(&is_captured) => Unknown::Captured.into(),
                Ok(word) => {
                    words.push((&agent.node, word));
                    continue;
                }
            };
            gap(why);
        }
        let expected = self.expected(&[vantage]).len();
        if speaking == 0 && unsettled > 0 {
            // A cluster that was just made: there is no agent yet whose silence is a failure.
            return Err(Skipped::NotApplicable.into());
        }
        if speaking == 0 && !is_configured(self.cluster, vantage) {
            return Err(Skipped::NotConfigured.into());
        }
        // A replica that hears less than half of the agents is itself cut off, and so is what it
        // hears.
        if 2 * speaking < expected {
            return Err(Unknown::Stale("agents").into());
        }
        if words.is_empty() { Err(why) } else { Ok(Believed { words, speaking, expected }) }
    }
}

impl AgentPod {
    fn of(name: &Name, pod: &Pod) -> Self {
        let port = pod.ports.number(PORT, Protocol::Tcp);
        // One family is probed: the first address is of the cluster's first.
        let address = pod.addresses.iter().next();
        Self {
            name: name.clone(),
            ready: pod.ready && !pod.terminating,
            address: address.zip(port).map(SocketAddr::from),
            terminating: pod.terminating,
        }
    }

    /// Returns how much it is the agent, of two that claim to be.
    fn rank(&self) -> (bool, bool, bool) {
        (self.ready, self.address.is_some(), !self.terminating)
    }
}

/// Whether agents of a vantage are asked for; those named by their URL mostly are on no node.
fn is_configured(cluster: &Cluster, vantage: Vantage) -> bool {
    let settings = cluster.settings();
    match vantage {
        Vantage::Pod => settings.agents.is_some() || settings.named_agents > 0,
        Vantage::Host => settings.host_agents.is_some(),
    }
}

/// Returns which agent a pod is.
pub fn agent(cluster: &Cluster, pod: &Pod) -> Option<Agent> {
    let (settings, node) = (cluster.settings(), pod.node.clone()?);
    let of = |daemon_set: &Option<Name>| daemon_set.is_some() && *daemon_set == pod.daemon_set;
    if of(&settings.agents) {
        Some(Agent { node, vantage: Vantage::Pod })
    } else if of(&settings.host_agents) {
        Some(Agent { node, vantage: Vantage::Host })
    } else {
        None
    }
}

/// Which nodes are judged, found out once and asked for every row of every agent.
#[derive(Debug)]
pub struct Nodes<'a> {
    /// Those whose silence is no failure, as they were last seen.
    unsettled: BTreeSet<&'a Name>,
    /// Those that there are; absent where that cannot be believed.
    existing: Option<BTreeSet<&'a Name>>,
}

impl<'a> Nodes<'a> {
    /// Looks at every node.
    pub fn of(cluster: &'a Cluster) -> Self {
        let nodes = cluster.last_known::<Node>().into_iter().flat_map(|nodes| nodes.iter());
        let unsettled = nodes.filter(|(key, node)| !cluster.is_settled(&key.name, node));
        // Not `read`: a check that is told of agents goes on without the API, and does not need it.
        let nodes = cluster.last_known::<Node>();
        let existing = nodes.filter(|_| cluster.can_read(Node::KIND).is_ok());
        Self {
            unsettled: unsettled.map(|(key, _)| &key.name).collect(),
            existing: existing.map(|nodes| nodes.iter().map(|(key, _)| &key.name).collect()),
        }
    }

    /// Whether what happens on a node counts; one that the API never showed may be a name that an
    /// agent was given.
    pub fn is_settled(&self, node: &Name) -> bool {
        !self.unsettled.contains(node)
    }

    /// Whether it is worth saying that a node is not reached: it is settled, and still there.
    pub fn is_target(&self, node: &Name) -> bool {
        let exists = self.existing.as_ref().is_none_or(|nodes| nodes.contains(node));
        exists && self.is_settled(node)
    }
}

#[cfg(test)]
mod tests;

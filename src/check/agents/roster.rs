//! Which agents there are, and which of them speak.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cluster::{Clock, Cluster};
use crate::model::{Agent, Name, Node, Pod, Vantage};

/// An agent that did not answer for so long is silent: what it said last may be long past.
pub(crate) const SILENT_AFTER: Duration = Duration::from_secs(75);

/// All agents, as they were last seen: an API that is away must not make them vanish.
#[derive(Debug)]
pub(crate) struct Roster {
    now: Clock,
    known: BTreeMap<Agent, Known>,
}

/// What is known of one agent.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Its pod, and whether that is ready; absent for an agent that was named by its URL.
    pub(super) pod: Option<(Name, bool)>,
    /// When it spoke last; absent when it never did, and when that is too long ago.
    pub(super) heard: Option<Clock>,
    /// Whether its node's silence is a failure.
    pub(super) settled: bool,
}

impl Roster {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        let settings = cluster.settings();
        let mut known: BTreeMap<Agent, Known> = BTreeMap::new();
        let pods = cluster.last_known::<Pod>().into_iter();
        for (key, pod) in pods.flat_map(|pods| pods.last_known_namespace(&settings.namespace)) {
            let (Some(agent), false) = (agent(cluster, pod), pod.ended) else { continue };
            let ready = pod.ready && !pod.terminating;
            let it = known.entry(agent).or_default();
            // While a DaemonSet rolls there are two for a moment: the better one counts.
            if it.pod.as_ref().is_none_or(|(_, known)| ready && !known) {
                it.pod = Some((key.name.clone(), ready));
            }
        }
        for (agent, _) in cluster.observations().into_iter().flatten() {
            let heard = cluster.observed(agent).map(|observed| observed.at);
            known.entry(agent.clone()).or_default().heard = heard;
        }
        let judged = Judged::of(cluster);
        for (agent, it) in &mut known {
            it.settled = judged.is_settled(&agent.node);
        }
        Self { now: cluster.now(), known }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(crate) fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.known.keys()
    }

    /// Returns how many agents spoke that have no pod: those that were named by their URL.
    pub(super) fn named(&self) -> usize {
        let named = self.known.iter().filter(|(agent, it)| it.pod.is_none() && self.speaks(agent));
        named.count()
    }

    /// Whether everybody had the time to be heard since the start.
    pub(super) fn is_late(&self) -> bool {
        self.now.uptime > SILENT_AFTER
    }

    pub(super) fn get(&self, agent: &Agent) -> Option<&Known> {
        self.known.get(agent)
    }

    pub(super) fn heard(&self) -> impl Iterator<Item = (&Agent, Clock)> {
        self.known.iter().filter_map(|(agent, it)| Some((agent, it.heard?)))
    }

    /// Whether what an agent sees counts: its node is neither young nor leaving.
    pub(crate) fn is_settled(&self, agent: &Agent) -> bool {
        self.known.get(agent).is_none_or(|it| it.settled)
    }

    /// Whether an agent answered of late.
    pub(crate) fn speaks(&self, agent: &Agent) -> bool {
        let heard = self.known.get(agent).and_then(|it| it.heard);
        heard.is_some_and(|heard| self.now.since(heard) <= SILENT_AFTER)
    }

    /// Returns those that ought to answer: their pod is ready, or they did before.
    pub(crate) fn speakers(&self, vantages: &[Vantage]) -> Vec<&Agent> {
        let ought = |it: &Known| it.settled && it.pod.as_ref().is_none_or(|(_, ready)| *ready);
        let all = self.known.iter();
        all.filter(|(agent, it)| vantages.contains(&agent.vantage) && ought(it))
            .map(|(agent, _)| agent)
            .collect()
    }

    /// Returns those that ought to answer and do not; one that was never heard has as long a time
    /// after the start.
    pub(super) fn silent(&self) -> Vec<&Agent> {
        let mut silent = self.speakers(&Vantage::ALL);
        silent.retain(|agent| {
            let heard = self.known.get(*agent).and_then(|it| it.heard).unwrap_or_default();
            self.now.since(heard) > SILENT_AFTER
        });
        silent
    }
}

/// Returns which agent a pod is.
pub(super) fn agent(cluster: &Cluster, pod: &Pod) -> Option<Agent> {
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
pub(crate) struct Judged<'a> {
    /// Those whose silence is no failure, as they were last seen.
    unsettled: BTreeSet<&'a Name>,
    /// Those that there are; absent where that cannot be believed.
    existing: Option<BTreeSet<&'a Name>>,
}

impl<'a> Judged<'a> {
    pub(crate) fn of(cluster: &'a Cluster) -> Self {
        let nodes = cluster.last_known::<Node>().into_iter().flat_map(|nodes| nodes.iter());
        let unsettled = nodes.filter(|(_, node)| !cluster.is_settled(node));
        let existing = cluster.read::<Node>().ok();
        Self {
            unsettled: unsettled.map(|(key, _)| &key.name).collect(),
            existing: existing.map(|nodes| nodes.iter().map(|(key, _)| &key.name).collect()),
        }
    }

    /// Whether what happens on a node counts; one that the API never showed may be a name that an
    /// agent was given.
    pub(crate) fn is_settled(&self, node: &Name) -> bool {
        !self.unsettled.contains(node)
    }

    /// Whether it is worth saying that a node is not reached: it is settled, and still there.
    pub(crate) fn is_target(&self, node: &Name) -> bool {
        let exists = self.existing.as_ref().is_none_or(|nodes| nodes.contains(node));
        exists && self.is_settled(node)
    }
}

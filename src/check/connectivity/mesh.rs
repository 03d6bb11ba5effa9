//! Who reaches whom, and whose fault it is when somebody does not.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::Output;
use crate::check::observers::Observers;
use crate::cluster::Cluster;
use crate::cluster::agents::{Agents, Believed, Nodes};
use crate::model::{
    Failure, Name, Node, Observation, ProbeKind, Reached, Skipped, Target, Unanswered, Unknown,
    Vantage, Window,
};

/// Fewer attempts than this say nothing of a target.
const ENOUGH: u64 = 3;

/// The agents of one vantage that can be believed, and what they reach.
pub(super) struct Reaching<'a> {
    words: Vec<(&'a Name, &'a [Reached])>,
    speaking: usize,
    expected: usize,
    /// How many there are, silent ones among them.
    all: usize,
}

impl<'a> Reaching<'a> {
    /// Asks the agents of `vantage` that attempt to reach `target`; those that do not, or cannot be
    /// believed, leave a gap.
    ///
    /// # Errors
    ///
    /// As [`Agents::believed`].
    pub(super) fn of(
        agents: &Agents<'a>,
        (vantage, target): (Vantage, Target),
        out: &mut Output,
    ) -> Result<Self, Unanswered> {
        let reach = |said: &'a Observation| {
            let reach = said.reach()?;
            let rows = connections(reach, target).map(|(_, row)| row);
            said.unasked(rows).map_or(Ok(reach), |why| Err(why.into()))
        };
        let gap = &mut |why| out.gap("agents", why);
        let Believed { words, speaking, expected } =
            agents.believed(vantage, reach, |by| by.tcp, gap)?;
        let all = agents.iter().filter(|(agent, _)| agent.vantage == vantage).count();
        Ok(Self { words, speaking, expected, all })
    }
}

/// For each observer whether it fails to reach each of its targets; both are nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Mesh(BTreeMap<Name, BTreeMap<Name, bool>>);

/// What follows from a mesh.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Judgement {
    /// Of each target, the observers that are believed; all of them when none is.
    pub(super) observers: BTreeMap<Name, Observers>,
    /// Nodes that are not reached, and are at fault.
    pub(super) unreachable: BTreeSet<Name>,
    /// Nodes that reach no other, while others reach them.
    pub(super) one_way: BTreeSet<Name>,
    /// The nodes involved when none is left to say whose fault it is; else empty.
    pub(super) quarrel: BTreeSet<Name>,
}

impl Mesh {
    /// Reads what `agents` say of one class of targets, but for those `left_out`.
    ///
    /// # Errors
    ///
    /// Says why no target can be judged: the replica is cut off, or there is nothing to reach.
    pub(super) fn of(
        cluster: &Cluster,
        agents: &Reaching<'_>,
        target: Target,
        left_out: &BTreeSet<Name>,
    ) -> Result<Self, Unanswered> {
        // A replica that hears only the agent of its own node is cut off.
        if agents.speaking == 1 && agents.expected > 1 {
            return Err(Unknown::Stale("agents").into());
        }
        let nodes = Nodes::of(cluster);
        let mut mesh = Self::default();
        for &(observer, reach) in &agents.words {
            let others = connections(reach, target).filter(|(node, _)| {
                *node != observer && nodes.is_target(node) && !left_out.contains(*node)
            });
            mesh.0.insert(observer.clone(), failing(others));
        }
        if mesh.0.values().all(BTreeMap::is_empty) && left_out.is_empty() {
            let others = match target {
                Target::Node => places(cluster),
                _ => agents.all,
            };
            let alone = others < 2;
            let why =
                if alone { Skipped::NotApplicable.into() } else { Unknown::TooFewSamples.into() };
            return Err(why);
        }
        Ok(mesh)
    }

    /// Says who is at fault.
    ///
    /// Observers that fail at least half of their targets are suspects, and their word does not
    /// count against others. Where all are suspects, those that fail least are believed after
    /// all, unless they condemn each other.
    pub(super) fn judge(&self) -> Judgement {
        let looking = || self.0.keys().filter(|it| self.share(it).all > 0);
        let mut believed: BTreeSet<&Name> =
            looking().filter(|it| !is_suspect(self.share(it))).collect();
        if believed.is_empty() {
            let smallest = looking().map(|it| self.share(it)).reduce(smaller);
            let is_smallest = |share| smallest.is_some_and(|it| !is_smaller(it, share));
            believed = looking().filter(|it| is_smallest(self.share(it))).collect();
        }
        let observers = self.count(|observer| believed.contains(observer));
        let agreed = |target: &Name| observers.get(target).map(|it| it.agree());
        // One against all the others, and no third to ask: it may be either side.
        let alone = believed.len() == 1;
        let condemned = |it: &Name| agreed(it).unwrap_or_else(|| alone && self.share(it).agree());
        if !believed.is_empty() && believed.iter().all(|it| condemned(it)) {
            let quarrel = self.edges().filter(|(_, _, fails)| *fails);
            let quarrel = quarrel.flat_map(|(from, to, _)| [from.clone(), to.clone()]).collect();
            return Judgement { observers: self.count(|_| true), quarrel, ..Judgement::default() };
        }
        let unreachable = observers.keys().filter(|it| agreed(it) == Some(true)).cloned().collect();
        let suspects = looking().filter(|it| !believed.contains(it));
        let is_one_way = |it: &&Name| agreed(it) == Some(false) && self.share(it).agree();
        let one_way = suspects.filter(is_one_way).cloned().collect();
        Judgement { unreachable, one_way, quarrel: BTreeSet::new(), observers }
    }

    /// Returns how many targets an observer has, and how many of them it fails to reach.
    fn share(&self, observer: &Name) -> Observers {
        let mut share = Observers::default();
        self.0.get(observer).into_iter().flatten().for_each(|(_, fails)| share.add(*fails));
        share
    }

    fn count(&self, is_believed: impl Fn(&Name) -> bool) -> BTreeMap<Name, Observers> {
        let mut counts: BTreeMap<Name, Observers> = BTreeMap::new();
        for (_, target, fails) in self.edges().filter(|(observer, ..)| is_believed(observer)) {
            counts.entry(target.clone()).or_default().add(fails);
        }
        counts
    }

    fn edges(&self) -> impl Iterator<Item = (&Name, &Name, bool)> {
        let targets = self.0.iter();
        targets.flat_map(|(from, to)| to.iter().map(move |(to, fails)| (from, to, *fails)))
    }
}

/// Whether an observer may itself be at fault. One failing target of several says more of the
/// target: of three nodes, the two that are well fail half of theirs when the third is not.
fn is_suspect(share: Observers) -> bool {
    2 * share.failing >= share.all && share.failing >= share.all.clamp(1, 2)
}

fn is_smaller(one: Observers, other: Observers) -> bool {
    one.failing * other.all < other.failing * one.all
}

fn smaller(one: Observers, other: Observers) -> Observers {
    if is_smaller(other, one) { other } else { one }
}

/// Returns how many nodes there are, as they were last seen, that may be looked at.
fn places(cluster: &Cluster) -> usize {
    let nodes = cluster.last_known::<Node>().into_iter().flat_map(|nodes| nodes.iter());
    nodes.filter(|(_, node)| node.runs_agents()).count()
}

/// Returns the nodes that none of `agents` has ever reached on a class of targets: the site may
/// not allow it, which is no outage.
pub(super) fn never_worked(agents: &Reaching<'_>, target: Target) -> BTreeSet<Name> {
    let (mut tried, mut worked) = (BTreeSet::new(), BTreeSet::new());
    for (node, row) in agents.words.iter().flat_map(|(_, reach)| connections(reach, target)) {
        // An agent that cannot say so is taken to have reached it.
        if row.worked != Some(false) {
            worked.insert(node);
        } else if row.attempts.attempts >= ENOUGH {
            tried.insert(node);
        }
    }
    tried.difference(&worked).map(|node| (*node).clone()).collect()
}

/// Returns what came of the connections to a class of targets, by the node that is meant.
fn connections(
    reach: &[Reached],
    target: Target,
) -> impl Iterator<Item = (&Name, &Reached)> + Clone {
    let of_class =
        reach.iter().filter(move |row| (row.target, row.probe) == (target, ProbeKind::Tcp));
    of_class.filter_map(|row| Some((row.node.as_ref()?, row)))
}

/// Returns for each target whether half of the attempts or more failed, where there are enough.
fn failing<'a>(rows: impl Iterator<Item = (&'a Name, &'a Reached)>) -> BTreeMap<Name, bool> {
    let mut windows: BTreeMap<&Name, Window> = BTreeMap::new();
    for (node, row) in rows {
        let mut window = row.attempts;
        // A target that refuses is there, and so is the path.
        if window.mostly == Some(Failure::Refused) {
            window.failures = 0;
        }
        windows.entry(node).or_default().add(&window);
    }
    let enough = windows.into_iter().filter(|(_, window)| window.attempts >= ENOUGH);
    enough.map(|(node, window)| (node.clone(), 2 * window.failures >= window.attempts)).collect()
}

#[cfg(test)]
mod tests;

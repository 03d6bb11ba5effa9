//! Does the agent of the CNI run on each node?
//!
//! Most runtimes call a network ready once there is a configuration for it, and a node stays Ready
//! when the agent that wrote it is gone: pods that run keep their network, and no new one gets any. So
//! the pods of the CNI's DaemonSet are looked at themselves. Which DaemonSets are those of CNIs is
//! told by several weak signals (`identity`); one that nobody knows is called `other`, and is never
//! more than a warning.
//!
//! One that begins again and again runs at most moments at which one looks: it is told by how often
//! it began within half an hour, whatever it does now.
//!
//! A node without an agent is told where one is to be there: the DaemonSet's controller could not
//! make its pod, or taints keep it away and no pod there has a network by other means. Left out:
//! nodes that are young, leave, or whose kubelet is silent, because then nothing is known of their
//! pods; virtual nodes, which have no CNI; of several CNIs the one that a node lacks while it has
//! another; CNIs without a DaemonSet; restarts from before netvitals began.

mod codes;

use std::collections::{BTreeMap, BTreeSet};

pub use self::codes::{DOWN, MISSING, NO_NODE, NOT_READY, RESTARTING};
use super::identity::{CniSet, Role, sets_on};
use crate::check::daemon::{State, container};
use crate::check::words::{count, others, some};
use crate::check::{Check, Code, Finding, Layer, Output};
use crate::cluster::{Cluster, Table};
use crate::family::Family;
use crate::model::{DaemonSet, Fact, Key, Name, Node, Pod, Status, Unanswered};

/// Looks at the pods of the CNI's DaemonSet.
pub static CHECK: Check = Check {
    id: "cni_agents",
    layer: Layer::Cni,
    question: "Does the agent of the CNI run on each node?",
    runbook: "NetvitalsCNIAgentDown",
    needs: &[Node::KIND, Pod::KIND, DaemonSet::KIND],
    wants: &[],
    families: &[READY.desc()],
    codes: &[&DOWN, &MISSING, &NOT_READY, &RESTARTING, &NO_NODE],
    run,
};

static READY: Family<2> = Family::gauge(
    "netvitals_cni_agent_ready",
    "Whether the agent of a CNI is ready on a node where it has a pod, or is to have one.",
    ["node", "cni"],
);

/// The pods of agents by node: of which DaemonSet, and which.
type Pods<'a> = BTreeMap<&'a Name, Vec<(&'a CniSet<'a>, &'a Key, &'a Pod)>>;

/// How many nodes are how.
#[derive(Default)]
struct Numbers {
    judged: usize,
    ready: usize,
    restarting: usize,
    not_ready: usize,
    missing: usize,
    without: usize,
    left_out: usize,
}

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let (nodes, pods) = (cluster.read::<Node>()?, cluster.read::<Pod>()?);
    let sets = sets_on(nodes, cluster.read::<DaemonSet>()?, out)?;
    out.lacks("nodes", nodes);
    out.lacks("pods", pods);
    let (on_nodes, unscheduled) = agents(&sets, pods);
    let is_used = |it: &&CniSet<'_>| it.set.status.desired > 0 || !it.set.is_observed();
    let has_pods = |it: &CniSet<'_>| on_nodes.values().flatten().any(|(of, ..)| of.key == it.key);
    if !sets.iter().any(|it| is_used(&it) || has_pods(it)) {
        for it in sets.iter().filter(|it| it.role == Role::Primary) {
            let message = format!(
                "the DaemonSet of {} is for no node: look at its node selector and affinity",
                it.cni
            );
            out.finding(Finding::of::<DaemonSet>(&NO_NODE, it.key.clone(), message));
        }
        out.statement(format!("no node is to have an agent of {}", names(&sets)));
        return Ok(());
    }
    let networked: BTreeSet<&Name> = pods
        .iter()
        .filter(|(_, pod)| !pod.host_network && !pod.ended && !pod.addresses.is_empty())
        .filter_map(|(_, pod)| pod.node.as_ref())
        .collect();
    let mut numbers = Numbers::default();
    for (Key { name, .. }, node) in nodes.iter().filter(|(_, node)| !node.is_virtual()) {
        let hears = node.ready.as_ref().is_some_and(|ready| ready.status != Status::Unknown);
        if !hears || !cluster.is_settled(name, node) {
            numbers.left_out += 1;
            continue;
        }
        numbers.judged += 1;
        match on_nodes.get(name) {
            Some(here) => present(cluster, out, &mut numbers, name, here),
            None => {
                let is_networked = networked.contains(name);
                absent(out, &mut numbers, (name, node, is_networked), &sets, &unscheduled);
            }
        }
    }
    let of = some(numbers.judged, "node");
    let mut statement = format!("{} of {of} with a ready agent of ", count(numbers.ready));
    statement += &names(&sets);
    statement += &others([
        (numbers.restarting, "where it begins again and again"),
        (numbers.not_ready, "where it is not ready"),
        (numbers.missing, "where it is missing"),
        (numbers.without, "that are to have none"),
        (numbers.left_out, "young, silent or being taken away"),
    ]);
    out.statement(statement);
    Ok(())
}

/// Returns the names of CNIs: `calico, multus`.
fn names(sets: &[CniSet<'_>]) -> String {
    let names: BTreeSet<&str> = sets.iter().map(|it| it.cni).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Returns the pods of agents by node, and how many of each DaemonSet have no node.
fn agents<'a>(
    sets: &'a [CniSet<'a>],
    pods: &'a Table<Pod>,
) -> (Pods<'a>, BTreeMap<&'a Key, usize>) {
    let (mut on_nodes, mut unscheduled) = (Pods::new(), BTreeMap::new());
    for (key, pod) in pods.iter().filter(|(_, pod)| pod.daemon.is_some() && !pod.ended) {
        let is_of = |it: &&CniSet<'_>| pod.is_of(key, it.key);
        let Some(set) = sets.iter().find(is_of) else { continue };
        match &pod.node {
            Some(node) => on_nodes.entry(node).or_default().push((set, key, pod)),
            None => *unscheduled.entry(set.key).or_default() += 1,
        }
    }
    (on_nodes, unscheduled)
}

/// Judges a node that has agents.
fn present(
    cluster: &Cluster,
    out: &mut Output,
    numbers: &mut Numbers,
    node: &Name,
    here: &[(&CniSet<'_>, &Key, &Pod)],
) {
    let mut worst = State::Ready;
    let mut by_cni: BTreeMap<&'static str, bool> = BTreeMap::new();
    let mut told: BTreeSet<&'static str> = BTreeSet::new();
    for (set, key, pod) in here {
        let is_of = |other: &&(&CniSet<'_>, &Key, &Pod)| other.0.key == set.key;
        // One that goes is none while its successor is there.
        if pod.terminating && here.iter().filter(is_of).any(|(.., other)| !other.terminating) {
            continue;
        }
        let state = state(cluster, set, key, pod);
        worst = worst.min(state);
        let is_ready = matches!(state, State::Ready | State::Restarting);
        by_cni.entry(set.cni).and_modify(|it| *it &= is_ready).or_insert(is_ready);
        let Some(code) = code(state) else { continue };
        if !told.insert(code.id) {
            continue;
        }
        let message = format!("{} of {} {}", key.name, set.cni, state.does(cluster, key, pod));
        out.finding(
            Finding::of_node(code, node, message)
                .with("cni_pod", Some(&key.name))
                .with("cni_namespace", Some(&key.namespace))
                .with("cni_owner", pod.owner())
                .with("container", container(cluster, key, pod)),
        );
    }
    for (cni, is_ready) in by_cni {
        out.sample(&READY, [node, cni], f64::from(u8::from(is_ready)));
    }
    match worst {
        State::Ready => numbers.ready += 1,
        State::Restarting => numbers.restarting += 1,
        State::Down | State::NotReady => numbers.not_ready += 1,
    }
}

/// What an agent does; nobody knows what stands still without one that nobody knows.
fn state(cluster: &Cluster, set: &CniSet<'_>, key: &Key, pod: &Pod) -> State {
    match State::of(cluster, key, pod) {
        State::Down if set.role == Role::Unknown => State::NotReady,
        state => state,
    }
}

fn code(state: State) -> Option<&'static Code> {
    match state {
        State::Down => Some(&DOWN),
        State::NotReady => Some(&NOT_READY),
        State::Restarting => Some(&RESTARTING),
        State::Ready => None,
    }
}

/// Judges a node that has no agent.
fn absent(
    out: &mut Output,
    numbers: &mut Numbers,
    (name, node, is_networked): (&Name, &Node, bool),
    sets: &[CniSet<'_>],
    unscheduled: &BTreeMap<&Key, usize>,
) {
    let fitting = || sets.iter().filter(|it| it.role != Role::Added && it.set.fits(node));
    let lacks = |it: &&CniSet<'_>| {
        let status = it.set.status;
        it.set.is_observed()
            && (status.current < status.desired || unscheduled.contains_key(it.key))
    };
    let kept_away = |it: &&CniSet<'_>| {
        let may_be = it.set.status.desired > 0 && !it.set.template.tolerates_all;
        may_be && !node.taints.is_empty() && !is_networked
    };
    let (set, message) = if let Some(it) = fitting().find(lacks) {
        let status = it.set.status;
        let waiting = unscheduled.get(it.key).copied().unwrap_or_default();
        let has = (status.current as usize).saturating_sub(waiting);
        let message = format!(
            "no agent of {} is there: of its {} pods {} are on a node: look at the events of its \
             DaemonSet",
            it.cni,
            count(status.desired),
            count(has as u64)
        );
        (it, message)
    } else if let Some(it) = fitting().find(kept_away) {
        let taints: Vec<&str> = node.taints.iter().map(|taint| &**taint).collect();
        let message = format!(
            "no agent of {} is there, and no pod has a network: its DaemonSet does not tolerate \
             every taint: look at {}",
            it.cni,
            taints.join(", ")
        );
        (it, message)
    } else {
        numbers.without += 1;
        return;
    };
    numbers.missing += 1;
    out.sample(&READY, [name, set.cni], 0.0);
    out.finding(
        Finding::of_node(&MISSING, name, message)
            .with("cni_namespace", Some(&set.key.namespace))
            .with("cni_owner", Some(format!("daemonset/{}", set.key.name))),
    );
}

#[cfg(test)]
mod tests;

//! Does something enforce the policies that are here?
//!
//! The API server takes every NetworkPolicy, and does nothing with it: that is left to what gives pods
//! their network, or to what is installed beside it. Where neither is, all policies are as if they were
//! not there, and nobody is told. What enforces them is known by its DaemonSet; where nothing that is
//! known is here the answer is open, unless it is known of all that is here that it does not.
//!
//! Left out: whether an engine does what a policy says, which only traffic can tell; engines that are
//! told to do nothing where this does not look, Kube-OVN and Antrea among them; nodes without a
//! DaemonSet of an engine that is none.

mod codes;

use std::collections::{BTreeMap, BTreeSet};

pub use self::codes::{AGENTS_OFF, AWS_OFF, CILIUM_OFF, K3S_OFF, NODE_WITHOUT, NOT_ENFORCED};
use super::engines::{Enforced, Engines, Off};
use super::isolated::Isolated;
use crate::check::words::{count, some};
use crate::check::{Check, Finding, Layer, Output};
use crate::cluster::{Cluster, Table};
use crate::family::Family;
use crate::model::{
    CiliumConfig, DaemonSet, Fact, Key, Name, Namespace, NetworkPolicy, Node, Pod, PolicyEndpoint,
    Unanswered, Unknown,
};
use crate::policy::{Direction, Policies};

/// Looks for what enforces policies, and for nodes without it.
pub static CHECK: Check = Check {
    id: "policy_engine",
    layer: Layer::Policy,
    question: "Does something enforce the NetworkPolicies that are here?",
    runbook: "NetvitalsPolicyNotEnforced",
    needs: &[DaemonSet::KIND, NetworkPolicy::KIND, Node::KIND],
    wants: &[CiliumConfig::KIND, Pod::KIND, PolicyEndpoint::KIND],
    families: &[INFO.desc()],
    codes: &[&NOT_ENFORCED, &AGENTS_OFF, &CILIUM_OFF, &K3S_OFF, &AWS_OFF, &NODE_WITHOUT],
    run,
};

static INFO: Family<1> = Family::gauge(
    "netvitals_policy_engine_info",
    "What enforces NetworkPolicies: each that is known, none where it is known that nothing does, else unknown.",
    ["engine"],
);

/// Where AWS' controller is told what to do.
const AWS_NAMESPACE: &str = "kube-system";

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let policies = cluster.read::<NetworkPolicy>()?;
    let (nodes, sets) = (cluster.read::<Node>()?, cluster.read::<DaemonSet>()?);
    out.lacks("daemonsets", sets);
    let engines = Engines::of(cluster);
    let enforced = engines.enforced();
    let ids = engines.ids();
    let info: Vec<&str> = match enforced {
        Enforced::Yes => ids.iter().copied().collect(),
        Enforced::No => vec!["none"],
        Enforced::Unknown => vec!["unknown"],
    };
    for id in &info {
        out.sample(&INFO, [*id], 1.0);
    }
    let all = policies.iter().count();
    let here = match all {
        0 => "there are no NetworkPolicies".to_owned(),
        1 => "there is 1 NetworkPolicy".to_owned(),
        all => format!("there are {} NetworkPolicies", count(all as u64)),
    };
    out.statement(match enforced {
        Enforced::Yes => format!("{here}, and {} to enforce them", info.join(" and ")),
        Enforced::No => format!("{here}, and nothing to enforce them"),
        Enforced::Unknown => format!("{here}, and nothing that is known to enforce them"),
    });
    if all == 0 {
        return Ok(());
    }
    match enforced {
        Enforced::Yes => without(cluster, out, &engines, nodes, policies),
        Enforced::No => engines.off().for_each(|off| tell(out, off, &whose(policies))),
        Enforced::Unknown => out.gap(
            "engine",
            Unknown::Undecided(
                "nothing that is known to enforce policies is here; look at whether traffic that a \
                 policy forbids goes through",
            ),
        ),
    }
    Ok(())
}

/// Says how many policies there are, and where.
fn whose(policies: &Table<NetworkPolicy>) -> String {
    let namespaces: BTreeSet<&Name> = policies.iter().map(|(key, _)| &key.namespace).collect();
    let number = match policies.iter().count() {
        1 => "1 NetworkPolicy".to_owned(),
        number => format!("{} NetworkPolicies", count(number as u64)),
    };
    let first = namespaces.first().map_or("", |it| it);
    match namespaces.len() {
        1 => format!("{number} in namespace {first}"),
        all => format!("{number} in {}, {first} is one,", some(all, "namespace")),
    }
}

/// Tells why nothing enforces policies.
fn tell(out: &mut Output, off: &Off, whose: &str) {
    let close = if whose.starts_with("1 ") { "closes" } else { "close" };
    out.finding(match off {
        Off::Network(key) => Finding::of::<DaemonSet>(
            &NOT_ENFORCED,
            key.clone(),
            format!(
                "it gives pods their network and enforces no policies, and nothing else here is \
                 known to: {whose} {close} nothing; look at what is to enforce them"
            ),
        ),
        Off::Cilium(object, name) => Finding::about(
            &CILIUM_OFF,
            object.clone(),
            format!("Cilium is told by {name} to let everything through: {whose} {close} nothing; look at who asked for that"),
        )
        .with("option", Some(name)),
        Off::K3s(node) => Finding::of_node(
            &K3S_OFF,
            node,
            format!(
                "k3s was started with --disable-network-policy, and nothing else here is known to \
                 enforce policies: {whose} {close} nothing; look at what is to enforce them"
            ),
        ),
        Off::Agents(key, flag) => Finding::of::<DaemonSet>(
            &AGENTS_OFF,
            key.clone(),
            format!(
                "its pods could enforce policies and are not told to by --{flag}, and nothing else \
                 here is known to: {whose} {close} nothing; look at its arguments"
            ),
        ),
        Off::Aws(_) => Finding::of::<Namespace>(
            &AWS_OFF,
            Key::new("", AWS_NAMESPACE),
            format!(
                "there is no PolicyEndpoint, so that the controller of Amazon EKS makes nothing of \
                 policies: {whose} {close} nothing; look at enable-network-policy-controller in \
                 ConfigMap amazon-vpc-cni"
            ),
        ),
    });
}

/// Tells of nodes on which policies close something and nothing enforces them.
fn without(
    cluster: &Cluster,
    out: &mut Output,
    engines: &Engines,
    nodes: &Table<Node>,
    policies: &Table<NetworkPolicy>,
) {
    // What is no DaemonSet is on every node, as far as can be seen.
    let Some(sets) = engines.daemon_sets() else { return };
    let Ok(pods) = cluster.read::<Pod>() else { return };
    let is_engine = |key: &Key, pod: &Pod| sets.iter().any(|set| pod.is_of(key, set));
    let live = || pods.iter().filter(|(_, pod)| !pod.ended && !pod.terminating);
    let engine = live().filter(|(key, pod)| is_engine(key, pod));
    let covered: BTreeSet<&Name> = engine.filter_map(|(_, pod)| pod.node.as_ref()).collect();
    // Nearly every node has one, so that no policy is looked at.
    let isolated = Direction::ALL.map(|direction| Isolated::of(policies, direction));
    let judge = Policies::new(policies, None);
    let is_closed = |key: &Key, pod: &Pod| {
        isolated.iter().any(|it| it.has(&key.namespace))
            && Direction::ALL.iter().any(|way| !judge.isolating(*way, key, pod).is_empty())
    };
    let mut closed: BTreeMap<&Name, (usize, &Key)> = BTreeMap::new();
    for (key, pod) in live() {
        let Some(node) = pod.node.as_ref().filter(|node| !covered.contains(node)) else { continue };
        if is_closed(key, pod) {
            closed.entry(node).or_insert((0, key)).0 += 1;
        }
    }
    for (node, (number, one)) in closed {
        let fact = nodes.get(&Key::new("", node.clone()));
        if fact.is_none_or(|it| it.is_leaving()) {
            continue;
        }
        let names: BTreeSet<&str> = sets.iter().map(|set| &*set.name).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let message = format!(
            "no pod of {} is on it, so that nothing enforces policies for {}, {one} is one: look at \
             what keeps it from the node",
            names.join(" or "),
            some(number, "pod")
        );
        let set = sets.first();
        out.finding(
            Finding::of_node(&NODE_WITHOUT, node, message)
                .with("set_namespace", set.map(|it| &it.namespace))
                .with("set", set.map(|it| &it.name)),
        );
    }
}

#[cfg(test)]
mod tests;

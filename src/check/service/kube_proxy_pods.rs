//! Does kube-proxy run on each node?
//!
//! When it ends, the rules that it wrote stay: what worked goes on, and what has changed since is led
//! to where it was. So its pods are looked at themselves, those of a DaemonSet (kubeadm, EKS, AKS) and
//! those of files on nodes (RKE2, GKE, kops), of which is known only what they do now.
//!
//! A cluster without such pods and without such a DaemonSet has a process of nodes in their place, or
//! something that does their work (k3s, Cilium, OVN-Kubernetes, kube-router, Calico's eBPF): then the
//! check does not apply. Where its DaemonSet is for no node, which is how kube-proxy is switched off,
//! it is a note, unless Cilium is known to do its work.
//!
//! A node without one is told where one is to be: the DaemonSet's controller lacks as many pods as
//! there are such nodes; where it lacks fewer, nobody knows on which, and the DaemonSet is told of.
//! Where they are of files, a node lacks what more than half of those of Linux have. Left out: nodes
//! that are young, leave, are virtual, or whose kubelet is silent; what else than Cilium does its
//! work; versions, because nothing says that of the API server; restarts from before netvitals began.

mod codes;
mod told;

use std::collections::{BTreeMap, BTreeSet};

pub use self::codes::{DOWN, IPVS, MISSING, NO_NODE, NOT_READY, RESTARTING, TOGETHER};
use crate::check::components::PROXIES;
use crate::check::daemon::State;
use crate::check::words::{count, others, some};
use crate::check::{Check, Code, Finding, Layer, Output};
use crate::cluster::{Cluster, Table};
use crate::family::Family;
use crate::model::{
    CiliumConfig, DaemonSet, Fact, Key, KubeProxyConfig, Name, Node, Pod, Skipped, Status,
    Unanswered,
};

/// Looks at the pods of kube-proxy.
pub static CHECK: Check = Check {
    id: "kube_proxy_pods",
    layer: Layer::Service,
    question: "Does kube-proxy run on each node?",
    runbook: "NetvitalsKubeProxyDown",
    needs: &[Node::KIND, Pod::KIND, DaemonSet::KIND],
    wants: &[CiliumConfig::KIND, KubeProxyConfig::KIND],
    families: &[READY.desc()],
    codes: &[&DOWN, &MISSING, &NOT_READY, &RESTARTING, &NO_NODE, &TOGETHER, &IPVS],
    run,
};

static READY: Family<1> = Family::gauge(
    "netvitals_kube_proxy_ready",
    "Whether kube-proxy is ready on a node where it has a pod, or is to have one.",
    ["node"],
);

/// Its DaemonSets, of which a cluster has one for each operating system.
type Sets<'a> = Vec<(&'a Key, &'a DaemonSet)>;

/// Its pods by node.
type Pods<'a> = BTreeMap<&'a Name, Vec<(&'a Key, &'a Pod)>>;

/// How many nodes are how.
#[derive(Default)]
struct Numbers {
    judged: usize,
    ready: usize,
    restarting: usize,
    not_ready: usize,
    missing: usize,
    replaced: usize,
    left_out: usize,
}

impl Numbers {
    /// How many have none, and are to have none.
    fn without(&self) -> usize {
        let others = [self.ready, self.restarting, self.not_ready, self.missing, self.replaced];
        self.judged.saturating_sub(others.iter().sum())
    }
}

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let (nodes, pods) = (cluster.read::<Node>()?, cluster.read::<Pod>()?);
    let all = cluster.read::<DaemonSet>()?;
    let is_proxy = |(_, set): &(&Key, &DaemonSet)| {
        let labels = &set.template.labels;
        let is = |(key, value): &(&str, &str)| labels.get(key).is_some_and(|it| **it == **value);
        set.template.host_network && PROXIES.iter().any(is)
    };
    let sets: Sets<'_> = all.iter().filter(is_proxy).collect();
    let (on_nodes, unscheduled) = proxies(&sets, pods);
    let is_bare = sets.is_empty() && on_nodes.is_empty();
    if is_bare || nodes.iter().all(|(_, node)| node.is_virtual()) {
        if is_bare {
            // What cannot be read may be kube-proxy's.
            all.whole()?;
            pods.whole()?;
        }
        return Err(Skipped::NotApplicable.into());
    }
    out.lacks("DaemonSets", all);
    out.lacks("pods", pods);
    out.lacks("nodes", nodes);
    let cilium = told::cilium(cluster, pods);
    // Where nobody may look, nothing is missed.
    let is_replaced = cilium.is_some() || cluster.can_read(CiliumConfig::KIND).is_err();
    let is_used = |set: &DaemonSet| set.status.desired > 0 || !set.is_observed();
    if on_nodes.is_empty() && !sets.iter().any(|(_, set)| is_used(set)) {
        if !is_replaced {
            for (key, _) in &sets {
                let message = "it is for no node, and nothing that is known does its work: look at \
                               its node selector, and at what your CNI does";
                out.finding(Finding::of::<DaemonSet>(&NO_NODE, (*key).clone(), message));
            }
        }
        let does = if cilium.is_some() { "Cilium does its work" } else { "nothing is judged" };
        out.statement(format!("no node is to have kube-proxy: {does}"));
        return Ok(());
    }
    let mut numbers = Numbers::default();
    let (mut bare, mut bare_left_out) = (Vec::new(), Vec::new());
    for (Key { name, .. }, node) in nodes.iter().filter(|(_, node)| !node.is_virtual()) {
        let hears = node.ready.as_ref().is_some_and(|ready| ready.status != Status::Unknown);
        let here = on_nodes.get(name);
        if !hears || !cluster.is_settled(name, node) {
            numbers.left_out += 1;
            bare_left_out.extend(here.is_none().then_some((name, node)));
            continue;
        }
        numbers.judged += 1;
        let does_cilium = cilium.as_ref().is_some_and(|it| it.nodes.contains(name));
        match here {
            // What does not run beside Cilium is not missed.
            here if does_cilium && !here.is_some_and(|it| it.iter().any(|(_, pod)| pod.ready)) => {
                numbers.replaced += 1;
            }
            Some(here) => present(cluster, out, &mut numbers, name, here),
            None => bare.push((name, node)),
        }
    }
    if sets.is_empty() {
        if !is_replaced {
            lacking_files(out, &mut numbers, nodes, &on_nodes, &mut bare);
        }
    } else {
        for (key, set) in &sets {
            let waiting = unscheduled.get(key).copied().unwrap_or_default();
            lacking_pods(out, &mut numbers, (key, set, waiting), &mut bare, &bare_left_out);
        }
    }
    if let Some(cilium) = &cilium {
        told::together(out, cilium, &on_nodes);
    }
    let mode = told::mode(cluster, out, &sets);
    state(out, &numbers, mode);
    Ok(())
}

/// Says how many nodes are how.
fn state(out: &mut Output, numbers: &Numbers, mode: Option<&str>) {
    let of = some(numbers.judged, "node");
    let mut statement = format!("{} of {of} with a ready kube-proxy", count(numbers.ready));
    statement += &mode.map(|mode| format!(" in mode {mode}")).unwrap_or_default();
    statement += &others([
        (numbers.restarting, "where it begins again and again"),
        (numbers.not_ready, "where it is not ready"),
        (numbers.missing, "where it is missing"),
        (numbers.replaced, "where Cilium does its work"),
        (numbers.without(), "that are to have none"),
        (numbers.left_out, "young, silent or being taken away"),
    ]);
    out.statement(statement);
}

/// Returns its pods by node, and how many of each DaemonSet have no node.
fn proxies<'a>(sets: &Sets<'a>, pods: &'a Table<Pod>) -> (Pods<'a>, BTreeMap<&'a Key, usize>) {
    let (mut on_nodes, mut unscheduled) = (Pods::new(), BTreeMap::new());
    let is_one = |pod: &Pod| pod.host_network && !pod.ended && pod.is_labelled(PROXIES);
    for (key, pod) in pods.iter().filter(|(_, pod)| is_one(pod)) {
        if let Some(node) = &pod.node {
            on_nodes.entry(node).or_default().push((key, pod));
        } else if let Some((set, _)) = sets.iter().find(|(set, _)| pod.is_of(key, set)) {
            *unscheduled.entry(*set).or_default() += 1;
        }
    }
    (on_nodes, unscheduled)
}

/// Judges a node that has one.
fn present(
    cluster: &Cluster,
    out: &mut Output,
    numbers: &mut Numbers,
    node: &Name,
    here: &[(&Key, &Pod)],
) {
    // One that goes is none while its successor is there.
    let stays = |(_, pod): &&(&Key, &Pod)| !pod.terminating;
    let any_stays = here.iter().any(|it| stays(&it));
    let counted = here.iter().filter(|it| !any_stays || stays(it));
    let states = counted.map(|(key, pod)| (State::of(cluster, key, pod), *key, *pod));
    let Some((state, key, pod)) = states.min_by_key(|(state, ..)| *state) else { return };
    let is_ready = matches!(state, State::Ready | State::Restarting);
    out.sample(&READY, [node], f64::from(u8::from(is_ready)));
    let (number, code): (_, Option<&'static Code>) = match state {
        State::Ready => (&mut numbers.ready, None),
        State::Restarting => (&mut numbers.restarting, Some(&RESTARTING)),
        State::NotReady => (&mut numbers.not_ready, Some(&NOT_READY)),
        State::Down => (&mut numbers.not_ready, Some(&DOWN)),
    };
    *number += 1;
    let Some(code) = code else { return };
    let message = format!("{} {}", key.name, state.does(cluster, key, pod));
    let finding = Finding::of_node(code, node, message)
        .with("pod", Some(&key.name))
        .with("pod_namespace", Some(&key.namespace));
    // To delete the pod of a file ends nothing: its kubelet shows it once more.
    let owner = pod.daemon_set.as_ref().and_then(|_| pod.owner());
    out.finding(
        finding
            .with("proxy_namespace", owner.as_ref().map(|_| &key.namespace))
            .with("proxy_pod", owner.as_ref().map(|_| &key.name))
            .with("proxy_owner", owner),
    );
}

/// Takes out of the nodes without a pod those that lack what a DaemonSet is to put there.
fn lacking_pods(
    out: &mut Output,
    numbers: &mut Numbers,
    (key, set, waiting): (&Key, &DaemonSet, usize),
    bare: &mut Vec<(&Name, &Node)>,
    left_out: &[(&Name, &Node)],
) {
    let (desired, current) = (set.status.desired as usize, set.status.current as usize);
    let has = current.saturating_sub(waiting);
    let elsewhere = left_out.iter().filter(|(_, node)| set.fits(node)).count();
    let lacks = desired.saturating_sub(has).saturating_sub(elsewhere);
    let fitting = bare.iter().filter(|(_, node)| set.fits(node)).count();
    if lacks == 0 || fitting == 0 || !set.is_observed() {
        return;
    }
    let of = format!(
        "of its {} pods {} are on a node: look at the events of its DaemonSet",
        count(desired),
        count(has)
    );
    let filled = |finding: Finding| {
        finding
            .with("proxy_namespace", Some(&key.namespace))
            .with("proxy_owner", Some(format!("daemonset/{}", key.name)))
    };
    if fitting > lacks {
        numbers.missing += lacks;
        let message = format!(
            "{} of {} without kube-proxy are to have it: {of}",
            count(lacks),
            some(fitting, "node")
        );
        out.finding(filled(Finding::of::<DaemonSet>(&MISSING, key.clone(), message)));
        return;
    }
    numbers.missing += fitting;
    bare.retain(|(name, node)| {
        let is_lacking = set.fits(node);
        if is_lacking {
            out.sample(&READY, [name], 0.0);
            let message = format!("no kube-proxy is there: {of}");
            out.finding(filled(Finding::of_node(&MISSING, name, message)));
        }
        !is_lacking
    });
}

/// Takes out of the nodes without a pod those that lack what most have from a file.
fn lacking_files(
    out: &mut Output,
    numbers: &mut Numbers,
    nodes: &Table<Node>,
    on_nodes: &Pods<'_>,
    bare: &mut Vec<(&Name, &Node)>,
) {
    let linux: BTreeSet<&Name> =
        nodes.iter().filter(|(_, node)| node.runs_agents()).map(|(key, _)| &key.name).collect();
    let have = linux.iter().filter(|name| on_nodes.contains_key(*name)).count();
    if have * 2 <= linux.len() {
        return;
    }
    bare.retain(|(name, _)| {
        let is_lacking = linux.contains(name);
        if is_lacking {
            numbers.missing += 1;
            out.sample(&READY, [name], 0.0);
            let message = format!(
                "no kube-proxy is there, as it is from a file on {} of {}: look at the kubelet and \
                 its folder of files",
                count(have),
                some(linux.len(), "node")
            );
            out.finding(Finding::of_node(&MISSING, name, message));
        }
        !is_lacking
    });
}

#[cfg(test)]
mod tests;

//! Is one version of the CNI on all nodes, and is it one that somebody looks after?
//!
//! Versions are those of the images that run on nodes, because a DaemonSet says only what is to be.
//! Once its controller has brought its pods to what it says, they are of its own image: a runtime that
//! knows an image by several names may tell another. Of an image without a version (a digest, a build
//! of a day) the label of the DaemonSet counts, else nothing is known, and that is no difference.
//!
//! Several versions are no finding while a rollout moves: within the last hour an agent began on a
//! node that is older than that. A DaemonSet that waits for hands (`OnDelete`) has its own code.
//!
//! Two CNIs are told where both have an agent on the same node, and are no pair that is known to work
//! together; whether one is chained onto the other stands in files of nodes, which nobody reads here.
//!
//! Left out: agents that are not ready, of which `cni_agents` tells; of DaemonSets that nobody knows
//! their differences; what a vendor builds and looks after itself (`support`).

mod codes;
mod support;
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use self::codes::{EOL, MANIFEST, MIXED, ON_DELETE, SEVERAL, UNTESTED};
use self::support::{Support, ended, is_of_old_manifest, tested, together};
use self::version::Version;
use super::identity::{CniSet, Role, sets_on};
use crate::check::age::is_old;
use crate::check::words::{count, others, some};
use crate::check::{Check, Finding, Layer, Output};
use crate::cluster::{Cluster, Table};
use crate::family::Family;
use crate::model::{DaemonContainer, DaemonSet, Fact, Key, Name, Node, Pod, Unanswered};

/// Looks at the images of the CNI's agents.
pub static CHECK: Check = Check {
    id: "cni_versions",
    layer: Layer::Cni,
    question: "Is one version of the CNI on all nodes, and one that is looked after?",
    runbook: "NetvitalsCNIVersionsMixed",
    needs: &[Node::KIND, Pod::KIND, DaemonSet::KIND],
    wants: &[],
    families: &[NODES.desc()],
    codes: &[&MIXED, &ON_DELETE, &SEVERAL, &EOL, &UNTESTED, &MANIFEST],
    run,
};

static NODES: Family<3> = Family::gauge(
    "netvitals_cni_nodes",
    "Nodes with a ready agent of a CNI, by its version and by what is published of that with the \
     node's Kubernetes.",
    ["cni", "version", "support"],
);

/// So long after its last step a rollout stands still.
const STILL: Duration = Duration::from_secs(3600);

/// An agent that is ready.
struct Agent<'a> {
    set: &'a CniSet<'a>,
    pod: &'a Key,
    container: Option<&'a DaemonContainer>,
    node: &'a Name,
    fact: &'a Node,
    version: Option<Version>,
}

impl Agent<'_> {
    fn os(&self) -> &str {
        self.fact.labels.get("kubernetes.io/os").map_or("linux", |os| os)
    }

    fn numbers(&self) -> Option<Version> {
        self.version.map(Version::numbers)
    }

    fn support(&self) -> Support {
        Support::of(self.set.cni, self.version, self.fact.kubelet)
    }

    /// Whether its DaemonSet asks for another one.
    fn is_behind(&self) -> bool {
        !is_over(self.set.set) && self.numbers() != asked(self.set).map(Version::numbers)
    }

    /// Whether a rollout has just brought it.
    fn is_a_step(&self, cluster: &Cluster) -> bool {
        let begun = self.container.filter(|it| it.restarts == 0).and_then(|it| it.started);
        begun.is_some_and(|at| !is_old(cluster, Some(at), STILL))
            && is_old(cluster, self.fact.created, STILL)
    }
}

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let (nodes, pods) = (cluster.read::<Node>()?, cluster.read::<Pod>()?);
    let sets = sets_on(nodes, cluster.read::<DaemonSet>()?, out)?;
    out.lacks("nodes", nodes);
    out.lacks("pods", pods);
    let agents = agents(&sets, nodes, pods);
    samples(out, &agents);
    let moving = mixed(cluster, out, &agents);
    several(out, &agents);
    supported(out, &agents);
    let on = |support: &[Support]| {
        let on = agents.iter().filter(|it| support.contains(&it.support()));
        on.map(|it| it.node).collect::<BTreeSet<_>>().len()
    };
    let seen: BTreeSet<&Name> = agents.iter().map(|agent| agent.node).collect();
    let mut statement = format!("{}: {}", some(seen.len(), "node"), versions(&agents));
    statement += &others([
        (on(&[Support::Untested]), "untested with their Kubernetes"),
        (on(&[Support::Eol]), "where it has reached its end of life"),
        (moving, "that a rollout is bringing to one version"),
    ]);
    out.statement(statement);
    Ok(())
}

/// Returns the agents that are ready, and of which version they are.
fn agents<'a>(
    sets: &'a [CniSet<'a>],
    nodes: &'a Table<Node>,
    pods: &'a Table<Pod>,
) -> Vec<Agent<'a>> {
    let are = |pod: &Pod| pod.daemon.is_some() && pod.ready && !pod.ended && !pod.terminating;
    let agent = |(key, pod): (&'a Key, &'a Pod)| {
        let is_of = |it: &&CniSet<'_>| pod.is_of(key, it.key);
        let (set, node) = (sets.iter().find(is_of)?, pod.node.as_ref()?);
        let fact = nodes.get(&Key::new("", node.clone())).filter(|node| !node.is_virtual())?;
        let container = set.container().and_then(|(name, _)| {
            pod.daemon.as_ref()?.containers.iter().find(|it| it.name == *name)
        });
        let version = if is_over(set.set) {
            asked(set)
        } else {
            container.and_then(|it| Version::of_image(&it.image))
        };
        Some(Agent { set, pod: key, container, node, fact, version })
    };
    pods.iter().filter(|(_, pod)| are(pod)).filter_map(agent).collect()
}

/// Whether every pod of a DaemonSet is of what it says now.
fn is_over(set: &DaemonSet) -> bool {
    let status = set.status;
    set.is_observed() && status.updated >= status.desired && status.misscheduled == 0
}

/// Returns the version that a DaemonSet asks for.
fn asked(set: &CniSet<'_>) -> Option<Version> {
    let label = || Version::of(set.set.labels.get("app.kubernetes.io/version")?);
    set.container().and_then(|(_, image)| Version::of_image(image)).or_else(label)
}

fn samples(out: &mut Output, agents: &[Agent<'_>]) {
    let mut nodes: BTreeMap<_, BTreeSet<&Name>> = BTreeMap::new();
    for agent in agents {
        let by = (agent.set.cni, agent.version, agent.support());
        nodes.entry(by).or_default().insert(agent.node);
    }
    let mut series: BTreeMap<_, usize> = BTreeMap::new();
    for ((cni, version, support), nodes) in nodes {
        let version = version.map_or_else(|| "unknown".to_owned(), |it| it.to_string());
        *series.entry((cni, version, support.as_str())).or_default() += nodes.len();
    }
    for ((cni, version, support), nodes) in series {
        out.sample(&NODES, [cni, &version, support], nodes as f64);
    }
}

/// Returns what runs where: `calico 3.31.2 on 1, 3.32.1 on 2`.
fn versions(agents: &[Agent<'_>]) -> String {
    let mut by: BTreeMap<&str, BTreeMap<Option<Version>, BTreeSet<&Name>>> = BTreeMap::new();
    for agent in agents {
        by.entry(agent.set.cni).or_default().entry(agent.numbers()).or_default().insert(agent.node);
    }
    if by.is_empty() {
        return "no agent of a CNI is ready".into();
    }
    let one = |(cni, versions): (&str, BTreeMap<Option<Version>, BTreeSet<&Name>>)| {
        let one = |(version, nodes): (Option<Version>, BTreeSet<&Name>)| {
            let version = version.map_or_else(|| "of no known version".into(), |it| it.to_string());
            format!("{version} on {}", count(nodes.len() as u64))
        };
        format!("{cni} {}", versions.into_iter().map(one).collect::<Vec<_>>().join(", "))
    };
    by.into_iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Judges versions that differ; returns on how many nodes a rollout moves.
fn mixed(cluster: &Cluster, out: &mut Output, agents: &[Agent<'_>]) -> usize {
    let mut groups: BTreeMap<_, Vec<&Agent<'_>>> = BTreeMap::new();
    let known = |it: &&Agent<'_>| it.version.is_some() && it.set.role != Role::Unknown;
    for agent in agents.iter().filter(known) {
        groups.entry((agent.set.cni, agent.os())).or_default().push(agent);
    }
    let mut moving = 0;
    for ((cni, os), group) in groups {
        let mut by: BTreeMap<Option<Version>, usize> = BTreeMap::new();
        for agent in &group {
            *by.entry(agent.numbers()).or_default() += 1;
        }
        if by.len() < 2 {
            continue;
        }
        // One that is behind, else one of the lowest version.
        let behind = group.iter().find(|it| it.is_behind());
        let Some(behind) = behind.or_else(|| group.iter().min_by_key(|it| it.version)) else {
            continue;
        };
        let set = behind.set.set;
        let waits = set.on_delete && !is_over(set);
        if !waits && group.iter().any(|it| it.is_a_step(cluster)) {
            moving += group.len();
            continue;
        }
        let one = |(version, nodes): (Option<Version>, usize)| {
            format!("{} on {}", version.unwrap_or_default(), some(nodes, "node"))
        };
        let all = by.into_iter().map(one).collect::<Vec<_>>().join(", ");
        let (code, why) = if waits {
            (
                &ON_DELETE,
                "this DaemonSet makes a pod anew only when somebody deletes it: look at its pods",
            )
        } else if is_over(set) {
            (&MIXED, "its DaemonSets ask for different ones: look at their images")
        } else {
            (&MIXED, "the rollout of this DaemonSet stands still: look at its events")
        };
        let message = format!("the agents of {cni} on {os} are not of one version, {all}: {why}");
        out.finding(
            Finding::of::<DaemonSet>(code, behind.set.key.clone(), message)
                .with("cni_namespace", Some(&behind.pod.namespace))
                .with("cni_pod", Some(&behind.pod.name)),
        );
    }
    moving
}

/// Judges CNIs that are on the same node.
fn several(out: &mut Output, agents: &[Agent<'_>]) {
    let mut by_node: BTreeMap<&Name, BTreeMap<&Key, &CniSet<'_>>> = BTreeMap::new();
    for agent in agents.iter().filter(|it| it.set.role == Role::Primary) {
        by_node.entry(agent.node).or_default().insert(agent.set.key, agent.set);
    }
    let mut pairs: BTreeMap<(&Key, &Key), (usize, [&CniSet<'_>; 2])> = BTreeMap::new();
    for sets in by_node.values() {
        for (at, one) in sets.values().enumerate() {
            for other in sets.values().skip(at + 1).filter(|it| !together(one.cni, it.cni)) {
                let pair = pairs.entry((one.key, other.key)).or_insert((0, [one, other]));
                pair.0 += 1;
            }
        }
    }
    for (nodes, pair) in pairs.into_values() {
        // The older one is more often what was left behind.
        let [mut old, mut new] = pair;
        if new.set.created < old.set.created {
            std::mem::swap(&mut old, &mut new);
        }
        let words = if old.cni == new.cni {
            format!("{} is there twice, also as DaemonSet {}", old.cni, new.key)
        } else {
            format!("{} is there and so is {}, as DaemonSet {}", old.cni, new.cni, new.key)
        };
        let message = format!(
            "{words}, and both have an agent on {}: look at which of them is to be",
            some(nodes, "node")
        );
        out.finding(Finding::of::<DaemonSet>(&SEVERAL, old.key.clone(), message));
    }
}

/// Judges versions by what is published of them.
fn supported(out: &mut Output, agents: &[Agent<'_>]) {
    type Seen<'a> = (&'a CniSet<'a>, BTreeMap<u16, usize>);
    let mut by: BTreeMap<(&Key, Option<Version>), Seen<'_>> = BTreeMap::new();
    for agent in agents {
        let (_, on) = by
            .entry((agent.set.key, agent.version))
            .or_insert_with(|| (agent.set, BTreeMap::new()));
        if let Some((1, minor)) = agent.fact.kubelet {
            *on.entry(minor).or_default() += 1;
        }
    }
    for ((key, version), (set, on)) in by {
        let (Some(version), cni) = (version, set.cni) else { continue };
        let newest = on.keys().next_back().copied().unwrap_or_default();
        let is_old = is_of_old_manifest(cni, version, newest);
        let again = "its manifest cannot be applied to Kubernetes 1.25 and later any more";
        let (code, message) = if let Some(ended) = ended(cni, version) {
            let again = if is_old { format!(", and {again}") } else { String::new() };
            let words = format!(
                "{cni} {version} has reached its end of life ({}, as of {}){again}: look at {}",
                ended.why, ended.as_of, ended.source
            );
            (&EOL, words)
        } else if is_old {
            let words = format!(
                "{cni} {version} runs on, and {again}, because of its PodSecurityPolicy: look at \
                 what it is installed from"
            );
            (&MANIFEST, words)
        } else {
            let Some(row) = tested(cni, version) else { continue };
            let not: Vec<u16> =
                on.keys().filter(|it| !row.kubernetes.contains(it)).copied().collect();
            if not.is_empty() {
                continue;
            }
            let nodes: usize = not.iter().filter_map(|it| on.get(it)).sum();
            let not: Vec<String> = not.iter().map(|minor| format!("1.{minor}")).collect();
            let words = format!(
                "{cni} {version} is tested with Kubernetes 1.{} to 1.{} as of {}, and {} with {}: \
                 look at {}",
                row.kubernetes.start(),
                row.kubernetes.end(),
                row.as_of,
                some(nodes, "node") + if nodes == 1 { " is" } else { " are" },
                not.join(", "),
                row.source
            );
            (&UNTESTED, words)
        };
        out.finding(Finding::of::<DaemonSet>(code, key.clone(), message));
    }
}

#[cfg(test)]
mod tests;

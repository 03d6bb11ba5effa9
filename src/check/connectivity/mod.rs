//! Connectivity: whether nodes reach nodes, and pods reach pods.

mod mesh;
pub mod node_reachability;
pub mod pod_reachability;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use self::mesh::Judgement;
use super::components::Components;
use super::observers::Observers;
use super::words::{count, some};
use super::{Code, Finding, Output};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{Key, Name, Namespace};

/// At most this many names stand in a message.
const NAMES: usize = 5;

/// How one check says what a mesh shows.
struct Words {
    observers: &'static Family<1>,
    failing: &'static Family<1>,
    unreachable: &'static Code,
    one_way: &'static Code,
    nobody_left: &'static Code,
    /// Where to look when a node reaches no other, and when none is left to say whose fault it is.
    next: &'static str,
}

/// Says what is wrong; `next` is where to look when a node is not reached.
fn tell(
    cluster: &Cluster,
    out: &mut Output,
    judgement: &Judgement,
    words: &Words,
    next: impl Fn(&Name) -> String,
) {
    let components = Components::of(cluster);
    let named = |finding| components.name_cni(finding);
    for (node, observers) in &judgement.observers {
        out.sample(words.observers, [node], observers.all as f64);
        out.sample(words.failing, [node], observers.failing as f64);
        if judgement.unreachable.contains(node) {
            let message = format!(
                "{} of {} observers do not reach it: {}",
                observers.failing,
                observers.all,
                next(node)
            );
            out.finding(named(Finding::of_node(words.unreachable, node, message)));
        }
    }
    for node in &judgement.one_way {
        let message = format!("it reaches hardly any other, and others reach it: {}", words.next);
        out.finding(named(Finding::of_node(words.one_way, node, message)));
    }
    if !judgement.quarrel.is_empty() {
        let key = Key::new("", cluster.settings().namespace.clone());
        let nodes = list(&judgement.quarrel);
        let message = format!("these do not reach each other: {nodes}: {}", words.next);
        out.finding(named(Finding::of::<Namespace>(words.nobody_left, key, message)));
    }
    let paths = |of: fn(&Observers) -> usize| judgement.observers.values().map(of).sum::<usize>();
    let (all, failing) = (paths(|it| it.all), paths(|it| it.failing));
    let reached = judgement.observers.len() - judgement.unreachable.len();
    out.statement(format!(
        "{} of {} reached, on {} of {}",
        count(reached),
        some(judgement.observers.len(), "node"),
        count(all - failing),
        some(all, "path")
    ));
}

/// Names the first few.
fn list(names: &BTreeSet<Name>) -> String {
    let first: Vec<&str> = names.iter().take(NAMES).map(|name| &**name).collect();
    let more = names.len().saturating_sub(NAMES);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", first.join(", "))
}

/// An agent's pod that is replaced fails for as long as the others' plans are old.
const GRACE: u64 = 30;

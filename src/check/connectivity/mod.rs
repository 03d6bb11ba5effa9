//! Connectivity: whether nodes reach nodes, and pods reach pods.

mod mesh;
pub mod node_reachability;
pub mod pod_reachability;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use self::mesh::Judgement;
use super::{Code, Finding, Output, Remedy, Severity};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{Fact, Key, Name, Namespace, Node, Object};

/// At most this many names stand in a message.
const NAMES: usize = 5;

/// How one check says what a mesh shows.
struct Words {
    observers: &'static Family<1>,
    failing: &'static Family<1>,
    unreachable: &'static Code,
    one_way: &'static Code,
    nobody_left: &'static Code,
    /// Where to look when a node reaches nobody, and when nobody is left.
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
            out.finding(about(words.unreachable, node, message));
        }
    }
    for node in &judgement.one_way {
        let message = format!("it reaches hardly any other, and others reach it: {}", words.next);
        out.finding(about(words.one_way, node, message));
    }
    if !judgement.quarrel.is_empty() {
        let key = Key::new("", cluster.settings().namespace.clone());
        out.finding(Finding {
            code: words.nobody_left,
            subject: Object { kind: Namespace::KIND, key },
            node: None,
            message: format!(
                "these do not reach each other: {}: {}",
                list(&judgement.quarrel),
                words.next
            ),
        });
    }
}

fn about(code: &'static Code, node: &Name, message: String) -> Finding {
    let subject = Object { kind: Node::KIND, key: Key::new("", node.clone()) };
    Finding { code, subject, node: Some(node.clone()), message }
}

/// Names the first few.
fn list(names: &BTreeSet<Name>) -> String {
    let first: Vec<&str> = names.iter().take(NAMES).map(|name| &**name).collect();
    let more = names.len().saturating_sub(NAMES);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", first.join(", "))
}

const fn code(
    id: &'static str,
    severity: Severity,
    explain: &'static str,
    remedies: &'static [Remedy],
) -> Code {
    // An agent's pod that is replaced fails for as long as the others' plans are old.
    Code { id, severity, grace: Duration::from_secs(30), explain, remedies }
}

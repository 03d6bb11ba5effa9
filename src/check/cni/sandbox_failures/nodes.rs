//! Pods that wait on a node: each by itself, or together as what is wrong with the node.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::codes::{NETWORK, NODE_FAILING, NOT_NETWORK, WAITING};
use super::words::{fitting, is_mended_by_cni, words};
use super::{Cause, Cluster, Components, Finding, Node, Output, Pod, SandboxFailure, Waiter};
use super::{count, sandboxes};
use crate::model::{Name, Status};

/// Finds what is wrong with a node, or with the pods on it that wait.
pub(super) fn tell(
    cluster: &Cluster,
    out: &mut Output,
    (name, node): (&Name, &Node),
    waiters: &[Waiter<'_>],
) {
    let components = OnceCell::new();
    let finish = |finding: Finding, class| {
        let finding = fitting(finding.on(name), class, name);
        if is_mended_by_cni(class) {
            components.get_or_init(|| Components::of(cluster)).name_cni(finding)
        } else {
            finding
        }
    };
    let failing = failing(cluster, (name, node), waiters);
    if let Some((class, pods)) = &failing {
        let (is, next) = words(*class);
        let message = format!(
            "it is Ready, and none of the {} pods that came last gets its network: {is} ({}): {next}",
            count(pods.len() as u64),
            class.as_str()
        );
        let finding = Finding::of_node(&NODE_FAILING, name, message);
        let first = pods.first().map(|it| it.key);
        let finding = finding
            .with("pod_namespace", first.map(|key| &key.namespace))
            .with("pod", first.map(|key| &key.name));
        out.finding(finish(finding, *class));
    }
    for waiter in waiters {
        let (code, message, class) = match waiter.cause {
            Cause::Network(_) if failing.is_some() => continue,
            Cause::Network(class) => {
                let (is, next) = words(class);
                let class_name = class.as_str();
                let message =
                    format!("on {name} it waits for its network: {is} ({class_name}): {next}");
                (&NETWORK, message, class)
            }
            Cause::Volume => {
                let message = format!("on {name} it waits for a volume: look at its events");
                (&NOT_NETWORK, message, SandboxFailure::NotNetwork)
            }
            Cause::Runtime => {
                let message = format!(
                    "on {name} its runtime makes no sandbox, and not for the network: look at its \
                     events"
                );
                (&NOT_NETWORK, message, SandboxFailure::NotNetwork)
            }
            Cause::Unknown => {
                let message = format!(
                    "on {name} it has no address yet, and no event says what it waits for: look at \
                     its images and claims, then at the log of the kubelet"
                );
                (&WAITING, message, SandboxFailure::Other)
            }
        };
        out.finding(finish(Finding::of::<Pod>(code, waiter.key.clone(), message), class));
    }
}

/// Returns what most of the pods say that show a node to fail, and these.
fn failing<'a, 'w>(
    cluster: &Cluster,
    (name, node): (&Name, &Node),
    waiters: &'w [Waiter<'a>],
) -> Option<(SandboxFailure, Vec<&'w Waiter<'a>>)> {
    if !node.ready.as_ref().is_some_and(|ready| ready.status == Status::True) {
        return None;
    }
    let known = sandboxes(cluster);
    let started = known.started(name).map(|at| at.uptime);
    // What waits since before another began has a reason of its own.
    let came_since = |waiter: &&Waiter<'_>| {
        let since = known.since(waiter.key).map(|at| at.uptime);
        started.is_none_or(|started| since.is_some_and(|since| since >= started))
    };
    let class = |waiter: &Waiter<'_>| match waiter.cause {
        Cause::Network(class) => Some(class),
        _ => None,
    };
    let pods: Vec<&Waiter<'_>> =
        waiters.iter().filter(|it| class(it).is_some()).filter(came_since).collect();
    let mut numbers: BTreeMap<SandboxFailure, usize> = BTreeMap::new();
    for class in pods.iter().filter_map(|it| class(it)) {
        *numbers.entry(class).or_default() += 1;
    }
    let mostly = numbers.iter().max_by_key(|(_, number)| **number).map(|(class, _)| *class)?;
    let workload = |it: &Waiter<'_>| {
        let owner = it.pod.owner().unwrap_or_else(|| it.key.to_string());
        (it.key.namespace.clone(), owner)
    };
    let first = workload(pods[0]);
    let many = pods.len() > 1
        && (mostly.is_of_node() || pods.iter().any(|waiter| workload(waiter) != first));
    many.then_some((mostly, pods))
}

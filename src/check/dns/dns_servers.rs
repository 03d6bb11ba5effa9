//! Is there a DNS server that serves the cluster?
//!
//! Before any query is asked: the DNS Service, the pods that it selects, and where it leads. It says
//! why nobody answers, and that a single failure is enough for that, while all is still well.
//!
//! Left out: a pod that is ready and answers wrongly, which only queries show; how many replicas a
//! load wants; what is behind a Service without a selector, but whether it leads anywhere; caches on
//! the nodes, which ask these servers.

mod codes;
mod nodes;

use std::collections::BTreeSet;

pub use self::codes::{
    CRASHING, ELSEWHERE, NO_ENDPOINTS, NODE_NOT_READY, NONE, NONE_READY, NOT_READY, ONE_NODE,
    PENDING, SINGLE,
};
use self::nodes::Nodes;
use super::pods::{Pods, endpoints, service};
use super::queries::{ENOUGH, answered};
use crate::check::words::{count, some};
use crate::check::{Check, Code, Finding, Layer, Output};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{EndpointSlice, Fact, Key, Name, Node, Pod, Service, Stuck, Unanswered};

/// Looks at the pods behind the DNS Service.
pub static CHECK: Check = Check {
    id: "dns_servers",
    layer: Layer::Dns,
    question: "Is there a DNS server that serves the cluster?",
    runbook: "NetvitalsDNSServersDown",
    needs: &[Service::KIND, Pod::KIND, EndpointSlice::KIND],
    wants: &[Node::KIND],
    families: &[SERVERS.desc()],
    codes: &[
        &NONE,
        &NONE_READY,
        &NO_ENDPOINTS,
        &CRASHING,
        &PENDING,
        &NOT_READY,
        &NODE_NOT_READY,
        &SINGLE,
        &ONE_NODE,
        &ELSEWHERE,
    ],
    run,
};

static SERVERS: Family<1> = Family::gauge(
    "netvitals_dns_servers",
    "Pods behind the DNS Service by state; of one that selects no pods, what it leads to.",
    ["state"],
);

/// What a server does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Ready,
    /// Its node is not ready, whatever it says itself.
    NodeNotReady,
    NotReady,
    CrashLooping,
    /// It has no node, no address, or a container that cannot begin.
    Pending,
}

/// A pod behind the Service that is there to stay.
struct Server<'a> {
    name: &'a Name,
    pod: &'a Pod,
    state: State,
}

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let key = &cluster.settings().dns_service;
    let service = service(cluster)?;
    let leads_to = endpoints(cluster, key)?;
    let dns = Pods::of(cluster, key);
    if !service.has_controller() {
        out.sample(&SERVERS, [State::Ready.as_str()], leads_to as f64);
        out.statement(format!("{} of a Service without a selector", some(leads_to, "endpoint")));
        if leads_to == 0 {
            let next = "look at what writes its EndpointSlices";
            unserved(
                cluster,
                &dns,
                out,
                &NO_ENDPOINTS,
                "it selects no pod, and has no endpoint",
                next,
            );
        }
        return Ok(());
    }
    let nodes = cluster.read::<Node>().ok().map(|nodes| Nodes { cluster, nodes });
    let behind = cluster.read::<Pod>()?.namespace(&key.namespace)?;
    let mut servers: Vec<Server<'_>> = behind
        .filter(|(_, pod)| !pod.ended && !pod.terminating && service.selects(pod))
        .map(|(key, pod)| Server { name: &key.name, pod, state: State::of(pod, nodes.as_ref()) })
        .collect();
    servers.sort_by_key(|it| it.name);
    let number = |state| servers.iter().filter(|it| it.state == state).count();
    for state in State::ALL {
        out.sample(&SERVERS, [state.as_str()], number(state) as f64);
    }
    let summary = summary(&servers);
    if servers.is_empty() {
        let next = "look at what makes its pods";
        unserved(cluster, &dns, out, &NONE, "it selects no pod that is there", next);
    } else if number(State::Ready) == 0 {
        let message = format!("{summary}: look at the log of the DNS pods, and at their events");
        out.finding(about(&dns, key, &NONE_READY, message));
    } else if leads_to == 0 {
        let message = format!("{summary}, and no EndpointSlice has one: look at its ports");
        out.finding(about(&dns, key, &NO_ENDPOINTS, message));
    }
    out.statement(summary);
    failing(key, &dns, out, &servers, nodes.as_ref());
    if let Some(nodes) = &nodes {
        fragile(key, &dns, out, &servers, nodes);
    }
    Ok(())
}

/// Says how many serve, from how many nodes, and what the others do.
fn summary(servers: &[Server<'_>]) -> String {
    let of = |state| servers.iter().filter(move |it| it.state == state);
    let on: BTreeSet<&Name> = of(State::Ready).filter_map(|it| it.pod.node.as_ref()).collect();
    let mut text = format!(
        "{} of {} ready",
        count(of(State::Ready).count() as u64),
        some(servers.len(), "DNS pod")
    );
    if !on.is_empty() {
        text += &format!(" on {}", some(on.len(), "node"));
    }
    for state in &State::ALL[1..] {
        match of(*state).count() {
            0 => {}
            others => text += &format!(", {} {}", count(others as u64), state.words()),
        }
    }
    text
}

/// Says that nothing is there; an info where every query is answered nevertheless.
fn unserved(
    cluster: &Cluster,
    dns: &Pods,
    out: &mut Output,
    code: &'static Code,
    what: &str,
    next: &str,
) {
    let key = &cluster.settings().dns_service;
    let asked = answered(cluster);
    let finding = if asked.attempts >= ENOUGH && asked.failures == 0 {
        let message = format!(
            "{what}, and all {} queries are answered: look at what the nameserver of the pods is",
            count(asked.attempts)
        );
        about(dns, key, &ELSEWHERE, message)
    } else {
        about(dns, key, code, format!("{what}: {next}"))
    };
    out.finding(finding.with("replicas", Some(2)));
}

/// Names each server that does not serve, but on nodes that come or go.
fn failing(
    key: &Key,
    dns: &Pods,
    out: &mut Output,
    servers: &[Server<'_>],
    nodes: Option<&Nodes<'_>>,
) {
    for Server { name, pod, state } in servers {
        let Some((code, message)) = state.finding(pod) else { continue };
        let node = pod.node.as_ref();
        if node.zip(nodes).is_some_and(|(node, nodes)| !nodes.is_settled(node)) {
            continue;
        }
        let pod = Key { namespace: key.namespace.clone(), name: (*name).clone() };
        let finding = Finding::of::<Pod>(code, pod, message);
        out.finding(dns.name(match node {
            Some(node) => finding.on(node),
            None => finding,
        }));
    }
}

/// Says that one failure more is enough, where it need not be.
fn fragile(key: &Key, dns: &Pods, out: &mut Output, servers: &[Server<'_>], nodes: &Nodes<'_>) {
    let on: Vec<&Name> = servers
        .iter()
        .filter(|it| it.state == State::Ready)
        .filter_map(|it| it.pod.node.as_ref())
        .collect();
    let Some(first) = on.first() else { return };
    let room = nodes.with_room(first);
    if room < 2 {
        return;
    }
    if let [only] = servers {
        let message = format!(
            "{} on {first} is the only DNS pod, and {} could have one: look at how many replicas \
             it is to have",
            only.name,
            some(room, "node")
        );
        let finding = Finding::of::<Service>(&SINGLE, key.clone(), message);
        // A DaemonSet has as many as its nodes are.
        out.finding(if only.pod.daemon_set.is_some() {
            dns.name_without_owner(finding)
        } else {
            dns.name(finding).with("replicas", Some(2))
        });
    } else if on.len() > 1 && on.iter().all(|node| node == first) {
        let message = format!(
            "all {} ready DNS pods are on {first}, and {} could have one: look at how its pods are \
             spread",
            on.len(),
            some(room, "node")
        );
        out.finding(about(dns, key, &ONE_NODE, message));
    }
}

fn about(dns: &Pods, key: &Key, code: &'static Code, message: String) -> Finding {
    dns.name(Finding::of::<Service>(code, key.clone(), message))
}

impl State {
    const ALL: [Self; 5] =
        [Self::Ready, Self::NodeNotReady, Self::NotReady, Self::CrashLooping, Self::Pending];

    fn of(pod: &Pod, nodes: Option<&Nodes<'_>>) -> Self {
        let node = pod.node.as_ref().zip(nodes);
        if node.is_some_and(|(node, nodes)| nodes.is_down(node)) {
            return Self::NodeNotReady;
        }
        match pod.stuck {
            _ if pod.ready => Self::Ready,
            Some(Stuck::Crashing) => Self::CrashLooping,
            Some(Stuck::Image | Stuck::Unmade) => Self::Pending,
            None if pod.node.is_none() || pod.addresses.is_empty() => Self::Pending,
            None => Self::NotReady,
        }
    }

    /// The label value.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NodeNotReady => "node_not_ready",
            Self::NotReady => "not_ready",
            Self::CrashLooping => "crash_looping",
            Self::Pending => "pending",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NodeNotReady => "on a node that is not",
            Self::NotReady => "not ready",
            Self::CrashLooping => "crash looping",
            Self::Pending => "pending",
        }
    }

    fn finding(self, pod: &Pod) -> Option<(&'static Code, &'static str)> {
        Some(match (self, pod.stuck) {
            (Self::Ready, _) => return None,
            (Self::NodeNotReady, _) => (&NODE_NOT_READY, "its node is not ready: look at the node"),
            (Self::NotReady, _) => (&NOT_READY, "runs and is not ready: look at its log"),
            (Self::CrashLooping, _) => {
                (&CRASHING, "ends again and again: look at the log of its last end")
            }
            (Self::Pending, Some(Stuck::Image)) => {
                (&PENDING, "its image cannot be pulled: look at its events")
            }
            (Self::Pending, Some(_)) => {
                (&PENDING, "its container cannot be made: look at its events")
            }
            (Self::Pending, None) if pod.node.is_none() => {
                (&PENDING, "no node takes it: look at its events")
            }
            (Self::Pending, None) => (&PENDING, "has no address yet: look at its events"),
        })
    }
}

#[cfg(test)]
mod tests;

//! Do Services answer where their endpoints do?
//!
//! Each node rewrites a Service's address to one of its endpoints. When the endpoints answer
//! directly and the address does not, that rewriting is broken: kube-proxy or what replaces it,
//! on this node or on all. It reads observations only: an API outage must not blind it.
//!
//! Left out: Services whose endpoints do not answer either, because then the fault lies behind
//! them; agents that reach no other node; parts of a Service's connections, of which a dead
//! endpoint takes its share.

mod codes;
mod sight;

use std::collections::{BTreeMap, BTreeSet};

pub use self::codes::{NODE_BROKEN, ONLY_BY_SERVICE, UNREACHABLE};
use self::sight::{Port, Sight, View};
use crate::check::components::Components;
use crate::check::observers::Observers;
use crate::check::words::{count, some};
use crate::check::{Check, Code, Finding, Layer, Output};
use crate::cluster::Cluster;
use crate::cluster::agents::Agents;
use crate::family::Family;
use crate::model::{
    Failure, Key, Name, Observation, Reached, Service, Unanswered, Unknown, Vantage, Window,
};

/// Judges connections to Services by those to their endpoints.
pub static CHECK: Check = Check {
    id: "service_reachability",
    layer: Layer::Service,
    question: "Do Services answer where their endpoints do?",
    runbook: "NetvitalsServiceUnreachable",
    needs: &[],
    wants: &[],
    families: &[OBSERVERS.desc(), FAILING.desc()],
    codes: &[&NODE_BROKEN, &UNREACHABLE, &ONLY_BY_SERVICE],
    run,
};

static OBSERVERS: Family<3> = Family::gauge(
    "netvitals_service_observers",
    "Agents that a Service or an endpoint of it answers, without those on broken nodes.",
    ["namespace", "service", "port"],
);

static FAILING: Family<3> = Family::gauge(
    "netvitals_service_failing_observers",
    "Agents that mostly fail to reach a Service, of netvitals_service_observers.",
    ["namespace", "service", "port"],
);

/// What agents see of the ports of Services, by node.
type Sights<'a> = BTreeMap<&'a Name, BTreeMap<Port<'a>, Sight>>;

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let gap = &mut |why| out.gap("agents", why);
    let agents = Agents::of(cluster).believed(Vantage::Pod, rows, |by| by.tcp, gap)?.words;
    let sights: Sights<'_> = agents
        .into_iter()
        .filter(|(_, rows)| !sight::is_cut_off(rows))
        .map(|(node, rows)| (node, sight::all(rows)))
        .collect();
    if sights.is_empty() {
        return Err(Unknown::CutOff.into());
    }
    let ports: BTreeSet<Port<'_>> = sights.values().flat_map(BTreeMap::keys).copied().collect();
    if ports.is_empty() {
        return Err(Unknown::TooFewSamples.into());
    }
    let broken = broken(&sights);
    let components = Components::of(cluster);
    for node in &broken {
        out.finding(components.name_proxy(tell_node(node, &sights[node])));
    }
    let all = ports.len();
    let believed: Vec<_> =
        sights.iter().filter(|(node, _)| !broken.contains(*node)).map(|(_, it)| it).collect();
    let mut unreachable: BTreeMap<&Key, Vec<(u16, Observers, Window)>> = BTreeMap::new();
    let mut only_by_service: BTreeMap<&Key, Vec<(u16, Observers, Window)>> = BTreeMap::new();
    for (service, port) in ports {
        let of_port = || believed.iter().filter_map(|it| it.get(&(service, port)));
        let (observers, window) = sum(of_port(), View::Broken);
        let labels = [&*service.namespace, &*service.name, &*port.to_string()];
        out.sample(&OBSERVERS, labels, observers.all as f64);
        out.sample(&FAILING, labels, observers.failing as f64);
        if observers.agree() {
            unreachable.entry(service).or_default().push((port, observers, window));
        }
        let (observers, window) = sum(of_port(), View::OnlyByService);
        if observers.agree() {
            only_by_service.entry(service).or_default().push((port, observers, window));
        }
    }
    let failing = unreachable.values().map(Vec::len).sum::<usize>();
    for (service, ports) in unreachable {
        let words = "fails while its endpoints answer, for";
        let next = "look at kube-proxy's log and at the Service";
        let finding = tell_service(&UNREACHABLE, service, &ports, words, next);
        out.finding(components.name_proxy(finding));
    }
    for (service, ports) in only_by_service {
        let words = "answers while none of its endpoints does directly, for";
        let next = "look at the policies that select its pods";
        out.finding(tell_service(&ONLY_BY_SERVICE, service, &ports, words, next));
    }
    out.statement(format!(
        "{} of {} of Services reached, from {} of {}",
        count(all - failing),
        some(all, "port"),
        count(believed.len()),
        some(sights.len(), "node")
    ));
    Ok(())
}

/// Returns what an agent attempts of Services and other nodes.
fn rows(said: &Observation) -> Result<&[Reached], Unanswered> {
    let rows = said.reach()?;
    let why = said.unasked(rows.iter().filter(|row| sight::is_service(row)));
    why.map_or(Ok(rows), |why| Err(why.into()))
}

/// Counts the agents that see `view` of one port, of those that can tell.
fn sum<'a>(sights: impl Iterator<Item = &'a Sight>, view: View) -> (Observers, Window) {
    let (mut observers, mut window) = (Observers::default(), Window::default());
    for sight in sights {
        let seen = sight.view();
        let tells = match view {
            View::Broken => seen != View::Neither,
            _ => sight.has_endpoints(),
        };
        if tells {
            observers.add(seen == view);
            window.add(&sight.service);
        }
    }
    (observers, window)
}

/// Returns the nodes on which most Services fail while they work on others.
fn broken<'a>(sights: &Sights<'a>) -> BTreeSet<&'a Name> {
    let share = |ports: &BTreeMap<Port<'_>, Sight>| sum(ports.values(), View::Broken).0;
    let is_broken = |it: Observers| 2 * it.failing > it.all;
    let (broken, fine): (Vec<_>, Vec<_>) = sights
        .iter()
        .map(|(node, ports)| (*node, share(ports)))
        .filter(|(_, share)| share.all > 0)
        .partition(|(_, share)| is_broken(*share));
    if fine.is_empty() {
        // The same Services fail everywhere: it is them, or every node.
        return BTreeSet::new();
    }
    // One Service alone does not tell its fault from the node's; how other nodes see it does.
    let is_its_own = |node: &Name| {
        sights[node].keys().any(|port| {
            let of_port = sights.values().filter_map(|ports| ports.get(port));
            sum(of_port, View::Broken).0.agree()
        })
    };
    let broken = broken.into_iter().filter(|(node, it)| it.all > 1 || !is_its_own(node));
    broken.map(|(node, _)| node).collect()
}

fn tell_node(node: &Name, ports: &BTreeMap<Port<'_>, Sight>) -> Finding {
    let (Observers { all, failing }, _) = sum(ports.values(), View::Broken);
    let mut window = Window::default();
    let failed = ports.iter().filter(|(_, sight)| sight.view() == View::Broken);
    let first = failed.clone().next().map(|((service, port), _)| format!("{service}:{port}"));
    failed.for_each(|(_, sight)| window.add(&sight.service));
    Finding::of_node(
        &NODE_BROKEN,
        node,
        format!(
            "{failing} of {all} ports of Services fail from it while their endpoints answer, \
             first {}, mostly with {}: {}",
            first.unwrap_or_default(),
            window.mostly.map_or("an unnamed reason", Failure::as_str),
            match window.mostly {
                // An address without endpoints is refused, one without rules leads nowhere.
                Some(Failure::Refused) => {
                    "kube-proxy on it has outdated endpoints, look at its log"
                }
                _ => "look at whether kube-proxy runs on it, and at its rules",
            }
        ),
    )
}

fn tell_service(
    code: &'static Code,
    service: &Key,
    ports: &[(u16, Observers, Window)],
    words: &str,
    next: &str,
) -> Finding {
    let (port, Observers { all, failing }, window) = ports[0];
    let reason = window.mostly.filter(|_| code.id == UNREACHABLE.id);
    let reason = reason.map_or_else(String::new, |why| format!(", mostly with {}", why.as_str()));
    let message = format!("port {port} {words} {failing} of {all} agents{reason}: {next}");
    Finding::of::<Service>(code, service.clone(), message)
}

#[cfg(test)]
mod tests;

//! May pods that policies isolate still ask cluster DNS?
//!
//! Whoever closes egress and forgets DNS breaks every name for those pods, and sees time-outs. What
//! is asked are the pods behind the DNS Service on their own ports, as policies mean it, not the
//! Service. Pods that may send nothing at all may be meant so, and are a note.
//!
//! A wrong "blocked" costs trust, and a wrong "allowed" more. Where the API leaves open what an
//! engine does, where a cache or a cloud's resolver on the node answers in the place of the DNS
//! pods, or where nothing that is known to enforce policies is here, what is uncertain is a gap.
//!
//! Left out: pods on their nodes' own network, and those that ask another DNS; what policies of the
//! DNS pods let in; policies of other APIs (of Calico, Cilium, Antrea, AdminNetworkPolicy), which
//! nothing reads: they may let through what is told here, and keep away what is not.

mod codes;
mod judging;
mod opening;
mod servers;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use self::codes::{BLOCKED, CLOSED, PARTLY_BLOCKED, TCP_BLOCKED};
use self::judging::{Judged, Lets, View};
use self::opening::opening;
use self::servers::Servers;
use super::WANTS;
use super::engines::{Enforced, Engines};
use super::foreign::foreign;
use super::isolated::Isolated;
use crate::check::words::{count, some};
use crate::check::{Check, Finding, Layer, Output};
use crate::cluster::{Cluster, Table};
use crate::family::Family;
use crate::model::{Fact, Key, Name, Namespace, NetworkPolicy, Pod, Protocol, Service, Unanswered};
use crate::policy::{Direction, Policies};

/// Judges what isolated pods may send to the pods behind the DNS Service.
pub static CHECK: Check = Check {
    id: "policy_dns_egress",
    layer: Layer::Policy,
    question: "May pods that policies isolate still ask cluster DNS?",
    runbook: "NetvitalsDNSBlockedByPolicy",
    needs: &[NetworkPolicy::KIND, Pod::KIND, Service::KIND],
    wants: &WANTS,
    families: &[PODS.desc()],
    codes: &[&BLOCKED, &PARTLY_BLOCKED, &TCP_BLOCKED, &CLOSED],
    run,
};

static PODS: Family<1> = Family::gauge(
    "netvitals_policy_dns_egress_pods",
    "Pods that ask cluster DNS, by what policies let them; a closed one may send nothing at all.",
    ["verdict"],
);

/// Pods of which one thing is told.
struct Kept<'a> {
    number: usize,
    /// One of them.
    pod: &'a Name,
    /// The policies besides the one that is named.
    others: BTreeSet<&'a Key>,
}

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let (pods, table) = (cluster.read::<Pod>()?, cluster.read::<NetworkPolicy>()?);
    out.lacks("pods", pods);
    let isolated = Isolated::of(table, Direction::Egress);
    // Without a policy nothing depends on what DNS is.
    let view = if isolated.is_empty() { None } else { Some(view(cluster, pods, table)?) };
    let mut judged: HashMap<usize, Judged<'_>> = HashMap::new();
    let mut numbers: BTreeMap<Lets, usize> = Lets::ALL.into_iter().map(|it| (it, 0)).collect();
    let mut kept: BTreeMap<(&Key, Lets), Kept<'_>> = BTreeMap::new();
    let mut undecided = None;
    for (key, pod) in pods.iter().filter(|(_, pod)| asks(pod)) {
        let Some(view) = view.as_ref().filter(|_| isolated.has(&key.namespace)) else {
            *numbers.entry(Lets::All).or_default() += 1;
            continue;
        };
        let group = view.policies.group(&key.namespace, &pod.labels);
        let known = judged.entry(group).or_insert_with(|| view.judge(&key.namespace, pod));
        *numbers.entry(known.lets).or_default() += 1;
        if let Some((part, why)) = known.gap {
            out.gap(part, why);
            undecided = undecided.or(Some(key));
        }
        if let (Some(_), [policy, others @ ..]) = (known.lets.code(), &known.by[..]) {
            let new = || Kept { number: 0, pod: &key.name, others: BTreeSet::new() };
            let kept = kept.entry((*policy, known.lets)).or_insert_with(new);
            kept.number += 1;
            kept.others.extend(others);
        }
    }
    for (lets, number) in &numbers {
        out.sample(&PODS, [lets.as_str()], *number as f64);
    }
    let mut text = statement(&numbers, undecided);
    if view.as_ref().is_some_and(|view| view.engines.enforced() == Enforced::No) {
        text += ": nothing enforces policies here";
    }
    out.statement(text);
    if let Some(view) = &view {
        for ((policy, lets), kept) in kept {
            tell(cluster, out, view, (policy, lets), &kept);
        }
    }
    Ok(())
}

/// Whether a pod is here and asks cluster DNS from an address of its own.
fn asks(pod: &Pod) -> bool {
    !pod.ended && !pod.terminating && !pod.host_network && !pod.own_dns
}

fn view<'a>(
    cluster: &'a Cluster,
    pods: &'a Table<Pod>,
    table: &'a Table<NetworkPolicy>,
) -> Result<View<'a>, Unanswered> {
    Ok(View {
        policies: Policies::new(table, cluster.last_known::<Namespace>()).beside(foreign(cluster)),
        table,
        servers: Servers::of(cluster, pods)?,
        engines: Engines::of(cluster),
    })
}

fn statement(numbers: &BTreeMap<Lets, usize>, undecided: Option<&Key>) -> String {
    let number = |lets| numbers.get(&lets).copied().unwrap_or_default();
    let all: usize = numbers.values().sum();
    let asking = number(Lets::All) + number(Lets::Udp);
    let mut text = format!("{} of {} may ask every DNS pod", count(asking), some(all, "pod"));
    if let Some(key) = undecided {
        let open = count(number(Lets::Unknown));
        text += &format!(", of {open} it is not known: {}/{} is one", key.namespace, key.name);
    }
    text
}

/// Tells what a policy does, together with others that isolate the same pods.
fn tell(
    cluster: &Cluster,
    out: &mut Output,
    view: &View<'_>,
    (policy, lets): (&Key, Lets),
    kept: &Kept<'_>,
) {
    let Some(code) = lets.code() else { return };
    let whom = match kept.number {
        1 => format!("pod {}", kept.pod),
        number => format!("{}, {} of them,", some(number, "pod"), kept.pod),
    };
    let with = match kept.others.len() {
        0 => String::new(),
        others => format!(", together with {} more", count(others)),
    };
    let ports = |protocol: Protocol| {
        let ports: Vec<String> =
            view.servers.ports(protocol).iter().map(ToString::to_string).collect();
        ports.join(" and ")
    };
    let (udp, tcp) = (ports(Protocol::Udp), ports(Protocol::Tcp));
    let message = match lets {
        Lets::Closed => format!(
            "it lets {whom} send nothing at all, DNS included{with}: look at whether they resolve \
             names"
        ),
        Lets::Udp => format!(
            "it keeps {whom} from asking DNS pods over TCP, on port {tcp}{with}: look at the ports \
             of its egress"
        ),
        Lets::Some => format!(
            "it keeps {whom} from asking some of the DNS pods, on port {udp}{with}: look at the \
             peers of its egress"
        ),
        Lets::All | Lets::None | Lets::Unknown => format!(
            "it keeps {whom} from asking any DNS pod, on port {udp}{with}: look at the ports and \
             peers of its egress"
        ),
    };
    let dns = &cluster.settings().dns_service;
    let labels = view.servers.service.selector.iter();
    let selector: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
    let selects = view.table.get(policy).map(|it| &it.selector);
    let opening = selects.and_then(|selector| opening(policy, selector, dns, &view.servers));
    let finding = Finding::of::<NetworkPolicy>(code, policy.clone(), message);
    out.finding(
        finding
            .with("dns_namespace", Some(&dns.namespace))
            .with("selector", Some(selector.join(",")))
            .with("policy", opening),
    );
}

#[cfg(test)]
mod tests;

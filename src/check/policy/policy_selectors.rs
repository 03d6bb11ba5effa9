//! Do the selectors of policies match anything?
//!
//! A selector that matches nothing is no error to the API server: the policy is there, and does
//! nothing, or its rule lets nobody through. Mostly what it means is yet to come, or optional, and
//! that is a note. It is a warning where what is meant is there, and is asked for what it does not
//! have: the label of a namespace of that name, the name of a port.
//!
//! Left out: peers by range, and policies of other APIs, which nothing reads.

mod codes;
mod selected;

use std::collections::BTreeMap;

pub use self::codes::{NAMESPACE_LABEL, NO_PEERS, NO_PODS, PORT_NAME};
use self::selected::Selected;
use super::gaps::UNDECODED;
use crate::check::words::count;
use crate::check::{Check, Code, Finding, Layer, Output};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{
    Fact, Key, Name, Namespace, NetworkPolicy, Peer, Pod, PolicyPorts, Rule, Unanswered, Unknown,
};
use crate::policy::Direction;

/// Looks for what each selector of each policy matches.
pub static CHECK: Check = Check {
    id: "policy_selectors",
    layer: Layer::Policy,
    question: "Do the selectors of NetworkPolicies match anything?",
    runbook: "NetvitalsPolicyIneffective",
    needs: &[Namespace::KIND, NetworkPolicy::KIND, Pod::KIND],
    wants: &[],
    families: &[POLICIES.desc()],
    codes: &[&NAMESPACE_LABEL, &PORT_NAME, &NO_PODS, &NO_PEERS],
    run,
};

static POLICIES: Family<1> = Family::gauge(
    "netvitals_network_policies",
    "NetworkPolicies, each by the worst that is so of its selectors.",
    ["state"],
);

/// A policy of which all selectors match something.
const EFFECTIVE: &str = "effective";

const STATES: [&str; 5] = [EFFECTIVE, "namespace_label", "port_name", "no_pods", "no_peers"];

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let policies = cluster.read::<NetworkPolicy>()?;
    let selected = Selected::new(cluster.read::<Pod>()?, cluster.read::<Namespace>()?);
    if policies.has_undecoded() {
        let (part, why) = UNDECODED;
        out.gap(part, why);
    }
    let mut states: BTreeMap<&str, usize> = STATES.map(|state| (state, 0)).into();
    let mut all = 0_usize;
    for (key, policy) in policies.iter() {
        all += 1;
        let found = match look(&selected, key, policy) {
            Ok(found) => found,
            Err(why) => {
                out.gap("pods", why);
                continue;
            }
        };
        let worst = found.first().map_or(EFFECTIVE, |(state, ..)| state);
        *states.entry(worst).or_default() += 1;
        for (_, code, message) in found {
            out.finding(Finding::of::<NetworkPolicy>(code, key.clone(), message));
        }
    }
    for (state, number) in &states {
        out.sample(&POLICIES, [*state], *number as f64);
    }
    out.statement(match all {
        0 => "there are no NetworkPolicies".to_owned(),
        all => {
            let (effective, all) = (count(states[EFFECTIVE] as u64), count(all as u64));
            format!("each selector of {effective} of {all} NetworkPolicies matches something")
        }
    });
    Ok(())
}

/// What is found of a policy: its state, its code, and the message.
type Found = (&'static str, &'static Code, String);

/// Looks at a policy; the gravest comes first.
fn look(selected: &Selected<'_>, key: &Key, policy: &NetworkPolicy) -> Result<Vec<Found>, Unknown> {
    let mut found = Vec::new();
    let has_pods = selected.any(&key.namespace, Some(&policy.selector))?;
    let both = [(Direction::Ingress, &policy.ingress), (Direction::Egress, &policy.egress)];
    let rules =
        || both.iter().flat_map(|(of, rules)| rules.iter().flatten().map(|rule| (*of, rule)));
    let lacking = rules().find_map(|(of, rule)| selected.lacking(rule).map(|it| (of, it)));
    if let Some((of, (label, value))) = lacking {
        let message = format!(
            "its {} asks for namespaces with {label}={value}, which namespace {value} does not have: look at \
             the labels of that namespace, or ask by kubernetes.io/metadata.name",
            of.as_str()
        );
        found.push(("namespace_label", &NAMESPACE_LABEL, message));
    }
    if !has_pods {
        let message = "it selects no pod: look at the labels of the pods that are meant".to_owned();
        found.push(("no_pods", &NO_PODS, message));
        return Ok(found);
    }
    for rule in policy.ingress.iter().flatten() {
        if let Some(name) = nameless(selected, key, policy, rule)? {
            let message = format!(
                "its ingress names port {name}, which none of its pods declares: look at the names of their ports, or \
                 give its number"
            );
            found.push(("port_name", &PORT_NAME, message));
            break;
        }
    }
    for (of, rule) in rules() {
        if !rule.peers.is_empty()
            && selected.lacking(rule).is_none()
            && is_idle(selected, key, rule)?
        {
            let message = format!(
                "a rule of its {} has no pod for a peer: look at the labels of the pods and namespaces that are meant",
                of.as_str()
            );
            found.push(("no_peers", &NO_PEERS, message));
            break;
        }
    }
    Ok(found)
}

/// Returns a port's name in a rule of ingress that none of the policy's pods declares.
fn nameless<'a>(
    selected: &Selected<'_>,
    key: &Key,
    policy: &NetworkPolicy,
    rule: &'a Rule,
) -> Result<Option<&'a Name>, Unknown> {
    for range in &rule.ports {
        if let PolicyPorts::Named(name) = &range.ports
            && !selected.any_declares(&key.namespace, &policy.selector, name, range.protocol)?
        {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Whether none of a rule's peers is a pod that is here.
fn is_idle(selected: &Selected<'_>, key: &Key, rule: &Rule) -> Result<bool, Unknown> {
    for peer in &rule.peers {
        let is_somebody = match peer {
            Peer::Block { .. } | Peer::Other => true,
            Peer::Pods { namespaces: None, pods } => selected.any(&key.namespace, pods.as_ref())?,
            Peer::Pods { namespaces: Some(namespaces), pods } => {
                selected.any_in(namespaces, pods.as_ref())?
            }
        };
        if is_somebody {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;

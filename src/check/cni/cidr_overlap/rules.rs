//! What is wrong with ranges, rule by rule; each returns how many nodes it is about.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::codes::{
    LATENT, ONE_FAMILY, OUTSIDE, PODS_NODES, PODS_SERVICES, POOLS, SERVICE_OUTSIDE, SERVICES_NODES,
    SHARED,
};
use super::facts::{Facts, Handed, What};
use super::ranges::{Ranges, canonical, shared as sharing};
use super::sources::Pool;
use crate::check::{Finding, Output};
use crate::model::{Fact, IpFamily, IpPool, Name, Object, Service};

/// Tells of nodes with a range that another has too.
pub(super) fn shared(facts: &Facts<'_>, out: &mut Output) -> usize {
    let ranges = facts
        .ranged()
        .flat_map(|(name, it)| it.node.pod_cidrs.iter().map(move |range| (*range, name)));
    let mut told = Told::default();
    for ((range, node), (other, of)) in sharing(ranges) {
        let message = format!(
            "its range for pods {range} {} that of node {of}{}: look at who gives nodes their \
             ranges, and at pods with the same address",
            how(range, other),
            unless_same(range, other)
        );
        told.once(node, || out.finding(Finding::of_node(&SHARED, node, message)));
    }
    told.len()
}

/// Tells of nodes whose pods have what is for Services.
pub(super) fn pods_services(facts: &Facts<'_>, out: &mut Output) -> usize {
    let mut told = Told::default();
    for handed in &facts.handed {
        let Some((of, ())) = facts.services.ranges.overlapping(handed.range) else { continue };
        let message = format!(
            "its {} {} what Services have, {of}, {}: look at which of the two can be changed",
            facts.words(handed),
            how(handed.range, of),
            facts.services.by.words()
        );
        told.once(handed.node, || {
            out.finding(Finding::of_node(&PODS_SERVICES, handed.node, message));
        });
    }
    told.len()
}

/// Tells of nodes whose own address lies in what is for pods.
pub(super) fn pods_nodes(facts: &Facts<'_>, out: &mut Output) -> usize {
    // Of a single address no pool is known: pods may have those of the nodes' network.
    let handed = facts.handed.iter().filter(|it| !matches!(it.what, What::Pod(_)));
    let handed: Ranges<&Handed<'_>> = handed.map(|it| (it.range, it)).collect();
    let routed: Vec<&Pool> = facts.routed().collect();
    let routed: Ranges<&Pool> = routed.iter().map(|it| (it.range, *it)).collect();
    let mut told = Told::default();
    for (node, address) in &facts.addresses {
        let message = if let Some((_, of)) = handed.around((*address).into()) {
            let words = facts.words(of);
            format!("its address {address} lies in the {words} that node {} has", of.node)
        } else if let Some((range, of)) = routed.around((*address).into()) {
            format!("its address {address} lies in {range} of {}, which is for pods", of.what)
        } else {
            continue;
        };
        let message = format!("{message}: look at the routes on nodes, and plan another range");
        told.once(node, || out.finding(Finding::of_node(&PODS_NODES, node, message)));
    }
    told.len()
}

/// Tells of nodes whose own address is for Services.
pub(super) fn services_nodes(facts: &Facts<'_>, out: &mut Output) -> usize {
    let mut told = Told::default();
    for (node, address) in &facts.addresses {
        let Some((of, ())) = facts.services.ranges.around((*address).into()) else { continue };
        let message = format!(
            "its address {address} lies in what Services have, {of}, {}: look at which Service has \
             it, and move the node",
            facts.services.by.words()
        );
        told.once(node, || out.finding(Finding::of_node(&SERVICES_NODES, node, message)));
    }
    told.len()
}

/// Tells of nodes with a range that is no part of what is declared.
pub(super) fn outside(facts: &Facts<'_>, out: &mut Output) {
    for (node, it) in facts.ranged().filter(|(name, it)| facts.cluster.is_settled(name, it.node)) {
        for range in it.node.pod_cidrs.iter().map(|range| canonical(*range)) {
            let family = IpFamily::of(&range.addr());
            let of = |pool: &&Pool| IpFamily::of(&pool.range.addr()) == family;
            // Each for itself: flannel makes routes for its own range and no other.
            let mut by: BTreeMap<&Object, Vec<&Pool>> = BTreeMap::new();
            for pool in facts.declared.iter().filter(of) {
                by.entry(&pool.what).or_default().push(pool);
            }
            let missing =
                by.iter().find(|(_, all)| !all.iter().any(|it| it.range.contains(&range)));
            if let Some((what, all)) = missing {
                let message = format!(
                    "its range for pods {range} is no part of {}, as {what} has it: look at which \
                     of the two is meant",
                    all[0].range
                );
                out.finding(Finding::of_node(&OUTSIDE, node, message));
                break;
            }
        }
    }
}

/// Tells of pools that could hand out what others have.
pub(super) fn latent(facts: &Facts<'_>, out: &mut Output) {
    let nodes: Ranges<&Name> =
        facts.addresses.iter().map(|(node, address)| ((*address).into(), *node)).collect();
    let pools = facts.pools.iter().enumerate();
    let used = pools.filter(|(at, it)| it.is_enabled && facts.pools_used.contains(at));
    // The controller manager keeps the ranges of nodes out of those of Services.
    let declared = facts.declared.iter().filter(|it| facts.is_in_use(it)).map(|it| (it, false));
    let mut told = BTreeSet::new();
    for (pool, with_services) in used.map(|(_, it)| (it, true)).chain(declared) {
        let service = facts.services.ranges.overlapping(pool.range).filter(|_| with_services);
        let node = nodes.overlapping(pool.range).filter(|_| !pool.is_routed);
        let with = match (service, node) {
            (Some((of, ())), _) => {
                format!("what Services have, {of}, {}", facts.services.by.words())
            }
            (None, Some((address, node))) => {
                format!("the address of node {node}, {}", address.addr())
            }
            (None, None) => continue,
        };
        if told.insert(&pool.what) {
            let message = format!(
                "its range for pods {} overlaps {with}: some day a node may get that part of it",
                pool.range
            );
            let message = format!("{message}; look at how far it is handed out");
            out.finding(Finding::about(&LATENT, pool.what.clone(), message));
        }
    }
}

/// Tells of pools of Calico's that have addresses in common.
pub(super) fn pools(facts: &Facts<'_>, out: &mut Output) {
    let calico = facts.pools.iter().filter(|it| it.is_enabled && it.what.kind == IpPool::KIND);
    for ((range, what), (other, of)) in sharing(calico.map(|it| (it.range, &it.what))) {
        let message = format!(
            "its range {range} {} that of {of}{}: look at which of the two is to stay",
            how(range, other),
            unless_same(range, other)
        );
        out.finding(Finding::about(&POOLS, what.clone(), message));
    }
}

/// Tells of nodes with a range of one family, where most have both.
pub(super) fn one_family(facts: &Facts<'_>, out: &mut Output) {
    let families = |ranges: &[IpNet]| -> BTreeSet<IpFamily> {
        ranges.iter().map(|range| IpFamily::of(&range.addr())).collect()
    };
    let all: Vec<_> =
        facts.ranged().map(|(name, it)| (name, it, families(&it.node.pod_cidrs))).collect();
    let both = all.iter().filter(|(.., of)| of.len() > 1).count();
    // While a cluster gets its second family, most have one.
    if both * 2 < all.len() {
        return;
    }
    for (node, it, of) in all.iter().filter(|(.., of)| of.len() == 1) {
        if facts.cluster.is_settled(node, it.node) {
            let missing = if of.contains(&IpFamily::V4) { "IPv6" } else { "IPv4" };
            let message = format!(
                "it has no {missing} range for pods, while {both} of {} nodes have both: look at \
                 when it was made, and have it register anew",
                all.len()
            );
            out.finding(Finding::of_node(&ONE_FAMILY, node, message));
        }
    }
}

/// Tells of Services whose address is in no range of Services.
pub(super) fn service_outside(facts: &Facts<'_>, out: &mut Output) {
    if !facts.services.by.is_sure() {
        return;
    }
    let mut told = BTreeSet::new();
    for (key, address) in &facts.services.outside {
        if told.insert(key) {
            let message = format!(
                "its address {address} is in no range of Services, {}: look at what became of \
                 its range",
                facts.services.by.words()
            );
            out.finding(Finding::of::<Service>(&SERVICE_OUTSIDE, key.clone(), message));
        }
    }
}

impl Facts<'_> {
    /// Returns the ranges in use all of which is taken for pods'.
    fn routed(&self) -> impl Iterator<Item = &Pool> {
        let pools = self.pools.iter().enumerate();
        let pools = pools.filter(|(at, it)| it.is_enabled && self.pools_used.contains(at));
        let declared = self.declared.iter().filter(|it| self.is_in_use(it));
        pools.map(|(_, it)| it).chain(declared).filter(|it| it.is_routed)
    }
}

/// How one range has to do with another.
fn how(one: IpNet, other: IpNet) -> &'static str {
    match (canonical(one), canonical(other)) {
        (one, other) if one == other => "is",
        (one, other) if other.contains(&one) => "lies in",
        _ => "contains",
    }
}

/// Says which the other is, where it is not known yet.
fn unless_same(one: IpNet, other: IpNet) -> String {
    if one == other { String::new() } else { format!(", {other}") }
}

/// The nodes that were told of.
#[derive(Default)]
struct Told<'a>(BTreeSet<&'a Name>);

impl<'a> Told<'a> {
    fn once(&mut self, node: &'a Name, tell: impl FnOnce()) {
        if self.0.insert(node) {
            tell();
        }
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

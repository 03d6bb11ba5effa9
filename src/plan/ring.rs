//! Which node observes which: all others up to 64 nodes, those next on salted hash rings above.
//!
//! On a ring each node observes the next one, so that with k rings every node has k observers
//! and k targets, and a node that joins moves one edge of each ring.

use std::collections::BTreeSet;

use crate::model::{Name, Uid};

/// Up to this many nodes, each observes all others.
const MESH: usize = 64;

/// Returns how many rings there are among `nodes` nodes.
const fn rings(nodes: usize) -> usize {
    match nodes {
        0..=500 => 16,
        501..=5000 => 12,
        _ => 16,
    }
}

/// The order of observers, computed once for all of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Rings {
    salt: String,
    /// Sorted.
    nodes: Vec<Name>,
    /// For each ring the places of the nodes, sorted; none where each observes all
    /// others.
    rings: Vec<Vec<(u64, usize)>>,
}

impl Rings {
    /// Places `nodes` on the rings.
    pub(super) fn new(salt: &Uid, nodes: impl Iterator<Item = Name>) -> Self {
        let salt = salt.to_string();
        let nodes: BTreeSet<Name> = nodes.collect();
        let nodes: Vec<Name> = nodes.into_iter().collect();
        let ring = |ring: usize| {
            let placed = |(at, node): (usize, &Name)| (place(&salt, ring, node), at);
            let mut places: Vec<(u64, usize)> = nodes.iter().enumerate().map(placed).collect();
            places.sort_unstable();
            places
        };
        let count = if nodes.len() <= rings(0) { 0 } else { rings(nodes.len()) };
        let rings = (0..count).map(ring).collect();
        Self { salt, nodes, rings }
    }

    /// Returns what `observer` probes; never itself.
    pub(super) fn observed_by(&self, observer: &Name) -> Vec<&Name> {
        let others = self.nodes.iter().filter(|node| *node != observer);
        if self.nodes.len() <= MESH {
            return others.collect();
        }
        let next_on = |(ring, places): (usize, &Vec<(u64, usize)>)| {
            let own = place(&self.salt, ring, observer);
            let after = places.partition_point(|(place, _)| *place <= own);
            places.get(after).or_else(|| places.first()).map(|(_, at)| &self.nodes[*at])
        };
        let observed: BTreeSet<&Name> = self.rings.iter().enumerate().filter_map(next_on).collect();
        observed.into_iter().filter(|node| *node != observer).collect()
    }

    /// Whether `observer` is among the observers of something that is no node.
    pub(super) fn observes(&self, observer: &Name, target: &str) -> bool {
        let first_on = |(ring, places): (usize, &Vec<(u64, usize)>)| {
            let start = place(&self.salt, ring, target);
            let after = places.partition_point(|(place, _)| *place < start);
            places.get(after).or_else(|| places.first()).map(|(_, at)| &self.nodes[*at])
        };
        self.rings.is_empty()
            || self.rings.iter().enumerate().filter_map(first_on).any(|node| node == observer)
    }
}

fn place(salt: &str, ring: usize, node: &str) -> u64 {
    hash(&[salt, &ring.to_string(), node])
}

/// FNV-1a with a final mix: the same in every build and on every machine, which the standard
/// library does not promise of its own.
pub(super) fn hash(parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    mix(hash)
}

/// Spreads the difference of two numbers over all bits.
pub(super) fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn cluster(nodes: usize) -> (Vec<Name>, Rings) {
        let names: Vec<Name> = (0..nodes).map(|at| format!("n{at:04}").into()).collect();
        let rings = Rings::new(&"a-uid".into(), names.iter().cloned());
        (names, rings)
    }

    fn edges(nodes: usize) -> BTreeSet<(Name, Name)> {
        let (names, rings) = cluster(nodes);
        let of = |observer: &Name| {
            let observed = rings.observed_by(observer).into_iter().cloned();
            observed.map(|node| (observer.clone(), node)).collect::<Vec<_>>()
        };
        names.iter().flat_map(of).collect()
    }

    #[test]
    fn a_small_cluster_is_a_mesh() {
        assert_eq!(edges(64).len(), 64 * 63);
    }

    #[test]
    fn in_a_large_cluster_everybody_has_as_many_observers_as_there_are_rings() {
        // Two rings may give a node the same observer.
        for (nodes, fewest, most) in [(300, 13, 16), (501, 10, 12), (2000, 11, 12)] {
            let edges = edges(nodes);
            let mut observers: BTreeMap<&Name, usize> = BTreeMap::new();
            for (observer, observed) in &edges {
                assert_ne!(observer, observed);
                *observers.entry(observed).or_default() += 1;
            }
            assert_eq!(observers.len(), nodes);
            let is_fair = |count: &usize| (fewest..=most).contains(count);
            assert!(observers.values().all(is_fair), "{nodes} nodes: {observers:?}");
        }
    }

    #[test]
    fn a_join_moves_one_edge_of_each_ring() {
        let (before, after) = (edges(300), edges(301));
        assert!(before.difference(&after).count() <= 16);
        assert!(after.difference(&before).count() <= 32);
    }

    #[test]
    fn a_replica_has_observers_and_few_of_them() {
        let observers = |nodes| {
            let (names, rings) = cluster(nodes);
            names.iter().filter(|node| rings.observes(node, "uid-1")).count()
        };
        assert_eq!(observers(16), 16);
        assert!((10..=16).contains(&observers(300)));
    }
}

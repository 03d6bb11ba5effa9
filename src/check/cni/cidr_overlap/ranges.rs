//! Ranges of addresses: which of many lie in one another.
//!
//! Two prefixes either lie in one another or have nothing in common, so that sorting finds all.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

/// Ranges by their first address, each with what it is.
#[derive(Debug)]
pub(super) struct Ranges<T> {
    all: BTreeMap<IpNet, T>,
    /// The lengths of prefixes that there are, by whether they are of IPv6.
    lengths: BTreeSet<(bool, u8)>,
}

impl<T> FromIterator<(IpNet, T)> for Ranges<T> {
    /// Of two that are the same the first counts.
    fn from_iter<I: IntoIterator<Item = (IpNet, T)>>(ranges: I) -> Self {
        let mut all = BTreeMap::new();
        for (range, what) in ranges {
            all.entry(canonical(range)).or_insert(what);
        }
        let length = |range: &IpNet| (is_v6(range), range.prefix_len());
        Self { lengths: all.keys().map(length).collect(), all }
    }
}

impl<T> Ranges<T> {
    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns the smallest range in which another lies.
    pub(super) fn around(&self, range: IpNet) -> Option<(IpNet, &T)> {
        let range = canonical(range);
        let (of, length) = (is_v6(&range), range.prefix_len());
        self.lengths.range((of, 0)..=(of, length)).rev().find_map(|(_, length)| {
            let around = IpNet::new(range.addr(), *length).ok()?.trunc();
            self.all.get(&around).map(|what| (around, what))
        })
    }

    /// Returns a range that has an address in common with another: one around it, or the first in it.
    pub(super) fn overlapping(&self, range: IpNet) -> Option<(IpNet, &T)> {
        let range = canonical(range);
        // What lies in it comes right behind its first address.
        let inside = || self.all.range(range..).next().filter(|(it, _)| range.contains(*it));
        self.around(range).or_else(|| inside().map(|(it, what)| (*it, what)))
    }
}

/// Returns each range that has an address in common with one of another owner, and that one.
///
/// Of two it is the one that lies in the other, and of two that are the same the later by its owner.
pub(super) fn shared<T: Clone + Ord>(
    ranges: impl IntoIterator<Item = (IpNet, T)>,
) -> Vec<((IpNet, T), (IpNet, T))> {
    let mut all: Vec<(IpNet, T)> =
        ranges.into_iter().map(|(range, owner)| (canonical(range), owner)).collect();
    all.sort();
    let (mut found, mut around): (_, Vec<(IpNet, T)>) = (Vec::new(), Vec::new());
    for one in all {
        while around.last().is_some_and(|(it, _)| !it.contains(&one.0)) {
            around.pop();
        }
        if let Some(other) = around.iter().rev().find(|(_, owner)| *owner != one.1) {
            found.push((one.clone(), other.clone()));
        }
        around.push(one);
    }
    found
}

/// Returns the smallest range that has all addresses; they are of one family.
pub(super) fn hull(addresses: impl IntoIterator<Item = IpAddr>) -> Option<IpNet> {
    let (mut first, mut last) = (None, None);
    for address in addresses {
        first = Some(first.map_or(address, |first: IpAddr| first.min(address)));
        last = Some(last.map_or(address, |last: IpAddr| last.max(address)));
    }
    let (mut range, last) = (IpNet::from(first?), last?);
    while !range.contains(&last) {
        range = range.supernet()?;
    }
    Some(range.trunc())
}

/// Returns a range as it is compared: without the bits of a host, and as IPv4 where it is that in
/// the disguise of IPv6.
pub(super) fn canonical(range: IpNet) -> IpNet {
    match (range.addr().to_canonical(), range.prefix_len()) {
        (IpAddr::V4(address), length @ 96..) if is_v6(&range) => {
            IpNet::new(address.into(), length - 96).unwrap_or(range).trunc()
        }
        _ => range.trunc(),
    }
}

const fn is_v6(range: &IpNet) -> bool {
    matches!(range, IpNet::V6(_))
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect(text)
    }

    /// Makes up a range among few, so that many lie in one another.
    fn made_up(rng: &mut Rng) -> IpNet {
        let bits = rng.u32(..64);
        let (text, length) = match rng.u8(..3) {
            0 => (format!("10.0.0.{bits}"), rng.u8(26..=32)),
            1 => (format!("fd00::{bits:x}"), rng.u8(122..=128)),
            _ => (format!("::ffff:10.0.0.{bits}"), rng.u8(122..=128)),
        };
        IpNet::new(text.parse().expect("an address"), length).expect("a length")
    }

    /// Whether two have an address in common, said in another way.
    fn meet(one: IpNet, other: IpNet) -> bool {
        let [one, other] = [one, other].map(canonical);
        let same = is_v6(&one) == is_v6(&other);
        same && one.network() <= other.broadcast() && other.network() <= one.broadcast()
    }

    #[test]
    fn what_is_found_by_sorting_is_what_comparing_all_finds() {
        for seed in 0..3000 {
            let mut rng = Rng::with_seed(seed);
            let all: Vec<(IpNet, u8)> =
                (0..rng.usize(..12)).map(|_| (made_up(&mut rng), rng.u8(..4))).collect();
            let (ranges, one) = (Ranges::from_iter(all.clone()), made_up(&mut rng));
            let found = ranges.overlapping(one);
            assert_eq!(found.is_some(), all.iter().any(|it| meet(it.0, one)), "{seed}");
            assert!(found.is_none_or(|(it, _)| meet(it, one)), "{seed}");
            let holds = |it: &IpNet| canonical(*it).contains(&canonical(one));
            let around = all.iter().map(|it| it.0).filter(holds);
            let least = around.map(|it| canonical(it).prefix_len()).max();
            assert_eq!(ranges.around(one).map(|(it, _)| it.prefix_len()), least, "{seed}");

            let pairs = shared(all.clone());
            for ((one, of), (other, than)) in &pairs {
                assert!(of != than && meet(*one, *other), "{seed}");
            }
            // Whoever shares anything is told, or is what another is told to share with.
            for (range, owner) in &all {
                let shares = all.iter().any(|(it, of)| of != owner && meet(*it, *range));
                let is = |it: &(IpNet, u8)| *it == (canonical(*range), *owner);
                let told = pairs.iter().any(|(one, other)| is(one) || is(other));
                assert!(shares || !told, "{seed}: {range} of {owner}");
                let met = |it: &(IpNet, u8)| it.1 != *owner && meet(it.0, *range);
                let named = pairs.iter().any(|(one, other)| met(one) || met(other) || is(one));
                assert!(!shares || named, "{seed}: {range} of {owner}");
            }
            assert_eq!(pairs.is_empty(), {
                let mut both = all.iter().flat_map(|it| all.iter().map(move |other| (it, other)));
                !both.any(|(one, other)| one.1 != other.1 && meet(one.0, other.0))
            });
        }
    }

    #[test]
    fn a_hull_has_all_addresses_and_none_smaller_has() {
        for seed in 0..1000 {
            let mut rng = Rng::with_seed(seed);
            let all: Vec<IpAddr> = (0..rng.usize(1..5))
                .map(|_| IpAddr::from([10, rng.u8(..2), rng.u8(..), rng.u8(..)]))
                .collect();
            let hull = hull(all.iter().copied()).expect("there are some");
            assert!(all.iter().all(|it| hull.contains(it)), "{seed}");
            let smaller = hull.subnets(hull.prefix_len() + 1).into_iter().flatten();
            for half in smaller {
                assert!(!all.iter().all(|it| half.contains(it)), "{seed}");
            }
        }
        assert_eq!(hull([]), None);
    }

    #[test]
    fn a_range_is_compared_by_its_addresses_and_not_as_it_is_written() {
        for (written, meant) in [
            ("10.20.0.0/8", "10.0.0.0/8"),
            ("::ffff:10.1.2.3/120", "10.1.2.0/24"),
            ("::ffff:0.0.0.0/95", "::fffe:0:0/95"),
            ("2001:cafe:42:0::7/56", "2001:cafe:42::/56"),
        ] {
            assert_eq!(canonical(net(written)), net(meant), "{written}");
        }
    }
}

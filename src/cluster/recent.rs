//! A map that forgets what was not touched for the longest time: bounded, whatever comes.

use std::collections::BTreeMap;

/// The last touched, at least `most / 2` of them, and never more than `most`.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    most: usize,
    young: BTreeMap<K, V>,
    /// What was young when there was no more room: it goes as a whole.
    old: BTreeMap<K, V>,
}

impl<K: Clone + Ord, V> Recent<K, V> {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, young: BTreeMap::new(), old: BTreeMap::new() }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Puts in a value, and returns the one before.
    pub(super) fn put(&mut self, key: K, value: V) -> Option<V> {
        let aged = self.old.remove(&key);
        if self.young.len() >= self.most / 2 && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value).or(aged)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_bound_and_keeps_what_is_touched() {
        let mut recent = Recent::new(100);
        for number in 0..10_000_u32 {
            assert_eq!(recent.put(number, number), None);
            // What is touched now and then stays.
            assert_eq!(recent.put(0, number), if number == 0 { Some(0) } else { Some(number - 1) });
            assert!(recent.len() <= 100);
            assert!(recent.get(&number.saturating_sub(40)).is_some(), "{number}");
        }
        assert_eq!(recent.get(&1), None);
        recent.remove(&0);
        assert_eq!(recent.get(&0), None);
    }
}

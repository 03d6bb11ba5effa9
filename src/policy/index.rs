//! The policies of one namespace, so that few are looked at for one pod.

use super::other::OtherPolicy;
use crate::model::{Key, Labels, Name, NameMap, NetworkPolicy, Selector};

/// What a pod needs for a selector to look at it.
type Label<'a> = (&'a Name, &'a Name);

/// The policies of one namespace.
#[derive(Debug)]
pub(super) struct Index<'a> {
    /// By key.
    all: Vec<(&'a Key, &'a NetworkPolicy)>,
    /// Where those are that ask for a label: by the one which the fewest ask for.
    by_label: NameMap<Label<'a>, Vec<usize>>,
    /// Where those are that ask for none.
    rest: Vec<usize>,
    /// The labels on which it depends who selects a pod.
    keys: NameMap<&'a Name, ()>,
    /// Those of other APIs that may select pods of the namespace, by their places.
    pub(super) others: Vec<usize>,
    /// The labels on which it depends which of those do.
    other_keys: NameMap<Name, ()>,
    /// Whether there is one more that cannot be decoded.
    pub(super) lacks_one: bool,
}

impl<'a> Index<'a> {
    /// Takes in policies of one namespace, by key.
    pub(super) fn new(
        policies: impl Iterator<Item = (&'a Key, &'a NetworkPolicy)>,
        lacks_one: bool,
    ) -> Self {
        let all: Vec<(&Key, &NetworkPolicy)> = policies.collect();
        let mut asking: NameMap<Label<'a>, usize> = NameMap::default();
        let labels = all.iter().flat_map(|(_, policy)| policy.selector.labels.iter());
        labels.for_each(|label| *asking.entry(label).or_default() += 1);
        let keys = all.iter().flat_map(|(_, policy)| keys(&policy.selector));
        let keys = keys.map(|key| (key, ())).collect();
        let (mut by_label, mut rest) = (NameMap::<_, Vec<usize>>::default(), Vec::new());
        for (at, (_, policy)) in all.iter().enumerate() {
            match policy.selector.labels.iter().min_by_key(|label| asking[label]) {
                Some(label) => by_label.entry(label).or_default().push(at),
                None => rest.push(at),
            }
        }
        let (others, other_keys) = Default::default();
        Self { all, by_label, rest, keys, others, other_keys, lacks_one }
    }

    /// Takes in policies of other APIs, each with its place.
    pub(super) fn beside<'o>(
        mut self,
        others: impl Iterator<Item = (usize, &'o OtherPolicy)>,
    ) -> Self {
        for (at, other) in others {
            self.others.push(at);
            self.other_keys.extend(keys(&other.pods).map(|key| (key.clone(), ())));
        }
        self
    }

    /// Whether it depends on a label of this key who selects a pod.
    pub(super) fn asks_for(&self, key: &Name) -> bool {
        self.keys.contains_key(key) || self.other_keys.contains_key(key)
    }

    /// Returns those that may select pods with these labels, by key.
    pub(super) fn candidates(&self, labels: &Labels) -> Vec<(&'a Key, &'a NetworkPolicy)> {
        let asking = labels.iter().filter_map(|label| self.by_label.get(&label));
        let mut places: Vec<usize> = self.rest.iter().chain(asking.flatten()).copied().collect();
        places.sort_unstable();
        places.into_iter().map(|at| self.all[at]).collect()
    }
}

/// Returns the keys of the labels that a selector asks for.
fn keys(selector: &Selector) -> impl Iterator<Item = &Name> {
    let labels = selector.labels.iter().map(|(key, _)| key);
    labels.chain(selector.expressions.iter().map(|it| &it.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_policies_only_those_are_looked_at_that_a_label_leads_to() {
        let policy = |labels: Labels| NetworkPolicy {
            selector: Selector { labels, ..Selector::default() },
            ..NetworkPolicy::default()
        };
        let mut policies = vec![(Key::new("shop", "all"), policy(Labels::default()))];
        for at in 0..100 {
            let app = format!("app-{at:02}");
            policies
                .push((Key::new("shop", &*app), policy([("app", &*app), ("part", "x")].into())));
        }
        let index = Index::new(policies.iter().map(|(key, policy)| (key, policy)), false);
        let names = |labels: Labels| {
            let candidates = index.candidates(&labels).into_iter();
            candidates.map(|(key, _)| key.name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names([("app", "app-07"), ("part", "x")].into()), ["all", "app-07"]);
        assert_eq!(names([("part", "x")].into()), ["all"]);
        assert!(index.asks_for(&"part".into()) && !index.asks_for(&"tier".into()));
    }
}

//! Labels and selectors.

use std::collections::BTreeMap;

use internment::ArcIntern;
use serde::Deserialize;
use serde::de::Deserializer;

use super::Name;

/// A set of labels, sorted; the pods of a workload mostly share one, so it is kept once.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Labels(ArcIntern<Vec<(Name, Name)>>);

impl Labels {
    /// Returns a label's value.
    pub fn get(&self, key: &str) -> Option<&Name> {
        let at = self.0.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
        Some(&self.0[at].1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the labels, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Name)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// Whether these, read as a selector, match `labels`; an empty selector matches nothing, as
    /// a Service's does.
    pub fn select(&self, labels: &Self) -> bool {
        // One after the other by their addresses is faster than a search by their texts.
        !self.is_empty() && self.0.iter().all(|wanted| labels.0.contains(wanted))
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self(ArcIntern::new(Vec::new()))
    }
}

impl From<BTreeMap<Name, Name>> for Labels {
    fn from(labels: BTreeMap<Name, Name>) -> Self {
        Self(ArcIntern::new(labels.into_iter().collect()))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Labels {
    fn from(labels: [(&str, &str); N]) -> Self {
        let named = labels.map(|(key, value)| (key.into(), value.into()));
        BTreeMap::from(named).into()
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::Labels;

    #[test]
    fn a_selector_matches_when_all_of_it_is_there() {
        let labels = Labels::from([("app", "cart"), ("tier", "web")]);
        for (selector, matches) in [
            (Labels::from([("app", "cart")]), true),
            (Labels::from([("tier", "web"), ("app", "cart")]), true),
            (Labels::from([("app", "pay")]), false),
            (Labels::from([("zone", "a")]), false),
            (Labels::default(), false),
        ] {
            assert_eq!(selector.select(&labels), matches, "{selector:?}");
        }
    }
}

//! The hand-written index: what a check would otherwise search for.

use std::collections::{BTreeMap, BTreeSet};

use super::{EndpointSlice, Key, Labels, Name, Pod, Service};

/// Which slices a Service has, and which pods have a set of labels.
#[derive(Debug, Default)]
pub struct Index {
    slices: BTreeMap<Key, BTreeSet<Name>>,
    /// By namespace, then by the whole set of labels, of which there are few.
    pods: BTreeMap<Name, Vec<(Labels, BTreeSet<Name>)>>,
}

impl Index {
    /// Returns the names of a Service's slices.
    pub(super) fn slices_of<'a>(
        &'a self,
        service: &Key,
    ) -> impl Iterator<Item = &'a Name> + use<'a> {
        self.slices.get(service).into_iter().flatten()
    }

    /// Returns the names of the pods that a Service selects, in no order.
    pub(super) fn pods_of<'a>(
        &'a self,
        key: &Key,
        service: &'a Service,
    ) -> impl Iterator<Item = &'a Name> + use<'a> {
        let sets = self.pods.get(&key.namespace).into_iter().flatten();
        let selected = sets.filter(|(labels, _)| service.selector.select(labels));
        selected.flat_map(|(_, names)| names)
    }

    pub(super) fn slice(
        &mut self,
        key: &Key,
        old: Option<&EndpointSlice>,
        new: Option<&EndpointSlice>,
    ) {
        let service = |slice: Option<&EndpointSlice>| slice?.service_key(key);
        let (old, new) = (service(old), service(new));
        if old == new {
            return;
        }
        if let Some(service) = old
            && let Some(slices) = self.slices.get_mut(&service)
        {
            slices.remove(&key.name);
            if slices.is_empty() {
                self.slices.remove(&service);
            }
        }
        if let Some(service) = new {
            self.slices.entry(service).or_default().insert(key.name.clone());
        }
    }

    pub(super) fn pod(&mut self, key: &Key, old: Option<&Pod>, new: Option<&Pod>) {
        let labels = |pod: Option<&Pod>| pod.map(|pod| pod.labels.clone());
        let (old, new) = (labels(old), labels(new));
        if old == new {
            return;
        }
        if let Some(labels) = old
            && let Some(sets) = self.pods.get_mut(&key.namespace)
            && let Some(at) = sets.iter().position(|(known, _)| *known == labels)
        {
            sets[at].1.remove(&key.name);
            if sets[at].1.is_empty() {
                sets.swap_remove(at);
            }
            if sets.is_empty() {
                self.pods.remove(&key.namespace);
            }
        }
        if let Some(labels) = new {
            let sets = self.pods.entry(key.namespace.clone()).or_default();
            let at = sets.iter().position(|(known, _)| *known == labels).unwrap_or_else(|| {
                sets.push((labels, BTreeSet::new()));
                sets.len() - 1
            });
            sets[at].1.insert(key.name.clone());
        }
    }
}

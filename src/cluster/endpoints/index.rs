//! What a check would otherwise search for: slices by Service, pods by labels, Services by label.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{EndpointSlice, Key, Labels, Name, NameMap, Pod, Service};

/// Which slices a Service has, which pods have a set of labels, and which Services may select
/// a label.
#[derive(Debug, Default)]
pub(super) struct Index {
    slices: BTreeMap<Key, BTreeSet<Name>>,
    /// By namespace, then by the whole set of labels, of which there are mostly few.
    pods: BTreeMap<Name, NameMap<Labels, BTreeSet<Name>>>,
    /// By namespace, and by key and value of the first label of the selector.
    selectors: NameMap<Name, NameMap<Name, NameMap<Name, BTreeSet<Name>>>>,
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

    /// Returns the names of the Services of which the first label of the selector is among
    /// `labels`: all that may select them, each once.
    pub(super) fn may_select<'a>(
        &'a self,
        namespace: &Name,
        labels: &'a Labels,
    ) -> impl Iterator<Item = &'a Name> {
        let selectors = self.selectors.get(namespace).into_iter();
        let first = |by_key: &'a NameMap<Name, NameMap<Name, BTreeSet<Name>>>| {
            labels.iter().filter_map(|(key, value)| by_key.get(key)?.get(value))
        };
        selectors.flat_map(first).flatten()
    }

    pub(super) fn service(&mut self, key: &Key, old: Option<&Service>, new: Option<&Service>) {
        let first = |service: Option<&Service>| {
            let (label, value) = service?.selector.iter().next()?;
            Some((label.clone(), value.clone()))
        };
        let (old, new) = (first(old), first(new));
        if old == new {
            return;
        }
        let selectors = self.selectors.entry(key.namespace.clone()).or_default();
        if let Some((label, value)) = old
            && let Some(values) = selectors.get_mut(&label)
            && let Some(names) = values.get_mut(&value)
        {
            names.remove(&key.name);
            if names.is_empty() {
                values.remove(&value);
            }
            if values.is_empty() {
                selectors.remove(&label);
            }
        }
        if let Some((label, value)) = new {
            let values = selectors.entry(label).or_default();
            values.entry(value).or_default().insert(key.name.clone());
        } else if selectors.is_empty() {
            self.selectors.remove(&key.namespace);
        }
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
            && let Some(names) = sets.get_mut(&labels)
        {
            names.remove(&key.name);
            if names.is_empty() {
                sets.remove(&labels);
            }
            if sets.is_empty() {
                self.pods.remove(&key.namespace);
            }
        }
        if let Some(labels) = new {
            let sets = self.pods.entry(key.namespace.clone()).or_default();
            sets.entry(labels).or_default().insert(key.name.clone());
        }
    }
}

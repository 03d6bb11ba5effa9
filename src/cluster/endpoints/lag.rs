//! How long EndpointSlices take to follow their pods, on netvitals' own clock.
//!
//! Timestamps of objects come from other machines' clocks, in whole seconds, and are absent for
//! deletions. So the time runs from the moment at which the own watch shows a pod's change to
//! the one at which it shows a slice that says so. Only while every watch that it takes is
//! complete: what changed during a relist has no time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::comparison::{Comparison, Tables};
use super::mismatch::{Membership, Mismatch, Mismatches, mismatches};
use crate::cluster::Clock;
use crate::model::{Endpoint, EndpointSlice, Key, Labels, Name, Pod, Service};

/// The upper bounds of the histogram, in seconds.
pub const LAG_BOUNDS: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// Something that changed in the index.
#[derive(Debug)]
pub(super) enum Touched {
    /// A Service came, went or changed.
    Service(Key),
    /// A pod did; with the labels that it had and has.
    Pod(Key, Vec<Labels>),
    /// A slice did; with its Services, and the pods of which it says something else now.
    Slice(Vec<Key>, BTreeSet<Name>),
    /// A Node came or went.
    Node,
    /// An object of a namespace cannot be decoded.
    Unreadable(Name),
}

impl Touched {
    pub(super) fn pod(key: &Key, old: Option<&Pod>, new: Option<&Pod>) -> Self {
        let mut labels: Vec<Labels> = old.into_iter().map(|pod| pod.labels.clone()).collect();
        labels.extend(new.map(|pod| pod.labels.clone()));
        labels.dedup();
        Self::Pod(key.clone(), labels)
    }

    pub(super) fn slice(
        key: &Key,
        old: Option<&EndpointSlice>,
        new: Option<&EndpointSlice>,
    ) -> Self {
        let mut services: Vec<Key> = Vec::new();
        services.extend(old.and_then(|slice| slice.service_key(key)));
        services.extend(new.and_then(|slice| slice.service_key(key)));
        services.dedup();
        let moved = services.len() > 1;
        // Endpoints keep their order unless they change, so most are the same at the same place.
        let [old, new] = [old, new].map(|slice| slice.map_or(&[][..], |it| &it.endpoints));
        let differ = |at: &usize| moved || old.get(*at) != new.get(*at);
        let names = (0..old.len().max(new.len()))
            .filter(differ)
            .flat_map(|at| [old.get(at), new.get(at)])
            .filter_map(|endpoint| Some(endpoint?.pod.as_ref()?.name.clone()))
            .collect();
        Self::Slice(services, names)
    }
}

/// What made a mismatch, or mended it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum By {
    /// A pod changed.
    Pod,
    /// A slice changed.
    Slice,
    /// A relist, a Service or a Node: since when is not known.
    Other,
}

/// A mismatch that lasts.
#[derive(Clone, Copy, Debug)]
struct Open {
    since: Clock,
    by: By,
    /// When the pod last changed, which a slice that comes later may not say yet.
    changed: Clock,
}

/// The lag of every change, and what lags now.
#[derive(Debug, Default)]
pub struct Lag {
    counts: [u64; LAG_BOUNDS.len() + 1],
    sum: Duration,
    open: BTreeMap<Key, BTreeMap<Name, Open>>,
}

/// What slices do not say yet of the pods of one Service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lagging<'a> {
    /// Which one.
    pub service: &'a Key,
    /// How many pods.
    pub pods: usize,
    /// One of them, which waits the longest.
    pub first: &'a Name,
    /// Since when.
    pub since: Clock,
}

/// Returns how the slices of a Service differ from one of its pods.
fn compare(tables: Tables<'_>, key: &Key, service: &Service, name: &Name) -> Mismatches {
    let place = Membership::of(service, tables.pod(key, name), |name| tables.is_node(name));
    let slices = tables.slices_of(key).filter(|slice| slice.managed);
    let endpoints = slices.flat_map(|slice| slice.endpoints.iter().map(move |it| (slice, it)));
    let is_named = |it: &Endpoint| it.pod.as_ref().is_some_and(|pod| pod.name == *name);
    mismatches(service, place, endpoints.filter(|(_, it)| is_named(it)))
}

/// Whether a change of the pod alone explains it: ports, nodes and families follow Services.
fn lags(found: Mismatches) -> bool {
    [Mismatch::Missing, Mismatch::Stale, Mismatch::Readiness]
        .into_iter()
        .any(|mismatch| found.contains(mismatch))
}

/// Returns what lags of one Service; what did `before` keeps its time.
fn lasting(
    comparison: &Comparison<'_>,
    before: Option<&BTreeMap<Name, Open>>,
    now: Clock,
) -> BTreeMap<Name, Open> {
    let wrong = comparison.wrong.iter().filter(|(_, found)| lags(*found));
    let open = |name: &Name| {
        let known = before.and_then(|before| before.get(name)).copied();
        known.unwrap_or(Open { since: now, by: By::Other, changed: now })
    };
    wrong.map(|(name, _)| ((*name).clone(), open(name))).collect()
}

impl Lag {
    /// Returns how many changes took how long, by [`LAG_BOUNDS`], and the sum in seconds.
    pub fn histogram(&self) -> (Vec<u64>, f64) {
        (self.counts.to_vec(), self.sum.as_secs_f64())
    }

    /// Returns the Services of which something lags, by key.
    pub fn open(&self) -> impl Iterator<Item = Lagging<'_>> {
        self.open.iter().filter_map(|(service, pods)| {
            let (first, open) = pods.iter().min_by_key(|(_, open)| open.since.uptime)?;
            Some(Lagging { service, pods: pods.len(), first, since: open.since })
        })
    }

    /// Takes in what one event changed. `touched` is `None` when it was not followed, because
    /// some list was under way; returns whether the next one is to be followed.
    pub(super) fn follow(
        &mut self,
        tables: Option<Tables<'_>>,
        touched: Option<Vec<Touched>>,
    ) -> bool {
        let Some(tables) = tables else { return false };
        let Some(touched) = touched else {
            self.begin(tables);
            return true;
        };
        for touched in touched {
            match touched {
                Touched::Service(key) => self.service(tables, &key),
                Touched::Pod(key, labels) => self.pod(tables, &key, &labels),
                Touched::Slice(services, names) => {
                    for key in services {
                        names.iter().for_each(|name| self.compare(tables, &key, name, By::Slice));
                    }
                }
                Touched::Unreadable(namespace) => {
                    self.open.retain(|key, _| key.namespace != namespace);
                }
                Touched::Node => {
                    let open = self.open.iter();
                    let open = open.flat_map(|(key, pods)| pods.keys().map(move |pod| (key, pod)));
                    let open: Vec<(Key, Name)> =
                        open.map(|(key, pod)| (key.clone(), pod.clone())).collect();
                    for (key, name) in open {
                        self.compare(tables, &key, &name, By::Other);
                    }
                }
            }
        }
        true
    }

    /// Compares everything anew; what was open before keeps its time.
    fn begin(&mut self, tables: Tables<'_>) {
        let before = std::mem::take(&mut self.open);
        let now = tables.now;
        tables.compare_all(&mut |compared| {
            if let Ok(it) = compared {
                let open = lasting(&it, before.get(it.key), now);
                if !open.is_empty() {
                    self.open.insert(it.key.clone(), open);
                }
            }
        });
    }

    /// Compares all pods of one Service; what was open before keeps its time.
    fn service(&mut self, tables: Tables<'_>, key: &Key) {
        let before = self.open.remove(key);
        let Some(it) = tables.compare_one(key) else { return };
        let open = lasting(&it, before.as_ref(), tables.now);
        if !open.is_empty() {
            self.open.insert(key.clone(), open);
        }
    }

    /// Compares one pod with the slices of every Service that selects or selected it.
    fn pod(&mut self, tables: Tables<'_>, pod: &Key, labels: &[Labels]) {
        let services: BTreeSet<&Name> =
            labels.iter().flat_map(|labels| tables.may_select(&pod.namespace, labels)).collect();
        for name in services {
            let key = Key { namespace: pod.namespace.clone(), name: name.clone() };
            self.compare(tables, &key, &pod.name, By::Pod);
        }
    }

    /// Compares one pod with the slices of one Service, and opens or closes a mismatch.
    fn compare(&mut self, tables: Tables<'_>, key: &Key, name: &Name, by: By) {
        let Some(service) = tables.service(key) else {
            self.open.remove(key);
            return;
        };
        let now = tables.now;
        let lags = lags(compare(tables, key, service, name));
        let known = self.open.get_mut(key).and_then(|pods| pods.get_mut(name));
        let mut observed = None;
        match (known, lags) {
            (None, false) => {}
            (None, true) => {
                let open = Open { since: now, by, changed: now };
                self.open.entry(key.clone()).or_default().insert(name.clone(), open);
            }
            (Some(open), true) if by == By::Pod => open.changed = now,
            // The slices moved on, and the pod has done so once more in the meantime.
            (Some(open), true) if by == By::Slice && open.by == By::Pod => {
                open.since = open.changed;
            }
            (Some(_), true) => {}
            (Some(open), false) => {
                match (open.by, by) {
                    (By::Pod, By::Slice) => observed = Some(now.since(open.since)),
                    // The slice was seen before the pod that it is about.
                    (By::Slice, By::Pod) => observed = Some(Duration::ZERO),
                    _ => {}
                }
                self.close(key, name);
            }
        }
        if let Some(lag) = observed {
            self.observe(lag);
        }
    }

    fn close(&mut self, key: &Key, name: &Name) {
        if let Some(pods) = self.open.get_mut(key) {
            pods.remove(name);
            if pods.is_empty() {
                self.open.remove(key);
            }
        }
    }

    fn observe(&mut self, lag: Duration) {
        let at = LAG_BOUNDS.partition_point(|bound| *bound < lag.as_secs_f64());
        self.counts[at] += 1;
        self.sum += lag;
    }
}

#[cfg(test)]
mod tests;

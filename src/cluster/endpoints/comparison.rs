//! The pods and the endpoints of Services, side by side.

use std::net::IpAddr;

use super::index::Index;
use super::mismatch::{Membership, Mismatches, mismatches};
use crate::cluster::{Clock, Cluster, Table};
use crate::model::{
    Endpoint, EndpointSlice, Fact, Key, Labels, Name, NameMap, Node, Pod, Service, Unanswered,
    Unknown,
};

/// What is known of one Service whose endpoints are the controller's.
#[derive(Debug)]
pub struct Comparison<'a> {
    /// The Service's key.
    pub key: &'a Key,
    /// The Service.
    pub service: &'a Service,
    /// The pods that slices have wrong, by name, each with how.
    pub wrong: Vec<(&'a Name, Mismatches)>,
    /// Addresses that belong to no pod and name none.
    pub strangers: Vec<IpAddr>,
    /// The pods that the Service selects, however they are, by name.
    pub selected: Vec<(&'a Name, &'a Pod)>,
}

/// The tables that are compared; whether they can be believed is the caller's question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables<'a> {
    pub(super) now: Clock,
    index: &'a Index,
    services: &'a Table<Service>,
    pods: &'a Table<Pod>,
    slices: &'a Table<EndpointSlice>,
    nodes: &'a Table<Node>,
}

impl<'a> Tables<'a> {
    /// Takes those that can be believed.
    ///
    /// # Errors
    ///
    /// As [`Cluster::read`].
    pub(super) fn read(cluster: &'a Cluster, index: &'a Index) -> Result<Self, Unanswered> {
        Ok(Self {
            now: cluster.now(),
            index,
            services: cluster.read()?,
            pods: cluster.read()?,
            slices: cluster.read()?,
            nodes: cluster.read()?,
        })
    }

    /// Takes those that are complete, however old.
    pub(super) fn complete(cluster: &'a Cluster, index: &'a Index) -> Option<Self> {
        Some(Self {
            now: cluster.now(),
            index,
            services: complete(cluster)?,
            pods: complete(cluster)?,
            slices: complete(cluster)?,
            nodes: complete(cluster)?,
        })
    }

    /// Compares every Service, and gives a namespace that cannot be read instead of those in it.
    ///
    /// Namespace by namespace, because each pod is looked at once and none is searched for.
    pub(super) fn compare_all(self, visit: &mut dyn FnMut(Result<Comparison<'a>, Unknown>)) {
        let nodes: NameMap<&Name, ()> = self.nodes.iter().map(|(key, _)| (&key.name, ())).collect();
        let mut services =
            self.services.iter().filter(|(_, service)| service.has_controller()).peekable();
        while let Some((Key { namespace, .. }, _)) = services.peek() {
            let mut here = Vec::new();
            while let Some(next) = services.next_if(|(key, _)| key.namespace == *namespace) {
                here.push(next);
            }
            match self.pods_of_each(namespace, &here) {
                Err(why) => visit(Err(why)),
                Ok(selected) => {
                    for ((key, service), selected) in here.into_iter().zip(selected) {
                        let is_node = |name: &Name| nodes.contains_key(name);
                        visit(Ok(self.compare(key, service, selected, is_node)));
                    }
                }
            }
        }
    }

    /// Returns the pods that each of the Services of one namespace selects.
    fn pods_of_each(
        self,
        namespace: &'a Name,
        services: &[(&'a Key, &'a Service)],
    ) -> Result<Vec<Vec<(&'a Name, &'a Pod)>>, Unknown> {
        self.slices.namespace(namespace).map(|_| ())?;
        let places: NameMap<&Name, usize> =
            services.iter().enumerate().map(|(at, (key, _))| (&key.name, at)).collect();
        let mut selected = vec![Vec::new(); services.len()];
        // The pods of a workload mostly share their labels, and come one after the other.
        let (mut last, mut selecting): (Option<&Labels>, Vec<usize>) = (None, Vec::new());
        for (key, pod) in self.pods.namespace(namespace)? {
            if last != Some(&pod.labels) {
                let may = self.index.may_select(namespace, &pod.labels);
                let may = may.filter_map(|name| places.get(name).copied());
                selecting.clear();
                selecting.extend(may.filter(|at| services[*at].1.selects(pod)));
                last = Some(&pod.labels);
            }
            for at in &selecting {
                selected[*at].push((&key.name, pod));
            }
        }
        Ok(selected)
    }

    /// Compares one Service, as [`compare_all`](Self::compare_all) does; none when its namespace
    /// cannot be read or the controller does not write its endpoints.
    pub(super) fn compare_one(self, key: &'a Key) -> Option<Comparison<'a>> {
        let service = self.service(key)?;
        let pod = |name: &'a Name| {
            let key = Key { namespace: key.namespace.clone(), name: name.clone() };
            Some((name, self.pods.get(&key)?))
        };
        let mut selected: Vec<_> = self.index.pods_of(key, service).filter_map(pod).collect();
        selected.sort_unstable_by_key(|(name, _)| *name);
        Some(self.compare(key, service, selected, |name| self.is_node(name)))
    }

    /// Returns a Service whose slices the controller keeps, when all around it can be read.
    pub(super) fn service(self, key: &Key) -> Option<&'a Service> {
        let readable = self.services.namespace(&key.namespace).is_ok()
            && self.pods.namespace(&key.namespace).is_ok()
            && self.slices.namespace(&key.namespace).is_ok();
        self.services.get(key).filter(|service| readable && service.has_controller())
    }

    /// Whether there is a Node of that name.
    pub(super) fn is_node(self, name: &Name) -> bool {
        self.nodes.get(&Key::new("", name.clone())).is_some()
    }

    /// Returns the slices of one Service.
    pub(super) fn slices_of(self, service: &Key) -> impl Iterator<Item = &'a EndpointSlice> {
        slices_of(self.index, self.slices, service)
    }

    /// Returns a pod's namesake in the namespace of `service`.
    pub(super) fn pod(self, service: &Key, name: &Name) -> Option<&'a Pod> {
        self.pods.get(&Key { namespace: service.namespace.clone(), name: name.clone() })
    }

    /// Returns the names of the Services that may select `labels`.
    pub(super) fn may_select<'b>(
        self,
        namespace: &Name,
        labels: &'b Labels,
    ) -> impl Iterator<Item = &'b Name>
    where
        'a: 'b,
    {
        self.index.may_select(namespace, labels)
    }

    fn compare(
        self,
        key: &'a Key,
        service: &'a Service,
        selected: Vec<(&'a Name, &'a Pod)>,
        is_node: impl Fn(&Name) -> bool,
    ) -> Comparison<'a> {
        let mut sides: NameMap<&Name, Side<'a>> = NameMap::default();
        sides.reserve(selected.len());
        sides.extend(selected.iter().map(|(name, pod)| (*name, Side::of(pod))));
        let mut strangers = Vec::new();
        // A Service with a selector has nothing to be mirrored: what is left of it is dead weight.
        let left = self.slices_of(key).filter(|slice| slice.mirrored);
        for address in left.flat_map(|slice| &slice.endpoints).filter_map(|it| it.address) {
            if !selected.iter().any(|(_, pod)| pod.addresses.contains(&address)) {
                strangers.push(address);
            }
        }
        for slice in self.slices_of(key).filter(|slice| slice.managed) {
            for endpoint in &slice.endpoints {
                let name = match (&endpoint.pod, endpoint.address) {
                    (Some(pod), _) => &pod.name,
                    (None, None) => continue,
                    // Rare: the controller names the pod of each address.
                    (None, Some(address)) => {
                        let has = |(_, pod): &&(&Name, &Pod)| pod.addresses.contains(&address);
                        let Some((name, _)) = selected.iter().find(has) else {
                            strangers.push(address);
                            continue;
                        };
                        name
                    }
                };
                sides.entry(name).or_default().name(slice, endpoint);
            }
        }
        let mut wrong = Vec::new();
        for (name, Side { pod, named, others }) in sides {
            let place = Membership::of(service, pod, &is_node);
            let found = mismatches(service, place, named.into_iter().chain(others));
            if !found.is_empty() {
                wrong.push((name, found));
            }
        }
        wrong.sort_unstable_by_key(|(name, _)| *name);
        strangers.sort_unstable();
        strangers.dedup();
        Comparison { key, service, wrong, strangers, selected }
    }
}

/// Returns the objects of a kind once they are all known.
fn complete<T: Fact>(cluster: &Cluster) -> Option<&Table<T>> {
    cluster.last_known().filter(|table| table.is_complete())
}

/// Returns the slices of one Service.
pub(super) fn slices_of<'a>(
    index: &'a Index,
    slices: &'a Table<EndpointSlice>,
    service: &Key,
) -> impl Iterator<Item = &'a EndpointSlice> + use<'a> {
    let namespace = service.namespace.clone();
    index
        .slices_of(service)
        .map(move |name| Key { namespace: namespace.clone(), name: name.clone() })
        .filter_map(|key| slices.get(&key))
}

/// What is known of one name.
#[derive(Default)]
struct Side<'a> {
    pod: Option<&'a Pod>,
    /// The endpoint that names it; mostly there is one.
    named: Option<(&'a EndpointSlice, &'a Endpoint)>,
    others: Vec<(&'a EndpointSlice, &'a Endpoint)>,
}

impl<'a> Side<'a> {
    fn of(pod: &'a Pod) -> Self {
        Self { pod: Some(pod), ..Self::default() }
    }

    fn name(&mut self, slice: &'a EndpointSlice, endpoint: &'a Endpoint) {
        match self.named {
            None => self.named = Some((slice, endpoint)),
            Some(_) => self.others.push((slice, endpoint)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Event;
    use crate::cluster::endpoints::{compare, last_known_slices_of, of};
    use crate::fixtures::cluster;
    use crate::model::Labels;

    /// The pods that each Service selects, as one line each.
    fn selected(facts: &Cluster) -> Vec<String> {
        let mut lines = Vec::new();
        compare(facts, &mut |compared| {
            let it = compared.unwrap();
            let pods: Vec<&str> = it.selected.iter().map(|(name, _)| &***name).collect();
            lines.push(format!("{}: {}", it.key.name, pods.join(" ")));
        })
        .unwrap();
        lines
    }

    #[test]
    fn pods_side_by_side_with_other_labels_belong_to_their_own_services() {
        let facts = cluster().pod("shop/a-1").pod("shop/b-1").pod("shop/b-2");
        let facts = facts.service("shop/a").service("shop/b").service("shop/c");
        assert_eq!(selected(&facts), ["a: a-1", "b: b-1 b-2", "c: "]);
    }

    #[test]
    fn a_pod_needs_every_label_of_the_selector() {
        let selector = Labels::from([("app", "cart"), ("tier", "web")]);
        let service = Service { selector, routed: true, ..Service::default() };
        let facts = cluster().with(Event::Put(Key::new("shop", "cart"), service));
        let facts = facts.pod("shop/cart-1").pod_with("shop/cart-2", |pod| {
            pod.labels = [("app", "cart"), ("tier", "web"), ("x", "y")].into();
        });
        assert_eq!(selected(&facts), ["cart: cart-2"]);
    }

    #[test]
    fn a_pod_that_gets_other_labels_leaves_those_that_it_shared_them_with() {
        let facts = cluster().service("shop/cart").pod("shop/cart-1").pod("shop/cart-2");
        let facts = facts.pod_with("shop/cart-1", |pod| pod.labels = [("app", "pay")].into());
        let key = Key::new("shop", "cart");
        let tables = Tables::read(&facts, &of(&facts).index).unwrap();
        let selected = tables.compare_one(&key).unwrap().selected;
        let names: Vec<&str> = selected.iter().map(|(name, _)| &***name).collect();
        assert_eq!(names, ["cart-2"]);
    }

    #[test]
    fn a_slice_that_moves_to_another_service_leaves_the_first() {
        let slice = |service: &str| {
            let service = Some(service.into());
            Event::Put(Key::new("shop", "a"), EndpointSlice { service, ..EndpointSlice::default() })
        };
        let facts = cluster().with(slice("cart")).with(slice("pay"));
        let slices = |name: &str| last_known_slices_of(&facts, &Key::new("shop", name)).count();
        assert_eq!((slices("cart"), slices("pay")), (0, 1));
    }
}

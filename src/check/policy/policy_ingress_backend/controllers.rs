//! Which pods serve an Ingress, as far as the API tells.
//!
//! A controller that publishes the address of its Service is found behind that; another by the label
//! that its chart gives its pods. Where neither tells, nobody knows: a load balancer of a cloud is no
//! pod, and what is on its node's own network is kept away by no policy that engines agree on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::cluster::endpoints::slices_of;
use crate::cluster::{Cluster, Table};
use crate::model::{
    Addresses, ClassName, Ingress, IngressClass, Key, Labels, Name, Pod, Service, ServicePort,
    Unanswered,
};

/// The label by which charts name what a pod runs.
const NAME: &str = "app.kubernetes.io/name";

/// Which part of that.
const COMPONENT: &str = "app.kubernetes.io/component";

/// Ports of which a Service before an ingress controller has one.
const WEB: [u16; 2] = [80, 443];

/// How pods are labelled of which a class says that they serve it.
struct Known {
    /// What `spec.controller` of the class begins with,
    begins: &'static str,
    /// and has in it.
    has: &'static str,
    names: &'static [&'static str],
    /// Others of the same name serve nothing.
    component: Option<&'static str>,
}

/// Those whose pods, and not others beside them, send to backends. Of Contour, APISIX and Istio these are
/// others, which are found behind their Service.
const KNOWN: &[Known] = &[
    Known {
        begins: "k8s.io/",
        has: "ingress-nginx",
        names: &["ingress-nginx", "rke2-ingress-nginx"],
        component: Some("controller"),
    },
    known("nginx.org/ingress-controller", &["nginx-ingress"]),
    known("traefik.io/ingress-controller", &["traefik", "rke2-traefik"]),
    known("haproxy.org/ingress-controller", &["kubernetes-ingress"]),
    known("haproxy-ingress.github.io/controller", &["haproxy-ingress"]),
    known("ingress-controllers.konghq.com/kong", &["kong"]),
];

const fn known(begins: &'static str, names: &'static [&'static str]) -> Known {
    Known { begins, has: "", names, component: None }
}

/// A pod and its key.
type Named<'a> = (Key, &'a Pod);

/// A namespace, and labels of pods there.
pub(super) type Peer = (Name, Vec<(Name, Name)>);

/// How an Ingress tells who serves it.
type Asked<'a> = (&'a [Name], Option<&'a Name>);

/// The pods that serve Ingresses.
pub(super) struct Controller<'a> {
    /// Those that no selector tells apart, together.
    pub(super) groups: Vec<Group<'a>>,
    /// How a policy names them: the labels in each namespace; empty where no labels do.
    pub(super) peers: BTreeSet<Peer>,
}

/// Pods of one namespace with the same labels.
pub(super) struct Group<'a> {
    /// Which one of all.
    pub(super) number: usize,
    pub(super) pods: Vec<Named<'a>>,
    /// One of them, without the address that is its own.
    pub(super) bare: Pod,
}

/// All that are known.
pub(super) struct Controllers<'a> {
    cluster: &'a Cluster,
    classes: &'a Table<IngressClass>,
    services: &'a Table<Service>,
    pods: &'a Table<Pod>,
    by_address: BTreeMap<&'a Name, Vec<&'a Key>>,
    by_label: BTreeMap<&'static str, Vec<Named<'a>>>,
    known: BTreeMap<Asked<'a>, Option<usize>>,
    all: Vec<Controller<'a>>,
    groups: usize,
}

impl<'a> Controllers<'a> {
    pub(super) fn of(cluster: &'a Cluster) -> Result<Self, Unanswered> {
        let (services, pods) = (cluster.read::<Service>()?, cluster.read::<Pod>()?);
        let classes = cluster.read::<IngressClass>()?;
        let mut by_address: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, service) in services.iter() {
            let addresses = service.load_balancer.iter().flat_map(|it| it.addresses.iter());
            // Several Services may share an address, each with ports of its own.
            for address in addresses.filter(|_| service.ports.iter().any(is_web)) {
                by_address.entry(address).or_default().push(key);
            }
        }
        let wanted = KNOWN.iter().filter(|it| classes.iter().any(|(_, class)| it.is(class)));
        let wanted: BTreeMap<&str, &'static str> =
            wanted.flat_map(|it| it.names).map(|name| (*name, *name)).collect();
        let mut by_label: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, pod) in pods.iter().filter(|_| !wanted.is_empty()) {
            let name = pod.labels.get(NAME).and_then(|name| wanted.get(&**name));
            if let Some(name) = name.filter(|_| pod.ready && !pod.ended && !pod.terminating) {
                by_label.entry(*name).or_default().push((key.clone(), pod));
            }
        }
        let (known, all, groups) = Default::default();
        Ok(Self { cluster, classes, services, pods, by_address, by_label, known, all, groups })
    }

    /// Returns which one serves an Ingress; none where nobody knows.
    pub(super) fn serving(&mut self, ingress: &'a Ingress) -> Result<Option<usize>, Unanswered> {
        let asked = (&*ingress.addresses, ingress.class.as_ref().map(ClassName::name));
        if let Some(known) = self.known.get(&asked) {
            return Ok(*known);
        }
        let found = self.find(asked)?;
        let number = found.map(|found| {
            self.all.push(found);
            self.all.len() - 1
        });
        self.known.insert(asked, number);
        Ok(number)
    }

    pub(super) fn get(&self, number: usize) -> Option<&Controller<'a>> {
        self.all.get(number)
    }

    fn find(
        &mut self,
        (addresses, class): Asked<'a>,
    ) -> Result<Option<Controller<'a>>, Unanswered> {
        let class = class.and_then(|name| self.classes.get(&Key::new("", name.clone())));
        let known = class.and_then(|class| KNOWN.iter().find(|it| it.is(class)));
        let (mut pods, mut peers) = self.behind(addresses)?;
        let labelled = known.map(|known| self.labelled(known)).unwrap_or_default();
        // What has the address may be no more than a proxy before the one that serves.
        let is_all = known.is_none_or(|known| pods.iter().all(|(_, pod)| known.labels(pod)));
        if pods.is_empty() || !is_all {
            let peer = |(key, pod): &Named<'_>| Some((key.namespace.clone(), known?.as_peer(pod)));
            peers.extend(labelled.iter().filter_map(peer));
            pods.extend(labelled);
        }
        if pods.is_empty() || pods.iter().any(|(_, pod)| pod.host_network) {
            return Ok(None);
        }
        Ok(Some(Controller { groups: self.grouped(pods), peers }))
    }

    /// Returns the pods behind the one Service that has the address of an Ingress.
    fn behind(&self, addresses: &[Name]) -> Result<(Vec<Named<'a>>, BTreeSet<Peer>), Unanswered> {
        let found = addresses.iter().filter_map(|address| self.by_address.get(address)).flatten();
        let found: BTreeSet<&'a Key> = found.copied().collect();
        let (mut pods, mut peers) = (BTreeMap::new(), BTreeSet::new());
        let [service] = found.into_iter().collect::<Vec<_>>()[..] else {
            return Ok((Vec::new(), peers));
        };
        for endpoint in slices_of(self.cluster, service)?.flat_map(|it| &it.endpoints) {
            let Some(named) = endpoint.pod.as_ref().filter(|_| endpoint.gets_traffic()) else {
                continue;
            };
            let key = Key { namespace: service.namespace.clone(), name: named.name.clone() };
            let found = self.pods.get(&key).filter(|pod| pod.uid == named.uid);
            pods.extend(found.map(|pod| (key, pod)));
        }
        let selector = self.services.get(service).map(|it| &it.selector);
        if let Some(selector) = selector.filter(|it| !it.is_empty()) {
            peers.insert((service.namespace.clone(), pairs(selector)));
        }
        Ok((pods.into_iter().collect(), peers))
    }

    fn labelled(&self, known: &Known) -> Vec<Named<'a>> {
        let all = known.names.iter().filter_map(|name| self.by_label.get(name)).flatten();
        all.filter(|(_, pod)| known.labels(pod)).cloned().collect()
    }

    fn grouped(&mut self, pods: Vec<Named<'a>>) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        let mut places: HashMap<(Name, &Labels), usize> = HashMap::new();
        for (key, pod) in pods {
            let new = groups.len();
            let at = *places.entry((key.namespace.clone(), &pod.labels)).or_insert(new);
            if at == new {
                let bare = Pod { addresses: Addresses::default(), ..pod.clone() };
                groups.push(Group { number: self.groups, pods: Vec::new(), bare });
                self.groups += 1;
            }
            groups[at].pods.push((key, pod));
        }
        groups
    }
}

impl Known {
    /// Whether it is what a class names.
    fn is(&self, class: &IngressClass) -> bool {
        class.controller.strip_prefix(self.begins).is_some_and(|rest| rest.contains(self.has))
    }

    /// Whether a pod is labelled as one of its own.
    fn labels(&self, pod: &Pod) -> bool {
        let is = |key: &str, value: &str| pod.labels.get(key).is_some_and(|it| **it == *value);
        self.names.iter().any(|name| is(NAME, name))
            && self.component.is_none_or(|component| is(COMPONENT, component))
    }

    /// The labels by which a policy names such a pod.
    fn as_peer(&self, pod: &Pod) -> Vec<(Name, Name)> {
        let keys = [Some(COMPONENT).filter(|_| self.component.is_some()), Some(NAME)];
        let label = |key: &str| Some((Name::from(key), pod.labels.get(key)?.clone()));
        keys.into_iter().flatten().filter_map(label).collect()
    }
}

fn is_web(port: &ServicePort) -> bool {
    WEB.contains(&port.port)
}

fn pairs(labels: &Labels) -> Vec<(Name, Name)> {
    labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

//! What a simulated cluster consists of, before anything of it runs: scenarios change it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::addresses::{Addresses, port};
use super::dns::Faults;
use super::manifests;
use super::objects::{Node, Pod, Port, Service};

/// The label of the pods that answer DNS.
pub(super) const DNS: (&str, &str) = ("k8s-app", "kube-dns");

/// netvitals' own namespace.
pub(super) const OWN: &str = "netvitals";

/// A healthy cluster of three nodes, until a scenario changes it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    pub(super) pods: Vec<Pod>,
    pub(super) services: Vec<Service>,
    /// Pods that are gone while slices still name them.
    pub(super) gone: BTreeSet<(String, String)>,
    /// Services whose address nothing answers, as if no node had rules for it.
    pub(super) broken: BTreeSet<(String, String)>,
    /// How pods that answer DNS fail, by their names; those that are not here are well.
    pub(super) dns: BTreeMap<String, Faults>,
    /// What CoreDNS is told.
    pub(super) corefile: String,
    /// The share of CPU periods in which the DNS pods are throttled, where they have a limit.
    pub(super) throttled: Option<f64>,
    addresses: Addresses,
}

impl World {
    /// Begins healthy.
    pub(super) fn new(addresses: Addresses) -> Self {
        let node = |number| Node {
            name: format!("node-{number}"),
            address: addresses.node(number),
            pods: addresses.pods(number, 24),
        };
        let mut world = Self {
            nodes: (1..=3).map(node).collect(),
            pods: Vec::new(),
            services: Vec::new(),
            gone: BTreeSet::new(),
            broken: BTreeSet::new(),
            dns: BTreeMap::new(),
            corefile: manifests::corefile(),
            throttled: None,
            addresses,
        };
        world.system();
        world.own();
        world.shop();
        world
    }

    fn system(&mut self) {
        self.service("default/kubernetes", Some(1), &[], &[(tcp("https", port::API), "https")]);
        let dns = [(udp("dns", port::DNS), "dns"), (tcp("dns-tcp", port::DNS), "dns-tcp")];
        self.service("kube-system/kube-dns", Some(10), &[DNS], &dns);
        for node in [1, 2] {
            let pod = self.pod("kube-system/coredns", "ReplicaSet", node, &[DNS]);
            pod.ports = dns.iter().map(|(port, _)| port.clone()).collect();
            pod.resources =
                json!({ "requests": { "cpu": "100m" }, "limits": { "memory": "170Mi" } });
        }
        for node in 1..=3 {
            let labels = [("k8s-app", "kube-proxy")];
            self.pod("kube-system/kube-proxy", "DaemonSet", node, &labels).host_network = true;
        }
    }

    fn own(&mut self) {
        let labels = |component| {
            [("app.kubernetes.io/name", OWN), ("app.kubernetes.io/component", component)]
        };
        let http = |number| vec![tcp("http", number)];
        let ports = [(tcp("http", port::AGENT), "http")];
        self.service("netvitals/netvitals-agent", Some(20), &labels("agent"), &ports);
        self.service("netvitals/netvitals-agents", None, &labels("agent"), &ports);
        self.service("netvitals/netvitals-cluster", Some(21), &labels("cluster"), &ports);
        for node in 1..=3 {
            let name = "netvitals/netvitals-agent";
            self.pod(name, "DaemonSet", node, &labels("agent")).ports = http(port::AGENT);
            let name = "netvitals/netvitals-host-agent";
            let pod = self.pod(name, "DaemonSet", node, &labels("host-agent"));
            (pod.ports, pod.host_network) = (http(port::HOST_AGENT), true);
        }
        let pod = self.pod("netvitals/netvitals-cluster", "ReplicaSet", 1, &labels("cluster"));
        pod.ports = http(port::AGENT);
    }

    fn shop(&mut self) {
        let ports = [(tcp("http", port::SHOP), "http")];
        for (at, name, replicas) in [(30, "shop/cart", 3), (31, "shop/web", 2)] {
            let labels = [("app", &name[5..])];
            self.service(name, Some(at), &labels, &ports);
            for node in 1..=replicas {
                self.pod(name, "ReplicaSet", node, &labels).ports = vec![tcp("http", port::SHOP)];
            }
        }
        self.service("shop/db", None, &[("app", "db")], &ports);
        let pod = self.pod("shop/db", "StatefulSet", 3, &[("app", "db")]);
        pod.ports = vec![tcp("http", port::SHOP)];
    }

    fn service(
        &mut self,
        service: &str,
        address: Option<u8>,
        selector: &[(&str, &str)],
        ports: &[(Port, &'static str)],
    ) {
        let (namespace, name) = split(service);
        self.services.push(Service {
            namespace,
            name,
            address: address.map(|last| self.addresses.service(last)),
            ports: ports.to_vec(),
            selector: owned(selector),
        });
    }

    /// Adds a pod of a workload to a node, with the next free address of it.
    pub(super) fn pod(
        &mut self,
        workload: &str,
        kind: &str,
        node: u8,
        labels: &[(&str, &str)],
    ) -> &mut Pod {
        let (namespace, workload) = split(workload);
        let number = self.pods.iter().filter(|it| it.owner.1 == workload).count();
        let here = self.pods.iter().filter(|it| it.node == Some(node) && !it.host_network);
        // host-local keeps the first address for the node itself.
        let address = self.addresses.pod(node, here.count() as u8 + 2);
        let at = self.pods.len();
        self.pods.push(Pod {
            name: format!("{workload}-{number}"),
            namespace,
            owner: (kind.to_owned(), workload),
            node: Some(node),
            address: Some(address),
            labels: owned(labels),
            ports: Vec::new(),
            host_network: false,
            resources: json!({ "requests": { "cpu": "10m" } }),
        });
        &mut self.pods[at]
    }

    /// Gives a node a range of another size for its pods.
    pub(super) fn resize(&mut self, node: u8, prefix: u8) {
        self.nodes[usize::from(node) - 1].pods = self.addresses.pods(node, prefix);
    }

    /// Returns where a pod answers: a host-network one has its node's address.
    pub(super) fn address(&self, pod: &Pod) -> Option<Ipv4Addr> {
        if !pod.host_network {
            return pod.address;
        }
        Some(self.node_of(pod)?.address)
    }

    /// Returns the node of a pod, if it has one.
    pub(super) fn node_of(&self, pod: &Pod) -> Option<&Node> {
        self.nodes.get(usize::from(pod.node?) - 1)
    }

    /// Returns where the API server answers.
    pub(super) fn api(&self) -> Ipv4Addr {
        self.addresses.api()
    }

    /// Returns the pods that a Service selects.
    pub(super) fn selected(&self, service: &Service) -> Vec<&Pod> {
        let selects = |pod: &&Pod| {
            !service.selector.is_empty()
                && pod.namespace == service.namespace
                && service.selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value))
        };
        self.pods.iter().filter(selects).collect()
    }

    /// Returns every object, all made at `created`, in RFC 3339.
    pub(super) fn objects(&self, created: &str) -> Vec<Value> {
        let resolved = |pod: &Pod| Pod { address: self.address(pod), ..pod.clone() };
        let namespaces = ["default", "kube-system", OWN, "shop"];
        let mut objects: Vec<Value> =
            namespaces.iter().map(|name| manifests::namespace(name, created)).collect();
        objects.extend(self.nodes.iter().map(|node| manifests::node(node, created)));
        objects.push(manifests::config_map("kube-system", "coredns", &self.corefile, created));
        let gone = |pod: &&Pod| !self.gone.contains(&(pod.namespace.clone(), pod.name.clone()));
        let sets = self.pods.iter().filter(|pod| pod.owner.0 == "DaemonSet");
        let mut sets: Vec<_> = sets.collect();
        sets.sort_by_key(|pod| (&pod.namespace, &pod.owner.1));
        sets.dedup_by_key(|pod| (&pod.namespace, &pod.owner.1));
        let pods = |of: &Pod| self.pods.iter().filter(|it| it.owner == of.owner).count();
        objects.extend(sets.iter().map(|pod| manifests::daemon_set(pod, pods(pod), created)));
        let pods = self.pods.iter().filter(gone);
        objects.extend(pods.map(|pod| manifests::pod(&resolved(pod), &self.nodes, created)));
        for service in &self.services {
            objects.push(manifests::service(service, created));
            objects.push(if service.selector.is_empty() {
                manifests::api_slice(self.api(), created)
            } else {
                manifests::slice(service, &self.selected(service), &self.nodes, created)
            });
        }
        objects
    }
}

fn tcp(name: &'static str, number: u16) -> Port {
    Port { name, number, protocol: "TCP" }
}

fn udp(name: &'static str, number: u16) -> Port {
    Port { name, number, protocol: "UDP" }
}

fn owned(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn split(text: &str) -> (String, String) {
    let (namespace, name) = text.split_once('/').unwrap_or(("default", text));
    (namespace.to_owned(), name.to_owned())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::DaemonSet;
    use k8s_openapi::api::core::v1 as core;
    use k8s_openapi::api::discovery::v1::EndpointSlice;
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::sim::scenario;

    /// Reads `object` by the API's own type and writes it again: what is misspelt is lost.
    fn through<T: DeserializeOwned + Serialize>(object: &Value) -> Value {
        let typed: T = serde_json::from_value(object.clone()).unwrap();
        serde_json::to_value(typed).unwrap()
    }

    #[test]
    fn every_field_of_every_object_is_one_that_the_api_has() {
        for scenario in scenario::ALL {
            let mut world = World::new(Addresses::unclaimed());
            (scenario.change)(&mut world);
            for object in world.objects("2026-01-01T00:00:00Z") {
                let read = match object["kind"].as_str().unwrap() {
                    "ConfigMap" => through::<core::ConfigMap>(&object),
                    "DaemonSet" => through::<DaemonSet>(&object),
                    "EndpointSlice" => through::<EndpointSlice>(&object),
                    "Namespace" => through::<core::Namespace>(&object),
                    "Node" => through::<core::Node>(&object),
                    "Pod" => through::<core::Pod>(&object),
                    "Service" => through::<core::Service>(&object),
                    other => panic!("{other}"),
                };
                assert_eq!(read, object, "in {}", scenario.name);
            }
        }
    }

    #[test]
    fn no_two_pods_have_one_address_and_no_two_objects_one_uid() {
        for scenario in scenario::ALL {
            let mut world = World::new(Addresses::unclaimed());
            (scenario.change)(&mut world);
            let pods = world.pods.iter().filter(|pod| !pod.host_network);
            let addresses: Vec<_> = pods.filter_map(|pod| pod.address).collect();
            assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), addresses.len());
            let objects = world.objects("2026-01-01T00:00:00Z");
            let uids = objects.iter().map(|object| object["metadata"]["uid"].as_str().unwrap());
            assert_eq!(uids.collect::<BTreeSet<_>>().len(), objects.len());
        }
    }
}

//! The policies that let a controller through beside what is there.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::controllers::Controller;
use crate::check::policy::object::{allowing, labels, peer, port};
use crate::cluster::Table;
use crate::model::{Key, Name, Pod, Protocol, Service};
use crate::policy::{Direction, Policies};

/// A Service, and the ports of its pods.
pub(super) struct Backend<'a> {
    pub(super) key: &'a Key,
    pub(super) service: &'a Service,
    pub(super) numbers: &'a BTreeSet<(Protocol, u16)>,
}

/// Returns, as JSON, a policy that lets a controller in to the pods of a Service; none where it would
/// close what is open now, or labels do not name both.
pub(super) fn to_backend(
    backend: &Backend<'_>,
    controller: &Controller<'_>,
    policies: &Policies<'_>,
    pods: &Table<Pod>,
) -> Option<String> {
    let Backend { key, service, .. } = backend;
    if service.selector.is_empty() || controller.peers.is_empty() {
        return None;
    }
    let selected =
        pods.last_known_namespace(&key.namespace).filter(|(_, pod)| service.selects(pod));
    if !policies.isolate_all(Direction::Ingress, selected) {
        return None;
    }
    let from = controller.peers.iter().map(|(namespace, own)| peer(namespace, &pairs(own)));
    let from: Vec<Value> = from.collect();
    let rule = json!({"from": from, "ports": backend.ports()});
    let selector = json!({"matchLabels": labels(service.selector.iter())});
    allowing(&format!("{}-from-controller", key.name), &selector, Direction::Ingress, &rule)
}

/// Returns, as JSON, a policy that lets a controller send to the pods of a Service, likewise.
pub(super) fn of_controller(
    backend: &Backend<'_>,
    controller: &Controller<'_>,
    policies: &Policies<'_>,
    pods: &Table<Pod>,
) -> Option<String> {
    let Backend { key, service, .. } = backend;
    let mut peers = controller.peers.iter();
    let (Some((namespace, wanted)), None) = (peers.next(), peers.next()) else { return None };
    if service.selector.is_empty() {
        return None;
    }
    let is_selected =
        |pod: &Pod| wanted.iter().all(|(key, value)| pod.labels.get(key) == Some(value));
    let selected =
        pods.last_known_namespace(namespace).filter(|(_, pod)| is_selected(pod) && !pod.ended);
    if !policies.isolate_all(Direction::Egress, selected) {
        return None;
    }
    let to = peer(&key.namespace, &labels(service.selector.iter()));
    let rule = json!({"to": [to], "ports": backend.ports()});
    let name = format!("{}-{}-backend", key.namespace, key.name);
    allowing(&name, &json!({"matchLabels": pairs(wanted)}), Direction::Egress, &rule)
}

impl Backend<'_> {
    fn ports(&self) -> Vec<Value> {
        self.numbers.iter().map(|(protocol, number)| port(*protocol, *number)).collect()
    }
}

fn pairs(all: &[(Name, Name)]) -> Value {
    labels(all.iter().map(|(key, value)| (key, value)))
}

//! What is told of a Service that is shut to its controller.

use std::collections::BTreeSet;

use super::codes::BLOCKED;
use super::controllers::Controller;
use super::opening::{Backend, of_controller, to_backend};
use super::reach::Arrives;
use crate::check::words::{count, some};
use crate::check::{Code, Finding};
use crate::cluster::Table;
use crate::model::{Key, Pod, Service};
use crate::policy::{Direction, Policies};

/// What is shut of a Service, and to whom.
pub(super) struct Shut<'s, 'a> {
    pub(super) controller: &'s Controller<'a>,
    /// The first of the Ingresses that lead there,
    pub(super) ingress: &'a Key,
    /// and how many there are.
    pub(super) ingresses: usize,
    pub(super) arrives: Arrives<'a>,
}

impl Shut<'_, '_> {
    pub(super) fn finding(
        &self,
        code: &'static Code,
        (key, service): (&Key, &Service),
        policies: &Policies<'_>,
        pods: &Table<Pod>,
    ) -> Finding {
        let Self { controller, ingress, ingresses, arrives } = self;
        let numbers: BTreeSet<u16> = arrives.numbers.iter().map(|(_, number)| *number).collect();
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let numbers = numbers.join(", ");
        let pod = controller.groups.first().and_then(|group| group.pods.first());
        let who = pod.map(|(key, _)| format!("{}/{}", key.namespace, key.name));
        let who = match (who, controller.groups.iter().map(|group| group.pods.len()).sum()) {
            (None, _) => String::new(),
            (Some(who), 1) => format!(", pod {who}"),
            (Some(who), pods) => format!(", {} of which {who} is one", some(pods, "pod")),
        };
        let (direction, by) = match &arrives.one {
            Some((_, direction, by)) => (*direction, &**by),
            None => (Direction::Ingress, &[][..]),
        };
        let policy = match by {
            [] => "a policy".to_owned(),
            [only] => format!("NetworkPolicy {}/{}", only.namespace, only.name),
            [one, others @ ..] => format!(
                "NetworkPolicy {}/{}, together with {} more,",
                one.namespace,
                one.name,
                count(others.len())
            ),
        };
        let which = if code.id == BLOCKED.id {
            "every pod behind it".to_owned()
        } else {
            let all = arrives.open.union(&arrives.shut).count();
            format!("{} of {} behind it", count(arrives.shut.len()), some(all, "pod"))
        };
        let lead = match ingresses.saturating_sub(1) {
            0 => "leads".to_owned(),
            more => format!("and {} more lead", count(more)),
        };
        let message = format!(
            "{policy} keeps the ingress controller{who}, from {which} on port {numbers}, where Ingress {} {lead}: look at the \
             peers and ports of its {}",
            ingress.name,
            direction.as_str()
        );
        let opened = Backend { key, service, numbers: &arrives.numbers };
        let (to, of) = match direction {
            Direction::Ingress => (to_backend(&opened, controller, policies, pods), None),
            Direction::Egress => (None, of_controller(&opened, controller, policies, pods)),
        };
        let isolating = |of: Direction| by.first().filter(|_| direction == of).map(|key| &key.name);
        Finding::of::<Service>(code, key.clone(), message)
            .with("pod", arrives.one.as_ref().map(|(pod, ..)| pod))
            .with("controller", pod.map(|(key, _)| &key.name))
            .with("controller_namespace", pod.map(|(key, _)| &key.namespace))
            .with("isolating", isolating(Direction::Ingress))
            .with("controller_isolating", isolating(Direction::Egress))
            .with("policy", to)
            .with("controller_policy", of)
    }
}

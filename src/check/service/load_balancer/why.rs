//! Why a Service has no load balancer, as its condition and its events tell.

use std::time::Duration;

use super::codes::{CONFLICT, NO_ADDRESSES, NO_NODES, PENDING, PERMISSIONS, QUOTA, SUBNETS};
use crate::check::Code;
use crate::check::words::long;
use crate::cluster::{Cluster, balancers};
use crate::model::{Key, LoadBalancer, Name, Refusal, Refused, ServiceEvent};

/// What is known of why.
pub(super) struct Why<'a> {
    /// The reason of a condition that does not hold: it is so now.
    condition: Option<&'a Name>,
    /// The last event, and how long ago it was.
    event: Option<(&'a Refused, Duration)>,
}

impl<'a> Why<'a> {
    pub(super) fn of(cluster: &'a Cluster, key: &Key, balancer: &'a LoadBalancer) -> Self {
        let event = cluster.remember::<ServiceEvent>().ok().and_then(|events| {
            events.of(key, &balancer.uid, balancers::came(cluster, key), cluster.now())
        });
        Self { condition: balancer.refusal.as_ref(), event }
    }

    fn refusal(&self) -> Refusal {
        let of_condition = self.condition.map(|reason| Refusal::of_condition(reason));
        let known = of_condition.filter(|it| *it != Refusal::Other);
        known.or_else(|| Some(self.event?.0.why)).unwrap_or(Refusal::Other)
    }

    /// Whether somebody said anything of it in an event.
    pub(super) fn is_told(&self) -> bool {
        self.event.is_some()
    }

    /// Whether the words are known.
    pub(super) fn is_known(&self) -> bool {
        self.refusal() != Refusal::Other
    }

    pub(super) fn code(&self) -> &'static Code {
        match self.refusal() {
            Refusal::Quota => &QUOTA,
            Refusal::Subnets => &SUBNETS,
            Refusal::Permissions => &PERMISSIONS,
            Refusal::Conflict => &CONFLICT,
            Refusal::NoNodes => &NO_NODES,
            Refusal::NoAddresses => &NO_ADDRESSES,
            Refusal::Other => &PENDING,
        }
    }

    /// What it comes to, in a few words; nothing where that is not known.
    pub(super) fn words(&self) -> &'static str {
        match self.refusal() {
            Refusal::Quota => ", because a quota is used up",
            Refusal::Subnets => ", because there is no subnet for it, or none with room",
            Refusal::Permissions => ", because what makes it may not",
            Refusal::Conflict => ", because another has what it asks for",
            Refusal::NoNodes => ", because no node may be behind it",
            Refusal::NoAddresses => {
                ", because no pool has an address for it: they are full, or not its"
            }
            Refusal::Other => "",
        }
    }

    /// What was said, word for word, as far as it is short.
    pub(super) fn said(&self) -> String {
        let condition = self.condition.map(|reason| format!(", {reason}")).unwrap_or_default();
        let event = self.event.map(|(said, age)| {
            let ago = if age.as_secs() < 60 { "just now".into() } else { long(age) + " ago" };
            format!(", said {ago}: \"{}\"", said.text)
        });
        condition + &event.unwrap_or_default()
    }

    /// What to look at next.
    pub(super) fn next(&self) -> &'static str {
        match self.refusal() {
            Refusal::Quota => "raise the quota, or give up a load balancer that nobody needs",
            Refusal::Subnets => "look at the tags of the subnets and at the Service's annotations",
            Refusal::Permissions => "look at the role of what makes load balancers",
            Refusal::Conflict => "look at which Service has it",
            Refusal::NoNodes => "look at the labels of the nodes",
            Refusal::NoAddresses => "look at the pools of addresses",
            Refusal::Other if self.event.is_some() => "look at what it asks for",
            Refusal::Other => "look at its events",
        }
    }
}

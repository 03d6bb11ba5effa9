//! Whether what a controller sends arrives at the pods behind a Service.

use std::collections::{BTreeSet, HashMap};

use super::controllers::{Controller, Group};
use crate::check::policy::engines::Engines;
use crate::check::policy::gaps::{Gap, NOT_UNDERSTOOD, OTHER_API, UNDECODED};
use crate::check::policy::isolated::Isolated;
use crate::model::{Addresses, Key, Labels, Name, Pod, Ports, Protocol, Unknown};
use crate::policy::{Direction, End, Policies, Reason, Traffic, Verdict};

/// Of so many pods that only their addresses tell apart each is looked at.
const MOST: usize = 256;

const PORT_NAMES: Gap = (
    "ports",
    Unknown::Undecided(
        "a rule names a port, and pods behind an Ingress declare none of that name; give its number",
    ),
);

const NAMESPACES: Gap =
    ("namespaces", Unknown::Undecided("the labels of a namespace are not known"));

const RANGES: Gap = (
    "ranges",
    Unknown::Undecided(
        "policies let an ingress controller through by ipBlock alone, which Cilium does not hold \
         against pods, or it has too many pods for each to be looked at; name its pods by their labels",
    ),
);

/// What becomes of traffic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Way<'a> {
    /// It arrives.
    Open,
    /// These policies keep it away, of what gets it or of what sends it.
    Shut(Direction, Vec<&'a Key>),
    /// That depends on what is not known.
    Doubt(Gap),
}

/// A pod that gets traffic, and where.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) namespace: &'a Name,
    pub(super) name: &'a Name,
    pub(super) pod: &'a Pod,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
}

/// What is the same for all pods with the same labels.
type Alike<'a> = (usize, usize, &'a Ports, Protocol, u16);
type Far<'a> = (usize, &'a Name, &'a Labels, &'a Ports, Protocol, u16);

/// Policies, and what was found out by them.
pub(super) struct Reach<'a> {
    pub(super) policies: Policies<'a>,
    engines: Engines,
    /// Where policies speak of what pods send.
    egress: Isolated<'a>,
    ingress: HashMap<Alike<'a>, Way<'a>>,
    /// Absent where it depends on the address of each pod.
    sent: HashMap<Far<'a>, Option<Way<'a>>>,
}

impl<'a> Reach<'a> {
    pub(super) fn new(policies: Policies<'a>, engines: Engines, egress: Isolated<'a>) -> Self {
        let (ingress, sent) = Default::default();
        Self { policies, engines, egress, ingress, sent }
    }

    /// Whether policies may keep anything that a controller sends.
    pub(super) fn isolates(&self, controller: &Controller<'_>) -> bool {
        let mut namespaces = controller.groups.iter().filter_map(|group| group.pods.first());
        namespaces.any(|(key, _)| self.egress.has(&key.namespace))
    }

    /// Says what becomes of what any pod of a controller sends: shut is what none may.
    pub(super) fn any(&mut self, controller: &Controller<'a>, to: Target<'a>) -> Way<'a> {
        let mut way = None;
        for group in &controller.groups {
            match (self.one(group, to), &way) {
                (Way::Open, _) => return Way::Open,
                (doubt @ Way::Doubt(_), _) => way = Some(doubt),
                (shut, None) => way = Some(shut),
                (Way::Shut(..), Some(_)) => {}
            }
        }
        way.unwrap_or(Way::Open)
    }

    fn one(&mut self, from: &Group<'a>, to: Target<'a>) -> Way<'a> {
        let ingress = self.ingress(from, to);
        if matches!(ingress, Way::Shut(..)) {
            return ingress;
        }
        match self.egress(from, to) {
            Way::Open => ingress,
            other => other,
        }
    }

    /// What the policies of the pod that gets it say.
    fn ingress(&mut self, from: &Group<'a>, to: Target<'a>) -> Way<'a> {
        let class = self.policies.group(to.namespace, &to.pod.labels);
        let alike = (from.number, class, &to.pod.ports, to.protocol, to.port);
        if let Some(known) = self.ingress.get(&alike) {
            return known.clone();
        }
        let Some((key, _)) = from.pods.first() else { return Way::Open };
        let judge = |key: &Key, pod: &Pod| self.judge(Direction::Ingress, (key, pod), to.pod, to);
        let way = judge(key, &from.bare).unwrap_or_else(|| {
            let each = from.pods.iter().take(MOST).map(|(key, pod)| judge(key, pod));
            self.by_address(each, from.pods.len() > MOST)
        });
        self.ingress.insert(alike, way.clone());
        way
    }

    /// What the policies of the pod that sends it say.
    fn egress(&mut self, from: &Group<'a>, to: Target<'a>) -> Way<'a> {
        let Some((key, _)) = from.pods.first() else { return Way::Open };
        if !self.egress.has(&key.namespace) {
            return Way::Open;
        }
        let (labels, ports) = (&to.pod.labels, &to.pod.ports);
        let far = (from.number, to.namespace, labels, ports, to.protocol, to.port);
        let judge = |pod: &Pod| self.judge(Direction::Egress, (key, &from.bare), pod, to);
        let known =
            self.sent.get(&far).cloned().unwrap_or_else(|| {
                judge(&Pod { addresses: Addresses::default(), ..to.pod.clone() })
            });
        let way =
            known.clone().unwrap_or_else(|| self.by_address([judge(to.pod)].into_iter(), false));
        self.sent.insert(far, known);
        way
    }

    /// Says what becomes of traffic; nothing where that depends on the address of the other end.
    fn judge(
        &self,
        direction: Direction,
        (key, from): (&Key, &Pod),
        pod: &Pod,
        to: Target<'a>,
    ) -> Option<Way<'a>> {
        let Target { protocol, port, .. } = to;
        let other = Key { namespace: to.namespace.clone(), name: to.name.clone() };
        let (from, to) = (End::Pod(key, Some(from)), End::Pod(&other, Some(pod)));
        match self.policies.judge(direction, &Traffic { from, to, protocol, port }) {
            Verdict::Allow | Verdict::NotApplicable(_) => Some(Way::Open),
            Verdict::Deny(by) => Some(Way::Shut(direction, by)),
            Verdict::Indeterminate(doubt) => match doubt.reason {
                Reason::NoAddress => None,
                reason => Some(Way::Doubt(gap(reason))),
            },
        }
    }

    /// Takes those together that only their addresses tell apart: one that is let through is enough.
    fn by_address(
        &self,
        each: impl Iterator<Item = Option<Way<'a>>>,
        mut is_uncertain: bool,
    ) -> Way<'a> {
        let mut shut = None;
        for way in each {
            match way {
                Some(Way::Open) if self.engines.hold_ranges() => return Way::Open,
                Some(way @ Way::Shut(..)) => _ = shut.get_or_insert(way),
                Some(Way::Open | Way::Doubt(_)) | None => is_uncertain = true,
            }
        }
        shut.filter(|_| !is_uncertain).unwrap_or(Way::Doubt(RANGES))
    }
}

/// Names what is missing for an answer.
fn gap(reason: Reason) -> Gap {
    match reason {
        Reason::Undecoded => UNDECODED,
        Reason::OtherApi(_) => OTHER_API,
        Reason::PortName | Reason::NameOfRange => PORT_NAMES,
        Reason::Namespace => NAMESPACES,
        Reason::NoAddress => RANGES,
        // Neither end is on its node's own network here.
        Reason::NotUnderstood | Reason::HostNetwork => NOT_UNDERSTOOD,
    }
}

/// What is known of one port of a Service, for one controller.
#[derive(Debug, Default)]
pub(super) struct Arrives<'a> {
    pub(super) open: BTreeSet<&'a Name>,
    pub(super) shut: BTreeSet<&'a Name>,
    /// The numbers that the port has in those.
    pub(super) numbers: BTreeSet<(Protocol, u16)>,
    /// One of those, and what keeps traffic from it.
    pub(super) one: Option<(&'a Name, Direction, Vec<&'a Key>)>,
    pub(super) doubt: Option<Gap>,
}

impl<'a> Arrives<'a> {
    pub(super) fn add(&mut self, to: Target<'a>, way: Way<'a>) {
        match way {
            Way::Open => _ = self.open.insert(to.name),
            Way::Doubt(gap) => self.doubt = self.doubt.or(Some(gap)),
            Way::Shut(direction, by) => {
                self.one.get_or_insert((to.name, direction, by));
                self.shut.insert(to.name);
                self.numbers.insert((to.protocol, to.port));
            }
        }
    }
}

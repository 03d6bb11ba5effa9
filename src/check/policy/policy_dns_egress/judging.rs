//! What policies let pods ask.

use super::codes::{BLOCKED, CLOSED, PARTLY_BLOCKED, TCP_BLOCKED};
use super::servers::{DNS, Server, Servers};
use crate::check::Code;
use crate::check::policy::engines::{Enforced, Engines};
use crate::check::policy::gaps::{Gap, NOT_UNDERSTOOD, OTHER_API, UNDECODED};
use crate::cluster::Table;
use crate::model::{Addresses, Key, Name, NetworkPolicy, Pod, Protocol, Unknown};
use crate::policy::{Direction, End, Policies, Reason, Traffic, Verdict};

/// What pods are let.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Lets {
    /// To ask every server.
    All,
    /// To ask every server, but over UDP alone.
    Udp,
    /// To ask some servers.
    Some,
    /// To send, but to no server.
    None,
    /// To send nothing.
    Closed,
    /// It depends on what is not known.
    Unknown,
}

/// How pods may ask over one protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Open,
    Partly,
    Shut,
    Undecided(Gap),
}

/// All that is looked at.
pub(super) struct View<'a> {
    pub(super) policies: Policies<'a>,
    pub(super) table: &'a Table<NetworkPolicy>,
    pub(super) servers: Servers<'a>,
    pub(super) engines: Engines,
}

/// What was found out about pods that no policy tells apart.
pub(super) struct Judged<'a> {
    pub(super) lets: Lets,
    /// Why that is not known.
    pub(super) gap: Option<Gap>,
    /// The policies that isolate the pods, one that lets them send something first.
    pub(super) by: Vec<&'a Key>,
}

/// Pods that ask.
struct Asking<'v, 'a> {
    view: &'v View<'a>,
    key: &'v Key,
    pod: &'v Pod,
}

const NO_ENGINE: Gap = (
    "engine",
    Unknown::Undecided(
        "policies keep pods from DNS, and nothing that is known to enforce them is here; look at \
         whether a pod of theirs resolves names",
    ),
);

const NO_PODS: Gap = (
    "dns_pods",
    Unknown::Undecided("the DNS Service selects no pods; look at what its EndpointSlices name"),
);

const CACHES: Gap = (
    "caches",
    Unknown::Undecided(
        "something on each node answers, a cache or a cloud's resolver, and policies do not surely \
         let pods ask it; let its address through by ipBlock",
    ),
);

const RANGES: Gap = (
    "ranges",
    Unknown::Undecided(
        "policies let DNS through by ipBlock alone, which Cilium does not hold against pods; name \
         the DNS pods by their labels",
    ),
);

const SERVICE: Gap = (
    "service_address",
    Unknown::Undecided(
        "policies let the address of the DNS Service through and not its pods, at which engines \
         look in different order; name the DNS pods by their labels",
    ),
);

impl<'a> View<'a> {
    /// Says what pods with the labels of `pod` are let, and which policies isolate them.
    pub(super) fn judge(&self, namespace: &Name, pod: &Pod) -> Judged<'a> {
        // Of no pod's name: a DNS pod that asks itself is never kept from it.
        let any = Key { namespace: namespace.clone(), name: Name::default() };
        let mut by = self.policies.isolating(Direction::Egress, &any, pod);
        by.sort_by_key(|key| self.says_nothing(key));
        let asking = Asking { view: self, key: &any, pod };
        // Whoever may send nothing may ask no cache either.
        let is_closed = by.first().is_some_and(|key| self.says_nothing(key))
            && asking.dns_pods(Protocol::Udp) == Way::Shut;
        let lets = if is_closed { Ok(Lets::Closed) } else { asking.lets() };
        match lets {
            Ok(Lets::All) => Judged { lets: Lets::All, gap: None, by },
            Ok(lets) => match self.engines.enforced() {
                Enforced::Yes => Judged { lets, gap: None, by },
                Enforced::No => Judged { lets: Lets::All, gap: None, by },
                Enforced::Unknown => Judged { lets: Lets::Unknown, gap: Some(NO_ENGINE), by },
            },
            Err(_) if self.engines.enforced() == Enforced::No => {
                Judged { lets: Lets::All, gap: None, by }
            }
            Err(gap) => Judged { lets: Lets::Unknown, gap: Some(gap), by },
        }
    }

    /// Whether a policy has no rule of egress.
    fn says_nothing(&self, key: &Key) -> bool {
        self.table.get(key).is_some_and(|it| it.egress.as_ref().is_none_or(Vec::is_empty))
    }
}

impl<'a> Asking<'_, 'a> {
    /// Says what they are let, or what would have to be known.
    fn lets(&self) -> Result<Lets, Gap> {
        match (self.over(Protocol::Udp), self.over(Protocol::Tcp)) {
            (Way::Undecided(gap), _) | (Way::Open, Way::Undecided(gap)) => Err(gap),
            (Way::Open, Way::Open) => Ok(Lets::All),
            (Way::Open, Way::Partly | Way::Shut) => Ok(Lets::Udp),
            (Way::Partly, _) => Ok(Lets::Some),
            (Way::Shut, _) => Ok(Lets::None),
        }
    }

    fn over(&self, protocol: Protocol) -> Way {
        let servers = &self.view.servers;
        let mut way = self.dns_pods(protocol);
        if !self.view.engines.see_pods()
            && matches!(way, Way::Partly | Way::Shut)
            && let Some(address) = servers.service.addresses.first()
            && self.ask(End::Address(*address), protocol, DNS) == Verdict::Allow
        {
            way = Way::Undecided(SERVICE);
        }
        let addresses = servers.on_nodes.iter().copied().map(End::Address);
        let pod = servers.cache.as_ref().map(|it| End::Pod(it.key, Some(it.pod)));
        let caches: Vec<Verdict<'_>> =
            addresses.chain(pod).map(|end| self.ask(end, protocol, DNS)).collect();
        if caches.is_empty() {
            way
        } else if caches.iter().all(|verdict| *verdict == Verdict::Allow) {
            // What is on a node's own network asks on, whatever policies of pods say.
            let is_open = !servers.on_nodes.is_empty() || way == Way::Open;
            if is_open { Way::Open } else { Way::Undecided(CACHES) }
        } else if way == Way::Shut
            && servers.on_nodes.is_empty()
            && caches.iter().all(|verdict| matches!(verdict, Verdict::Deny(_)))
        {
            Way::Shut
        } else {
            Way::Undecided(CACHES)
        }
    }

    /// Says how they may ask the pods behind the DNS Service.
    fn dns_pods(&self, protocol: Protocol) -> Way {
        let (mut open, mut shut) = (0, 0);
        for server in &self.view.servers.pods {
            let Some(port) = server.port(protocol) else { continue };
            match self.ask(End::Pod(server.key, Some(server.pod)), protocol, port) {
                Verdict::Allow if self.is_by_range(server, protocol, port) => {
                    return Way::Undecided(RANGES);
                }
                Verdict::Allow => open += 1,
                Verdict::Deny(_) => shut += 1,
                Verdict::Indeterminate(doubt) => return Way::Undecided(gap(doubt.reason)),
                Verdict::NotApplicable(_) => {}
            }
        }
        match (open, shut) {
            (0, 0) if self.view.servers.pods.is_empty() => Way::Undecided(NO_PODS),
            (_, 0) => Way::Open,
            (0, _) => Way::Shut,
            _ => Way::Partly,
        }
    }

    /// Whether a server may be asked only because of its address, which this engine does not look
    /// at.
    fn is_by_range(&self, server: &Server<'_>, protocol: Protocol, port: u16) -> bool {
        if self.view.engines.hold_ranges() {
            return false;
        }
        let bare = Pod { addresses: Addresses::default(), ..server.pod.clone() };
        self.ask(End::Pod(server.key, Some(&bare)), protocol, port) != Verdict::Allow
    }

    fn ask(&self, to: End<'_>, protocol: Protocol, port: u16) -> Verdict<'a> {
        let from = End::Pod(self.key, Some(self.pod));
        self.view.policies.judge(Direction::Egress, &Traffic { from, to, protocol, port })
    }
}

/// Names what is missing for an answer.
fn gap(reason: Reason) -> Gap {
    let (part, why) = match reason {
        Reason::NoAddress => ("dns_pods", "a rule has a range, and a DNS pod has no address yet"),
        Reason::HostNetwork => (
            "dns_pods",
            "DNS pods are on their nodes' own network, which each engine treats its own way; let \
             the addresses of their nodes through by ipBlock",
        ),
        Reason::PortName => (
            "ports",
            "a rule names a port, and the DNS pods declare none of that name; give its number",
        ),
        Reason::NameOfRange => (
            "ports",
            "a rule names a port beside a range, which not every engine takes for that of a DNS \
             pod; give its number",
        ),
        Reason::Namespace => ("namespaces", "the labels of a namespace are not known"),
        Reason::Undecoded => return UNDECODED,
        Reason::NotUnderstood => return NOT_UNDERSTOOD,
        Reason::OtherApi(_) => return OTHER_API,
    };
    (part, Unknown::Undecided(why))
}

impl Lets {
    pub(super) const ALL: [Self; 6] =
        [Self::All, Self::Udp, Self::Some, Self::None, Self::Closed, Self::Unknown];

    /// The label value.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::All => "allowed",
            Self::Udp => "tcp_blocked",
            Self::Some => "partly_blocked",
            Self::None => "blocked",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
        }
    }

    /// What is to be told of it.
    pub(super) const fn code(self) -> Option<&'static Code> {
        match self {
            Self::Udp => Some(&TCP_BLOCKED),
            Self::Some => Some(&PARTLY_BLOCKED),
            Self::None => Some(&BLOCKED),
            Self::Closed => Some(&CLOSED),
            Self::All | Self::Unknown => None,
        }
    }
}

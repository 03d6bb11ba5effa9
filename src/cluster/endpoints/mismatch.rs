//! What the endpoint controller would write of a pod, and how EndpointSlices differ from it.
//!
//! Follows `staging/src/k8s.io/endpointslice` of Kubernetes 1.36: which pods are in a slice, with which
//! conditions, ports and node.

use crate::model::{
    Endpoint, EndpointPort, EndpointSlice, IpFamily, Name, Pod, Protocol, Service, ServicePort,
    TargetPort,
};

/// One way in which slices differ from what the controller would write.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Mismatch {
    /// No slice names a pod that should get traffic.
    Missing,
    /// A slice names a pod that is gone, has ended, has another address or is not selected.
    Stale,
    /// A slice has other conditions than the pod.
    Readiness,
    /// A slice has other ports than the Service and the pod.
    Port,
    /// A slice has another node than the pod.
    Node,
    /// A pod is named in one family of addresses and not in another, or in one too many.
    Family,
    /// A slice belongs to a Service that does not exist.
    Orphan,
}

impl Mismatch {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Missing,
        Self::Stale,
        Self::Readiness,
        Self::Port,
        Self::Node,
        Self::Family,
        Self::Orphan,
    ];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::Readiness => "readiness",
            Self::Port => "port",
            Self::Node => "node",
            Self::Family => "family",
            Self::Orphan => "orphan",
        }
    }
}

/// A set of mismatches.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Mismatches(u8);

impl Mismatches {
    fn insert(&mut self, mismatch: Mismatch) {
        self.0 |= 1 << mismatch as u8;
    }

    /// Whether `mismatch` is one of them.
    pub const fn contains(self, mismatch: Mismatch) -> bool {
        self.0 & (1 << mismatch as u8) != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Mismatch> for Mismatches {
    fn from_iter<I: IntoIterator<Item = Mismatch>>(all: I) -> Self {
        let mut set = Self::default();
        all.into_iter().for_each(|mismatch| set.insert(mismatch));
        set
    }
}

/// Whether a pod belongs into a Service's slices.
#[derive(Clone, Copy, Debug)]
pub(super) enum Membership<'a> {
    /// It does.
    In(&'a Pod),
    /// It does not.
    Out,
    /// Its Node does not exist: it is left out at the next sync, and stays until then.
    Either,
}

impl<'a> Membership<'a> {
    pub(super) fn of(
        service: &Service,
        pod: Option<&'a Pod>,
        is_node: impl Fn(&Name) -> bool,
    ) -> Self {
        let Some(pod) = pod.filter(|pod| belongs(service, pod)) else { return Self::Out };
        if service.publishes_not_ready || pod.node.as_ref().is_none_or(is_node) {
            Self::In(pod)
        } else {
            Self::Either
        }
    }
}

/// Whether the controller puts `pod` into a slice, ready or not.
fn belongs(service: &Service, pod: &Pod) -> bool {
    !pod.ended && !pod.addresses.is_empty() && service.selects(pod)
}

/// Whether the controller says `ready` of `pod`.
pub fn gets_traffic(service: &Service, pod: &Pod) -> bool {
    service.publishes_not_ready || (pod.ready && !pod.terminating)
}

/// Returns the number that a Service's port has in `pod`; none when the pod lacks its name.
pub fn port_number(port: &ServicePort, pod: &Pod) -> Option<u16> {
    match &port.target {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => pod.ports.number(name, port.protocol),
    }
}

/// Returns how the endpoints that name one pod differ from what the controller would write.
///
/// A pod that gets no traffic may be absent: that is no mismatch.
pub(super) fn mismatches<'a>(
    service: &Service,
    place: Membership<'_>,
    named: impl Iterator<Item = (&'a EndpointSlice, &'a Endpoint)>,
) -> Mismatches {
    let pod = match place {
        Membership::In(pod) => Some(pod),
        Membership::Out => None,
        Membership::Either => return Mismatches::default(),
    };
    let mut found = Mismatches::default();
    let mut families = Vec::new();
    for (slice, endpoint) in named {
        let Some(address) = endpoint.address else { continue };
        let same = |pod: &&Pod| {
            endpoint.pod.as_ref().is_none_or(|named| named.uid == pod.uid)
                && pod.addresses.contains(&address)
        };
        let Some(pod) = pod.filter(same) else {
            found.insert(Mismatch::Stale);
            continue;
        };
        let conditions = (gets_traffic(service, pod), pod.ready, pod.terminating);
        if conditions != (endpoint.ready, endpoint.serving, endpoint.terminating) {
            found.insert(Mismatch::Readiness);
        }
        if endpoint.node != pod.node {
            found.insert(Mismatch::Node);
        }
        if !has_ports(slice, service, pod) {
            found.insert(Mismatch::Port);
        }
        families.push(IpFamily::of(&address));
    }
    let Some(pod) = pod else { return found };
    // Without families the Service comes from no API server, and any will do.
    let listed = |family: &IpFamily| service.families.contains(family);
    if !service.families.is_empty() && !families.iter().all(listed) {
        found.insert(Mismatch::Family);
    }
    if gets_traffic(service, pod) {
        let has = |family: &&IpFamily| pod.addresses.iter().any(|it| IpFamily::of(&it) == **family);
        let mut wanted = service.families.iter().filter(has);
        if families.is_empty() {
            if service.families.is_empty() || wanted.next().is_some() {
                found.insert(Mismatch::Missing);
            }
        } else if wanted.any(|family| !families.contains(family)) {
            found.insert(Mismatch::Family);
        }
    }
    found
}

/// Whether a slice has the ports that the controller finds for `pod`: those that cannot be
/// found are left out.
fn has_ports(slice: &EndpointSlice, service: &Service, pod: &Pod) -> bool {
    let wanted = service
        .ports
        .iter()
        .filter_map(|port| Some((&port.name, port_number(port, pod)?, port.protocol)));
    let has = |(name, number, protocol): (&Name, u16, Protocol)| {
        let same = |it: &EndpointPort| {
            it.name == *name && it.port == Some(number) && it.protocol == protocol
        };
        slice.ports.iter().any(same)
    };
    wanted.clone().count() == slice.ports.len() && wanted.into_iter().all(has)
}

//! EndpointSlices.

use std::net::IpAddr;

use super::{Fact, IpFamily, Key, Kind, Name, Protocol, Uid};

/// What is kept of an EndpointSlice.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EndpointSlice {
    /// Label `kubernetes.io/service-name`, in the slice's own namespace.
    pub service: Option<Name>,
    /// Whether label `endpointslice.kubernetes.io/managed-by` names the endpoint controller.
    pub managed: bool,
    /// Whether it names the controller that mirrors Endpoints which are written by hand.
    pub mirrored: bool,
    /// `addressType`; absent when it is neither family (`FQDN`).
    pub family: Option<IpFamily>,
    /// `ports`; `null` means none.
    pub ports: Vec<EndpointPort>,
    /// `endpoints`; absent and `null` mean none.
    pub endpoints: Vec<Endpoint>,
}

/// One port of all endpoints of a slice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EndpointPort {
    /// `name`, that of the Service's port; empty when absent.
    pub name: Name,
    /// `port`; absent means all, which no controller writes.
    pub port: Option<u16>,
    /// `protocol`.
    pub protocol: Protocol,
}

/// One address of a slice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// `addresses[0]`, the only one that is used; absent when it is no IP address.
    pub address: Option<IpAddr>,
    /// `targetRef`, when it is a Pod.
    pub pod: Option<PodRef>,
    /// `nodeName`.
    pub node: Option<Name>,
    /// `conditions.ready`; absent and `null` mean yes.
    pub ready: bool,
    /// `conditions.serving`; absent and `null` mean the same as `ready`.
    pub serving: bool,
    /// `conditions.terminating`; absent and `null` mean no.
    pub terminating: bool,
}

/// The pod that an endpoint stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PodRef {
    /// `targetRef.name`, in the slice's own namespace.
    pub name: Name,
    /// `targetRef.uid`.
    pub uid: Uid,
}

impl Fact for EndpointSlice {
    const KIND: &'static Kind =
        &Kind { group: "discovery.k8s.io", ..Kind::new("EndpointSlice", "endpointslices") };
}

impl Endpoint {
    /// Whether traffic is sent to it: it is ready, or ends and still serves.
    pub fn gets_traffic(&self) -> bool {
        self.ready || (self.serving && self.terminating)
    }
}

impl EndpointSlice {
    /// Returns the Service that it belongs to; `slice` is its own key.
    pub fn service_key(&self, slice: &Key) -> Option<Key> {
        let name = self.service.clone()?;
        Some(Key { namespace: slice.namespace.clone(), name })
    }
}

//! Gateways, their classes, and the routes that lead from them to Services.

use std::time::Duration;

use super::{Fact, Key, Kind, Name, Says, Scope};

/// Newer than any other; the older one has the same fields.
const VERSIONS: &[&str] = &["v1", "v1beta1"];

/// What is kept of a GatewayClass.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GatewayClass {
    /// `metadata.creationTimestamp`, since 1970.
    pub created: Option<Duration>,
    /// `spec.controllerName`.
    pub controller: Name,
    /// Condition `Accepted`.
    pub accepted: Option<Says>,
}

/// What is kept of a Gateway.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Gateway {
    /// `metadata.creationTimestamp`, since 1970.
    pub created: Option<Duration>,
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    /// `spec.gatewayClassName`.
    pub class: Name,
    /// Its conditions are about an older generation.
    pub unseen: bool,
    /// Condition `Accepted`.
    pub accepted: Option<Says>,
    /// Condition `Programmed`; absent with controllers that are older than it.
    pub programmed: Option<Says>,
    /// How many listeners it has.
    pub listeners: usize,
    /// The listeners that say that something is wrong with them.
    pub faults: Box<[Fault]>,
}

/// What a listener says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The listener's `name`.
    pub listener: Name,
    /// The condition: `Accepted`, `ResolvedRefs`, `Programmed`, `Conflicted`.
    pub condition: &'static str,
    /// Its `reason`.
    pub reason: Name,
}

/// What is kept of a route, of whichever kind.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Route {
    /// `metadata.creationTimestamp`, since 1970.
    pub created: Option<Duration>,
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    /// `spec.parentRefs`, each with what is said of it.
    pub parents: Box<[Parent]>,
}

/// What a route asks to be attached to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Parent {
    /// The Gateway, without a namespace where that is the route's own; absent where it is something
    /// else, as a Service of a mesh.
    pub gateway: Option<Key>,
    /// Somebody has said whether it is accepted.
    pub answered: bool,
    /// What is said is about an older generation of the route.
    pub unseen: bool,
    /// Condition `Accepted` that does not hold, its reason.
    pub refused: Option<Name>,
    /// Condition `ResolvedRefs` that does not hold, its reason.
    pub unresolved: Option<Name>,
}

/// What is kept of an HTTPRoute.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HttpRoute(pub Route);

/// What is kept of a GRPCRoute.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GrpcRoute(pub Route);

impl Fact for GatewayClass {
    const KIND: &'static Kind =
        &Kind { scope: Scope::Cluster, ..own("GatewayClass", "gatewayclasses") };
}

impl Fact for Gateway {
    const KIND: &'static Kind = &own("Gateway", "gateways");
}

impl Fact for HttpRoute {
    const KIND: &'static Kind = &own("HTTPRoute", "httproutes");
}

impl Fact for GrpcRoute {
    const KIND: &'static Kind = &Kind { versions: &["v1"], ..own("GRPCRoute", "grpcroutes") };
}

const fn own(name: &'static str, plural: &'static str) -> Kind {
    Kind {
        group: "gateway.networking.k8s.io",
        versions: VERSIONS,
        optional: true,
        ..Kind::new(name, plural)
    }
}

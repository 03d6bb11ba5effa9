//! Ingresses, and the classes that say who serves them.

use std::time::Duration;

use super::{Fact, Kind, Name, Scope, TargetPort};

/// What is kept of an Ingress.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ingress {
    /// `metadata.creationTimestamp`, since 1970; absent only in hand-made objects.
    pub created: Option<Duration>,
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    /// Its class; absent where it names none.
    pub class: Option<ClassName>,
    /// `status.loadBalancer.ingress`: addresses and names, sorted.
    pub addresses: Box<[Name]>,
    /// `spec.defaultBackend`.
    pub default: Option<Backend>,
    /// The paths of `spec.rules`, each with its host.
    pub paths: Box<[IngressPath]>,
    /// An annotation says that it shares paths with others: by weight, method, port or order.
    pub is_shared: bool,
    /// An annotation sends clients elsewhere, so that its backends are not asked.
    pub is_redirect: bool,
}

/// How an Ingress names its class.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ClassName {
    /// `spec.ingressClassName`: there is to be an IngressClass of that name.
    Spec(Name),
    /// Annotation `kubernetes.io/ingress.class`: who serves it may know it by itself.
    Annotation(Name),
}

/// One of `http.paths` of a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IngressPath {
    /// The rule's `host`; empty means any.
    pub host: Name,
    /// `path`; empty means all.
    pub path: Name,
    /// `pathType`.
    pub matches: Matches,
    /// `backend`.
    pub backend: Backend,
}

/// How a path is compared.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Matches {
    /// As a whole.
    Exact,
    /// By its elements.
    Prefix,
    /// As whoever serves it does.
    Otherwise,
}

/// Where a path leads.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Backend {
    /// To a Service in the Ingress's own namespace.
    Service {
        /// `service.name`.
        name: Name,
        /// `service.port`, by number or name.
        port: TargetPort,
    },
    /// To a resource, or to what an annotation says.
    Other,
}

impl Fact for Ingress {
    const KIND: &'static Kind =
        &Kind { group: "networking.k8s.io", ..Kind::new("Ingress", "ingresses") };
}

impl ClassName {
    /// Returns the name.
    pub fn name(&self) -> &Name {
        match self {
            Self::Spec(name) | Self::Annotation(name) => name,
        }
    }
}

/// What is kept of an IngressClass.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct IngressClass {
    /// `spec.controller`.
    pub controller: Name,
    /// Annotation `ingressclass.kubernetes.io/is-default-class`: Ingresses that are made without a
    /// class get this one.
    pub is_default: bool,
}

impl Fact for IngressClass {
    const KIND: &'static Kind = &Kind {
        group: "networking.k8s.io",
        scope: Scope::Cluster,
        ..Kind::new("IngressClass", "ingressclasses")
    };
}

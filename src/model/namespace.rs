//! Namespaces.

use super::{Fact, Kind, Labels, Scope, Uid};

/// What is kept of a Namespace.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Namespace {
    /// `metadata.uid`; that of `kube-system` is the cluster's identity.
    pub uid: Uid,
    /// `metadata.labels`.
    pub labels: Labels,
}

impl Fact for Namespace {
    const KIND: &'static Kind =
        &Kind { scope: Scope::Cluster, ..Kind::new("Namespace", "namespaces") };
}

impl Namespace {
    /// Returns the Pod Security level that is enforced, when one is.
    pub fn enforced(&self) -> Option<&str> {
        self.labels.get("pod-security.kubernetes.io/enforce").map(|level| &**level)
    }
}

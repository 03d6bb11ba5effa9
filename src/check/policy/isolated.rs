//! The namespaces in which policies close something, so that the pods of all others are not looked at.

use std::collections::BTreeSet;

use crate::cluster::Table;
use crate::model::{Name, NetworkPolicy};
use crate::policy::Direction;

/// Those of one direction.
pub(super) struct Isolated<'a> {
    policies: &'a Table<NetworkPolicy>,
    namespaces: BTreeSet<&'a Name>,
}

impl<'a> Isolated<'a> {
    pub(super) fn of(policies: &'a Table<NetworkPolicy>, direction: Direction) -> Self {
        let speak = policies.iter().filter(|(_, policy)| match direction {
            Direction::Egress => policy.egress.is_some(),
            Direction::Ingress => policy.ingress.is_some(),
        });
        Self { policies, namespaces: speak.map(|(key, _)| &key.namespace).collect() }
    }

    /// Whether there surely is none.
    pub(super) fn is_empty(&self) -> bool {
        self.namespaces.is_empty() && !self.policies.has_undecoded()
    }

    /// Whether a policy of a namespace speaks of the direction, or may: one cannot be decoded.
    pub(super) fn has(&self, namespace: &Name) -> bool {
        self.namespaces.contains(namespace)
            || (self.policies.has_undecoded() && self.policies.namespace(namespace).is_err())
    }
}

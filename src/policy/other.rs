//! Policies of other APIs, beside those that are judged.

use crate::model::{Kind, Selector};

/// A policy of another API, of which no more is known than whom it selects.
#[derive(Clone, Debug)]
pub struct OtherPolicy {
    /// Its kind.
    pub kind: &'static Kind,
    /// The namespaces whose pods it selects; its own by `kubernetes.io/metadata.name`.
    pub namespaces: Selector,
    /// The pods that it selects there; one that is not understood selects all.
    pub pods: Selector,
}

//! What AWS' controller makes of policies for its agents on nodes.

use serde::Deserialize;

use super::{Fact, Kind};

/// A PolicyEndpoint, of which nothing is kept: that there is one tells that policies are worked on.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
pub struct PolicyEndpoint {}

impl Fact for PolicyEndpoint {
    /// In every cluster of EKS, whether its policies are enforced or not.
    const KIND: &'static Kind = &Kind {
        group: "networking.k8s.aws",
        versions: &["v1alpha1"],
        optional: true,
        ..Kind::new("PolicyEndpoint", "policyendpoints")
    };
}

//! What would have to be known, as far as it is the same whatever is asked of policies.

use crate::model::{Fact, NetworkPolicy, Unknown};

/// Which part of the answer is missing, and why.
pub(super) type Gap = (&'static str, Unknown);

pub(super) const UNDECODED: Gap =
    ("networkpolicies", Unknown::Undecoded(NetworkPolicy::KIND.label));

pub(super) const NOT_UNDERSTOOD: Gap = (
    "networkpolicies",
    Unknown::Undecided(
        "a policy has what no API server lets in today; look at its selectors, peers and ports",
    ),
);

pub(super) const OTHER_API: Gap =
    ("networkpolicies", Unknown::Undecided("a policy of another API selects the pods"));

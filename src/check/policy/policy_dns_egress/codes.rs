//! What policies do to queries, and what to do about it.

use crate::check::{Code, Remedy};
use crate::model::{Fact, NetworkPolicy};

/// Policies are often applied one after the other.
const GRACE: u64 = 60;

/// No server of cluster DNS may be asked.
pub static BLOCKED: Code = Code::warning("policy_dns_egress.blocked", &[NetworkPolicy::KIND])
    .after(GRACE)
    .explain(
        "NetworkPolicies let pods send something and keep all of cluster DNS from them, so that no \
         name resolves there.",
    )
    .independent()
    .remedies(REMEDIES);

/// Some servers of cluster DNS may not be asked.
pub static PARTLY_BLOCKED: Code =
    Code::warning("policy_dns_egress.partly_blocked", &[NetworkPolicy::KIND])
        .after(GRACE)
        .explain(
            "NetworkPolicies keep some servers of cluster DNS from pods, so that a part of their \
             queries times out.",
        )
        .independent()
        .remedies(REMEDIES);

/// Answers that are too long for UDP are never seen.
pub static TCP_BLOCKED: Code = Code::info("policy_dns_egress.tcp_blocked", &[NetworkPolicy::KIND])
    .after(GRACE)
    .explain(
        "NetworkPolicies let pods ask cluster DNS over UDP alone, so that answers which are too \
         long for that never come.",
    )
    .independent()
    .remedies(REMEDIES);

/// Nothing at all may be sent, which is what somebody wants who never resolves a name.
pub static CLOSED: Code = Code::info("policy_dns_egress.closed", &[NetworkPolicy::KIND])
    .after(GRACE)
    .explain(
        "NetworkPolicies let pods send nothing at all, DNS included: right for what only answers, \
         and not for what resolves names.",
    )
    .independent()
    .remedies(REMEDIES);

const REMEDIES: &[Remedy] = &[
    Remedy::inspect("kubectl -n {namespace} get networkpolicies -o yaml"),
    Remedy::inspect("kubectl -n {namespace} get pods -o wide --show-labels"),
    Remedy::inspect("kubectl -n {dns_namespace} get pods -o wide --show-labels -l {selector}"),
    Remedy::fix(
        "kubectl -n {namespace} create -f - <<< {policy}",
        "all pods that the policy selects may ask the DNS pods over UDP and TCP, and nothing else \
         changes; undone by deleting the new policy, which is called as the other one with -dns at \
         its end",
    ),
    Remedy::fix(
        "kubectl -n {namespace} edit networkpolicy {name}",
        "it changes what all pods that it selects may do; undone by editing it back to what the \
         first command showed",
    ),
    Remedy::verify("kubectl -n {namespace} describe networkpolicies"),
];

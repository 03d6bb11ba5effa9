//! What policies do to Ingresses, and what to do about it.

use crate::check::{Code, Remedy};
use crate::model::{Fact, Service};

/// Policies are often applied one after the other.
const GRACE: u64 = 60;

/// No pod behind it may be reached by what serves an Ingress.
pub static BLOCKED: Code = Code::warning("policy_ingress_backend.blocked", &[Service::KIND])
    .after(GRACE)
    .explain(
        "NetworkPolicies keep the ingress controller from all pods behind a Service to which an Ingress leads: from outside \
         it is 502 or 504, and within the namespace all is well.",
    )
    .remedies(REMEDIES);

/// Some pods may be reached, and others not.
pub static PARTLY_BLOCKED: Code =
    Code::warning("policy_ingress_backend.partly_blocked", &[Service::KIND])
        .after(GRACE)
        .explain(
            "NetworkPolicies keep the ingress controller from some of the pods behind a Service to which an Ingress leads, or \
             from one of the ports, so that a part of what clients ask times out.",
        )
        .remedies(REMEDIES);

const REMEDIES: &[Remedy] = &[
    Remedy::inspect("kubectl -n {namespace} describe networkpolicies"),
    Remedy::inspect("kubectl -n {namespace} describe ingresses"),
    Remedy::inspect("kubectl -n {namespace} get pod {pod} -o wide --show-labels"),
    Remedy::inspect("kubectl -n {controller_namespace} get pod {controller} -o wide --show-labels"),
    Remedy::inspect("kubectl -n {controller_namespace} describe networkpolicies"),
    Remedy::fix(
        "kubectl -n {namespace} create -f - <<< {policy}",
        "the controller's pods, and those of the same labels in its namespace, may reach the Service's pods on these ports, \
         and nothing else changes; undone by deleting the new policy, which is called as the Service with -from-controller at \
         its end",
    ),
    Remedy::fix(
        "kubectl -n {controller_namespace} create -f - <<< {controller_policy}",
        "the controller's pods may send to the Service's pods on these ports, and nothing else changes; undone by deleting the \
         new policy, which is called as the Service with its namespace before it and -backend at its end",
    ),
    Remedy::fix(
        "kubectl -n {namespace} edit networkpolicy {isolating}",
        "it changes what all pods that it selects may get; undone by editing it back to what the first command showed",
    ),
    Remedy::fix(
        "kubectl -n {controller_namespace} edit networkpolicy {controller_isolating}",
        "it changes what all pods that it selects may send; undone by editing it back to what the fifth command showed",
    ),
    Remedy::verify("kubectl -n {namespace} describe networkpolicies"),
];

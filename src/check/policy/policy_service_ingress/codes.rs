//! What policies do to Services, and what to do about it.

use crate::check::{Code, Remedy};
use crate::model::{Fact, Service};

/// Policies are often applied one after the other.
const GRACE: u64 = 60;

/// Nobody may reach any pod on any port.
pub static BLOCKED: Code = Code::warning("policy_service_ingress.blocked", &[Service::KIND])
    .after(GRACE)
    .explain(
        "NetworkPolicies let nothing in to the pods behind a Service on any of its ports, so that it answers nobody: policies \
         see the pods' own ports, not those of the Service.",
    )
    .remedies(REMEDIES);

/// Some pods may be reached, and others not.
pub static PARTLY_BLOCKED: Code =
    Code::warning("policy_service_ingress.partly_blocked", &[Service::KIND])
        .after(GRACE)
        .explain(
            "NetworkPolicies let nothing in to some of the pods behind a Service, so that a part of what it is asked times out.",
        )
            .remedies(REMEDIES);

/// Some ports may be reached, and others not, which may be meant.
pub static PORT_BLOCKED: Code = Code::info("policy_service_ingress.port_blocked", &[Service::KIND])
    .after(GRACE)
    .explain(
        "NetworkPolicies let nothing in on one of a Service's ports, as happens to metrics: right for a port that nobody uses.",
    )
    .independent()
    .remedies(REMEDIES);

const REMEDIES: &[Remedy] = &[
    Remedy::inspect("kubectl -n {namespace} describe networkpolicies"),
    Remedy::inspect(
        "kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name} -o wide",
    ),
    Remedy::inspect("kubectl -n {namespace} get pod {pod} -o wide --show-labels"),
    Remedy::fix(
        "kubectl -n {namespace} create -f - <<< {policy}",
        "all pods of the namespace may reach the Service's pods on its ports, and nothing else changes: what comes from \
         elsewhere, as an ingress controller does, needs a peer of its own; undone by deleting the new policy, which is called \
         as the Service with -ingress at its end",
    ),
    Remedy::fix(
        "kubectl -n {namespace} edit networkpolicy {isolating}",
        "it changes what all pods that it selects may get; undone by editing it back to what the first command showed",
    ),
    Remedy::verify("kubectl -n {namespace} describe networkpolicies"),
];

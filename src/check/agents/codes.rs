//! What can be wrong with the agents.

use std::time::Duration;

use crate::check::{Code, Remedy, Severity, Step};

/// More than half of the agents are silent at once: rather the listener is cut off.
pub static COLLECTOR_ISOLATED: Code = code(
    "agents.collector_isolated",
    30,
    "This replica of the cluster role is cut off from most agents, so that it cannot judge.",
    &[
        Remedy { step: Step::Inspect, command: "kubectl -n {name} get pods -o wide" },
        Remedy {
            step: Step::Inspect,
            command: "kubectl -n {name} logs --prefix --tail=200 \
                      -l app.kubernetes.io/name=netvitals,app.kubernetes.io/component=cluster",
        },
        Remedy {
            step: Step::Fix,
            command: "kubectl -n {name} delete pod <the pod of the replica that says this>",
        },
        Remedy {
            step: Step::Verify,
            command: "kubectl -n {name} logs --prefix --tail=200 \
                      -l app.kubernetes.io/name=netvitals,app.kubernetes.io/component=cluster",
        },
    ],
);

/// A node has no agent that runs.
pub static MISSING: Code = code(
    "agents.missing",
    // A DaemonSet that rolls is without one for a moment.
    60,
    "A node has no running agent, so that nothing is known of its network.",
    &[
        Remedy {
            step: Step::Inspect,
            command: "kubectl get pods -A -o wide -l app.kubernetes.io/name=netvitals \
                      --field-selector spec.nodeName={node}",
        },
        Remedy {
            step: Step::Inspect,
            command: "kubectl get daemonsets -A -l app.kubernetes.io/name=netvitals",
        },
        Remedy {
            step: Step::Fix,
            command: "kubectl -n <namespace of netvitals> rollout restart daemonset <its name>",
        },
        Remedy {
            step: Step::Verify,
            command: "kubectl -n <namespace of netvitals> rollout status daemonset <its name>",
        },
    ],
);

/// No host agent exists, and the namespace enforces a level that refuses them.
pub static REFUSED: Code = code(
    "agents.refused",
    30,
    "Pod Security of the namespace refuses the agents on the nodes' own network.",
    &[
        Remedy { step: Step::Inspect, command: "kubectl -n {name} describe daemonsets" },
        Remedy {
            step: Step::Fix,
            command: "kubectl label ns {name} pod-security.kubernetes.io/enforce=privileged \
                      --overwrite",
        },
        // The DaemonSet's controller waits longer after each refusal, up to a quarter of an hour.
        Remedy {
            step: Step::Fix,
            command: "kubectl -n {name} rollout restart daemonset \
                      -l app.kubernetes.io/name=netvitals,app.kubernetes.io/component=host-agent",
        },
        Remedy {
            step: Step::Verify,
            command: "kubectl -n {name} get pods \
                      -l app.kubernetes.io/name=netvitals,app.kubernetes.io/component=host-agent",
        },
    ],
);

/// A policy of somebody else's applies to netvitals' own pods.
pub static RESTRICTED_BY_POLICY: Code = code(
    "agents.restricted_by_policy",
    0,
    "A NetworkPolicy restricts netvitals' own pods, so that they fail where workloads do not.",
    &[
        Remedy {
            step: Step::Inspect,
            command: "kubectl -n {namespace} describe networkpolicy {name}",
        },
        Remedy { step: Step::Fix, command: "kubectl -n {namespace} edit networkpolicy {name}" },
        Remedy { step: Step::Verify, command: "kubectl -n {namespace} get networkpolicies" },
    ],
);

/// An agent's pod is ready, and it does not answer.
pub static STALE: Code = code(
    "agents.stale",
    // Silence counts after more than a minute; but a pod that replaced another is ready before it was ever asked.
    30,
    "An agent runs and does not answer, so that nothing new is known of its node's network.",
    &[
        Remedy {
            step: Step::Inspect,
            command: "kubectl get pods -A -o wide -l app.kubernetes.io/name=netvitals \
                      --field-selector spec.nodeName={node}",
        },
        Remedy {
            step: Step::Inspect,
            command: "kubectl -n <namespace of netvitals> logs <the agent's pod on {node}>",
        },
        Remedy {
            step: Step::Fix,
            command: "kubectl -n <namespace of netvitals> delete pod <the agent's pod on {node}>",
        },
        Remedy {
            step: Step::Verify,
            command: "kubectl get pods -A -o wide -l app.kubernetes.io/name=netvitals \
                      --field-selector spec.nodeName={node}",
        },
    ],
);

const fn code(
    id: &'static str,
    grace: u64,
    explain: &'static str,
    remedies: &'static [Remedy],
) -> Code {
    Code { id, severity: Severity::Warning, grace: Duration::from_secs(grace), explain, remedies }
}

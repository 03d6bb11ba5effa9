//! What can be wrong with the selectors of a policy, and what to do about it.

use crate::check::{Code, Remedy};
use crate::model::{Fact, NetworkPolicy};

/// Policies are often applied before the pods and the namespaces of which they speak.
const GRACE: u64 = 60;

/// A rule asks a namespace for a label that it does not have.
pub static NAMESPACE_LABEL: Code =
    Code::warning("policy_selectors.namespace_label", &[NetworkPolicy::KIND])
        .after(GRACE)
        .explain(
            "A NetworkPolicy asks for a namespace by a label that it does not have, so that the rule lets nothing through.",
        )
        .independent()
        .remedies(&[
            SHOW,
            Remedy::inspect("kubectl get namespaces --show-labels"),
            EDIT,
            DESCRIBE,
        ]);

/// A rule names a port that no pod declares.
pub static PORT_NAME: Code = Code::warning("policy_selectors.port_name", &[NetworkPolicy::KIND])
    .after(GRACE)
    .explain(
        "A NetworkPolicy lets something in on a port by a name that none of its pods declares, so that the rule lets nothing in \
         there.",
    )
    .independent()
    .remedies(&[
        SHOW,
        Remedy::inspect(
            "kubectl -n {namespace} get pods -o custom-columns='NAME:.metadata.name,PORTS:.spec.containers[*].ports[*].name'",
        ),
        EDIT,
        DESCRIBE,
    ]);

/// It selects no pod.
pub static NO_PODS: Code = Code::info("policy_selectors.no_pods", &[NetworkPolicy::KIND])
    .after(GRACE)
    .explain(
        "A NetworkPolicy selects no pod, so that it does nothing: right for what runs now and then, or is scaled to none.",
    )
    .independent()
    .remedies(&[SHOW, PODS, EDIT, DESCRIBE]);

/// A rule lets nobody through.
pub static NO_PEERS: Code = Code::info("policy_selectors.no_peers", &[NetworkPolicy::KIND])
    .after(GRACE)
    .explain(
        "A rule of a NetworkPolicy has only peers that are no pod, so that it lets nothing through: right where those are yet to \
         come.",
    )
    .independent()
    .remedies(&[
        SHOW,
        Remedy::inspect("kubectl get namespaces --show-labels"),
        Remedy::inspect("kubectl get pods -A --show-labels"),
        EDIT,
        DESCRIBE,
    ]);

const SHOW: Remedy = Remedy::inspect("kubectl -n {namespace} get networkpolicy {name} -o yaml");

const PODS: Remedy = Remedy::inspect("kubectl -n {namespace} get pods --show-labels");

const EDIT: Remedy = Remedy::fix(
    "kubectl -n {namespace} edit networkpolicy {name}",
    "it changes what all pods that it selects may do; undone by editing it back to what the first command showed",
);

const DESCRIBE: Remedy = Remedy::verify("kubectl -n {namespace} describe networkpolicy {name}");

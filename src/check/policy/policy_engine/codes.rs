//! Why policies are not enforced, and what to do about it.

use crate::check::{Code, Remedy};
use crate::model::{CiliumConfig, DaemonSet, Fact, Namespace, Node};

/// Engines are installed object by object, mostly before the policies and sometimes after.
const GRACE: u64 = 60;

/// AWS' controller takes some seconds for each policy; one that is switched on anew takes longer.
const AWS_GRACE: u64 = 180;

/// A new node gets its pods within minutes, those of DaemonSets among the first.
const NODE_GRACE: u64 = 300;

/// What gives pods their network does not enforce policies, and nothing else does.
pub static NOT_ENFORCED: Code = Code::warning("policy_engine.not_enforced", &[DaemonSet::KIND])
    .after(GRACE)
    .explain(
        "There are NetworkPolicies, and nothing enforces them: every pod may reach every other, whatever they say.",
    )
    .independent()
    .remedies(&[
        POLICIES,
        SETS,
        Remedy::inspect("kubectl -n {namespace} describe daemonset {name}"),
        Remedy::verify("kubectl get daemonsets -A"),
    ]);

/// The pods of an engine are told to enforce nothing.
pub static AGENTS_OFF: Code = Code::warning("policy_engine.agents_off", &[DaemonSet::KIND])
    .after(AWS_GRACE)
    .explain(
        "There are NetworkPolicies, and the pods that could enforce them are not told to: every pod may reach every other.",
    )
    .independent()
    .remedies(&[
        POLICIES,
        Remedy::inspect("kubectl -n {namespace} get daemonset {name} -o custom-columns='CONTAINERS:.spec.template.spec.containers[*].name,ARGS:.spec.template.spec.containers[*].args'"),
        Remedy::fix(
            "kubectl -n {namespace} edit daemonset {name}",
            "from then on every policy closes what it says, also what nobody has noticed until now, so look at them \
             first; where a managed add-on or Helm made it, set it there instead (enableNetworkPolicy of the VPC CNI), \
             or it is undone with the next update; undone by the old value",
        ),
        Remedy::verify("kubectl -n {namespace} rollout status daemonset/{name} --timeout=300s"),
    ]);

/// Cilium is told to enforce nothing.
pub static CILIUM_OFF: Code = Code::warning("policy_engine.cilium_off", &[CiliumConfig::KIND])
    .after(GRACE)
    .explain(
        "There are NetworkPolicies, and Cilium is told not to enforce them: every pod may reach every other.",
    )
    .independent()
    .remedies(&[
        POLICIES,
        Remedy::inspect("kubectl -n {namespace} get configmap {name} -o yaml"),
        Remedy::fix(
            "kubectl -n {namespace} patch configmap {name} --type=merge -p '{\"data\":{\"{option}\":null}}'",
            "after the next command every policy closes what it says, also what nobody has noticed until now, so look at \
             them first; undone by putting the key back, which Helm does by itself unless its values are changed too",
        ),
        Remedy::fix(
            "kubectl -n {namespace} rollout restart daemonset/cilium",
            "new pods on a node wait while its agent starts anew; undone by putting the key back and doing it again",
        ),
        Remedy::verify("kubectl -n {namespace} rollout status daemonset/cilium"),
    ]);

/// k3s is told to enforce nothing.
pub static K3S_OFF: Code = Code::warning("policy_engine.k3s_off", &[Node::KIND])
    .after(GRACE)
    .explain(
        "There are NetworkPolicies, k3s is told not to enforce them, and nothing else does: every pod may reach every \
         other.",
    )
    .independent()
    .remedies(&[
        POLICIES,
        SETS,
        Remedy::inspect("kubectl get nodes -o custom-columns='NAME:.metadata.name,ARGS:.metadata.annotations.k3s\\.io/node-args'"),
        Remedy::verify("kubectl get node {name} -o custom-columns='ARGS:.metadata.annotations.k3s\\.io/node-args'"),
    ]);

/// The controller of EKS makes nothing of policies.
pub static AWS_OFF: Code = Code::warning("policy_engine.aws_off", &[Namespace::KIND])
    .after(AWS_GRACE)
    .explain(
        "There are NetworkPolicies, and the controller of Amazon EKS makes nothing of them: every pod may reach every \
         other.",
    )
    .independent()
    .remedies(&[
        POLICIES,
        Remedy::inspect("kubectl get policyendpoints.networking.k8s.aws -A"),
        Remedy::inspect("kubectl -n {name} get configmap amazon-vpc-cni -o yaml"),
        Remedy::fix(
            "kubectl -n {name} patch configmap amazon-vpc-cni --type=merge \
             -p '{\"data\":{\"enable-network-policy-controller\":\"true\"}}'",
            "from then on every policy closes what it says, also what nobody has noticed until now, so look at them \
             first; where the VPC CNI is a managed add-on, set enableNetworkPolicy in its configuration instead, which \
             its agents need as well; undone by \"false\" in the place of \"true\"",
        ),
        Remedy::verify("kubectl get policyendpoints.networking.k8s.aws -A"),
    ]);

/// Nothing enforces policies on a node.
pub static NODE_WITHOUT: Code = Code::warning("policy_engine.node_without", &[Node::KIND])
    .after(NODE_GRACE)
    .explain(
        "What enforces NetworkPolicies has no pod on a node, and pods are there that some select: all may reach them \
         there, whatever the policies say, or nobody, where the engine has gone and left its rules.",
    )
    .independent()
    .remedies(&[
        Remedy::inspect("kubectl get pods -A -o wide --field-selector spec.nodeName={node}"),
        Remedy::inspect("kubectl -n {set_namespace} describe daemonset {set}"),
        Remedy::inspect("kubectl describe node {node}"),
        Remedy::verify("kubectl -n {set_namespace} rollout status daemonset/{set}"),
    ]);

const POLICIES: Remedy = Remedy::inspect("kubectl get networkpolicies -A");

const SETS: Remedy = Remedy::inspect(
    "kubectl get daemonsets -A -o custom-columns='NAMESPACE:.metadata.namespace,NAME:.metadata.name,IMAGES:.spec.template.spec.containers[*].image'",
);

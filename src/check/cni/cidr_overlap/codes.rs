//! What can be wrong with ranges, and what to do about it.

use crate::check::{Code, Remedy};
use crate::model::{CiliumConfig, Fact, FlannelConfig, IpPool, Node, Pod, Service};

/// A moment in which nodes or pods come and go passes.
const GRACE: u64 = 60;

/// Two nodes give their pods the same addresses.
pub static SHARED: Code = Code::problem("cidr_overlap.shared", &[Node::KIND])
    .after(GRACE)
    .explain(
        "Two nodes have the same range for their pods, or a part of it: two pods may have one \
         address, and traffic to either ends on one of the nodes.",
    )
    .remedies(&[NODES, PODS, CORDON, RENEW, NODES_AGAIN]);

/// Pods have addresses that are for Services.
pub static PODS_SERVICES: Code = Code::problem("cidr_overlap.pods_services", &[Node::KIND])
    .after(GRACE)
    .explain(
        "A node gives its pods addresses that are for Services: a Service that gets one hides the \
         pod, and nodes may refuse what no Service has.",
    )
    .remedies(&[NODES, SERVICES, PODS, CORDON, RENEW, NODES_AGAIN]);

/// A node's own address is in what is for pods.
pub static PODS_NODES: Code = Code::problem("cidr_overlap.pods_nodes", &[Node::KIND])
    .after(GRACE)
    .explain(
        "The address of a node lies in a range of pods: traffic to the node may be sent to pods, \
         and pods reach neither it nor machines beside it.",
    )
    .remedies(&[NODES, PODS, ROUTES, CORDON, NODES_AGAIN]);

/// A node's own address is in what is for Services.
pub static SERVICES_NODES: Code = Code::problem("cidr_overlap.services_nodes", &[Node::KIND])
    .after(GRACE)
    .explain(
        "The address of a node is one that a Service may get: then traffic to the node goes to \
         that Service, and kube-proxy may refuse what no Service has.",
    )
    .remedies(&[NODES, SERVICES, CORDON, NODES_AGAIN]);

/// A node's range is not of the cluster's.
pub static OUTSIDE: Code = Code::warning("cidr_overlap.outside", &[Node::KIND])
    .after(GRACE)
    .explain(
        "A node's range for pods is no part of the cluster's: rules for traffic between pods, and \
         for traffic that leaves, are made for the cluster's range and do not hold for its pods.",
    )
    .independent()
    .remedies(&[
        NODES,
        Remedy::inspect(
            "kubectl get configmaps -A --field-selector metadata.name=kube-flannel-cfg -o yaml",
        ),
        MANAGER,
        CORDON,
        RENEW,
        NODES_AGAIN,
    ]);

/// A pool may come to hand out what others have.
pub static LATENT: Code = Code::warning(
    "cidr_overlap.latent",
    &[IpPool::KIND, CiliumConfig::KIND, FlannelConfig::KIND, Pod::KIND],
)
.after(GRACE)
.explain(
    "A range of which nodes get those of their pods has addresses that are for Services, or that \
     nodes have: nothing breaks until such a part is handed out, and then it does at once.",
)
.independent()
.remedies(&[NODES, SERVICES, CILIUM, CALICO, MANAGER, Remedy::verify(ALL_PODS)]);

/// Two pools have addresses in common.
pub static POOLS: Code = Code::warning("cidr_overlap.pools", &[IpPool::KIND])
    .after(GRACE)
    .explain(
        "Two enabled pools of Calico's have addresses in common: which of the two says how such a \
         pod is reached is left to chance, and newer versions refuse to use them.",
    )
    .independent()
    .remedies(&[
        CALICO,
        PODS,
        Remedy::fix(
            "kubectl patch ippools.crd.projectcalico.org {name} --type=merge \
             -p '{\"spec\":{\"disabled\":true}}'",
            "no new pod gets an address of it, and those that have one keep it; undone by false in \
             the place of true",
        ),
        Remedy::verify(CALICO.command),
    ]);

/// A node lacks a family that others have.
pub static ONE_FAMILY: Code = Code::warning("cidr_overlap.one_family", &[Node::KIND])
    .after(GRACE)
    .explain(
        "A node has a range for pods of one family while most have both: its pods have one \
         address, and Services of the other family never lead to them.",
    )
    .independent()
    .remedies(&[NODES, CORDON, RENEW, NODES_AGAIN]);

/// A Service has an address of no range.
pub static SERVICE_OUTSIDE: Code = Code::warning("cidr_overlap.service_outside", &[Service::KIND])
    .after(GRACE)
    .explain(
        "The address of a Service is in no range that is kept for Services, as after a change of \
         ranges: something else may get it, and rules that are made for the range leave it out.",
    )
    .independent()
    .remedies(&[
        Remedy::inspect("kubectl get servicecidrs"),
        Remedy::inspect("kubectl -n {namespace} get service {name} -o yaml"),
        Remedy::inspect(
            "kubectl get events -n {namespace} --field-selector involvedObject.name={name}",
        ),
        Remedy::fix(
            "kubectl -n {namespace} delete service {name}",
            "clients get no answer until it is made anew of its manifest, with another address; the \
             old address is gone for good",
        ),
        Remedy::verify("kubectl -n {namespace} get services -o wide"),
    ]);

const ALL_NODES: &str = "kubectl get nodes -o custom-columns='NAME:.metadata.name,\
                         PODS:.spec.podCIDRs,ADDRESSES:.status.addresses[*].address'";

const ALL_PODS: &str = "kubectl get pods -A -o wide";

const NODES: Remedy = Remedy::inspect(ALL_NODES);

const NODES_AGAIN: Remedy = Remedy::verify(ALL_NODES);

const PODS: Remedy = Remedy::inspect(ALL_PODS);

const SERVICES: Remedy = Remedy::inspect("kubectl get services -A -o wide");

const ROUTES: Remedy =
    Remedy::inspect("kubectl debug node/{node} -it --profile=sysadmin --image=busybox -- ip route");

const MANAGER: Remedy = Remedy::inspect(
    "kubectl -n kube-system get pods -l component=kube-controller-manager \
     -o jsonpath='{.items[*].spec.containers[*].command}'",
);

const CILIUM: Remedy = Remedy::inspect(
    "kubectl get configmaps -A --field-selector metadata.name=cilium-config -o yaml",
);

const CALICO: Remedy = Remedy::inspect("kubectl get ippools.crd.projectcalico.org -o yaml");

const CORDON: Remedy = Remedy::fix(
    "kubectl cordon {node}",
    "no new pod is sent there; undone by kubectl uncordon, once the node has another range or \
     address",
);

const RENEW: Remedy = Remedy::fix(
    "kubectl delete node {node}",
    "drain it first: its pods are made anew elsewhere. It comes back with a new range once its \
     kubelet is restarted; labels and taints that were set by hand are gone for good, and a cloud \
     may take the machine away",
);

//! What can be wrong with pools of addresses.

use crate::check::cni::remedies::{ELSEWHERE, STILL_PENDING};
use crate::check::{Code, Remedy, Symptom};
use crate::model::{
    CiliumBalancerPool, CiliumConfig, Fact, IpAddressPool, IpPool, Kind, Node, Pod, ServiceCidr,
};

/// No address is free, and pods wait for one.
pub static EXHAUSTED: Code = Code::problem("ip_pools.exhausted", &[Node::KIND, IpPool::KIND])
    // A pod has its address seconds after it was scheduled.
    .after(30)
    .explain("A pool has no free address, and pods that need one cannot start.")
    .remedies(&[
        Remedy::inspect("kubectl get pods -A -o wide --field-selector spec.nodeName={node}"),
        Remedy::inspect("kubectl get events -A --field-selector reason=FailedCreatePodSandBox"),
        Remedy::inspect("kubectl get ippools.crd.projectcalico.org {ip_pool} -o yaml"),
        Remedy::fix(
            "kubectl cordon {node}",
            "no new pod is sent there; undone by kubectl uncordon, once pods have left",
        ),
        ELSEWHERE,
        STILL_PENDING,
    ]);

/// Cilium's operator has no addresses for a node.
pub static NO_RANGE: Code = Code::problem("ip_pools.no_range", &[Node::KIND])
    // The operator tries again and again, also with ranges that nodes give back.
    .after(60)
    .explain(
        "A node asked Cilium's operator for addresses and got none: no pod starts there, and \
         Cilium's agent may not begin either, without saying why.",
    )
    .remedies(&[
        Remedy::inspect("kubectl get ciliumnodes.cilium.io {node} -o jsonpath='{.status.ipam}'"),
        Remedy::inspect(GIVEN),
        Remedy::inspect("kubectl get nodes"),
        Remedy::inspect(
            "kubectl -n kube-system logs -l io.cilium/app=operator --tail=100 --prefix",
        ),
        Remedy::verify("kubectl get ciliumnodes.cilium.io {node} -o jsonpath='{.spec.ipam}'"),
    ]);

/// Every range that Cilium's operator has for nodes is given away.
pub static CILIUM_FULL: Code = Code::info("ip_pools.cilium_full", &[CiliumConfig::KIND])
    .after(60)
    .explain(
        "Every range that Cilium has for the pods of a node is given away: a node that joins gets \
         none, and starts no pod. That is no fault of a cluster that is to have no more nodes; else \
         Cilium takes another range behind those that are there, and none of those may change.",
    )
    .independent()
    .remedies(&[
        Remedy::inspect(GIVEN),
        Remedy::inspect("kubectl get nodes"),
        Remedy::inspect("kubectl -n {namespace} get configmap {name} -o yaml"),
        Remedy::verify(GIVEN),
    ]);

const GIVEN: &str = "kubectl get ciliumnodes.cilium.io -o \
                     custom-columns='NAME:.metadata.name,RANGES:.spec.ipam.podCIDRs'";

/// A pool of the whole cluster is nearly used up.
pub static FILLING: Code = Code::warning("ip_pools.filling", &[IpPool::KIND])
    .after(60)
    .explain(
        "A pool that serves the whole cluster is more than 85 % used: the IPAM that owns it needs \
         another range.",
    )
    .independent()
    .runbook("NetvitalsIPPoolFilling")
    .remedies(&[
        Remedy::inspect("kubectl get ippools.crd.projectcalico.org -o yaml"),
        Remedy::inspect("kubectl get ipamblocks.crd.projectcalico.org"),
        Remedy::inspect("kubectl get pods -A -o wide"),
        Remedy::verify("kubectl get pods -A -o wide"),
    ]);

/// Services have all addresses of their ranges, or all ports of nodes.
pub static FULL: Code = Code::warning("ip_pools.full", &[ServiceCidr::KIND, Pod::KIND])
    .after(60)
    .explain(
        "Services have every address of their ranges, or every port of nodes: whoever makes \
         another is refused, while those that there are go on.",
    )
    .independent()
    .remedies(OF_SERVICES);

/// Services have nearly all of their addresses or ports.
pub static SERVICES_FILLING: Code =
    Code::warning("ip_pools.services_filling", &[ServiceCidr::KIND, Pod::KIND])
        .after(60)
        .explain(
            "Services have more than 85 % of the addresses of their ranges, or of the ports of \
             nodes; once they have all, whoever makes another is refused, and nothing else says so.",
        )
        .independent()
        .runbook("NetvitalsIPPoolFilling")
        .remedies(OF_SERVICES);

const OF_SERVICES: &[Remedy] = &[
    Remedy::inspect("kubectl get services -A -o wide"),
    Remedy::inspect("kubectl get servicecidrs -o wide"),
    Remedy::inspect("kubectl get services -A --sort-by=.metadata.creationTimestamp"),
    Remedy::verify("kubectl get services -A -o wide"),
];

/// Services wait for the address of a load balancer, and there are no more.
pub static BALANCERS_FULL: Code = Code::warning("ip_pools.balancers_full", BALANCER_POOLS)
    // It takes an address seconds after it was made.
    .after(60)
    .explain(
        "Every address that load balancers of the cluster may have is used, and a Service waits for \
         one: clients outside have no way in to it.",
    )
    .remedies(&[
        Remedy::inspect("kubectl get {pools} -A -o yaml"),
        Remedy::inspect("kubectl get services -A -o wide"),
        Remedy::verify("kubectl get services -A -o wide"),
    ]);

/// Load balancers have nearly all of their addresses.
pub static BALANCERS_FILLING: Code = Code::info("ip_pools.balancers_filling", BALANCER_POOLS)
    .after(60)
    .explain(
        "Load balancers of the cluster have more than 85 % of the addresses that there are for \
         them. Small pools are full on purpose, and are not told.",
    )
    .independent()
    .runbook("NetvitalsIPPoolFilling")
    .remedies(&[
        Remedy::inspect("kubectl get {pools} -A -o yaml"),
        Remedy::inspect("kubectl get services -A -o wide"),
        Remedy::verify("kubectl get services -A -o wide"),
    ]);

const BALANCER_POOLS: &[&Kind] = &[IpAddressPool::KIND, CiliumBalancerPool::KIND];

/// Every range that the controller manager has for nodes is given away.
pub static NO_MORE_NODES: Code = Code::info("ip_pools.no_more_nodes", &[Pod::KIND])
    .after(60)
    .explain(
        "Every range for the pods of a node is given away: a node that joins gets none, and starts \
         no pod. That is no fault of a cluster that is to have no more nodes.",
    )
    .independent()
    .remedies(&[
        Remedy::inspect(RANGES),
        Remedy::inspect(
            "kubectl -n {namespace} get pod {name} -o jsonpath='{.spec.containers[*].command}'",
        ),
        Remedy::verify(RANGES),
    ]);

const RANGES: &str =
    "kubectl get nodes -o custom-columns='NAME:.metadata.name,PODS:.spec.podCIDRs'";

/// The pool holds fewer addresses than the node takes pods.
pub static TOO_SMALL: Code = Code::info("ip_pools.too_small", &[Node::KIND])
    .explain(
        "A node has fewer addresses than it accepts pods, so that the last ones cannot start: \
         maxPods in its kubelet's configuration says how many it accepts.",
    )
    .independent()
    .remedies(&[
        Remedy::inspect(CAPACITY),
        Remedy::inspect("kubectl get --raw /api/v1/nodes/{node}/proxy/configz"),
        Remedy::verify(CAPACITY),
    ]);

const CAPACITY: &str = "kubectl get node {node} -o \
                        jsonpath='{.spec.podCIDRs} {.status.allocatable.pods}'";

/// A pod waits for its network, and the pool of its node has free addresses.
pub static WAITING_PODS: Code = Code::warning("ip_pools.waiting", &[Pod::KIND])
    // A volume that is attached to another node takes as long to come.
    .after(180)
    .explain(
        "A pod was sent to a node and has no address there for three minutes, though some look \
         free: its events say whether its network or a volume is what it waits for.",
    )
    .felt_as(&[Symptom::PodsOfNode])
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} describe pod {name}"),
        Remedy::inspect("kubectl get events -A --field-selector reason=FailedCreatePodSandBox"),
        Remedy::inspect(
            "kubectl debug node/{node} -it --profile=sysadmin --image=busybox -- ls -l \
             /host/var/lib/cni/networks",
        ),
        Remedy::fix(
            "kubectl -n {namespace} delete pod {name}",
            "what owns it makes another, maybe on another node; a pod that nothing owns is gone \
             for good",
        ),
        Remedy::verify("kubectl -n {namespace} get pod {name} -o wide"),
    ]);

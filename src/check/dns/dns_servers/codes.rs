//! What can be wrong with the servers, and what to do about it.

use crate::check::{Code, Remedy, Symptom};
use crate::model::{Fact, Pod, Service};

const GRACE: u64 = 30;

/// Two watches are compared, or a rollout may be under way.
const LONG: u64 = 60;

/// The Service has no pod, and queries are not answered otherwise.
pub static NONE: Code = Code::problem("dns_servers.none", &[Service::KIND])
    .after(GRACE)
    .explain("No pod is behind the DNS Service: nobody answers for names of the cluster.")
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} get service {name} -o wide"),
        Remedy::inspect("kubectl -n {namespace} get deployments,daemonsets -l {selector} -o wide"),
        Remedy::inspect("kubectl -n {namespace} get events --sort-by=.lastTimestamp"),
        Remedy::fix(
            "kubectl -n {namespace} scale deployment -l {selector} --replicas={replicas}",
            "a replica begins where a Deployment with the labels of the pods was scaled to none; \
             undone by the number that it had, and an autoscaler may set it again",
        ),
        SEE,
    ]);

/// The Service has no pod, and every query is answered.
pub static ELSEWHERE: Code = Code::info("dns_servers.elsewhere", &[Service::KIND])
    .explain(
        "No pod is behind the DNS Service, and queries are answered: something outside of the \
         cluster, or a cache on the nodes, does.",
    )
    .independent()
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} get service {name} -o wide"),
        Remedy::verify(
            "kubectl run dns-test --rm -it --restart=Never --image=busybox -- \
             cat /etc/resolv.conf",
        ),
    ]);

/// The Service has pods, and none of them is ready.
pub static NONE_READY: Code = Code::problem("dns_servers.none_ready", &[Service::KIND])
    .after(GRACE)
    .explain("No pod behind the DNS Service is ready: nobody answers for names of the cluster.")
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} get pods -l {selector} -o wide"),
        Remedy::inspect("kubectl -n {namespace} describe pods -l {selector}"),
        Remedy::inspect("kubectl -n {namespace} logs -l {selector} --prefix --tail=50"),
        Remedy::inspect("kubectl -n {namespace} logs -l {selector} --prefix --tail=50 --previous"),
        UNDO,
        Remedy::verify(
            "kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}",
        ),
    ]);

/// Pods are ready, and the Service leads to none.
pub static NO_ENDPOINTS: Code = Code::problem("dns_servers.no_endpoints", &[Service::KIND])
    .after(LONG)
    .explain("Nothing that answers is in the EndpointSlices of the DNS Service: it leads nowhere.")
    .remedies(&[
        Remedy::inspect(
            "kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name} -o yaml",
        ),
        Remedy::inspect("kubectl -n {namespace} get service {name} -o yaml"),
        Remedy::inspect("kubectl -n {namespace} get pods -l {selector} -o wide"),
        Remedy::verify(
            "kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}",
        ),
    ]);

/// A pod that ends again and again.
pub static CRASHING: Code = Code::warning("dns_servers.crash_looping", &[Pod::KIND])
    // Without a grace: it has ended more than once.
    .explain("A DNS server ends again and again: the others carry its share, if there are any.")
    .felt_as(&[Symptom::PodsOfNode])
    .runbook(DOWN)
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} logs {name} --previous --tail=50"),
        Remedy::inspect("kubectl -n {namespace} describe pod {name}"),
        UNDO,
        SEE,
    ]);

/// A pod that has not begun.
pub static PENDING: Code = Code::warning("dns_servers.pending", &[Pod::KIND])
    .after(LONG)
    .explain("A DNS server does not begin: the others carry its share, if there are any.")
    .felt_as(&[Symptom::PodsOfNode])
    .runbook(DOWN)
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} describe pod {name}"),
        Remedy::inspect("kubectl get nodes -o wide"),
        SEE,
    ]);

/// A pod that runs, and does not get ready.
pub static NOT_READY: Code = Code::warning("dns_servers.not_ready", &[Pod::KIND])
    .after(LONG)
    .explain("A DNS server runs and is not ready: the others carry its share, if there are any.")
    .felt_as(&[Symptom::PodsOfNode])
    .runbook(DOWN)
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} logs {name} --tail=50"),
        Remedy::inspect("kubectl -n {namespace} describe pod {name}"),
        SEE,
    ]);

/// A pod whose node is not ready: the node is what is to be repaired.
pub static NODE_NOT_READY: Code = Code::info("dns_servers.node_not_ready", &[Pod::KIND])
    .after(LONG)
    .explain("A DNS server is on a node that is not ready: the others carry its share.")
    .independent()
    .runbook(DOWN)
    .remedies(&[Remedy::inspect("kubectl describe node {node}"), SEE]);

/// There is one replica, and room for more.
pub static SINGLE: Code = Code::warning("dns_servers.single", &[Service::KIND])
    .after(LONG)
    .explain("One pod serves all DNS of the cluster: when it goes, every name does.")
    .independent()
    .runbook(FRAGILE)
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} get pods -l {selector} -o wide"),
        Remedy::fix(
            "kubectl -n {namespace} scale {owner} --replicas={replicas}",
            "one replica more, with its memory and CPU; undone by the number that it had, and an \
             autoscaler or what installed it may set it again",
        ),
        SEE,
    ]);

/// All replicas are on one node, and there are others.
pub static ONE_NODE: Code = Code::warning("dns_servers.one_node", &[Service::KIND])
    .after(LONG)
    .explain("All DNS servers are on one node: when it goes, every name does.")
    .independent()
    .runbook(FRAGILE)
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} get pods -l {selector} -o wide"),
        Remedy::inspect("kubectl -n {namespace} get {owner} -o yaml"),
        Remedy::fix(
            "kubectl -n {namespace} rollout restart {owner}",
            "replicas restart one after the other, and their caches begin empty; they spread only \
             where their template prefers it and other nodes have room; there is nothing to undo",
        ),
        SEE,
    ]);

const DOWN: &str = "NetvitalsDNSServersDown";

const FRAGILE: &str = "NetvitalsDNSServersFragile";

const SEE: Remedy = Remedy::verify("kubectl -n {dns_namespace} get pods -l {selector} -o wide");

const UNDO: Remedy = Remedy::fix(
    "kubectl -n {dns_namespace} rollout undo {owner}",
    "the pods are made anew as they were before the last rollout, if it began with that; undone by \
     the same command",
);

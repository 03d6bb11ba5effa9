//! What can be wrong between a Service's address and its endpoints.

use crate::check::{Code, Remedy, Symptom};
use crate::model::{Fact, Node, Service};

/// A node that does not lead to Services.
pub static NODE_BROKEN: Code = Code::problem("service_reachability.node_broken", &[Node::KIND])
    .after(30)
    .explain(
        "On one node most Services fail while their endpoints answer directly: kube-proxy, or what \
         replaces it, is dead or behind there.",
    )
    .remedies(&[
        Remedy::inspect("kubectl get pods -A -o wide --field-selector spec.nodeName={node}"),
        Remedy::inspect("kubectl -n {proxy_namespace} logs {proxy_pod} --tail=50"),
        Remedy::inspect(
            "kubectl debug node/{node} -it --profile=sysadmin --image=busybox -- chroot /host sh \
             -c 'ipvsadm -Ln; iptables-save; nft list ruleset'",
        ),
        Remedy::fix(
            "kubectl -n {proxy_namespace} delete pod {proxy_pod}",
            "the rules of the node stay while its DaemonSet makes another, which writes them anew; \
             there is nothing to undo",
        ),
        Remedy::verify("kubectl -n {proxy_namespace} get pods -o wide"),
    ]);

/// A Service that most nodes do not lead to.
pub static UNREACHABLE: Code = Code::problem("service_reachability.unreachable", &[Service::KIND])
    .after(30)
    .explain("A Service fails from most nodes while its endpoints answer directly.")
    .felt_as(&[Symptom::Slices])
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} describe service {name}"),
        Remedy::inspect(
            "kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}",
        ),
        Remedy::inspect("kubectl -n {proxy_namespace} logs {proxy_owner} --tail=50"),
        Remedy::fix(
            "kubectl -n {proxy_namespace} rollout restart {proxy_owner}",
            "kube-proxy restarts node by node; rules stay meanwhile, and there is nothing to undo",
        ),
        Remedy::verify("kubectl -n {proxy_namespace} rollout status {proxy_owner} --timeout=300s"),
    ]);

/// A Service that answers although its endpoints do not.
pub static ONLY_BY_SERVICE: Code =
    Code::info("service_reachability.only_by_service", &[Service::KIND])
        .after(60)
        .explain(
            "A Service answers while its endpoints do not answer directly: a policy may let in \
             only what comes by way of nodes.",
        )
        .independent()
        .remedies(&[
            Remedy::inspect("kubectl -n {namespace} get networkpolicies -o yaml"),
            Remedy::fix(
                "kubectl -n {namespace} edit networkpolicies",
                "it changes what the pods that they select may do; undone by editing them back to \
                 what the first command showed",
            ),
            Remedy::verify("kubectl -n {namespace} describe service {name}"),
        ]);

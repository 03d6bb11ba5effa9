//! What can be wrong between a Service's address and its endpoints.

use std::time::Duration;

use crate::check::{Code, Remedy, Severity};

/// A node that does not lead to Services.
pub static NODE_BROKEN: Code = Code {
    id: "service_reachability.node_broken",
    severity: Severity::Problem,
    grace: Duration::from_secs(30),
    explain: "On one node most Services fail while their endpoints answer directly: kube-proxy, \
              or what replaces it, is dead or behind there.",
    remedies: &[
        Remedy::inspect(
            "kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide \
             --field-selector spec.nodeName={node}",
        ),
        Remedy::inspect("on {node}: nft list ruleset; iptables-save; ipvsadm -Ln"),
        Remedy::fix(
            "kubectl -n kube-system delete pod -l k8s-app=kube-proxy \
             --field-selector spec.nodeName={node}",
        ),
        Remedy::verify("on {node}: curl -k https://kubernetes.default/livez"),
    ],
};

/// A Service that most nodes do not lead to.
pub static UNREACHABLE: Code = Code {
    id: "service_reachability.unreachable",
    severity: Severity::Problem,
    grace: Duration::from_secs(30),
    explain: "A Service fails from most nodes while its endpoints answer directly.",
    remedies: &[
        Remedy::inspect("kubectl -n {namespace} describe service {name}"),
        Remedy::inspect(
            "kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}",
        ),
        Remedy::inspect("kubectl -n kube-system logs -l k8s-app=kube-proxy --prefix --tail=50"),
        Remedy::fix("kubectl -n kube-system rollout restart daemonset kube-proxy"),
        Remedy::verify("kubectl -n kube-system rollout status daemonset kube-proxy"),
    ],
};

/// A Service that answers although its endpoints do not.
pub static ONLY_BY_SERVICE: Code = Code {
    id: "service_reachability.only_by_service",
    severity: Severity::Info,
    grace: Duration::from_secs(60),
    explain: "A Service answers while its endpoints do not answer directly: a policy may let in \
              only what comes by way of nodes.",
    remedies: &[
        Remedy::inspect("kubectl -n {namespace} get networkpolicies -o yaml"),
        Remedy::fix("kubectl -n {namespace} edit networkpolicies"),
        Remedy::verify("kubectl -n {namespace} describe service {name}"),
    ],
};

//! What can be wrong with a load balancer, and what to do about it.

use crate::check::{Code, Remedy};
use crate::model::{Fact, Service};

/// A moment without an address or a target passes.
const GRACE: u64 = 60;

/// It gets no address, although something in the cluster gives some.
pub static PENDING: Code = Code::warning("load_balancer.pending", &[Service::KIND])
    .after(GRACE)
    .explain(
        "A Service waits for its load balancer for more than ten minutes: it has no address, and \
         clients outside of the cluster have no way in.",
    )
    .remedies(&[DESCRIBE, STATUS, OTHERS, LOOK_AGAIN, SEE]);

/// There may be no more load balancers, or addresses.
pub static QUOTA: Code = Code::warning("load_balancer.quota", &[Service::KIND])
    .after(GRACE)
    .explain(
        "A Service waits for its load balancer, and a quota of the provider is used up: clients \
         outside of the cluster have no way in until it is raised, or something else is given up.",
    )
    .independent()
    .remedies(&[DESCRIBE, EVENTS, OTHERS, LOOK_AGAIN, NODE_PORT, SEE]);

/// There is no subnet to put it into.
pub static SUBNETS: Code = Code::warning("load_balancer.subnets", &[Service::KIND])
    .after(GRACE)
    .explain(
        "A Service waits for its load balancer, and there is no subnet for it: none has the tags by \
         which they are found, none is named as it is called, or none has an address left.",
    )
    .independent()
    .remedies(&[DESCRIBE, ANNOTATIONS, ZONES, EVENTS, EDIT, LOOK_AGAIN, SEE]);

/// What makes it may not.
pub static PERMISSIONS: Code = Code::warning("load_balancer.permissions", &[Service::KIND])
    .after(GRACE)
    .explain(
        "A Service waits for its load balancer, and what makes it may not do so: likely no other \
         Service of the cluster gets one either until its role or its credentials are mended.",
    )
    .independent()
    .remedies(&[DESCRIBE, EVENTS, MAKERS, LOOK_AGAIN, SEE]);

/// Another has what it asks for.
pub static CONFLICT: Code = Code::warning("load_balancer.conflict", &[Service::KIND])
    .after(GRACE)
    .explain(
        "A Service waits for its load balancer, and another has the address, the port or the name \
         that it asks for.",
    )
    .independent()
    .remedies(&[DESCRIBE, ANNOTATIONS, OTHERS, EDIT, LOOK_AGAIN, SEE]);

/// No node may be behind it.
pub static NO_NODES: Code = Code::warning("load_balancer.no_nodes", &[Service::KIND])
    .after(GRACE)
    .explain(
        "A Service waits for its load balancer, and there is no node that it may lead to: all are \
         away, are being taken away, or are labelled to be left out.",
    )
    .independent()
    .remedies(&[
        DESCRIBE,
        Remedy::inspect(
            "kubectl get nodes -L node.kubernetes.io/exclude-from-external-load-balancers",
        ),
        Remedy::inspect("kubectl describe nodes"),
        Remedy::fix(
            "kubectl label nodes --all node.kubernetes.io/exclude-from-external-load-balancers-",
            "traffic from outside comes in by every node, also by those of the control plane; \
             undone by =true in the place of the last dash, for those that had it",
        ),
        SEE,
    ]);

/// No pool has an address for it.
pub static NO_ADDRESSES: Code = Code::warning("load_balancer.no_addresses", &[Service::KIND])
    .after(GRACE)
    .explain(
        "A Service waits for its load balancer, and no pool has an address for it: those that it may \
         use are full, or there is none that it may use.",
    )
    .remedies(&[
        DESCRIBE,
        STATUS,
        Remedy::inspect("kubectl get ipaddresspools.metallb.io -A -o yaml"),
        Remedy::inspect("kubectl get ciliumloadbalancerippools.cilium.io -o yaml"),
        OTHERS,
        LOOK_AGAIN,
        NODE_PORT,
        SEE,
    ]);

/// It gets no address, and nothing shows that anything gives some.
pub static NEVER_WORKED: Code = Code::info("load_balancer.never_worked", &[Service::KIND])
    .after(GRACE)
    .explain(
        "A Service asks for a load balancer, and nothing shows that anything in this cluster makes \
         one.",
    )
    .independent()
    .remedies(&[DESCRIBE, OTHERS, MAKERS, NODE_PORT, SEE]);

/// It is deleted, and something holds on to it.
pub static STUCK_DELETING: Code = Code::warning("load_balancer.stuck_deleting", &[Service::KIND])
    .after(GRACE)
    .explain(
        "A Service was deleted more than ten minutes ago, and its load balancer is not taken away: \
         it may cost money, and its namespace cannot go either.",
    )
    .independent()
    .remedies(&[
        DESCRIBE,
        Remedy::inspect("kubectl -n {namespace} get service {name} -o jsonpath='{.metadata}'"),
        OTHERS,
        Remedy::fix(
            "kubectl -n {namespace} patch service {name} --type=merge \
             -p '{\"metadata\":{\"finalizers\":null}}'",
            "the Service goes at once, and what was made for it stays at the provider until it is \
             removed there by hand; the Service is gone for good",
        ),
        SEE_ALL,
    ]);

/// One of its ports is not served.
pub static PORT_ERROR: Code = Code::warning("load_balancer.port_error", &[Service::KIND])
    .after(GRACE)
    .explain("What makes the load balancer of a Service refuses a port of it.")
    .independent()
    .remedies(&[DESCRIBE, STATUS, EDIT, SEE]);

/// Nothing is behind it.
pub static NO_TARGETS: Code = Code::warning("load_balancer.no_targets", &[Service::KIND])
    .after(GRACE)
    .explain(
        "Nothing behind a load balancer gets its traffic: clients outside of the cluster get no \
         answer.",
    )
    .runbook("NetvitalsLoadBalancerNoTargets")
    .remedies(&[
        DESCRIBE,
        Remedy::inspect(SLICES),
        Remedy::inspect("kubectl -n {namespace} get pods -o wide --show-labels"),
        EDIT,
        Remedy::verify(SLICES),
    ]);

const DESCRIBE: Remedy = Remedy::inspect("kubectl -n {namespace} describe service {name}");

/// Conditions are in no description.
const STATUS: Remedy =
    Remedy::inspect("kubectl -n {namespace} get service {name} -o jsonpath='{.status}'");

const OTHERS: Remedy = Remedy::inspect("kubectl get services -A -o wide");

const SLICES: &str =
    "kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name} -o wide";

const EVENTS: Remedy = Remedy::inspect(
    "kubectl get events -A --field-selector type=Warning,involvedObject.kind=Service",
);

const ANNOTATIONS: Remedy = Remedy::inspect(
    "kubectl -n {namespace} get service {name} -o jsonpath='{.metadata.annotations}'",
);

const ZONES: Remedy = Remedy::inspect("kubectl get nodes -L topology.kubernetes.io/zone");

const MAKERS: Remedy = Remedy::inspect("kubectl get deployments,daemonsets -A");

const NODE_PORT: Remedy = Remedy::fix(
    "kubectl -n {namespace} patch service {name} -p '{\"spec\":{\"type\":\"NodePort\"}}'",
    "it is reached by the ports of nodes that it has already, and asks for no address any more; \
     undone by LoadBalancer in the place of NodePort",
);

const LOOK_AGAIN: Remedy = Remedy::fix(
    "kubectl -n {namespace} annotate service {name} look-again=\"$(date +%s)\" --overwrite",
    "once the reason is gone: what makes its load balancer tries at once, and not after its next \
     pause; undone by look-again- in the place of look-again=…",
);

const EDIT: Remedy = Remedy::fix(
    "kubectl -n {namespace} edit service {name}",
    "its load balancer and its traffic follow within seconds to minutes; undone by editing it back \
     to what the first command showed",
);

const SEE: Remedy = Remedy::verify("kubectl -n {namespace} get service {name} -o wide");

const SEE_ALL: Remedy = Remedy::verify("kubectl -n {namespace} get services -o wide");

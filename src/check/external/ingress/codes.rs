//! What can be wrong with an Ingress, and what to do about it.

use crate::check::{Code, Remedy};
use crate::model::{Fact, Ingress, IngressClass};

/// More than one watch is looked at, and what is installed comes object by object.
const GRACE: u64 = 60;

/// It has no address, and others of its class have.
pub static NO_ADDRESS: Code = Code::warning("ingress.no_address", &[Ingress::KIND])
    .after(GRACE)
    .explain(
        "An Ingress has no address for more than ten minutes, and others of its class have one: \
         what serves them has not taken it.",
    )
    .independent()
    .remedies(&[
        DESCRIBE,
        ALL,
        CLASSES,
        Remedy::fix(
            "kubectl -n {namespace} annotate ingress {name} look-again=\"$(date +%s)\" --overwrite",
            "once the reason is gone: its controller looks at it at once; undone by look-again- in \
             the place of look-again=…",
        ),
        SEE,
    ]);

/// No Ingress of a class has an address.
pub static NEVER_WORKED: Code =
    Code::info("ingress.never_worked", &[IngressClass::KIND, Ingress::KIND])
        .after(GRACE)
        .explain(
            "No Ingress of a class has an address: nothing serves them, or what does never writes \
             one.",
        )
        .independent()
        .remedies(&[ALL, CLASSES, Remedy::inspect("kubectl get deployments,daemonsets -A")]);

/// It names no class, where Ingresses go by classes.
pub static NO_CLASS: Code = Code::warning("ingress.no_class", &[Ingress::KIND])
    .after(GRACE)
    .explain(
        "An Ingress names no class and has no address: whoever serves Ingresses here waits for \
         those of its class.",
    )
    .independent()
    .remedies(&[DESCRIBE, YAML, CLASSES, EDIT, SEE]);

/// It names a class that is not there.
pub static CLASS_MISSING: Code = Code::warning("ingress.class_missing", &[Ingress::KIND])
    .after(GRACE)
    .explain("An Ingress names a class that is not there and has no address: nothing serves it.")
    .independent()
    .remedies(&[DESCRIBE, YAML, CLASSES, EDIT, SEE]);

/// It leads to a Service that is not there.
pub static BACKEND_MISSING: Code = Code::warning("ingress.backend_missing", &[Ingress::KIND])
    .after(GRACE)
    .explain("An Ingress leads to a Service that is not there: clients get an error.")
    .independent()
    .runbook(BACKENDS)
    .remedies(&[DESCRIBE, YAML, SERVICES, EDIT, SEE]);

/// It leads to a port that its Service does not have.
pub static PORT_MISSING: Code = Code::warning("ingress.port_missing", &[Ingress::KIND])
    .after(GRACE)
    .explain(
        "An Ingress leads to a port that its Service does not have: clients get an error. The port \
         that is meant is the Service's, not that of its pods.",
    )
    .independent()
    .runbook(BACKENDS)
    .remedies(&[DESCRIBE, YAML, SERVICES, EDIT, SEE]);

/// It leads to a Service of which no endpoint is ready.
pub static NO_ENDPOINTS: Code = Code::warning("ingress.no_endpoints", &[Ingress::KIND])
    .after(GRACE)
    .explain("An Ingress leads to a Service of which no endpoint is ready: clients get an error.")
    .independent()
    .runbook(BACKENDS)
    .remedies(&[
        DESCRIBE,
        SERVICES,
        Remedy::inspect("kubectl -n {namespace} get pods -o wide --show-labels"),
        Remedy::inspect("kubectl -n {namespace} get events --field-selector type=Warning"),
        SEE,
    ]);

/// Another has the same path, and leads elsewhere.
pub static CONFLICT: Code = Code::warning("ingress.conflict", &[Ingress::KIND])
    .after(GRACE)
    .explain(
        "Two Ingresses of one class have the same host and path with different backends: clients \
         get one of them, mostly the older one's.",
    )
    .independent()
    .runbook("NetvitalsIngressConflict")
    .remedies(&[DESCRIBE, YAML, ALL, EDIT, SEE]);

/// Its controller is not repaired any more.
pub static RETIRED: Code = Code::info("ingress.retired", &[IngressClass::KIND])
    .explain(
        "The controller of a class is retired: holes in it are not closed any more, unless somebody \
         does so for whom you got it from.",
    )
    .independent()
    .remedies(&[
        Remedy::inspect("kubectl describe ingressclass {name}"),
        ALL,
        Remedy::verify("kubectl get ingressclasses"),
    ]);

const BACKENDS: &str = "NetvitalsIngressBackendMissing";

const DESCRIBE: Remedy = Remedy::inspect("kubectl -n {namespace} describe ingress {name}");

const YAML: Remedy = Remedy::inspect("kubectl -n {namespace} get ingress {name} -o yaml");

const ALL: Remedy = Remedy::inspect("kubectl get ingresses -A -o wide");

const CLASSES: Remedy = Remedy::inspect("kubectl get ingressclasses -o yaml");

const SERVICES: Remedy =
    Remedy::inspect("kubectl -n {namespace} get services,endpointslices -o wide");

const EDIT: Remedy = Remedy::fix(
    "kubectl -n {namespace} edit ingress {name}",
    "what serves it follows within seconds to minutes; undone by editing it back to what the second \
     command showed",
);

const SEE: Remedy = Remedy::verify("kubectl -n {namespace} describe ingress {name}");

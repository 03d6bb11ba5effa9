//! What can be wrong with EndpointSlices, one code for each class.

use crate::check::service::LOOK_AGAIN;
use crate::check::{Code, Remedy};
use crate::cluster::endpoints::Mismatch;
use crate::model::{Fact, Service};

/// A ready pod that no slice names.
pub static MISSING: Code = code(
    "endpoint_mismatch.missing",
    "A ready pod gets no traffic, because no EndpointSlice of its Service names it.",
);

/// An endpoint whose pod is gone, or is no longer the Service's.
pub static STALE: Code = code(
    "endpoint_mismatch.stale",
    "Traffic is sent to an address that no pod of the Service has any more.",
);

/// An endpoint whose conditions are not the pod's.
pub static READINESS: Code = code(
    "endpoint_mismatch.readiness",
    "An EndpointSlice calls a pod ready that is not, or the reverse: traffic goes to the wrong \
     pods.",
);

/// An endpoint with other ports than its pod.
pub static PORT: Code = code(
    "endpoint_mismatch.port",
    "Traffic is sent to other ports than the Service and its pods have now.",
);

/// An endpoint with another node than its pod.
pub static NODE: Code = code(
    "endpoint_mismatch.node",
    "An EndpointSlice places a pod on another node than it runs on, which misleads policies \
     that keep traffic on its node.",
)
.independent();

/// A pod that is named in one family of addresses only.
pub static FAMILY: Code = code(
    "endpoint_mismatch.family",
    "A pod gets traffic over one family of addresses and not over another that it and its \
     Service have.",
)
.independent();

/// A slice of a Service that does not exist.
pub static ORPHAN: Code = code(
    "endpoint_mismatch.orphan",
    "An EndpointSlice outlived its Service; should a Service of that name come back, its traffic \
     goes to the old addresses too.",
)
.independent()
.remedies(&[
    LIST,
    LOG,
    Remedy::fix(
        "kubectl -n {namespace} delete endpointslices -l kubernetes.io/service-name={name}",
        "only what no Service refers to goes; for a Service that exists its controller makes them \
         anew",
    ),
    AFTER,
]);

const fn code(id: &'static str, explain: &'static str) -> Code {
    // The controller needs a moment, and a watch that went silent is opened anew after 35 s:
    // until then the other watch would make it look like a mismatch.
    Code::problem(id, &[Service::KIND]).after(60).explain(explain).remedies(REMEDIES)
}

const REMEDIES: &[Remedy] = &[
    Remedy::inspect(
        "kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name} -o yaml",
    ),
    Remedy::inspect("kubectl -n {namespace} get pods -o wide"),
    LOG,
    LOOK_AGAIN,
    AFTER,
];

const LOG: Remedy =
    Remedy::inspect("kubectl -n kube-system logs -l component=kube-controller-manager --tail=200");
const LIST: Remedy = Remedy::inspect(SLICES);
const AFTER: Remedy = Remedy::verify(SLICES);
const SLICES: &str =
    "kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}";

/// Every pod that a Service selects is unready.
pub static NONE_READY: Code = Code::info("endpoint_mismatch.none_ready", &[Service::KIND])
    .after(60)
    .explain("A Service selects pods of which none is ready, so that it answers no client.")
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} describe service {name}"),
        Remedy::inspect("kubectl -n {namespace} get pods"),
        Remedy::inspect("kubectl -n {namespace} get events --field-selector type=Warning"),
        EDIT,
        AFTER,
    ]);

/// A port of a Service that none of its ready pods has.
pub static NO_PORT: Code = Code::warning("endpoint_mismatch.no_port", &[Service::KIND])
    .after(60)
    .explain(
        "A Service points at a port by a name that none of its ready pods has, so that the port \
         answers no client.",
    )
    .remedies(&[Remedy::inspect("kubectl -n {namespace} get service {name} -o yaml"), EDIT, AFTER]);

const EDIT: Remedy = Remedy::fix(
    "kubectl -n {namespace} edit service {name}",
    "its traffic follows the new selector or port within seconds; undone by editing it back to \
     what the first command showed",
);

/// Returns the code of a class, and what it counts.
pub(super) const fn of(class: Mismatch) -> (&'static Code, &'static str) {
    match class {
        Mismatch::Missing => (&MISSING, "ready pods in no slice"),
        Mismatch::Stale => (&STALE, "endpoints without their pod"),
        Mismatch::Readiness => (&READINESS, "endpoints with other conditions than their pods"),
        Mismatch::Port => (&PORT, "endpoints with other ports than their pods"),
        Mismatch::Node => (&NODE, "endpoints on another node than their pods"),
        Mismatch::Family => (&FAMILY, "pods in slices of the wrong families"),
        Mismatch::Orphan => (&ORPHAN, "slices without their Service"),
    }
}

//! What can be wrong with Gateways and routes, and what to do about it.

use crate::check::{Code, Remedy};
use crate::model::{Fact, Gateway, GatewayClass, GrpcRoute, HttpRoute, Kind};

/// More than one watch is looked at, and what is installed comes object by object.
const GRACE: u64 = 60;

const OF_ROUTES: &[&Kind] = &[HttpRoute::KIND, GrpcRoute::KIND];

/// Nobody serves a class that is named.
pub static CLASS_NOT_ACCEPTED: Code =
    Code::warning("gateways.class_not_accepted", &[GatewayClass::KIND])
        .after(GRACE)
        .explain("A GatewayClass is not accepted: its controller does not run, or refuses it.")
        .independent()
        .remedies(OF_CLASS);

/// Nobody serves a class that nobody names.
pub static CLASS_UNUSED: Code = Code::info("gateways.class_unused", &[GatewayClass::KIND])
    .after(GRACE)
    .explain("A GatewayClass is not accepted, and no Gateway names it.")
    .independent()
    .remedies(OF_CLASS);

/// Its class is not there.
pub static CLASS_MISSING: Code = Code::warning("gateways.class_missing", &[Gateway::KIND])
    .after(GRACE)
    .explain("A Gateway names a class that is not there: nothing serves it.")
    .independent()
    .remedies(OF_GATEWAY);

/// Its controller refuses it, or there is none.
pub static NOT_ACCEPTED: Code = Code::warning("gateways.not_accepted", &[Gateway::KIND])
    .after(GRACE)
    .explain(
        "A Gateway is not accepted for more than ten minutes: its controller refuses it, or none \
         has looked at it.",
    )
    .independent()
    .remedies(OF_GATEWAY);

/// Its data plane is not as it asks for.
pub static NOT_PROGRAMMED: Code = Code::warning("gateways.not_programmed", &[Gateway::KIND])
    .after(GRACE)
    .explain(
        "A Gateway is accepted and for more than ten minutes not programmed: it has no address, or \
         what serves it is not there.",
    )
    .independent()
    .remedies(OF_GATEWAY);

/// A listener of it does not work.
pub static LISTENER: Code = Code::warning("gateways.listener", &[Gateway::KIND])
    .after(GRACE)
    .explain(
        "A listener of a Gateway is at fault: its certificate is not found, or its port or host is \
         taken.",
    )
    .independent()
    .remedies(OF_GATEWAY);

/// What a route asks for is not there.
pub static ROUTE_UNATTACHED: Code = Code::warning("gateways.route_unattached", OF_ROUTES)
    .after(GRACE)
    .explain("A route names a Gateway that is not there: nothing leads to its backends.")
    .independent()
    .runbook(ROUTES)
    .remedies(OF_ROUTE);

/// A Gateway refuses a route.
pub static ROUTE_NOT_ACCEPTED: Code = Code::warning("gateways.route_not_accepted", OF_ROUTES)
    .after(GRACE)
    .explain(
        "A route is not accepted by a Gateway: a listener does not allow its namespace or host, or \
         it asks for what the controller cannot do.",
    )
    .independent()
    .runbook(ROUTES)
    .remedies(OF_ROUTE);

/// A route names what is not there, or not allowed.
pub static ROUTE_UNRESOLVED: Code = Code::warning("gateways.route_unresolved", OF_ROUTES)
    .after(GRACE)
    .explain(
        "A route names a backend that is not there, of a kind that is not served, or in a namespace \
         that does not grant it: clients get an error.",
    )
    .independent()
    .runbook(ROUTES)
    .remedies(OF_ROUTE);

/// A controller answers other routes and not this one.
pub static ROUTE_SILENT: Code = Code::warning("gateways.route_silent", OF_ROUTES)
    .after(GRACE)
    .explain(
        "Nothing is said of a route for more than ten minutes, and its controller has answered \
         others: it has not taken it, or not said so.",
    )
    .independent()
    .runbook(ROUTES)
    .remedies(OF_ROUTE);

/// A controller answers no route.
pub static NEVER_ANSWERED: Code = Code::info("gateways.never_answered", &[GatewayClass::KIND])
    .after(GRACE)
    .explain(
        "No route of a class was ever answered: nothing serves them, or what does never says so.",
    )
    .independent()
    .runbook(ROUTES)
    .remedies(OF_CLASS);

/// A change was not looked at.
pub static UNSEEN: Code =
    Code::info("gateways.unseen", &[Gateway::KIND, HttpRoute::KIND, GrpcRoute::KIND])
        .after(GRACE)
        .explain(
            "What a controller says of a Gateway or route is about an older state of it: it is \
             behind, or does not run.",
        )
        .independent()
        .remedies(&[
            Remedy::inspect(
                "kubectl -n {namespace} get gateways.gateway.networking.k8s.io,\
                 httproutes.gateway.networking.k8s.io -o yaml",
            ),
            CLASSES,
            RUNS,
        ]);

const ROUTES: &str = "NetvitalsGatewayRouteNotAccepted";

const OF_CLASS: &[Remedy] = &[
    Remedy::inspect("kubectl describe gatewayclasses.gateway.networking.k8s.io {name}"),
    Remedy::inspect("kubectl get gateways.gateway.networking.k8s.io -A -o wide"),
    RUNS,
    Remedy::verify("kubectl get gatewayclasses.gateway.networking.k8s.io -o wide"),
];

const OF_GATEWAY: &[Remedy] = &[
    Remedy::inspect("kubectl -n {namespace} describe gateways.gateway.networking.k8s.io {name}"),
    Remedy::inspect("kubectl -n {namespace} get gateways.gateway.networking.k8s.io {name} -o yaml"),
    CLASSES,
    Remedy::inspect("kubectl -n {namespace} get services,pods -o wide"),
    RUNS,
    Remedy::fix(
        "kubectl -n {namespace} edit gateways.gateway.networking.k8s.io {name}",
        "its controller follows within seconds to minutes, with connections of listeners that \
         change cut; undone by editing it back to what the second command showed",
    ),
    Remedy::verify("kubectl -n {namespace} get gateways.gateway.networking.k8s.io {name} -o wide"),
];

const OF_ROUTE: &[Remedy] = &[
    Remedy::inspect("kubectl -n {namespace} describe {routes}.gateway.networking.k8s.io {name}"),
    Remedy::inspect("kubectl get gateways.gateway.networking.k8s.io -A -o wide"),
    Remedy::inspect("kubectl -n {namespace} get services,endpointslices -o wide"),
    RUNS,
    Remedy::verify("kubectl -n {namespace} get {routes}.gateway.networking.k8s.io {name} -o yaml"),
];

const CLASSES: Remedy =
    Remedy::inspect("kubectl get gatewayclasses.gateway.networking.k8s.io -o wide");

const RUNS: Remedy = Remedy::inspect("kubectl get deployments,daemonsets -A");

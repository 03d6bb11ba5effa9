//! Do Gateways and their routes lead into the cluster?
//!
//! As their controllers say. A Gateway on which nobody has said anything has no controller. Some
//! controllers never write what became of a route, so that a silent route is a warning only where
//! the same controller has answered another one; else it is a note. What is said of a parent that a
//! route asks for no more, or of an older generation, is not believed.
//!
//! Left out: whether a Gateway answers; routes for TLS, TCP and UDP, sets of listeners, policies;
//! routes without a parent, which others delegate to; parents that are no Gateways, but for what is
//! said against them; listeners without a route, and those whose certificates overlap; backends,
//! where their controller does not look at them.

mod codes;
mod entrances;
mod routes;

pub use self::codes::{
    CLASS_MISSING, CLASS_NOT_ACCEPTED, CLASS_UNUSED, LISTENER, NEVER_ANSWERED, NOT_ACCEPTED,
    NOT_PROGRAMMED, ROUTE_NOT_ACCEPTED, ROUTE_SILENT, ROUTE_UNATTACHED, ROUTE_UNRESOLVED, UNSEEN,
};
use crate::check::words::{count, others, some};
use crate::check::{Check, Layer, Output};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{Fact, Gateway, GatewayClass, GrpcRoute, HttpRoute, Skipped, Unanswered};

/// Looks at every Gateway, its class and its routes.
pub static CHECK: Check = Check {
    id: "gateways",
    layer: Layer::External,
    question: "Do Gateways and their routes lead into the cluster?",
    runbook: "NetvitalsGatewayNotProgrammed",
    needs: &[Gateway::KIND, GatewayClass::KIND],
    wants: &[HttpRoute::KIND, GrpcRoute::KIND],
    families: &[GATEWAYS.desc(), ROUTES.desc()],
    codes: &[
        &CLASS_NOT_ACCEPTED,
        &CLASS_MISSING,
        &NOT_ACCEPTED,
        &NOT_PROGRAMMED,
        &LISTENER,
        &ROUTE_UNATTACHED,
        &ROUTE_NOT_ACCEPTED,
        &ROUTE_UNRESOLVED,
        &ROUTE_SILENT,
        &NEVER_ANSWERED,
        &CLASS_UNUSED,
        &UNSEEN,
    ],
    run,
};

static GATEWAYS: Family<1> =
    Family::gauge("netvitals_gateways", "Gateways, each by the worst that is so of it.", ["state"]);

static ROUTES: Family<1> = Family::gauge(
    "netvitals_gateway_routes",
    "HTTPRoutes and GRPCRoutes, each by the worst that is so of it; some controllers never answer.",
    ["state"],
);

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let gateways = cluster.read::<Gateway>()?;
    let classes = cluster.read::<GatewayClass>()?;
    let undecoded = gateways.has_undecoded() || classes.has_undecoded();
    out.lacks("gateways", gateways);
    out.lacks("gatewayclasses", classes);
    let routes = routes::Routes::of(cluster, out);
    let is_empty = gateways.iter().next().is_none() && routes.is_empty();
    // Clouds bring classes that nobody uses.
    if is_empty && !undecoded {
        return Err(Skipped::NotApplicable.into());
    }
    let states = entrances::tell(cluster, gateways, classes, out);
    let number = |state| states.iter().filter(|it| **it == state).count();
    for state in entrances::State::ALL {
        out.sample(&GATEWAYS, [state.as_str()], number(state) as f64);
    }
    let ready = count(number(entrances::State::Ready));
    let mut statement = format!("{ready} of {} ready", some(states.len(), "Gateway"));
    let worse = entrances::State::ALL.iter().take(entrances::State::ALL.len() - 1);
    statement += &others(worse.map(|it| (number(*it), it.words())));
    let states = routes.tell(cluster, gateways, classes, out);
    let number = |state| states.iter().filter(|it| **it == state).count();
    for state in routes::State::ALL {
        out.sample(&ROUTES, [state.as_str()], number(state) as f64);
    }
    let accepted = count(number(routes::State::Accepted));
    statement += &format!("; {accepted} of {} accepted", some(states.len(), "route"));
    let worse = routes::State::ALL.iter().take(routes::State::ALL.len() - 1);
    statement += &others(worse.map(|it| (number(*it), it.words())));
    out.statement(statement);
    Ok(())
}

#[cfg(test)]
mod tests;

//! Do Ingresses lead from outside to pods?
//!
//! Who serves an Ingress is not said anywhere, and many controllers never write an address. So a class
//! under which some Ingress has an address is served, whatever else is so of it, and only there is an
//! Ingress without one a warning; of a class of which none has an address that is a note. One that
//! names no class is a warning where every class has addresses: whoever never writes one may serve it.
//!
//! Left out: certificates; whether a host leads to the address, and what answers there; Ingresses of
//! one class that are served by different controllers; a class that went while its Ingresses keep
//! their addresses; what a controller says in events and logs; backends that are no Services.

mod backends;
mod classes;
mod codes;
mod conflicts;

use std::collections::BTreeSet;

use self::backends::Backends;
use self::classes::{Classes, Stand};
pub use self::codes::{
    BACKEND_MISSING, CLASS_MISSING, CONFLICT, NEVER_WORKED, NO_ADDRESS, NO_CLASS, NO_ENDPOINTS,
    PORT_MISSING, RETIRED,
};
use crate::check::words::{count, others};
use crate::check::{Check, Layer, Output};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{EndpointSlice, Fact, Ingress, IngressClass, Key, Service, Skipped, Unanswered};

/// Looks at every Ingress, its class and its backends.
pub static CHECK: Check = Check {
    id: "ingress",
    layer: Layer::External,
    question: "Do Ingresses lead from outside to pods?",
    runbook: "NetvitalsIngressNoAddress",
    needs: &[Ingress::KIND, IngressClass::KIND, Service::KIND, EndpointSlice::KIND],
    wants: &[],
    families: &[INGRESSES.desc()],
    codes: &[
        &NO_CLASS,
        &CLASS_MISSING,
        &NO_ADDRESS,
        &BACKEND_MISSING,
        &PORT_MISSING,
        &NO_ENDPOINTS,
        &CONFLICT,
        &NEVER_WORKED,
        &RETIRED,
    ],
    run,
};

static INGRESSES: Family<1> = Family::gauge(
    "netvitals_ingresses",
    "Ingresses, each by the worst that is so of it; some controllers never write an address.",
    ["state"],
);

/// What an Ingress does, the worst first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Deleting,
    NoClass,
    BackendMissing,
    NoEndpoints,
    Conflict,
    NoAddress,
    Ready,
}

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let ingresses = cluster.read::<Ingress>()?;
    if ingresses.iter().next().is_none() {
        ingresses.whole()?;
        return Err(Skipped::NotApplicable.into());
    }
    out.lacks("namespaces", ingresses);
    let live: Vec<(&Key, &Ingress)> =
        ingresses.iter().filter(|(_, ingress)| !ingress.terminating).collect();
    let classes = Classes::of(cluster, &live, out)?;
    let conflicts: BTreeSet<&Key> = conflicts::tell(&live, &classes, out);
    let mut states = vec![State::Deleting; ingresses.iter().count() - live.len()];
    for (key, ingress) in &live {
        let stand = classes.stand(ingress);
        classes.tell(out, key, ingress, stand);
        match Backends::of(cluster, key, ingress, classes.controller(ingress)) {
            Err(why) => out.gap("namespaces", why),
            Ok(backends) => {
                backends.tell(out, key);
                states.push(match stand {
                    Stand::NoClass | Stand::Missing => State::NoClass,
                    _ if backends.is_missing() => State::BackendMissing,
                    _ if backends.is_unready() => State::NoEndpoints,
                    _ if conflicts.contains(key) => State::Conflict,
                    Stand::Waits | Stand::NeverWorked | Stand::Young => State::NoAddress,
                    Stand::Served => State::Ready,
                });
            }
        }
    }
    classes.tell_all(out, &live);
    let number = |state| states.iter().filter(|it| **it == state).count();
    for state in State::ALL {
        out.sample(&INGRESSES, [state.as_str()], number(state) as f64);
    }
    let all = if states.len() == 1 { "Ingress" } else { "Ingresses" };
    let mut statement =
        format!("{} of {} {all} ready", count(number(State::Ready)), count(states.len()));
    statement += &others(State::ALL[..6].iter().map(|it| (number(*it), it.words())));
    out.statement(statement);
    Ok(())
}

impl State {
    const ALL: [Self; 7] = [
        Self::Deleting,
        Self::NoClass,
        Self::BackendMissing,
        Self::NoEndpoints,
        Self::Conflict,
        Self::NoAddress,
        Self::Ready,
    ];

    /// The label value.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Deleting => "deleting",
            Self::NoClass => "no_class",
            Self::BackendMissing => "backend_missing",
            Self::NoEndpoints => "no_endpoints",
            Self::Conflict => "conflict",
            Self::NoAddress => "no_address",
            Self::Ready => "ready",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Deleting => "to be taken away",
            Self::NoClass => "of no class that there is",
            Self::BackendMissing => "with a backend that is not there",
            Self::NoEndpoints => "with a backend that is not ready",
            Self::Conflict => "with a path of another",
            Self::NoAddress => "without an address",
            Self::Ready => "ready",
        }
    }
}

#[cfg(test)]
mod tests;

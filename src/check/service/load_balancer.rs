//! Do Services of type LoadBalancer have what they ask for?
//!
//! An address outside of the cluster, and behind it an endpoint that is ready. Who gives addresses is
//! known by its traces alone: a class that the Service names, a finalizer or a condition that
//! somebody has set, an address that another Service without a class has. With a trace, one that
//! gets no address is a warning. Without any the cluster may be one of those that have no load
//! balancers, where such a Service comes with a chart and is reached by its node ports: its owner has
//! to know, and is not to be called, so that it is a note until there is a trace.
//!
//! Why there is no address is said by a condition, or else by events: what is refused in words that
//! are known is told at once under a code of its own, and what is not in the words that there are.
//!
//! Left out: what the checks of a provider say of its targets; nodes that no load balancer may use,
//! before one asks for them; since when the Service is of its type, because nothing says so: a
//! Service that becomes one late has only as long as the alert waits.

mod codes;
mod why;

use std::time::Duration;

pub use self::codes::{
    CONFLICT, NEVER_WORKED, NO_ADDRESSES, NO_NODES, NO_TARGETS, PENDING, PERMISSIONS, PORT_ERROR,
    QUOTA, STUCK_DELETING, SUBNETS,
};
use self::why::Why;
use crate::check::age::{age, is_long};
use crate::check::words::{count, long, others, some};
use crate::check::{Check, Finding, Layer, Output};
use crate::cluster::endpoints::slices_of;
use crate::cluster::{Cluster, ServiceEvents};
use crate::family::Family;
use crate::model::{
    EndpointSlice, Fact, Key, LoadBalancer, Service, ServiceEvent, Skipped, Unanswered, Unknown,
};

/// Looks at every Service of type LoadBalancer.
pub static CHECK: Check = Check {
    id: "load_balancer",
    layer: Layer::Service,
    question: "Do Services of type LoadBalancer have what they ask for?",
    runbook: "NetvitalsLoadBalancerPending",
    needs: &[Service::KIND, EndpointSlice::KIND],
    wants: &[ServiceEvent::KIND],
    families: &[BALANCERS.desc()],
    codes: &[
        &QUOTA,
        &SUBNETS,
        &PERMISSIONS,
        &CONFLICT,
        &NO_NODES,
        &NO_ADDRESSES,
        &PENDING,
        &STUCK_DELETING,
        &PORT_ERROR,
        &NO_TARGETS,
        &NEVER_WORKED,
    ],
    run,
};

static BALANCERS: Family<1> = Family::gauge(
    "netvitals_load_balancers",
    "Services of type LoadBalancer, each by the worst that is so of it.",
    ["state"],
);

/// A load balancer takes some minutes to be made, and to be taken away.
const LONG: Duration = Duration::from_secs(600);

/// One that is refused is not on its way; clouds may refuse the first try.
const SOON: Duration = Duration::from_secs(60);

/// What a load balancer does, the worst first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Deleting,
    PortError,
    Pending,
    NoTargets,
    Ready,
}

/// The endpoints of a Service.
struct Targets {
    ready: usize,
    /// Those of them that its load balancer can be led to.
    reached: usize,
}

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let services = cluster.read::<Service>()?;
    let all =
        || services.iter().filter_map(|(key, it)| Some((key, it, it.load_balancer.as_deref()?)));
    if all().next().is_none() {
        // The one that cannot be read may be one.
        services.whole()?;
        return Err(Skipped::NotApplicable.into());
    }
    out.lacks("namespaces", services);
    if cluster.remember::<ServiceEvent>().is_ok_and(ServiceEvents::has_undecoded) {
        out.gap("events", Unknown::Undecoded(ServiceEvent::KIND.label));
    }
    let some_have = all().any(|(_, _, it)| it.class.is_none() && it.has_address);
    let mut states = Vec::new();
    for (key, service, balancer) in all() {
        match Targets::of(cluster, key, (service, balancer)) {
            Err(why) => out.gap("namespaces", why),
            Ok(targets) => {
                states.push(State::of(balancer, &targets));
                if let Some(deleted) = balancer.deleted {
                    deleting(cluster, out, key, balancer, deleted);
                    continue;
                }
                address(cluster, out, key, (service, balancer), some_have);
                no_targets(out, key, balancer, &targets);
            }
        }
    }
    let number = |state| states.iter().filter(|it| **it == state).count();
    for state in State::ALL {
        out.sample(&BALANCERS, [state.as_str()], number(state) as f64);
    }
    let mut statement =
        format!("{} of {} ready", count(number(State::Ready)), some(states.len(), "load balancer"));
    statement += &others(State::ALL[..4].iter().map(|it| (number(*it), it.words())));
    out.statement(statement);
    Ok(())
}

/// Tells of a load balancer that is not taken away.
fn deleting(
    cluster: &Cluster,
    out: &mut Output,
    key: &Key,
    balancer: &LoadBalancer,
    deleted: Duration,
) {
    let age = cluster.now().unix.abs_diff(deleted);
    let Some(finalizer) = balancer.finalizer.as_ref().filter(|_| is_long(cluster, age, LONG))
    else {
        return;
    };
    let said = Why::of(cluster, key, balancer).said();
    let message = format!(
        "deleted {} ago, and held by {finalizer}{}{said}: look at the log of what makes its load \
         balancer",
        long(age),
        of_class(balancer)
    );
    out.finding(Finding::of::<Service>(&STUCK_DELETING, key.clone(), message));
}

/// Tells of a load balancer without an address, or with less than it asks for.
fn address(
    cluster: &Cluster,
    out: &mut Output,
    key: &Key,
    (service, balancer): (&Service, &LoadBalancer),
    some_have: bool,
) {
    if let Some(error) = &balancer.port_error {
        // It may be why there is no address either.
        let message = format!("{error}{}: look at its ports", of_class(balancer));
        out.finding(Finding::of::<Service>(&PORT_ERROR, key.clone(), message));
        return;
    }
    if balancer.has_address {
        return;
    }
    let why = Why::of(cluster, key, balancer);
    let enough = if why.is_known() { SOON } else { LONG };
    let age = age(cluster, service.created);
    if age.is_some_and(|age| !is_long(cluster, age, enough)) {
        return;
    }
    let since = age.map_or_else(String::new, |age| format!(" {} after it was made", long(age)));
    let is_taken = balancer.class.is_some()
        || balancer.finalizer.is_some()
        || balancer.has_conditions
        || why.is_told()
        || some_have;
    let (code, message) = if is_taken {
        let (words, next) = (why.words(), why.next());
        let message =
            format!("no address{since}{}{words}{}: {next}", of_class(balancer), why.said());
        (why.code(), message)
    } else {
        let message = format!(
            "no address{since}, as no Service without a class has: look at whether anything in the \
             cluster makes load balancers"
        );
        (&NEVER_WORKED, message)
    };
    out.finding(Finding::of::<Service>(code, key.clone(), message));
}

/// Tells of a load balancer that leads nowhere.
fn no_targets(out: &mut Output, key: &Key, balancer: &LoadBalancer, targets: &Targets) {
    let class = of_class(balancer);
    let message = match targets {
        Targets { reached: 1.., .. } => return,
        Targets { ready: 0, .. } => {
            format!("no endpoint behind it is ready{class}: look at its pods")
        }
        Targets { ready, .. } => format!(
            "its externalTrafficPolicy is Local, and of {} none is on a node{class}: look at its \
             EndpointSlices",
            some(*ready, "ready endpoint")
        ),
    };
    out.finding(Finding::of::<Service>(&NO_TARGETS, key.clone(), message));
}

fn of_class(balancer: &LoadBalancer) -> String {
    balancer.class.as_ref().map(|class| format!(", of class {class}")).unwrap_or_default()
}

impl Targets {
    fn of(
        cluster: &Cluster,
        key: &Key,
        (service, balancer): (&Service, &LoadBalancer),
    ) -> Result<Self, Unanswered> {
        let slices = slices_of(cluster, key)?;
        // Who writes endpoints by hand leads traffic to them on every node, as Cilium does.
        let anywhere = !balancer.is_local || !service.has_controller();
        let mut targets = Self { ready: 0, reached: 0 };
        for endpoint in slices.flat_map(|slice| &slice.endpoints).filter(|it| it.gets_traffic()) {
            targets.ready += 1;
            targets.reached += usize::from(anywhere || endpoint.node.is_some());
        }
        Ok(targets)
    }
}

impl State {
    const ALL: [Self; 5] =
        [Self::Deleting, Self::PortError, Self::Pending, Self::NoTargets, Self::Ready];

    const fn of(balancer: &LoadBalancer, targets: &Targets) -> Self {
        if balancer.deleted.is_some() {
            Self::Deleting
        } else if balancer.port_error.is_some() {
            Self::PortError
        } else if !balancer.has_address {
            Self::Pending
        } else if targets.reached == 0 {
            Self::NoTargets
        } else {
            Self::Ready
        }
    }

    /// The label value.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Deleting => "deleting",
            Self::PortError => "port_error",
            Self::Pending => "pending",
            Self::NoTargets => "no_targets",
            Self::Ready => "ready",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Deleting => "to be taken away",
            Self::PortError => "with an error of a port",
            Self::Pending => "without an address",
            Self::NoTargets => "without a target",
            Self::Ready => "ready",
        }
    }
}

#[cfg(test)]
mod tests;

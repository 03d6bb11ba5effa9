//! Gateways and their classes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::codes::{
    CLASS_MISSING, CLASS_NOT_ACCEPTED, CLASS_UNUSED, LISTENER, NOT_ACCEPTED, NOT_PROGRAMMED, UNSEEN,
};
use crate::check::age::{is_old, lasts};
use crate::check::words::{count, some};
use crate::check::{Finding, Output};
use crate::cluster::{Cluster, Table};
use crate::model::{Fault, Gateway, GatewayClass, Key, Name, Says, Status};

/// A load balancer takes some minutes to be made.
pub(super) const LONG: Duration = Duration::from_secs(600);

/// What a Gateway is, the worst first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    NoClass,
    NotAccepted,
    NotProgrammed,
    Listener,
    Waiting,
    Ready,
}

/// Tells of every Gateway and class, and returns what each Gateway is.
pub(super) fn tell(
    cluster: &Cluster,
    gateways: &Table<Gateway>,
    classes: &Table<GatewayClass>,
    out: &mut Output,
) -> Vec<State> {
    let mut of: BTreeMap<&Name, usize> = BTreeMap::new();
    let mut states = Vec::new();
    for (key, gateway) in gateways.iter().filter(|(_, it)| !it.terminating) {
        *of.entry(&gateway.class).or_default() += 1;
        let class = classes.get(&Key::new("", gateway.class.clone()));
        states.push(one(cluster, (key, gateway), (class, classes.has_undecoded()), out));
    }
    for (key, class) in classes.iter() {
        let since = since(class.accepted.as_ref(), class.created);
        if is(class.accepted.as_ref(), Status::True) || !is_old(cluster, since, LONG) {
            continue;
        }
        let (code, named) = match of.get(&key.name) {
            Some(number) => {
                let verb = if *number == 1 { "names" } else { "name" };
                (&CLASS_NOT_ACCEPTED, format!("{} {verb} it", some(*number, "Gateway")))
            }
            None if gateways.has_undecoded() => {
                (&CLASS_NOT_ACCEPTED, "who names it is not seen".to_owned())
            }
            None => (&CLASS_UNUSED, "no Gateway names it".to_owned()),
        };
        let (lasts, reason) = (lasts(cluster, since), reason(class.accepted.as_ref()));
        let message = format!(
            "not accepted{lasts}, {reason}; {named}: look at whether {} runs",
            if class.controller.is_empty() { "its controller" } else { &class.controller }
        );
        out.finding(Finding::of::<GatewayClass>(code, key.clone(), message));
    }
    states
}

fn one(
    cluster: &Cluster,
    (key, gateway): (&Key, &Gateway),
    (class, is_partial): (Option<&GatewayClass>, bool),
    out: &mut Output,
) -> State {
    let mut find = |code, message: String| {
        out.finding(Finding::of::<Gateway>(code, key.clone(), message));
    };
    let accepted = gateway.accepted.as_ref();
    if class.is_none() && !is_partial {
        if !is_old(cluster, gateway.created, LONG) {
            return State::Waiting;
        }
        let message =
            format!("its class {} is not there: look at how its name is written", gateway.class);
        find(&CLASS_MISSING, message);
        return State::NoClass;
    }
    if gateway.unseen {
        let message = "its last change has not been looked at: look at the log of its controller";
        find(&UNSEEN, message.to_owned());
        return State::Waiting;
    }
    if !is(accepted, Status::True) {
        let since = since(accepted, gateway.created);
        if !is_old(cluster, since, LONG) {
            return State::Waiting;
        }
        let next = if is(accepted, Status::False) {
            "look at its conditions"
        } else {
            "look at whether a controller of its class runs"
        };
        let message = format!(
            "not accepted{}, {}{}: {next}",
            lasts(cluster, since),
            reason(accepted),
            faults(&gateway.faults)
        );
        find(&NOT_ACCEPTED, message);
        return State::NotAccepted;
    }
    let programmed = gateway.programmed.as_ref();
    if programmed.is_some() && !is(programmed, Status::True) {
        let since = since(programmed, gateway.created);
        if !is_old(cluster, since, LONG) {
            return State::Waiting;
        }
        let message = format!(
            "accepted, and not programmed{}, {}{}: look at its addresses and listeners",
            lasts(cluster, since),
            reason(programmed),
            faults(&gateway.faults)
        );
        find(&NOT_PROGRAMMED, message);
        return State::NotProgrammed;
    }
    if gateway.faults.is_empty() {
        return State::Ready;
    }
    let message = format!(
        "of {} {} at fault{}: look at its conditions",
        some(gateway.listeners, "listener"),
        match gateway.faults.len() {
            1 => "one is".to_owned(),
            number => format!("{} are", count(number)),
        },
        faults(&gateway.faults)
    );
    find(&LISTENER, message);
    State::Listener
}

/// Names the first listener that is at fault, and what is wrong with it.
fn faults(faults: &[Fault]) -> String {
    let Some(Fault { listener, condition, reason }) = faults.first() else { return String::new() };
    format!("; listener {listener}: {condition}, {reason}")
}

fn is(says: Option<&Says>, status: Status) -> bool {
    says.is_some_and(|says| says.status == status)
}

fn reason(says: Option<&Says>) -> &str {
    says.map_or("nothing is said of it", |says| &*says.reason)
}

/// Returns since when it is so: the API server itself fills in conditions, of the year 1970.
fn since(says: Option<&Says>, created: Option<Duration>) -> Option<Duration> {
    says.and_then(|says| says.since).max(created)
}

impl State {
    pub(super) const ALL: [Self; 6] = [
        Self::NoClass,
        Self::NotAccepted,
        Self::NotProgrammed,
        Self::Listener,
        Self::Waiting,
        Self::Ready,
    ];

    /// The label value.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NoClass => "no_class",
            Self::NotAccepted => "not_accepted",
            Self::NotProgrammed => "not_programmed",
            Self::Listener => "listener",
            Self::Waiting => "waiting",
            Self::Ready => "ready",
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::NoClass => "of no class that there is",
            Self::NotAccepted => "not accepted",
            Self::NotProgrammed => "not programmed",
            Self::Listener => "with a listener at fault",
            Self::Waiting => "to be looked at",
            Self::Ready => "ready",
        }
    }
}

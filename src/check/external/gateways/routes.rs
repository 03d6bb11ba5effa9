//! Routes, and what became of them at each Gateway.

use std::collections::{BTreeMap, BTreeSet};

use super::codes::{
    NEVER_ANSWERED, ROUTE_NOT_ACCEPTED, ROUTE_SILENT, ROUTE_UNATTACHED, ROUTE_UNRESOLVED, UNSEEN,
};
use super::entrances::LONG;
use crate::check::age::is_old;
use crate::check::words::some;
use crate::check::{Code, Finding, Output};
use crate::cluster::{Cluster, Table};
use crate::model::{
    Fact, Gateway, GatewayClass, GrpcRoute, HttpRoute, Key, Kind, Name, Object, Parent, Route,
};

/// What a route is, the worst first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum State {
    Unattached,
    NotAccepted,
    Unresolved,
    Silent,
    Waiting,
    Accepted,
}

/// The routes that are there to stay, with their kinds.
pub(super) struct Routes<'a>(Vec<(&'static Kind, &'a Key, &'a Route)>);

/// The Gateways that routes ask for.
struct Gateways<'a> {
    gateways: &'a Table<Gateway>,
    classes: &'a Table<GatewayClass>,
    /// The controllers that have answered some route.
    answer: BTreeSet<&'a Name>,
}

impl<'a> Routes<'a> {
    pub(super) fn of(cluster: &'a Cluster, out: &mut Output) -> Self {
        let mut all = Vec::new();
        if let Ok(table) = cluster.read::<HttpRoute>() {
            out.lacks(HttpRoute::KIND.plural, table);
            all.extend(table.iter().map(|(key, route)| (HttpRoute::KIND, key, &route.0)));
        }
        if let Ok(table) = cluster.read::<GrpcRoute>() {
            out.lacks(GrpcRoute::KIND.plural, table);
            all.extend(table.iter().map(|(key, route)| (GrpcRoute::KIND, key, &route.0)));
        }
        // One without a parent is one that others delegate to.
        all.retain(|(_, _, route)| !route.terminating && !route.parents.is_empty());
        Self(all)
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells of every route, and returns what each is.
    pub(super) fn tell(
        &self,
        cluster: &Cluster,
        gateways: &Table<Gateway>,
        classes: &Table<GatewayClass>,
        out: &mut Output,
    ) -> Vec<State> {
        let mut all = Gateways { gateways, classes, answer: BTreeSet::new() };
        let answered = self.0.iter().flat_map(|(_, key, route)| {
            let parents = route.parents.iter().filter(|parent| parent.answered);
            parents.filter_map(|parent| Some((*key, parent.gateway.as_ref()?)))
        });
        all.answer = answered
            .filter_map(|(key, of)| Some(&all.class(&beside(key, of))?.controller))
            .collect();
        let mut never: BTreeMap<&Name, usize> = BTreeMap::new();
        let mut states = Vec::new();
        for (kind, key, route) in &self.0 {
            let is_young = !is_old(cluster, route.created, LONG);
            let mut state = State::Accepted;
            let mut told: BTreeSet<&str> = BTreeSet::new();
            for parent in &route.parents {
                let (is, found) = all.stand(key, parent, is_young);
                state = state.min(is);
                if is == State::Silent
                    && found.is_none()
                    && let Some(class) = all.named(key, parent)
                {
                    *never.entry(class).or_default() += 1;
                }
                if let Some((code, message)) = found.filter(|(code, _)| told.insert(code.id)) {
                    let subject = Object { kind, key: (*key).clone() };
                    let finding = Finding::about(code, subject, message);
                    out.finding(finding.with("routes", Some(kind.plural)));
                }
            }
            states.push(state);
        }
        for (class, number) in never {
            let message = format!(
                "of {} none was answered: look at whether its controller ever answers routes",
                some(number, "route")
            );
            out.finding(Finding::of::<GatewayClass>(
                &NEVER_ANSWERED,
                Key::new("", class.clone()),
                message,
            ));
        }
        states
    }
}

impl<'a> Gateways<'a> {
    fn class(&self, gateway: &Key) -> Option<&'a GatewayClass> {
        self.classes.get(&Key::new("", self.gateways.get(gateway)?.class.clone()))
    }

    /// Returns the class by which a parent is served, where there is an object of it.
    fn named(&self, key: &Key, parent: &Parent) -> Option<&'a Name> {
        let gateway = self.gateways.get(&beside(key, parent.gateway.as_ref()?))?;
        self.classes.get(&Key::new("", gateway.class.clone())).map(|_| &gateway.class)
    }

    /// Says how a route stands with one parent, and what is to be told of it.
    fn stand(
        &self,
        key: &Key,
        parent: &Parent,
        is_young: bool,
    ) -> (State, Option<(&'static Code, String)>) {
        let of = parent.gateway.as_ref().map(|gateway| beside(key, gateway));
        let at = of.as_ref().map_or_else(String::new, |it| format!(" by Gateway {it}"));
        if let Some(gateway) = &of
            && self.gateways.get(gateway).is_none()
        {
            if self.gateways.has_undecoded() || is_young {
                return (State::Waiting, None);
            }
            let message = format!(
                "its Gateway {gateway} is not there: look at how its name and namespace are written"
            );
            return (State::Unattached, Some((&ROUTE_UNATTACHED, message)));
        }
        if parent.answered && parent.unseen {
            let message = format!(
                "its last change has not been looked at{at}: look at the log of its controller"
            );
            return (State::Waiting, Some((&UNSEEN, message)));
        }
        if let Some(reason) = &parent.refused {
            if is_young {
                return (State::Waiting, None);
            }
            let message = format!("not accepted{at}, {reason}: look at its conditions");
            return (State::NotAccepted, Some((&ROUTE_NOT_ACCEPTED, message)));
        }
        if let Some(reason) = &parent.unresolved {
            if is_young {
                return (State::Waiting, None);
            }
            let message = format!("what it names is not found{at}, {reason}: look at its backends");
            return (State::Unresolved, Some((&ROUTE_UNRESOLVED, message)));
        }
        match of {
            // Nobody has to answer for what is no Gateway.
            _ if parent.answered => (State::Accepted, None),
            None => (State::Accepted, None),
            Some(_) if is_young => (State::Waiting, None),
            Some(gateway) => {
                let class = self.class(&gateway);
                let answers = class.is_some_and(|class| self.answer.contains(&class.controller));
                let message = format!(
                    "not answered{at}, and other routes are: look at the log of its controller"
                );
                (State::Silent, answers.then_some((&ROUTE_SILENT, message)))
            }
        }
    }
}

/// Names a Gateway as seen from a route.
fn beside(key: &Key, gateway: &Key) -> Key {
    if gateway.namespace.is_empty() {
        Key { namespace: key.namespace.clone(), name: gateway.name.clone() }
    } else {
        gateway.clone()
    }
}

impl State {
    pub(super) const ALL: [Self; 6] = [
        Self::Unattached,
        Self::NotAccepted,
        Self::Unresolved,
        Self::Silent,
        Self::Waiting,
        Self::Accepted,
    ];

    /// The label value.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Unattached => "unattached",
            Self::NotAccepted => "not_accepted",
            Self::Unresolved => "unresolved",
            Self::Silent => "silent",
            Self::Waiting => "waiting",
            Self::Accepted => "accepted",
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Unattached => "without their Gateway",
            Self::NotAccepted => "refused",
            Self::Unresolved => "with a backend that is not found",
            Self::Silent => "not answered",
            Self::Waiting => "to be looked at",
            Self::Accepted => "accepted",
        }
    }
}

//! Gateways, their classes and routes, as the API sends them.

use serde::Deserialize;

use super::field::{Condition, Moment, or_default};
use super::object::Watched;
use crate::model::{
    Fact, Fault, Gateway, GatewayClass, GrpcRoute, HttpRoute, Key, Name, Parent, Route, Says,
    Status,
};

/// What is kept of `metadata`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    creation_timestamp: Option<Moment>,
    deletion_timestamp: Option<Moment>,
    generation: Option<u64>,
}

#[derive(Default, Deserialize)]
struct Conditions<'a> {
    #[serde(borrow)]
    conditions: Option<Vec<Condition<'a>>>,
}

impl<'a> Conditions<'a> {
    fn find(&self, what: &str) -> Option<&Condition<'a>> {
        self.conditions.iter().flatten().find(|condition| condition.is(what))
    }

    fn says(&self, what: &str) -> Option<Says> {
        self.find(what).map(|condition| Says {
            status: condition.status(),
            reason: condition.reason.clone().unwrap_or_default(),
            since: condition.last_transition_time.as_ref().map(|moment| moment.0),
        })
    }

    /// Returns the reason of a condition that has this status.
    fn reason(&self, what: &str, status: Status) -> Option<Name> {
        let found = self.find(what).filter(|condition| condition.status() == status)?;
        Some(found.reason.clone().unwrap_or_default())
    }

    /// Whether a condition is about an older generation; what the API server fills in before any
    /// controller has come says nothing of it.
    fn is_unseen(&self, what: &str, metadata: &Metadata) -> bool {
        let seen = self.find(what).and_then(|condition| condition.observed_generation);
        seen.zip(metadata.generation).is_some_and(|(seen, now)| seen > 0 && seen < now)
    }
}

#[derive(Deserialize)]
pub(crate) struct WireClass<'a> {
    #[serde(default, deserialize_with = "or_default")]
    spec: ClassSpec,
    #[serde(borrow, default, deserialize_with = "or_default")]
    status: Conditions<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClassSpec {
    controller_name: Option<Name>,
}

impl Watched for GatewayClass {
    type Metadata<'a> = Metadata;
    type Wire<'a> = WireClass<'a>;

    fn new(metadata: Metadata, WireClass { spec, status }: WireClass<'_>) -> Self {
        Self {
            created: metadata.creation_timestamp.map(|moment| moment.0),
            controller: spec.controller_name.unwrap_or_default(),
            accepted: status.says("Accepted"),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Wire<'a> {
    #[serde(default, deserialize_with = "or_default")]
    spec: Spec,
    #[serde(borrow, default, deserialize_with = "or_default")]
    status: GatewayStatus<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    gateway_class_name: Option<Name>,
    listeners: Option<Vec<Listener>>,
}

#[derive(Deserialize)]
struct Listener {}

#[derive(Default, Deserialize)]
struct GatewayStatus<'a> {
    #[serde(borrow)]
    conditions: Option<Vec<Condition<'a>>>,
    #[serde(borrow)]
    listeners: Option<Vec<ListenerStatus<'a>>>,
}

#[derive(Deserialize)]
struct ListenerStatus<'a> {
    name: Option<Name>,
    #[serde(borrow)]
    conditions: Option<Vec<Condition<'a>>>,
}

impl ListenerStatus<'_> {
    /// Returns the first that is wrong, of those from which the others follow.
    fn fault(self) -> Option<Fault> {
        let conditions = Conditions { conditions: self.conditions };
        let bad = [
            ("Conflicted", Status::True),
            ("ResolvedRefs", Status::False),
            ("Accepted", Status::False),
            ("Programmed", Status::False),
        ];
        let mut found = bad.into_iter().filter_map(|(condition, status)| {
            Some((condition, conditions.reason(condition, status)?))
        });
        let (condition, reason) = found.next()?;
        Some(Fault { listener: self.name.unwrap_or_default(), condition, reason })
    }
}

impl Watched for Gateway {
    type Metadata<'a> = Metadata;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata, Wire { spec, status }: Wire<'_>) -> Self {
        let own = Conditions { conditions: status.conditions };
        Self {
            unseen: ["Accepted", "Programmed"].iter().any(|it| own.is_unseen(it, &metadata)),
            accepted: own.says("Accepted"),
            programmed: own.says("Programmed"),
            created: metadata.creation_timestamp.map(|moment| moment.0),
            terminating: metadata.deletion_timestamp.is_some(),
            class: spec.gateway_class_name.unwrap_or_default(),
            listeners: spec.listeners.map_or(0, |all| all.len()),
            faults: status
                .listeners
                .into_iter()
                .flatten()
                .filter_map(ListenerStatus::fault)
                .collect(),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct WireRoute<'a> {
    #[serde(default, deserialize_with = "or_default")]
    spec: RouteSpec,
    #[serde(borrow, default, deserialize_with = "or_default")]
    status: RouteStatus<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RouteSpec {
    parent_refs: Option<Vec<Reference>>,
}

/// A `parentRef`; what is absent has a default.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    group: Option<Name>,
    kind: Option<Name>,
    namespace: Option<Name>,
    name: Option<Name>,
    section_name: Option<Name>,
    port: Option<u16>,
}

impl Reference {
    fn group(&self) -> &str {
        self.group.as_deref().unwrap_or(Gateway::KIND.group)
    }

    fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or(Gateway::KIND.name)
    }

    /// Whether both mean the same; a namespace that is left out is the route's own.
    fn is(&self, other: &Self) -> bool {
        let [here, there] = [&self.namespace, &other.namespace];
        self.group() == other.group()
            && self.kind() == other.kind()
            && (here.is_none() || there.is_none() || here == there)
            && (&self.name, &self.section_name, self.port)
                == (&other.name, &other.section_name, other.port)
    }

    fn gateway(&self) -> Option<Key> {
        let is_gateway = self.group() == Gateway::KIND.group && self.kind() == Gateway::KIND.name;
        let key = Key {
            namespace: self.namespace.clone().unwrap_or_default(),
            name: self.name.clone().unwrap_or_default(),
        };
        is_gateway.then_some(key)
    }
}

#[derive(Default, Deserialize)]
struct RouteStatus<'a> {
    #[serde(borrow)]
    parents: Option<Vec<ParentStatus<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ParentStatus<'a> {
    #[serde(default, deserialize_with = "or_default")]
    parent_ref: Reference,
    #[serde(borrow)]
    conditions: Option<Vec<Condition<'a>>>,
}

impl Route {
    /// What is said of a parent that is asked for no more counts for nothing.
    fn read(metadata: Metadata, WireRoute { spec, status }: WireRoute<'_>) -> Self {
        let said: Vec<(Reference, Conditions<'_>)> = status
            .parents
            .into_iter()
            .flatten()
            .map(|ParentStatus { parent_ref, conditions }| (parent_ref, Conditions { conditions }))
            .collect();
        let parent = |reference: Reference| {
            let said = || said.iter().filter(|(of, _)| of.is(&reference)).map(|(_, says)| says);
            Parent {
                gateway: reference.gateway(),
                answered: said().any(|it| it.find("Accepted").is_some()),
                unseen: said().any(|it| it.is_unseen("Accepted", &metadata)),
                refused: said().find_map(|it| it.reason("Accepted", Status::False)),
                unresolved: said().find_map(|it| it.reason("ResolvedRefs", Status::False)),
            }
        };
        Self {
            parents: spec.parent_refs.into_iter().flatten().map(parent).collect(),
            created: metadata.creation_timestamp.map(|moment| moment.0),
            terminating: metadata.deletion_timestamp.is_some(),
        }
    }
}

impl Watched for HttpRoute {
    type Metadata<'a> = Metadata;
    type Wire<'a> = WireRoute<'a>;

    fn new(metadata: Metadata, wire: WireRoute<'_>) -> Self {
        Self(Route::read(metadata, wire))
    }
}

impl Watched for GrpcRoute {
    type Metadata<'a> = Metadata;
    type Wire<'a> = WireRoute<'a>;

    fn new(metadata: Metadata, wire: WireRoute<'_>) -> Self {
        Self(Route::read(metadata, wire))
    }
}

#[cfg(test)]
mod tests;

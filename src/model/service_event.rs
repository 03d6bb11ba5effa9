//! Warnings about Services: Kubernetes' own events.

use std::time::Duration;

use super::{Fact, Key, Kind, Refusal, Uid};

/// What is kept of an Event of type Warning about a Service. Read from `events.k8s.io` alone, as
/// those about pods are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServiceEvent {
    /// `regarding.namespace` and `regarding.name`.
    pub service: Key,
    /// `regarding.uid`; empty in objects that are made by hand.
    pub uid: Uid,
    /// What it says of the load balancer; absent where it says nothing of that.
    pub says: Option<Refused>,
    /// When it was said last, since 1970; absent only in hand-made objects.
    pub last: Option<Duration>,
}

/// That a load balancer is refused, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// Why, as far as the words are known.
    pub why: Refusal,
    /// The reason and the beginning of the message, in one line: anyone's text.
    pub text: Box<str>,
}

impl Fact for ServiceEvent {
    const KIND: &'static Kind = &Kind {
        label: "Event/Service",
        group: "events.k8s.io",
        fields: Some("type=Warning,regarding.kind=Service"),
        ..Kind::new("Event", "events")
    };
}

impl Refused {
    /// Reads the reason and the message of a warning.
    pub fn of(reason: &str, message: &str) -> Option<Self> {
        let why = Refusal::of(reason, message)?;
        Some(Self { why, text: super::refusal::cut(reason, message) })
    }
}

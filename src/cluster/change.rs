//! What happens to a cluster: all input of the owner.

use std::fmt::Debug;
use std::time::Duration;

use super::{Clock, Cluster, Event, Folded};
use crate::model::{Agent, Fact, Observation};

/// One input of [`Owner::step`](crate::owner::Owner::step).
#[derive(Debug)]
pub enum Change {
    /// An [`Event`] of some kind.
    Watched(Box<dyn Apply>),
    /// An agent answered.
    Observed(Agent, Box<Observation>),
    /// An agent is no longer there to be asked: what it said is void.
    Departed(Agent),
    /// How often the page of metrics was asked for since the start.
    Scrapes(u64),
    /// The moment of what follows, where ticks are too coarse; brings out no report.
    Now(Clock),
    /// Time went on.
    Tick {
        /// The time now.
        now: Clock,
        /// How long the last report took, as the caller measured it.
        spent: Duration,
    },
}

/// An [`Event`] whose kind is not spelled out, so that a new kind adds no variant anywhere.
pub trait Apply: Debug + Send {
    /// Brings `cluster` up to date.
    fn apply(self: Box<Self>, cluster: &mut Cluster);
}

impl<T: Fact> Apply for Event<T> {
    fn apply(self: Box<Self>, cluster: &mut Cluster) {
        cluster.apply(*self);
    }
}

/// An [`Event`] of a kind of which no object is kept.
#[derive(Debug)]
struct Folding<T>(Event<T>);

impl<T: Folded> Apply for Folding<T> {
    fn apply(self: Box<Self>, cluster: &mut Cluster) {
        cluster.fold(self.0);
    }
}

impl Change {
    /// Returns the change that an event of a folded kind is.
    pub fn folded<T: Folded>(event: Event<T>) -> Self {
        Self::Watched(Box::new(Folding(event)))
    }
}

impl<T: Fact> From<Event<T>> for Change {
    fn from(event: Event<T>) -> Self {
        Self::Watched(Box::new(event))
    }
}

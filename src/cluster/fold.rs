//! Kinds that are folded and not kept: events of Kubernetes come by the thousand, and what counts
//! is what they add up to.

use std::fmt::Debug;

use super::life::Life;
use super::{Clock, Event, Freshness};
use crate::model::{Fact, Key, Unanswered};

/// A fact that goes into a memory in the place of a table.
pub trait Folded: Fact {
    /// What is remembered. It keeps itself within bounds: there is no limit of objects around it,
    /// so that a flood of them makes nothing unknown.
    type Memory: Debug + Default + Send;

    /// Takes in an object, or that there is one which cannot be decoded.
    ///
    /// The same object may come again, as lists do not know what was there before.
    fn fold(memory: &mut Self::Memory, key: Key, fact: Option<Self>, now: Clock);
}

/// What is remembered of one kind.
#[derive(Debug)]
pub(super) struct Fold<T: Folded> {
    memory: T::Memory,
    life: Life,
}

impl<T: Folded> Default for Fold<T> {
    fn default() -> Self {
        Self { memory: T::Memory::default(), life: Life::default() }
    }
}

impl<T: Folded> Fold<T> {
    pub(super) fn answer(&self, now: Clock) -> Result<&T::Memory, Unanswered> {
        self.life.answer(T::KIND, now).map(|()| &self.memory)
    }

    pub(super) fn freshness(&self, now: Clock) -> Freshness {
        self.life.freshness(now, None)
    }

    pub(super) fn life(&self) -> &Life {
        &self.life
    }

    pub(super) fn apply(&mut self, event: Event<T>, now: Clock) {
        self.life.note(&event, now);
        match event {
            Event::Put(key, fact) => T::fold(&mut self.memory, key, Some(fact), now),
            Event::Undecoded(key) => T::fold(&mut self.memory, key, None, now),
            Event::Absent => self.memory = T::Memory::default(),
            // What is deleted did happen.
            Event::Begin | Event::Gone(_) | Event::Done | Event::Alive | Event::Unavailable(_) => {}
        }
    }
}

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

    /// Takes in that a list begins, which gives what there is whether it is known or not, or that
    /// it is over.
    fn list(_memory: &mut Self::Memory, _begins: bool) {}

    /// Takes in that an object is there no more. What it said did happen.
    fn gone(_memory: &mut Self::Memory, _key: &Key) {}
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
            Event::Begin => T::list(&mut self.memory, true),
            Event::Done => T::list(&mut self.memory, false),
            Event::Gone(key) => T::gone(&mut self.memory, &key),
            Event::Alive | Event::Unavailable(_) => {}
        }
    }
}

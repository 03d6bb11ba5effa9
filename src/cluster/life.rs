//! Whether a source can be believed: what it has proved of itself, and when.

use std::time::Duration;

use super::{Clock, Event};
use crate::model::{Kind, Skipped, Unanswered, Unknown};

/// A source without proof of life for this long says nothing any more.
pub const STALE_AFTER: Duration = Duration::from_secs(170);

/// A watch without proof of life for this long is down: a healthy one shows life every 30 s.
const DOWN_AFTER: Duration = Duration::from_secs(45);

/// Whether a source can be believed, as far as can be told from here.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Freshness {
    /// Whether there was a proof of life of late.
    pub up: bool,
    /// The last proof of life; absent before the first.
    pub proved: Option<Clock>,
    /// How many objects are known; absent for a kind of which none is kept.
    pub objects: Option<usize>,
}

/// The state of one kind's source.
#[derive(Debug, Default)]
pub(super) struct Life {
    listing: bool,
    listed: bool,
    /// The cluster has no such kind.
    absent: bool,
    unavailable: Option<Unknown>,
    proved: Option<Clock>,
}

impl Life {
    /// Takes in what `event` says of the source.
    pub(super) fn note<T>(&mut self, event: &Event<T>, now: Clock) {
        // An object that a list names again says nothing of those that it has not named yet.
        let proves = match event {
            Event::Done => true,
            Event::Begin | Event::Unavailable(_) | Event::Absent => false,
            _ => !self.listing,
        };
        if proves {
            self.proved = Some(now);
        }
        match event {
            Event::Begin => (self.listing, self.absent) = (true, false),
            Event::Done => {
                (self.listing, self.listed, self.unavailable) = (false, true, None);
            }
            Event::Unavailable(why) => self.unavailable = Some(*why),
            Event::Absent => *self = Self { absent: true, ..Self::default() },
            _ => {}
        }
    }

    /// Returns why the source cannot be believed, if it cannot.
    pub(super) fn answer(&self, kind: &'static Kind, now: Clock) -> Result<(), Unanswered> {
        let label = kind.label;
        match self.unavailable {
            _ if self.absent => Err(Skipped::NotInstalled.into()),
            Some(why) => Err(why.into()),
            None if !self.listed => Err(Unknown::NotListed(label).into()),
            None if self.age(now) >= STALE_AFTER => Err(Unknown::Stale(label).into()),
            None => Ok(()),
        }
    }

    /// Returns how long ago the last proof of life was.
    fn age(&self, now: Clock) -> Duration {
        self.proved.map_or(Duration::MAX, |proved| now.since(proved))
    }

    pub(super) fn freshness(&self, now: Clock, objects: Option<usize>) -> Freshness {
        let up = self.listed && self.unavailable.is_none() && self.age(now) < DOWN_AFTER;
        Freshness { up, proved: self.proved, objects }
    }

    /// Whether every object that there was at some moment is known, and no list is under way.
    pub(super) fn is_complete(&self) -> bool {
        self.listed && !self.listing
    }

    pub(super) fn is_absent(&self) -> bool {
        self.absent
    }

    pub(super) fn has_answered(&self) -> bool {
        self.listed || self.absent || self.unavailable.is_some()
    }
}

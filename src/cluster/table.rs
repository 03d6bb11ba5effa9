//! All objects of one kind, and whether they can be believed.

use std::collections::{BTreeMap, BTreeSet};

use super::life::Life;
use super::{Clock, Event, Freshness};
use crate::model::{Fact, Key, Name, Unanswered, Unknown};

/// More objects of a kind are not kept: the memory that they take is bounded.
///
/// A tenth of it in tests, which would take seconds.
pub(super) const MOST: usize = if cfg!(test) { 20_000 } else { 200_000 };

/// Of so many objects that are not kept, the names are.
pub(super) const MOST_NAMED: usize = 1000;

/// What an object was, and what it is now; absent where there was or is none.
pub(super) type Follow<'a, T> = dyn FnMut(&Key, Option<&T>, Option<&T>) + 'a;

/// The objects of one kind.
#[derive(Debug)]
pub struct Table<T> {
    rows: BTreeMap<Key, T>,
    undecoded: BTreeSet<Key>,
    /// The list that is under way.
    listing: Option<Listing>,
    left_out: LeftOut,
    life: Life,
}

/// What a list that is under way has named.
#[derive(Debug, Default)]
struct Listing {
    keys: BTreeSet<Key>,
    left_out: LeftOut,
}

/// The objects that are not kept.
#[derive(Debug, Default)]
struct LeftOut {
    keys: BTreeSet<Key>,
    /// There were more than have their names kept: only a list shows that there is none left.
    nameless: bool,
}

impl LeftOut {
    fn add(&mut self, key: &Key) {
        if self.keys.len() < MOST_NAMED {
            self.keys.insert(key.clone());
        } else {
            self.nameless |= !self.keys.contains(key);
        }
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.nameless
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            undecoded: BTreeSet::new(),
            listing: None,
            left_out: LeftOut::default(),
            life: Life::default(),
        }
    }
}

impl<T: Fact> Table<T> {
    /// Returns one object.
    pub fn get(&self, key: &Key) -> Option<&T> {
        self.rows.get(key)
    }

    /// Returns one object, and the key that is kept of it.
    pub fn get_key_value(&self, key: &Key) -> Option<(&Key, &T)> {
        self.rows.get_key_value(key)
    }

    /// Returns all objects, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &T)> {
        self.rows.iter()
    }

    /// Returns the objects of one namespace.
    ///
    /// # Errors
    ///
    /// Returns [`Unknown::Undecoded`] when the namespace has one more that cannot be read.
    pub fn namespace(&self, namespace: &Name) -> Result<impl Iterator<Item = (&Key, &T)>, Unknown> {
        let first = Key { namespace: namespace.clone(), name: Name::default() };
        if self.undecoded.range(&first..).next().is_some_and(|key| key.namespace == *namespace) {
            return Err(Unknown::Undecoded(T::KIND.label));
        }
        Ok(self.rows.range(first..).take_while(move |(key, _)| key.namespace == *namespace))
    }

    /// Returns the objects of one namespace that could be read; not for judging.
    pub fn last_known_namespace(&self, namespace: &Name) -> impl Iterator<Item = (&Key, &T)> {
        let first = Key { namespace: namespace.clone(), name: Name::default() };
        let namespace = first.namespace.clone();
        self.rows.range(first..).take_while(move |(key, _)| key.namespace == namespace)
    }

    /// Whether there is an object that cannot be read, whatever its namespace.
    pub fn has_undecoded(&self) -> bool {
        !self.undecoded.is_empty()
    }

    /// Returns the table, for what counts its objects.
    ///
    /// # Errors
    ///
    /// Returns [`Unknown::Undecoded`] when there is one that cannot be read, whatever its namespace.
    pub fn whole(&self) -> Result<&Self, Unknown> {
        if self.has_undecoded() { Err(Unknown::Undecoded(T::KIND.label)) } else { Ok(self) }
    }

    pub(super) fn answer(&self, now: Clock) -> Result<&Self, Unanswered> {
        self.life.answer(T::KIND, now)?;
        if self.left_out.is_empty() {
            Ok(self)
        } else {
            Err(Unknown::TooMany(T::KIND.label).into())
        }
    }

    pub(super) fn freshness(&self, now: Clock) -> Freshness {
        self.life.freshness(now, Some(self.rows.len()))
    }

    /// Whether every object that there was at some moment is known, and no list is under way.
    pub fn is_complete(&self) -> bool {
        self.life.is_complete()
    }

    /// Whether there is such an object, be it one that cannot be decoded.
    pub(super) fn knows(&self, key: &Key) -> bool {
        self.rows.contains_key(key) || self.undecoded.contains(key)
    }

    pub(super) fn life(&self) -> &Life {
        &self.life
    }

    /// Takes in one event, and gives `follow` every object that came, changed or went.
    pub(super) fn apply(&mut self, event: Event<T>, now: Clock, follow: &mut Follow<'_, T>) {
        self.life.note(&event, now);
        match event {
            Event::Begin => self.listing = Some(Listing::default()),
            Event::Put(key, _) | Event::Undecoded(key) if !self.has_room(&key) => {
                self.left_out.add(&key);
                if let Some(listing) = &mut self.listing {
                    listing.left_out.add(&key);
                }
            }
            Event::Put(key, fact) => {
                self.mark(&key);
                self.undecoded.remove(&key);
                self.set(key, Some(fact), follow);
            }
            Event::Undecoded(key) => {
                self.mark(&key);
                self.undecoded.insert(key.clone());
                self.set(key, None, follow);
            }
            Event::Gone(key) => {
                self.undecoded.remove(&key);
                self.left_out.keys.remove(&key);
                if let Some(listing) = &mut self.listing {
                    listing.left_out.keys.remove(&key);
                }
                self.set(key, None, follow);
            }
            Event::Done => self.finish(follow),
            Event::Alive | Event::Unavailable(_) => {}
            Event::Absent => {
                // As a list that names nothing.
                self.listing = Some(Listing::default());
                self.finish(follow);
            }
        }
    }

    /// Whether an object can be kept; what a list has not named yet may be gone.
    fn has_room(&self, key: &Key) -> bool {
        match &self.listing {
            Some(Listing { keys, .. }) => keys.len() < MOST || keys.contains(key),
            None => {
                let known = self.rows.len() + self.undecoded.len();
                known < MOST || self.rows.contains_key(key) || self.undecoded.contains(key)
            }
        }
    }

    fn mark(&mut self, key: &Key) {
        self.left_out.keys.remove(key);
        if let Some(listing) = &mut self.listing {
            listing.keys.insert(key.clone());
        }
    }

    fn set(&mut self, key: Key, new: Option<T>, follow: &mut Follow<'_, T>) {
        follow(&key, self.rows.get(&key), new.as_ref());
        match new {
            Some(fact) => self.rows.insert(key, fact),
            None => self.rows.remove(&key),
        };
    }

    /// Drops what the list did not name; until then the old rows stay readable.
    fn finish(&mut self, follow: &mut Follow<'_, T>) {
        let Some(Listing { keys, left_out }) = self.listing.take() else { return };
        let vanished: Vec<Key> =
            self.rows.keys().filter(|key| !keys.contains(key)).cloned().collect();
        for key in vanished {
            self.set(key, None, follow);
        }
        self.undecoded.retain(|key| keys.contains(key));
        self.left_out = left_out;
    }
}

//! All objects of one kind, and whether they can be believed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Clock, Event};
use crate::model::{Fact, Key, Name, Unanswered, Unknown};

/// A source without proof of life for this long says nothing any more.
pub const STALE_AFTER: Duration = Duration::from_secs(170);

/// A watch without proof of life for this long is down: a healthy one shows life every 30 s.
const DOWN_AFTER: Duration = Duration::from_secs(45);

/// More objects of a kind are not kept: the memory that they take is bounded.
///
/// A tenth of it in tests, which would take seconds.
pub(super) const MOST: usize = if cfg!(test) { 20_000 } else { 200_000 };

/// Of so many objects that are not kept, the names are.
pub(super) const MOST_NAMED: usize = 1000;

/// Whether a source can be believed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Freshness {
    /// Whether there was a proof of life of late.
    pub up: bool,
    /// The last proof of life; absent before the first.
    pub proved: Option<Clock>,
    /// How many objects are known.
    pub objects: usize,
}

/// What an object was, and what it is now; absent where there was or is none.
pub(super) type Follow<'a, T> = dyn FnMut(&Key, Option<&T>, Option<&T>) + 'a;

/// The objects of one kind.
#[derive(Debug)]
pub struct Table<T> {
    rows: BTreeMap<Key, T>,
    undecoded: BTreeSet<Key>,
    /// The list that is under way.
    listing: Option<Listing>,
    listed: bool,
    left_out: LeftOut,
    barred: Option<Unanswered>,
    proved: Option<Clock>,
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
            listed: false,
            left_out: LeftOut::default(),
            barred: None,
            proved: None,
        }
    }
}

impl<T: Fact> Table<T> {
    /// Returns one object.
    pub fn get(&self, key: &Key) -> Option<&T> {
        self.rows.get(key)
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
            return Err(Unknown::Undecoded(T::KIND.name));
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

    pub(super) fn answer(&self, now: Clock) -> Result<&Self, Unanswered> {
        let kind = T::KIND.name;
        match self.barred {
            Some(why) => Err(why),
            None if !self.listed => Err(Unknown::NotListed(kind).into()),
            None if self.age(now) >= STALE_AFTER => Err(Unknown::Stale(kind).into()),
            None if !self.left_out.is_empty() => Err(Unknown::TooMany(kind).into()),
            None => Ok(self),
        }
    }

    /// Returns how long ago the last proof of life was.
    fn age(&self, now: Clock) -> Duration {
        self.proved.map_or(Duration::MAX, |proved| now.since(proved))
    }

    pub(super) fn freshness(&self, now: Clock) -> Freshness {
        Freshness {
            up: self.listed && self.barred.is_none() && self.age(now) < DOWN_AFTER,
            proved: self.proved,
            objects: self.rows.len(),
        }
    }

    /// Whether every object that there was at some moment is known, and no list is under way.
    pub fn is_complete(&self) -> bool {
        self.listed && self.listing.is_none()
    }

    /// Whether there is such an object, be it one that cannot be decoded.
    pub(super) fn knows(&self, key: &Key) -> bool {
        self.rows.contains_key(key) || self.undecoded.contains(key)
    }

    pub(super) fn has_answered(&self) -> bool {
        self.listed || self.barred.is_some()
    }

    /// Takes in one event, and gives `follow` every object that came, changed or went.
    pub(super) fn apply(&mut self, event: Event<T>, now: Clock, follow: &mut Follow<'_, T>) {
        if !matches!(event, Event::Begin | Event::Barred(_)) {
            self.proved = Some(now);
        }
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
            Event::Proved => {}
            Event::Barred(why) => self.barred = Some(why),
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
        self.listed = true;
        self.left_out = left_out;
        self.barred = None;
    }
}

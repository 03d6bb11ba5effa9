//! All that is known of a cluster at one moment.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use super::fold::{Fold, Folded};
use super::life::Life;
use super::{Clock, Event, Freshness, STALE_AFTER, Settings, Table};
use crate::model::{Agent, Fact, Key, Kind, Name, Node, Observation, Pod, Unanswered, Unknown};

/// Agents of which none has answered for this long are down.
const AGENTS_DOWN_AFTER: Duration = Duration::from_secs(75);

/// The facts that checks read.
#[derive(Debug)]
pub struct Cluster {
    now: Clock,
    settings: Settings,
    tables: BTreeMap<&'static Kind, Box<dyn Source>>,
    followers: Vec<Box<dyn Follower>>,
    agents: BTreeMap<Agent, Observed>,
    /// The last word of any agent.
    heard: Option<Clock>,
    /// How often the page of metrics was asked for, and since when not again; absent where there
    /// is no such page.
    scrapes: Option<(u64, Clock)>,
    /// The kinds that were read of late, so that a check can be held to what it declares.
    read: RefCell<BTreeSet<&'static Kind>>,
}

/// Follows single objects, for what a check would otherwise search for or could not see any more.
///
/// To add one, implement this and add its line to the list in `followers`.
pub trait Follower: Any + Debug + Send {
    /// The kinds whose objects it follows.
    fn kinds(&self) -> &'static [&'static Kind];

    /// Takes in that an object of these kinds came, changed or went; its table is not yet changed.
    fn step(&mut self, step: &Step<'_>);

    /// Takes in that there is an object of these kinds which cannot be decoded.
    fn undecoded(&mut self, _key: &Key) {}

    /// Looks at the facts once an event on these kinds is in its table; `relists` says that the
    /// event began or ended a list, or that there will be none.
    fn settle(&mut self, _cluster: &Cluster, _relists: bool) {}
}

/// What an object was, and what it is now.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Which one.
    pub key: &'a Key,
    fact: TypeId,
    old: Option<&'a dyn Any>,
    new: Option<&'a dyn Any>,
}

impl<'a> Step<'a> {
    fn new<T: Fact>(key: &'a Key, old: Option<&'a T>, new: Option<&'a T>) -> Self {
        let [old, new] = [old, new].map(|fact| fact.map(|fact| fact as &dyn Any));
        Self { key, fact: TypeId::of::<T>(), old, new }
    }

    /// Returns the object before and after, if it is of this kind.
    pub fn of<T: Fact>(&self) -> Option<(Option<&'a T>, Option<&'a T>)> {
        let fact = |it: Option<&'a dyn Any>| it.and_then(<dyn Any>::downcast_ref);
        (self.fact == TypeId::of::<T>()).then(|| (fact(self.old), fact(self.new)))
    }
}

/// What an agent said, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// When it said it.
    pub at: Clock,
    /// What.
    pub observation: Observation,
}

/// A table or a memory whose kind is not spelled out.
trait Source: Any + Debug + Send {
    fn freshness(&self, now: Clock) -> Freshness;

    fn life(&self) -> &Life;

    fn can_read(&self, now: Clock) -> Result<(), Unanswered>;

    #[cfg(test)]
    fn prove(&mut self, now: Clock);
}

impl<T: Fact> Source for Table<T> {
    fn freshness(&self, now: Clock) -> Freshness {
        self.freshness(now)
    }

    fn life(&self) -> &Life {
        self.life()
    }

    fn can_read(&self, now: Clock) -> Result<(), Unanswered> {
        self.answer(now).map(|_| ())
    }

    #[cfg(test)]
    fn prove(&mut self, now: Clock) {
        self.apply(Event::Alive, now, &mut |_, _, _| {});
    }
}

impl<T: Folded> Source for Fold<T> {
    fn freshness(&self, now: Clock) -> Freshness {
        self.freshness(now)
    }

    fn life(&self) -> &Life {
        self.life()
    }

    fn can_read(&self, now: Clock) -> Result<(), Unanswered> {
        self.life().answer(T::KIND, now)
    }

    #[cfg(test)]
    fn prove(&mut self, now: Clock) {
        self.apply(Event::Alive, now);
    }
}

impl Cluster {
    /// Begins without any fact.
    pub(super) fn with_followers(settings: Settings, followers: Vec<Box<dyn Follower>>) -> Self {
        Self {
            now: Clock::default(),
            settings,
            tables: BTreeMap::new(),
            followers,
            agents: BTreeMap::new(),
            heard: None,
            scrapes: None,
            read: RefCell::default(),
        }
    }

    /// Returns the only time there is.
    pub fn now(&self) -> Clock {
        self.now
    }

    /// Returns what is known of netvitals' own installation.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the objects of a kind.
    ///
    /// # Errors
    ///
    /// Returns why they cannot be believed: not listed yet, forbidden, stale, no such kind.
    pub fn read<T: Fact>(&self) -> Result<&Table<T>, Unanswered> {
        self.read.borrow_mut().insert(T::KIND);
        match self.table::<T>() {
            Some(table) => table.answer(self.now),
            None => Err(Unknown::NotListed(T::KIND.label).into()),
        }
    }

    /// Whether the objects of a kind can be believed.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn can_read(&self, kind: &'static Kind) -> Result<(), Unanswered> {
        match self.tables.get(kind) {
            Some(table) => table.can_read(self.now),
            None => Err(Unknown::NotListed(kind.label).into()),
        }
    }

    /// Returns what `ask` returns, and the kinds that it read.
    pub fn reads<T>(&self, ask: impl FnOnce() -> T) -> (T, BTreeSet<&'static Kind>) {
        self.read.take();
        (ask(), self.read.take())
    }

    /// Returns the objects of a kind as they were last seen, however long ago.
    ///
    /// Not for judging: only for going on as before while the API is away.
    pub fn last_known<T: Fact>(&self) -> Option<&Table<T>> {
        self.table()
    }

    /// Returns what is remembered of a kind of which no object is kept.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn remember<T: Folded>(&self) -> Result<&T::Memory, Unanswered> {
        self.read.borrow_mut().insert(T::KIND);
        match self.source::<Fold<T>>(T::KIND) {
            Some(fold) => fold.answer(self.now),
            None => Err(Unknown::NotListed(T::KIND.label).into()),
        }
    }

    fn table<T: Fact>(&self) -> Option<&Table<T>> {
        self.source(T::KIND)
    }

    fn source<S: Source>(&self, kind: &Kind) -> Option<&S> {
        let source: &dyn Any = &**self.tables.get(kind)?;
        source.downcast_ref()
    }

    /// Whether the cluster has a kind, as far as is known: one that it may lack has to be found.
    pub fn has_kind(&self, kind: &Kind) -> bool {
        let found = self.tables.get(kind).is_some_and(|source| !source.life().is_absent());
        found || !kind.optional
    }

    /// Returns whether a kind's source can be believed.
    pub fn freshness(&self, kind: &Kind) -> Freshness {
        self.tables.get(kind).map_or_else(Freshness::default, |source| source.freshness(self.now))
    }

    /// Whether a kind was ever listed, or the API has said why it cannot be; what is last known of
    /// it means nothing before.
    pub fn has_answered(&self, kind: &Kind) -> bool {
        self.tables.get(kind).is_some_and(|source| source.life().has_answered())
    }

    /// Returns whether the agents, taken together, can be believed.
    pub fn freshness_of_agents(&self) -> Freshness {
        let up = self.heard.is_some_and(|heard| self.now.since(heard) < AGENTS_DOWN_AFTER);
        Freshness { up, proved: self.heard, objects: Some(self.agents.len()) }
    }

    /// Returns one of those that follow single objects; absent where it is not in the list, and
    /// while they settle.
    pub(super) fn follower<F: Follower>(&self) -> Option<&F> {
        self.followers.iter().find_map(|it| (&**it as &dyn Any).downcast_ref())
    }

    /// Whether what happens on a node counts: it is neither young nor being taken away, nor
    /// cordoned and drained, as for a reboot that is planned.
    ///
    /// The date is the API's. Where it lies far ahead, one of the two clocks is wrong, and no node
    /// is young for it: else none would be judged.
    pub fn is_settled(&self, name: &Name, node: &Node) -> bool {
        let is_young = |created| self.now.unix.abs_diff(created) < self.settings.young_node;
        let is_away = node.is_leaving() || (node.cordoned && self.is_drained(name));
        !is_away && !node.created.is_some_and(is_young)
    }

    /// Whether a node has only pods that stay when it is drained: those of DaemonSets, and of files
    /// of its kubelet's.
    fn is_drained(&self, node: &Name) -> bool {
        let stays = |pod: &Pod| pod.ended || pod.daemon_set.is_some() || pod.config_hash.is_some();
        self.last_known::<Pod>().is_some_and(|pods| {
            let mut on_it = pods.iter().filter(|(_, pod)| pod.node.as_ref() == Some(node));
            on_it.all(|(_, pod)| stays(pod))
        })
    }

    /// Returns what each agent said last, unless that was too long ago; not for judging: what can
    /// be believed of it says [`Agents`](super::agents::Agents).
    pub fn last_observed(&self) -> impl Iterator<Item = (&Agent, &Observed)> {
        self.agents.iter()
    }

    /// Returns since when the page of metrics was not asked for; absent where there is none.
    pub fn unscraped_since(&self) -> Option<Clock> {
        self.scrapes.map(|(_, since)| since)
    }

    pub(super) fn apply<T: Fact>(&mut self, event: Event<T>) {
        let relists =
            matches!(event, Event::Begin | Event::Done | Event::Unavailable(_) | Event::Absent);
        let mut followers = std::mem::take(&mut self.followers);
        let mut following: Vec<&mut Box<dyn Follower>> =
            followers.iter_mut().filter(|it| it.kinds().contains(&T::KIND)).collect();
        if let Event::Undecoded(key) = &event {
            following.iter_mut().for_each(|it| it.undecoded(key));
        }
        let source = self.tables.entry(T::KIND).or_insert_with(|| Box::<Table<T>>::default());
        let source: &mut dyn Any = &mut **source;
        source
            .downcast_mut::<Table<T>>()
            .expect("a table is kept under the kind of its own fact")
            .apply(event, self.now, &mut |key, old, new| {
                let step = Step::new(key, old, new);
                following.iter_mut().for_each(|it| it.step(&step));
            });
        following.into_iter().for_each(|it| it.settle(self, relists));
        self.followers = followers;
    }

    pub(super) fn fold<T: Folded>(&mut self, event: Event<T>) {
        let source = self.tables.entry(T::KIND).or_insert_with(|| Box::<Fold<T>>::default());
        let source: &mut dyn Any = &mut **source;
        source
            .downcast_mut::<Fold<T>>()
            .expect("a kind is either kept or folded")
            .apply(event, self.now);
    }

    /// Every watch shows life.
    #[cfg(test)]
    pub(crate) fn prove(&mut self) {
        self.tables.values_mut().for_each(|source| source.prove(self.now));
    }

    pub(crate) fn observe(&mut self, agent: Agent, observation: Observation) {
        self.heard = Some(self.now);
        self.agents.insert(agent, Observed { at: self.now, observation });
    }

    pub(crate) fn forget(&mut self, agent: &Agent) {
        self.agents.remove(agent);
    }

    pub(crate) fn scraped(&mut self, count: u64) {
        if self.scrapes.is_none_or(|(known, _)| known != count) {
            self.scrapes = Some((count, self.now));
        }
    }

    pub(crate) fn set_now(&mut self, now: Clock) {
        self.now = now;
    }

    pub(crate) fn tick(&mut self, now: Clock) {
        self.set_now(now);
        self.agents.retain(|_, observed| now.since(observed.at) < STALE_AFTER);
    }
}

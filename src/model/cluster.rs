//! All that is known of a cluster at one moment.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use super::comparison::Tables;
use super::lag::Touched;
use super::{
    Agent, Clock, Comparison, EndpointSlice, Event, Fact, Freshness, Index, Key, Kind, Labels, Lag,
    Name, Observation, Pod, STALE_AFTER, Service, Settings, Table, Unanswered, Unknown,
};

/// Agents of which none has answered for this long are down.
const AGENTS_DOWN_AFTER: Duration = Duration::from_secs(75);

/// The facts that checks read.
#[derive(Debug, Default)]
pub struct Cluster {
    now: Clock,
    settings: Settings,
    tables: BTreeMap<&'static Kind, Box<dyn Source>>,
    index: Index,
    lag: Lag,
    agents: BTreeMap<Agent, Observed>,
    /// The last word of any agent.
    heard: Option<Clock>,
    /// How often the page of metrics was asked for, and since when not again; absent where there
    /// is no such page.
    scrapes: Option<(u64, Clock)>,
}

/// What an agent said, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// When it said it.
    pub at: Clock,
    /// What.
    pub observation: Observation,
}

/// A table whose kind is not spelled out.
trait Source: Any + Debug + Send {
    fn freshness(&self, now: Clock) -> Freshness;

    fn has_answered(&self) -> bool;
}

impl<T: Fact> Source for Table<T> {
    fn freshness(&self, now: Clock) -> Freshness {
        self.freshness(now)
    }

    fn has_answered(&self) -> bool {
        self.has_answered()
    }
}

impl Cluster {
    /// Begins without any fact.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
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
        match self.table::<T>() {
            Some(table) => table.answer(self.now),
            None => Err(Unknown::NotListed(T::KIND.name).into()),
        }
    }

    /// Returns the objects of a kind as they were last seen, however long ago.
    ///
    /// Not for judging: only for going on as before while the API is away.
    pub fn last_known<T: Fact>(&self) -> Option<&Table<T>> {
        self.table()
    }

    fn table<T: Fact>(&self) -> Option<&Table<T>> {
        let source: &dyn Any = &**self.tables.get(T::KIND)?;
        source.downcast_ref()
    }

    /// Returns whether a kind's source can be believed.
    pub fn freshness(&self, kind: &Kind) -> Freshness {
        self.tables.get(kind).map_or_else(Freshness::default, |source| source.freshness(self.now))
    }

    /// Whether a kind was ever listed, or the API has said why it cannot be; what is last known of
    /// it means nothing before.
    pub fn has_answered(&self, kind: &Kind) -> bool {
        self.tables.get(kind).is_some_and(|source| source.has_answered())
    }

    /// Returns whether the agents, taken together, can be believed.
    pub fn freshness_of_agents(&self) -> Freshness {
        let up = self.heard.is_some_and(|heard| self.now.since(heard) < AGENTS_DOWN_AFTER);
        Freshness { up, proved: self.heard, objects: self.agents.len() }
    }

    /// Returns the slices of one Service.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn slices_of(
        &self,
        service: &Key,
    ) -> Result<impl Iterator<Item = &EndpointSlice> + use<'_>, Unanswered> {
        let slices = self.read::<EndpointSlice>()?;
        Ok(self.slices_in(slices, service))
    }

    /// Returns the slices of one Service as they were last seen; not for judging.
    pub fn last_known_slices_of<'a>(
        &'a self,
        service: &'a Key,
    ) -> impl Iterator<Item = &'a EndpointSlice> {
        let slices = self.last_known::<EndpointSlice>().into_iter();
        slices.flat_map(move |slices| self.slices_in(slices, service))
    }

    fn slices_in<'a>(
        &'a self,
        slices: &'a Table<EndpointSlice>,
        service: &Key,
    ) -> impl Iterator<Item = &'a EndpointSlice> + use<'a> {
        let namespace = service.namespace.clone();
        self.index
            .slices_of(service)
            .map(move |name| Key { namespace: namespace.clone(), name: name.clone() })
            .filter_map(|key| slices.get(&key))
    }

    /// Returns the pods that a Service selects as they were last seen, in no order; not for
    /// judging.
    pub(super) fn last_known_pods_of<'a>(
        &'a self,
        key: &'a Key,
        service: &'a Service,
    ) -> impl Iterator<Item = (&'a Name, &'a Pod)> {
        let key_of = |name: &Name| Key { namespace: key.namespace.clone(), name: name.clone() };
        let pods = self.last_known::<Pod>();
        let names = self.index.pods_of(key, service);
        names.filter_map(move |name| Some((name, pods?.get(&key_of(name))?)))
    }

    /// Compares the slices of every Service with its pods, and gives `visit` the outcome; a
    /// namespace that cannot be read comes instead of its Services.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn compare<'a>(
        &'a self,
        visit: &mut dyn FnMut(Result<Comparison<'a>, Unknown>),
    ) -> Result<(), Unanswered> {
        let tables = Tables {
            cluster: self,
            services: self.read()?,
            pods: self.read()?,
            slices: self.read()?,
            nodes: self.read()?,
        };
        tables.compare_all(visit);
        Ok(())
    }

    /// Returns the names of the Services that may select `labels`.
    pub(super) fn may_select<'a>(
        &'a self,
        namespace: &'a Name,
        labels: &'a Labels,
    ) -> impl Iterator<Item = &'a Name> {
        self.index.may_select(namespace, labels)
    }

    /// Returns how long slices take to follow their pods.
    pub fn lag(&self) -> &Lag {
        &self.lag
    }

    /// Returns what the agents said of late.
    ///
    /// # Errors
    ///
    /// Returns [`Unknown::Stale`] when none has.
    pub fn observations(&self) -> Result<impl Iterator<Item = (&Agent, &Observation)>, Unanswered> {
        if self.agents.is_empty() {
            return Err(Unknown::Stale("agents").into());
        }
        Ok(self.agents.iter().map(|(agent, observed)| (agent, &observed.observation)))
    }

    /// Returns what an agent said last, unless that was too long ago.
    pub fn observed(&self, agent: &Agent) -> Option<&Observed> {
        self.agents.get(agent)
    }

    /// Returns since when nobody has asked for the page of metrics; absent where there is none.
    pub fn unscraped_since(&self) -> Option<Clock> {
        self.scrapes.map(|(_, since)| since)
    }

    pub(super) fn apply<T: Fact>(&mut self, event: Event<T>) {
        let relists = matches!(event, Event::Begin | Event::Done | Event::Barred(_));
        if let (Event::Undecoded(key), Some(touched)) = (&event, &mut self.index.touched) {
            touched.push(Touched::Unreadable(key.namespace.clone()));
        }
        let source = self.tables.entry(T::KIND).or_insert_with(|| Box::<Table<T>>::default());
        let source: &mut dyn Any = &mut **source;
        source
            .downcast_mut::<Table<T>>()
            .expect("a table is kept under the kind of its own fact")
            .apply(event, &mut self.index, self.now);
        let touched = self.index.touched.take();
        if relists || touched.as_ref().is_some_and(|touched| !touched.is_empty()) {
            let mut lag = std::mem::take(&mut self.lag);
            let follows = lag.follow(self, touched);
            self.lag = lag;
            self.index.touched = follows.then(Vec::new);
        } else {
            self.index.touched = touched;
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Service;
    use crate::model::table::{MOST, MOST_NAMED};

    const CART: &str = "cart";

    fn put() -> Event<Service> {
        Event::Put(Key::new("shop", CART), Service::default())
    }

    fn cluster(events: impl IntoIterator<Item = Event<Service>>) -> Cluster {
        let mut cluster = Cluster::default();
        events.into_iter().for_each(|event| cluster.apply(event));
        cluster
    }

    fn count(cluster: &Cluster) -> Result<usize, Unanswered> {
        cluster.read::<Service>().map(|services| services.iter().count())
    }

    #[test]
    fn a_kind_is_unknown_until_its_first_list_ends() {
        assert_eq!(
            count(&cluster([Event::Begin, put()])),
            Err(Unknown::NotListed("Service").into())
        );
        assert_eq!(count(&cluster([Event::Begin, Event::Done])), Ok(0));
    }

    #[test]
    fn a_second_list_hides_nothing_before_it_ends() {
        let mut cluster = cluster([Event::Begin, put(), Event::Done, Event::Begin]);
        assert_eq!(count(&cluster), Ok(1));
        cluster.apply(Event::<Service>::Done);
        assert_eq!(count(&cluster), Ok(0));
    }

    #[test]
    fn a_silent_source_turns_stale_and_a_proof_revives_it() {
        let mut cluster = cluster([Event::Begin, put(), Event::Done]);
        cluster.tick(Clock { uptime: Duration::from_secs(170), ..Clock::default() });
        assert_eq!(count(&cluster), Err(Unknown::Stale("Service").into()));
        cluster.apply(Event::<Service>::Proved);
        assert_eq!(count(&cluster), Ok(1));
    }

    #[test]
    fn what_was_left_out_is_forgotten_once_it_is_gone_or_has_found_room() {
        let key = |n: usize| Key::new("shop", n.to_string());
        let put = |n: usize| Event::Put(key(n), Service::default());
        let gone = |n: usize| Event::Gone(key(n));
        let too_many = || Err(Unknown::TooMany("Service").into());
        let named = MOST..MOST + MOST_NAMED;
        let nameless = MOST..=MOST + MOST_NAMED;
        type Case = (&'static str, Vec<Event<Service>>, Result<usize, Unanswered>);
        let cases: [Case; 8] = [
            ("it goes", vec![put(MOST), gone(MOST)], Ok(MOST)),
            ("one of two goes", vec![put(MOST), put(MOST + 1), gone(MOST)], too_many()),
            ("another makes room", vec![put(MOST), gone(0)], too_many()),
            ("and it comes again", vec![put(MOST), gone(0), put(MOST)], Ok(MOST)),
            (
                "it cannot be read",
                vec![put(MOST), gone(0), Event::Undecoded(key(MOST))],
                Ok(MOST - 1),
            ),
            ("another takes the room", vec![put(MOST), gone(0), put(MOST + 1)], too_many()),
            (
                "all that have names go",
                named.clone().map(put).chain(named.map(gone)).collect(),
                Ok(MOST),
            ),
            (
                "more than have names go",
                nameless.clone().map(put).chain(nameless.map(gone)).collect(),
                too_many(),
            ),
        ];
        for (case, events, expected) in cases {
            let mut cluster = cluster([Event::Begin, Event::Done]);
            (0..MOST).for_each(|n| cluster.apply(put(n)));
            events.into_iter().for_each(|event| cluster.apply(event));
            assert_eq!(count(&cluster), expected, "{case}");
        }
    }

    #[test]
    fn more_objects_than_are_kept_are_unknown_until_a_list_shows_fewer() {
        let put = |n: usize| Event::Put(Key::new("shop", n.to_string()), Service::default());
        let mut cluster = cluster([Event::Begin, Event::Done]);
        (0..MOST).for_each(|n| cluster.apply(put(n)));
        assert_eq!(count(&cluster), Ok(MOST));
        let too_many = Err(Unknown::TooMany("Service").into());
        cluster.apply(put(MOST));
        assert_eq!(count(&cluster), too_many);
        // One that is known makes room, but who knows which one has none.
        cluster.apply(Event::<Service>::Gone(Key::new("shop", "0")));
        cluster.apply(Event::<Service>::Begin);
        assert_eq!(count(&cluster), too_many);
        // What the list does not name any more takes no room in it.
        (1000..=MOST).for_each(|n| cluster.apply(put(n)));
        cluster.apply(Event::<Service>::Done);
        assert_eq!(count(&cluster), Ok(MOST - 999));
        cluster.apply(Event::<Service>::Begin);
        (0..=MOST).for_each(|n| cluster.apply(put(n)));
        cluster.apply(Event::<Service>::Done);
        assert_eq!(count(&cluster), too_many);
    }

    #[test]
    fn a_slice_that_moves_to_another_service_leaves_the_first() {
        let slice = |service: &str| EndpointSlice {
            service: Some(service.into()),
            ..EndpointSlice::default()
        };
        let mut cluster = Cluster::default();
        cluster.apply(Event::<EndpointSlice>::Begin);
        cluster.apply(Event::Put(Key::new("shop", "a"), slice(CART)));
        cluster.apply(Event::<EndpointSlice>::Done);
        cluster.apply(Event::Put(Key::new("shop", "a"), slice("pay")));
        let slices = |name: &str| cluster.slices_of(&Key::new("shop", name)).unwrap().count();
        assert_eq!((slices(CART), slices("pay")), (0, 1));
    }
}

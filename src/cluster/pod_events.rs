//! What warnings about pods add up to.
//!
//! Their recorders drop what comes too often, so that nothing here is a true rate: it says what was
//! told, of which pod last, and how often the API was told of it. A list gives events of an hour, so
//! that none of it is counted: else each restart would count them again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::recent::Recent;
use super::{Clock, Folded};
use crate::model::{Key, Name, PodEvent, PodWarning, SandboxFailure, Uid};

/// Events of which the count is known, and pods of which the last word is.
const MOST: usize = if cfg!(test) { 200 } else { 20_000 };

/// Nodes, times classes, that are counted apart.
const MOST_COUNTS: usize = if cfg!(test) { 100 } else { 20_000 };

/// Names of events that cannot be decoded.
const MOST_UNDECODED: usize = 100;

/// How long a warning holds: the recorders let through one in five minutes at the least.
const HOLDS: Duration = Duration::from_secs(600);

/// What is remembered of warnings about pods.
#[derive(Debug)]
pub struct PodEvents {
    listing: bool,
    /// The count of each event, when it was last told.
    seen: Recent<Key, u64>,
    pods: Recent<Key, Last>,
    counts: BTreeMap<(Name, SandboxFailure), u64>,
    undecoded: BTreeSet<Key>,
}

/// The last word of a pod.
#[derive(Clone, Debug)]
struct Last {
    uid: Uid,
    told: Told,
    /// Since 1970.
    at: Duration,
}

/// What a pod waits for, as a warning tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Told {
    /// A sandbox.
    Sandbox(SandboxFailure),
    /// A volume.
    Volume,
}

impl Default for PodEvents {
    fn default() -> Self {
        Self {
            listing: false,
            seen: Recent::new(MOST),
            pods: Recent::new(MOST),
            counts: BTreeMap::new(),
            undecoded: BTreeSet::new(),
        }
    }
}

impl PodEvents {
    /// Returns what was told of a pod of late.
    pub fn of(&self, pod: &Key, uid: &Uid, now: Clock) -> Option<Told> {
        let last = self.pods.get(pod).filter(|last| last.uid == *uid)?;
        last.holds(now).then_some(last.told)
    }

    /// Returns how often sandboxes failed since the start, by node and class.
    pub fn failures(&self) -> impl Iterator<Item = (&Name, SandboxFailure, u64)> {
        self.counts.iter().map(|((node, class), count)| (node, *class, *count))
    }

    /// Whether there is an event that cannot be decoded.
    pub fn has_undecoded(&self) -> bool {
        !self.undecoded.is_empty()
    }

    fn count(&mut self, node: Name, class: SandboxFailure, more: u64) {
        let key = (node, class);
        if self.counts.len() < MOST_COUNTS || self.counts.contains_key(&key) {
            let count = self.counts.entry(key).or_default();
            *count = count.saturating_add(more);
        }
    }

    fn tell(&mut self, pod: Key, last: Last, now: Clock) {
        let known = self.pods.get(&pod).filter(|known| known.uid == last.uid);
        // A runtime that is still at it refuses the next try in words that are not the network's.
        let stays = known.is_some_and(|known| {
            let of_network = |told| matches!(told, Told::Sandbox(it) if it.is_of_network());
            let says_less = matches!(last.told, Told::Sandbox(_)) && !of_network(last.told);
            known.at > last.at || (says_less && of_network(known.told) && known.holds(now))
        });
        if !stays {
            self.pods.put(pod, last);
        }
    }
}

impl Last {
    fn holds(&self, now: Clock) -> bool {
        now.unix.abs_diff(self.at) < HOLDS
    }
}

impl Folded for PodEvent {
    type Memory = PodEvents;

    fn fold(memory: &mut PodEvents, key: Key, fact: Option<Self>, now: Clock) {
        let Some(event) = fact else {
            if memory.undecoded.len() < MOST_UNDECODED {
                memory.undecoded.insert(key);
            }
            return;
        };
        memory.undecoded.remove(&key);
        let told = match event.says {
            PodWarning::Sandbox(class) => Told::Sandbox(class),
            PodWarning::Volume => Told::Volume,
            PodWarning::Other => return,
        };
        let before = memory.seen.put(key, event.count);
        let more = match before {
            _ if memory.listing => 0,
            Some(before) => event.count.saturating_sub(before),
            // How often it was told before it was known is not known.
            None => 1,
        };
        // By the own clock, unless it was told before.
        let at = match event.last {
            Some(last) if memory.listing => last.min(now.unix),
            None if memory.listing => return,
            _ if more == 0 => return,
            _ => now.unix,
        };
        if let Told::Sandbox(class) = told
            && more > 0
        {
            memory.count(event.node, class, more);
        }
        memory.tell(event.pod, Last { uid: event.uid, told, at }, now);
    }

    fn list(memory: &mut PodEvents, begins: bool) {
        memory.listing = begins;
        if begins {
            memory.undecoded.clear();
        }
    }

    fn gone(memory: &mut PodEvents, key: &Key) {
        memory.seen.remove(key);
        memory.undecoded.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::at;

    const MISSING: PodWarning = PodWarning::Sandbox(SandboxFailure::CniBinaryMissing);
    const RESERVED: PodWarning = PodWarning::Sandbox(SandboxFailure::NotNetwork);

    /// A memory, and the second at which it is.
    struct Story(PodEvents, u64);

    impl Story {
        fn new() -> Self {
            Self(PodEvents::default(), 100)
        }

        /// An event of a name says something of pod `web-0`, so often and at this second.
        fn event(&mut self, name: &str, says: PodWarning, count: u64, last: u64) -> &mut Self {
            let event = PodEvent {
                pod: Key::new("shop", "web-0"),
                uid: "u1".into(),
                node: "n1".into(),
                says,
                count,
                last: Some(at(last).unix),
            };
            PodEvent::fold(&mut self.0, Key::new("shop", name), Some(event), at(self.1));
            self
        }

        fn list(&mut self, begins: bool) -> &mut Self {
            PodEvent::list(&mut self.0, begins);
            self
        }

        fn at(&mut self, second: u64) -> &mut Self {
            self.1 = second;
            self
        }

        fn told(&self) -> Option<Told> {
            self.0.of(&Key::new("shop", "web-0"), &"u1".into(), at(self.1))
        }

        fn counted(&self) -> Vec<(String, u64)> {
            let text = |(node, class, count): (&Name, SandboxFailure, u64)| {
                (format!("{node} {}", class.as_str()), count)
            };
            self.0.failures().map(text).collect()
        }
    }

    #[test]
    fn what_a_list_gives_is_known_and_not_counted() {
        let mut story = Story::new();
        story.list(true).event("a", MISSING, 12, 90).list(false);
        assert_eq!(story.counted(), []);
        assert_eq!(story.told(), Some(Told::Sandbox(SandboxFailure::CniBinaryMissing)));
        // What comes on top of it is.
        story.event("a", MISSING, 15, 100).event("a", MISSING, 15, 100);
        assert_eq!(story.counted(), [("n1 cni_binary_missing".to_owned(), 3)]);
        // Another list gives it once more, and what has come meanwhile.
        story.list(true).event("a", MISSING, 99, 100).list(false).event("a", MISSING, 100, 100);
        assert_eq!(story.counted(), [("n1 cni_binary_missing".to_owned(), 4)]);
    }

    #[test]
    fn of_an_event_that_was_not_known_one_is_sure() {
        let mut story = Story::new();
        story.event("a", MISSING, 1, 100).event("combined", MISSING, 7, 100);
        assert_eq!(story.counted(), [("n1 cni_binary_missing".to_owned(), 2)]);
        // One that is gone and comes again is another.
        PodEvent::gone(&mut story.0, &Key::new("shop", "combined"));
        story.event("combined", MISSING, 1, 100);
        assert_eq!(story.counted(), [("n1 cni_binary_missing".to_owned(), 3)]);
    }

    #[test]
    fn a_warning_holds_for_ten_minutes_by_the_own_clock() {
        let mut story = Story::new();
        // The kubelet's clock is an hour late.
        story.at(5000).event("a", MISSING, 1, 1400);
        assert!(story.told().is_some());
        assert!(story.at(5599).told().is_some());
        assert_eq!(story.at(5600).told(), None);
        // One of a list is as old as it says.
        let mut story = Story::new();
        story.at(5000).list(true).event("a", MISSING, 1, 4300).list(false);
        assert_eq!(story.told(), None);
    }

    #[test]
    fn the_last_word_counts_and_a_runtime_that_is_still_at_it_says_nothing_new() {
        let network = Some(Told::Sandbox(SandboxFailure::CniBinaryMissing));
        let mut story = Story::new();
        story.event("a", PodWarning::Volume, 1, 100);
        assert_eq!(story.told(), Some(Told::Volume));
        story.at(110).event("b", MISSING, 1, 110);
        assert_eq!(story.told(), network);
        story.at(120).event("c", RESERVED, 1, 120).event("d", PodWarning::Other, 1, 120);
        assert_eq!(story.told(), network);
        story.at(800).event("c", RESERVED, 2, 800);
        assert_eq!(story.told(), Some(Told::Sandbox(SandboxFailure::NotNetwork)));
        // A list gives events in any order.
        story.list(true).event("e", PodWarning::Volume, 1, 700).list(false);
        assert_eq!(story.told(), Some(Told::Sandbox(SandboxFailure::NotNetwork)));
        story.at(810).event("e", PodWarning::Volume, 2, 810);
        assert_eq!(story.told(), Some(Told::Volume));
    }

    #[test]
    fn another_pod_of_the_same_name_has_its_own() {
        let mut story = Story::new();
        story.event("a", MISSING, 1, 100);
        assert_eq!(story.0.of(&Key::new("shop", "web-0"), &"u2".into(), at(100)), None);
    }

    #[test]
    fn whatever_comes_the_memory_is_bounded() {
        let mut random = fastrand::Rng::with_seed(11);
        let mut memory = PodEvents::default();
        for number in 0..20_000_u32 {
            let name =
                |most| format!("it-{}", fastrand::Rng::with_seed(number.into()).u32(0..most));
            let event = PodEvent {
                pod: Key::new("shop", name(5000)),
                uid: name(5000).as_str().into(),
                node: name(3000).into(),
                says: if random.bool() { MISSING } else { PodWarning::Volume },
                count: random.u64(..),
                last: random.bool().then(|| Duration::from_secs(random.u64(..))),
            };
            let key = Key::new("shop", format!("event-{number}"));
            match random.u8(0..10) {
                0 => PodEvent::fold(&mut memory, key, None, at(number.into())),
                1 => PodEvent::list(&mut memory, random.bool()),
                2 => PodEvent::gone(&mut memory, &key),
                _ => PodEvent::fold(&mut memory, key, Some(event), at(number.into())),
            }
            assert!(memory.counts.len() <= MOST_COUNTS);
            assert!(memory.undecoded.len() <= MOST_UNDECODED);
        }
        assert!(memory.seen.len() <= MOST && memory.pods.len() <= MOST);
    }
}

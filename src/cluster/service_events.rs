//! What warnings about Services add up to: the last word of each on its load balancer.

use std::collections::BTreeSet;
use std::time::Duration;

use super::recent::Recent;
use super::{Clock, Folded};
use crate::model::{Key, Refusal, Refused, ServiceEvent, Uid};

/// Services of which the last word is known.
const MOST: usize = if cfg!(test) { 200 } else { 2000 };

/// Names of events that cannot be decoded.
const MOST_UNDECODED: usize = 100;

/// How long a word holds while nothing else is said. Clouds repeat theirs every few minutes; MetalLB
/// says once that it has no address and waits for one, and the API forgets an event in an hour.
const HOLDS: Duration = Duration::from_secs(24 * 3600);

/// How long one that is known holds against one that is not: recorders let through one in five
/// minutes at the least.
const HOLDS_AGAINST_OTHERS: Duration = Duration::from_secs(600);

/// What is remembered of warnings about Services.
#[derive(Debug)]
pub struct ServiceEvents {
    services: Recent<Key, Last>,
    undecoded: BTreeSet<Key>,
}

/// The last word of a Service.
#[derive(Clone, Debug)]
struct Last {
    uid: Uid,
    said: Refused,
    /// Since 1970, by the clock of who says it, but never later than now.
    at: Duration,
}

impl Default for ServiceEvents {
    fn default() -> Self {
        Self { services: Recent::new(MOST), undecoded: BTreeSet::new() }
    }
}

impl ServiceEvents {
    /// Returns what was said last of the load balancer of a Service, and how long ago; nothing
    /// where that was before it had an address at the moment `came`, since 1970.
    pub fn of(
        &self,
        service: &Key,
        uid: &Uid,
        came: Option<Duration>,
        now: Clock,
    ) -> Option<(&Refused, Duration)> {
        let last = self.services.get(service)?;
        // One without a uid was made by hand.
        let is_its = last.uid == *uid || last.uid == Uid::default();
        let age = now.unix.saturating_sub(last.at);
        let holds = age < HOLDS && came.is_none_or(|came| last.at > came);
        (is_its && holds).then_some((&last.said, age))
    }

    /// Whether there is an event that cannot be decoded.
    pub fn has_undecoded(&self) -> bool {
        !self.undecoded.is_empty()
    }
}

impl Folded for ServiceEvent {
    type Memory = ServiceEvents;

    fn fold(memory: &mut ServiceEvents, key: Key, fact: Option<Self>, now: Clock) {
        let Some(event) = fact else {
            if memory.undecoded.len() < MOST_UNDECODED {
                memory.undecoded.insert(key);
            }
            return;
        };
        memory.undecoded.remove(&key);
        let Some(said) = event.says else { return };
        let at = event.last.unwrap_or(now.unix).min(now.unix);
        let known = memory.services.get(&event.service).filter(|known| known.uid == event.uid);
        let stays = known.is_some_and(|known| {
            let says_less = said.why == Refusal::Other && known.said.why != Refusal::Other;
            known.at > at || (says_less && at - known.at < HOLDS_AGAINST_OTHERS)
        });
        if !stays {
            memory.services.put(event.service, Last { uid: event.uid, said, at });
        }
    }

    fn list(memory: &mut ServiceEvents, begins: bool) {
        if begins {
            memory.undecoded.clear();
        }
    }

    fn gone(memory: &mut ServiceEvents, key: &Key) {
        memory.undecoded.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::at;

    const QUOTA: (&str, &str) = ("SyncLoadBalancerFailed", "quota exceeded");
    const SUBNETS: (&str, &str) = ("FailedBuildModel", "no subnet");
    const OTHER: (&str, &str) = ("SyncLoadBalancerFailed", "not today");

    fn web() -> Key {
        Key::new("shop", "web")
    }

    /// Takes in that something is said of shop/web at a second.
    fn say(memory: &mut ServiceEvents, (reason, note): (&str, &str), last: u64, now: u64) {
        let event = ServiceEvent {
            service: web(),
            uid: "u1".into(),
            says: Refused::of(reason, note),
            last: Some(at(last).unix),
        };
        ServiceEvent::fold(memory, Key::new("shop", format!("web.{last}")), Some(event), at(now));
    }

    fn told(memory: &ServiceEvents, now: u64) -> Option<(Refusal, u64)> {
        let (said, age) = memory.of(&web(), &"u1".into(), None, at(now))?;
        Some((said.why, age.as_secs()))
    }

    #[test]
    fn the_last_word_counts_and_what_is_known_before_what_is_not() {
        let mut memory = ServiceEvents::default();
        say(&mut memory, OTHER, 100, 100);
        assert_eq!(told(&memory, 101), Some((Refusal::Other, 1)));
        say(&mut memory, QUOTA, 200, 200);
        // A list gives events in any order.
        say(&mut memory, SUBNETS, 150, 201);
        say(&mut memory, OTHER, 300, 300);
        assert_eq!(told(&memory, 300), Some((Refusal::Quota, 100)));
        say(&mut memory, SUBNETS, 400, 400);
        assert_eq!(told(&memory, 400), Some((Refusal::Subnets, 0)));
        // What is known was repaired, and something else is wrong.
        say(&mut memory, OTHER, 1000, 1000);
        assert_eq!(told(&memory, 1000), Some((Refusal::Other, 0)));
        // What is not about a load balancer is no word on it.
        say(&mut memory, ("ClusterIPOutOfRange", "a"), 1100, 1100);
        assert_eq!(told(&memory, 1100), Some((Refusal::Other, 100)));
    }

    #[test]
    fn a_word_holds_for_a_day_also_when_the_api_has_forgotten_it() {
        let mut memory = ServiceEvents::default();
        say(&mut memory, QUOTA, 100, 100);
        ServiceEvent::gone(&mut memory, &Key::new("shop", "web.100"));
        ServiceEvent::list(&mut memory, true);
        ServiceEvent::list(&mut memory, false);
        assert!(told(&memory, 100 + 86_399).is_some());
        assert_eq!(told(&memory, 100 + 86_400), None);
        // The clock of who says it is fast.
        say(&mut memory, SUBNETS, 999_000, 90_000);
        assert_eq!(told(&memory, 90_010), Some((Refusal::Subnets, 10)));
    }

    #[test]
    fn what_was_said_before_the_address_came_or_of_another_means_nothing() {
        let mut memory = ServiceEvents::default();
        say(&mut memory, QUOTA, 100, 100);
        let of = |uid: &str, came: Option<u64>| {
            memory.of(&web(), &uid.into(), came.map(|it| at(it).unix), at(200)).is_some()
        };
        assert!(of("u1", None) && of("u1", Some(99)));
        assert!(!of("u1", Some(100)) && !of("u1", Some(150)) && !of("u2", None));
        // One that was made by hand says of nobody else.
        let event = ServiceEvent {
            service: web(),
            says: Refused::of(QUOTA.0, QUOTA.1),
            ..ServiceEvent::default()
        };
        ServiceEvent::fold(&mut memory, Key::new("shop", "hand"), Some(event), at(200));
        assert!(memory.of(&web(), &"u2".into(), None, at(200)).is_some());
    }

    #[test]
    fn whatever_comes_the_memory_is_bounded() {
        let mut random = fastrand::Rng::with_seed(13);
        let mut memory = ServiceEvents::default();
        for number in 0..20_000_u64 {
            let key = Key::new("shop", format!("event-{number}"));
            let event = ServiceEvent {
                service: Key::new("shop", format!("it-{}", random.u32(0..5000))),
                uid: format!("u{}", random.u32(0..3)).as_str().into(),
                says: Refused::of(OTHER.0, OTHER.1),
                last: random.bool().then(|| Duration::from_secs(random.u64(..))),
            };
            match random.u8(0..10) {
                0 => ServiceEvent::fold(&mut memory, key, None, at(number)),
                1 => ServiceEvent::list(&mut memory, random.bool()),
                2 => ServiceEvent::gone(&mut memory, &key),
                _ => ServiceEvent::fold(&mut memory, key, Some(event), at(number)),
            }
            assert!(memory.undecoded.len() <= MOST_UNDECODED);
            assert!(memory.services.len() <= MOST);
        }
    }
}

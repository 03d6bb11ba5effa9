//! When the load balancers of Services got their addresses, on netvitals' own clock.
//!
//! What was said before means nothing any more, should the address be lost. Of one that a list shows
//! with an address it is the moment of the list: it came before.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Cluster, Follower, Step};
use crate::model::{Fact, Key, Kind, Service};

/// Follows the Services.
#[derive(Debug, Default)]
pub struct Balancers {
    /// Since 1970.
    came: BTreeMap<Key, Duration>,
    /// Those whose address has come since the facts were last looked at.
    touched: Vec<Key>,
}

impl Follower for Balancers {
    fn kinds(&self) -> &'static [&'static Kind] {
        &[Service::KIND]
    }

    fn step(&mut self, step: &Step<'_>) {
        let Some((old, new)) = step.of::<Service>() else { return };
        let [old, new] = [old, new].map(|it| it.and_then(|it| it.load_balancer.as_deref()));
        match new {
            None => drop(self.came.remove(step.key)),
            Some(new) => {
                let before = old.filter(|old| old.uid == new.uid);
                if before.is_none() {
                    self.came.remove(step.key);
                }
                if new.has_address && !before.is_some_and(|old| old.has_address) {
                    self.touched.push(step.key.clone());
                }
            }
        }
    }

    fn settle(&mut self, cluster: &Cluster, _relists: bool) {
        let now = cluster.now().unix;
        self.came.extend(std::mem::take(&mut self.touched).into_iter().map(|key| (key, now)));
    }
}

/// Returns when the load balancer of a Service got its address, since 1970, if it ever had one.
pub fn came(cluster: &Cluster, service: &Key) -> Option<Duration> {
    let followed = cluster.follower::<Balancers>();
    followed.expect("the list of followers has this one").came.get(service).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Event;
    use crate::fixtures::{at, cluster};
    use crate::model::LoadBalancer;

    fn web() -> Key {
        Key::new("shop", "web")
    }

    fn put(mut facts: Cluster, second: u64, uid: &str, has_address: bool) -> Cluster {
        facts.set_now(at(second));
        let balancer = LoadBalancer { uid: uid.into(), has_address, ..LoadBalancer::default() };
        let load_balancer = Some(Box::new(balancer));
        facts.with(Event::Put(web(), Service { load_balancer, ..Service::default() }))
    }

    fn seconds(facts: &Cluster) -> Option<u64> {
        Some((came(facts, &web())? - at(0).unix).as_secs())
    }

    #[test]
    fn the_moment_is_that_at_which_the_address_was_first_seen() {
        let facts = put(cluster(), 10, "u1", false);
        assert_eq!(seconds(&facts), None);
        let facts = put(put(facts, 20, "u1", true), 30, "u1", true);
        assert_eq!(seconds(&facts), Some(20));
        // It is lost, and comes again.
        let facts = put(facts, 40, "u1", false);
        assert_eq!(seconds(&facts), Some(20));
        assert_eq!(seconds(&put(facts, 50, "u1", true)), Some(50));
    }

    #[test]
    fn another_one_of_the_name_and_one_that_is_gone_have_none() {
        let facts = put(cluster(), 10, "u1", true);
        assert_eq!(seconds(&facts), Some(10));
        assert_eq!(seconds(&put(facts, 20, "u2", false)), None);
        let facts = put(cluster(), 10, "u1", true);
        assert_eq!(seconds(&facts.with(Event::Put(web(), Service::default()))), None);
        let facts = put(cluster(), 10, "u1", true);
        assert_eq!(seconds(&facts.with(Event::<Service>::Gone(web()))), None);
    }
}

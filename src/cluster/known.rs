//! What agents may speak of: what the API has.
//!
//! An agent is any program that got hold of a node. It must not choose the subject of a finding,
//! nor make series of names that it thinks of: rows of what the API does not know are left out.

use super::Cluster;
use crate::model::{Fact, Group, Key, Name, Node, Observation, Pod, Replica, Service};

impl Cluster {
    /// Leaves out of an observation what the API has no object for.
    pub(crate) fn keep_known(&self, observation: &mut Observation) {
        let pod = |pod: &Key| self.has::<Pod>(pod);
        let service = |service: &Key| self.has::<Service>(service);
        let node = |node: &Name| self.has::<Node>(&Key::new("", &**node));
        let replica = |replica: &Replica| pod(&replica.pod) && node(&replica.node);
        if let Some(Group::Read(dns)) = &mut observation.dns {
            dns.rows.retain(|row| row.replica.as_ref().is_none_or(replica));
            dns.answers.retain(|it| replica(&it.replica) && service(&it.service));
        }
        if let Some(Group::Read(reach)) = &mut observation.reach {
            reach.retain(|it| {
                it.node.as_ref().is_none_or(node) && it.service.as_ref().is_none_or(service)
            });
        }
        if let Some(Group::Read(cpu)) = &mut observation.cpu {
            cpu.retain(|it| pod(&it.pod));
        }
    }

    /// Whether an object is there; any may be while its kind cannot be believed. Rows that went
    /// with a kind that is forbidden would leave a check with nothing to judge, and healthy.
    fn has<T: Fact>(&self, key: &Key) -> bool {
        self.read::<T>().map_or(true, |table| table.knows(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Event;
    use crate::fixtures::{at, cluster};
    use crate::model::{Answers, Cpu, Dns, DnsRow, Reached, Unknown};

    fn key(name: &str) -> Key {
        Key::new("shop", name)
    }

    fn replica(pod: &str, node: &str) -> Replica {
        Replica { pod: key(pod), node: node.into() }
    }

    /// Speaks of one pod, node and Service in every way.
    fn speaks_of(pod: &str, node: &str, service: &str) -> Observation {
        let row = DnsRow { replica: Some(replica(pod, node)), ..DnsRow::default() };
        let answers =
            Answers { replica: replica(pod, node), service: key(service), ..Answers::default() };
        let reached = |node: Option<&str>, service: Option<&str>| Reached {
            node: node.map(Name::from),
            service: service.map(key),
            ..Reached::default()
        };
        Observation {
            dns: Some(Dns { rows: vec![row], answers: vec![answers], ..Dns::default() }.into()),
            reach: Some(
                vec![
                    reached(Some(node), None),
                    reached(None, Some(service)),
                    reached(Some(node), Some(service)),
                ]
                .into(),
            ),
            cpu: Some(vec![Cpu { pod: key(pod), ..Cpu::default() }].into()),
            ..Observation::default()
        }
    }

    fn kept(facts: &Cluster, pod: &str, node: &str, service: &str) -> [usize; 4] {
        let mut observation = speaks_of(pod, node, service);
        facts.keep_known(&mut observation);
        let dns = observation.dns().unwrap();
        let reach = observation.reach().unwrap().len();
        [dns.rows.len(), dns.answers.len(), reach, observation.cpu().unwrap().len()]
    }

    #[test]
    fn what_the_api_does_not_know_is_left_out_and_the_rest_is_kept() {
        let facts = cluster().pod("shop/dns-1").node("n1").service("shop/cart");
        assert_eq!(kept(&facts, "dns-1", "n1", "cart"), [1, 1, 3, 1]);
        assert_eq!(kept(&facts, "lie", "n1", "cart"), [0, 0, 3, 0]);
        assert_eq!(kept(&facts, "dns-1", "lie", "cart"), [0, 0, 1, 1]);
        assert_eq!(kept(&facts, "dns-1", "n1", "lie"), [1, 0, 1, 1]);
        let undecoded = facts.with(Event::<Service>::Undecoded(key("cart")));
        assert_eq!(kept(&undecoded, "dns-1", "n1", "cart"), [1, 1, 3, 1]);
    }

    #[test]
    fn what_the_api_does_not_say_leaves_nothing_out() {
        let forbidden = |facts: Cluster| {
            let why = Unknown::Forbidden;
            facts
                .with(Event::<Pod>::Unavailable(why("Pod")))
                .with(Event::<Node>::Unavailable(why("Node")))
                .with(Event::<Service>::Unavailable(why("Service")))
        };
        let mut stale = cluster();
        stale.tick(at(200));
        for facts in
            [Cluster::default(), forbidden(Cluster::default()), forbidden(cluster()), stale]
        {
            assert_eq!(kept(&facts, "dns-1", "n1", "cart"), [1, 1, 3, 1]);
        }
        let pods = cluster()
            .service("shop/cart")
            .with(Event::<Pod>::Unavailable(Unknown::Forbidden("Pod")));
        assert_eq!(kept(&pods, "dns-1", "lie", "cart"), [0, 0, 1, 1], "of nodes it does");
    }
}

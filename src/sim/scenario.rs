//! What may be wrong with a simulated cluster.

use std::time::Duration;

use super::addresses::port;
use super::dns::Faults;
use super::objects::Port;
use super::world::World;

/// One way to be.
#[derive(Debug)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What is done to the cluster, in one line.
    pub summary: &'static str,
    /// The code that the report names as the root cause; none where all is well.
    pub root: Option<&'static str>,
    pub(super) change: fn(&mut World),
}

/// All of them; the first is what runs when none is named.
pub static ALL: &[Scenario] = &[
    Scenario { name: "healthy", summary: "nothing is wrong", root: None, change: |_| {} },
    Scenario {
        name: "dns-flaky",
        summary: "of the two DNS pods, coredns-1 answers six queries in ten with SERVFAIL",
        root: Some("dns_success.replica_failing"),
        change: |world| {
            let faults = Faults { servfail: 0.6, ..Faults::default() };
            world.dns.insert("coredns-1".to_owned(), faults);
        },
    },
    Scenario {
        name: "dns-down",
        summary: "no node takes the two DNS pods, so that nobody answers",
        root: Some("dns_servers.none_ready"),
        change: |world| {
            for pod in world.pods.iter_mut().filter(|pod| pod.owner.1 == "coredns") {
                (pod.node, pod.address) = (None, None);
            }
        },
    },
    Scenario {
        name: "corefile-refused",
        summary: "the Corefile has a second server block for all names: no DNS pod would begin anew",
        root: Some("coredns_config.refused"),
        change: |world| {
            let port = port::DNS;
            world.corefile += &format!(".:{port} {{\n    hosts\n}}\n");
        },
    },
    Scenario {
        name: "dead-endpoints",
        summary: "two pods of shop/cart are gone, and its EndpointSlice still names them",
        root: Some("endpoint_mismatch.stale"),
        change: |world| {
            for name in ["cart-0", "cart-1"] {
                world.gone.insert(("shop".to_owned(), name.to_owned()));
            }
        },
    },
    Scenario {
        name: "ip-exhausted",
        summary: "node-2 has 13 addresses for pods, and three more pods wait for one",
        root: Some("ip_pools.exhausted"),
        change: exhaust,
    },
    Scenario {
        name: "service-broken",
        summary: "no node has rules for the Service netvitals/netvitals-agent; its pods answer",
        root: Some("service_reachability.unreachable"),
        change: |world| {
            world.broken.insert(("netvitals".to_owned(), "netvitals-agent".to_owned()));
        },
    },
    Scenario {
        name: "coredns-throttled",
        summary: "the DNS pods reach their CPU limit in 60 % of all periods, and answer late",
        root: Some("coredns_throttling.starved"),
        change: |world| {
            world.throttled = Some(0.6);
            let delay = Duration::from_millis(300);
            let faults = Faults { late: 0.4, delay, ..Faults::default() };
            for pod in world.pods.iter_mut().filter(|pod| pod.owner.1 == "coredns") {
                pod.resources["limits"]["cpu"] = "100m".into();
                world.dns.insert(pod.name.clone(), faults);
            }
        },
    },
];

/// Returns the scenario of that name.
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

fn exhaust(world: &mut World) {
    const NODE: u8 = 2;
    const HELD: usize = 13;
    world.resize(NODE, 28);
    let on_node = |world: &World| {
        world.pods.iter().filter(|pod| pod.node == Some(NODE) && !pod.host_network).count()
    };
    let labels = [("app", "batch")];
    while on_node(world) < HELD + 3 {
        let full = on_node(world) >= HELD;
        let pod = world.pod("shop/batch", "ReplicaSet", NODE, &labels);
        pod.ports = vec![Port { name: "http", number: port::SHOP, protocol: "TCP" }];
        if full {
            pod.address = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let names: BTreeSet<_> = ALL.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert_eq!(named("dns-flaky").unwrap().root, Some("dns_success.replica_failing"));
        assert!(named("sunny").is_none());
    }
}

//! What people do to a cluster every day: nothing of it is a finding, and no data is lost.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Scenario, quick};
use crate::api;
use crate::cluster::Cluster;
use crate::netvitals::{Part, findings};
use crate::stage::{Stage, listed};
use crate::wait::{holds, secs, until};

pub(super) const ALL: &[Scenario] = &[quick("planned_changes_find_nothing_and_lose_no_data", show)];

/// Labels of series that name a pod.
const OF_POD: [&str; 2] = ["pod", "name"];

/// Rolling updates, a node drained and started anew, agents and a replica of the cluster role killed.
fn show(stage: &Stage) {
    let cluster = &stage.cluster;
    let began = now();
    let watched = Watched { stage, seen: RefCell::default() };
    for (namespace, workload) in [
        ("netvitals", "daemonset/netvitals-agent"),
        ("netvitals", "daemonset/netvitals-host-agent"),
        ("netvitals", "deployment/netvitals-cluster"),
        ("kube-system", "deployment/coredns"),
    ] {
        cluster.kubectl(&["-n", namespace, "rollout", "restart", workload]);
        let (kind, name) = workload.split_once('/').expect("it is written above");
        watched.until(workload, || cluster.is_rolled_out(namespace, &format!("{kind}s"), name));
    }
    let agent = &cluster.netvitals(Part::Agent)[0];
    delete(cluster, &agent.name);
    watched.until("another agent has its place", || {
        cluster.is_rolled_out("netvitals", "daemonsets", "netvitals-agent")
    });
    let replica = &cluster.netvitals(Part::Cluster)[0];
    delete(cluster, &replica.name);
    watched.until("another replica has its place", || {
        cluster.is_rolled_out("netvitals", "deployments", "netvitals-cluster")
    });
    let node = cluster.node("n2");
    let evict = ["--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=90s"];
    cluster.kubectl(&[&["drain", "n2"][..], &evict].concat());
    watched.look();
    node.start_anew();
    watched.until("n2 is Ready", || cluster.all_ready());
    cluster.kubectl(&["uncordon", "n2"]);
    cluster.installed();
    for _ in 0..6 {
        cluster.rest(secs(5));
        watched.look();
    }
    println!("    {} looks at pages, nothing found", watched.seen.borrow());
    stage.healthy(secs(120));
    gapless(stage, began);
    until("no series speaks of a pod that is gone", secs(120), || ghosts(cluster));
}

/// Looks at all pages that answer, again and again: a replica that is being replaced says nothing. While all of DNS is
/// replaced some answers are slow, which may be said. Alerts are not looked at: as shipped they wait for minutes, which is
/// what keeps them quiet here, and on this stage for seconds.
struct Watched<'a> {
    stage: &'a Stage,
    seen: RefCell<usize>,
}

impl Watched<'_> {
    fn look(&self) {
        for replica in self.stage.cluster.netvitals(Part::Cluster) {
            let Ok(page) = replica.page() else { continue };
            let mut open = findings(&page, false);
            open.retain(|found| found.code != "dns_success.slow");
            assert!(open.is_empty(), "found though all was meant: {}", listed(&open));
            *self.seen.borrow_mut() += 1;
        }
    }

    fn until(&self, what: &str, done: impl Fn() -> Result<(), String>) {
        until(what, secs(180), || {
            self.look();
            done()
        });
    }
}

fn delete(cluster: &Cluster, pod: &str) {
    cluster.api().delete(&format!("/api/v1/namespaces/netvitals/pods/{pod}"), true);
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970")
}

/// No counter ran backwards since `began`, and no two scrapes in a row missed the verdict.
fn gapless(stage: &Stage, began: Duration) {
    let monitor = stage.monitor();
    let span = now().saturating_sub(began).as_secs();
    let ask =
        |expression: &str| monitor.query(expression).unwrap_or_else(|error| panic!("{error}"));
    let counters = ask("count by (__name__) ({__name__=~\"netvitals_.+_total\"})");
    assert!(counters.len() > 10, "{counters:?}");
    // One by one: resets() drops the names, and Prometheus refuses the same series twice.
    for (counter, _) in counters {
        let name = counter["__name__"].as_str().expect("it was asked for");
        let mut resets = ask(&format!("resets({name}[{span}s]) > 0"));
        // The next host agent of a node has the address of the one before, whose target is not forgotten at once; and
        // on n2 it starts anew in the same pod.
        resets.retain(|(labels, times)| labels["job"] != "netvitals-host-agent" || *times > 2.0);
        assert!(resets.is_empty(), "{name} ran backwards: {resets:?}");
    }
    let expression =
        "count(present_over_time(netvitals_check_answered{check=\"dns_success\"}[15s]))";
    let there = monitor.range(expression, began + secs(15), now(), secs(5));
    let there = there.unwrap_or_else(|error| panic!("{error}"));
    let expected = usize::try_from((span.saturating_sub(15)) / 5).expect("a scenario is short");
    println!("    {} of {expected} windows of 15 s have a verdict", there.len());
    assert!(there.len() >= expected, "more than two scrapes in a row missed the verdict");
}

/// Every pod that a page names is there.
fn ghosts(cluster: &Cluster) -> Result<(), String> {
    let pods = cluster.api().list("/api/v1/pods")?;
    let there: BTreeSet<&str> = pods.iter().map(api::name).collect();
    for page in cluster.verdicts()? {
        let of_pods = page
            .samples()
            .iter()
            .filter(|sample| sample.label("kind") == "Pod" || !sample.label("pod").is_empty());
        let gone: BTreeSet<&str> = of_pods
            .flat_map(|sample| OF_POD.map(|label| sample.label(label)))
            .filter(|pod| !pod.is_empty() && !there.contains(pod))
            .collect();
        holds(gone.is_empty(), || format!("{gone:?}"))?;
    }
    Ok(())
}

//! The API server is away, or says no.

use std::time::{Duration, Instant};

use netvitals::check;
use netvitals::model::{EndpointSlice, Fact};

use super::endurance::Unheard;
use super::oracle;
use super::{Scenario, quick};
use crate::netvitals::{Part, Pod, findings, relists};
use crate::page::Page;
use crate::stage::{Stage, listed};
use crate::tools::source;
use crate::wait::{holds, secs, timed, until};

pub(super) const ALL: &[Scenario] = &[
    quick("api_server_killed_makes_nothing_wrong_with_a_log_and_without", killed),
    quick("api_forbids_one_kind_and_only_its_checks_are_unknown", forbidden),
    quick("api_watches_expired_lose_and_invent_nothing", expired),
];

/// What is watched at the API, as `source_up` calls it.
fn watched(page: &Page) -> Vec<(String, f64)> {
    page.all("netvitals_source_up", &[])
        .into_iter()
        .filter(|sample| !["agents", "kubelet"].contains(&sample.label("source")))
        .map(|sample| (sample.label("source").to_owned(), sample.value))
        .collect()
}

fn pages(pods: &[Pod]) -> Result<Vec<Page>, String> {
    pods.iter().map(Pod::page).collect()
}

/// The API server is killed for three minutes, and in that time DNS breaks. Roles whose log leads nowhere, and that have
/// much to say of it, go through the same.
fn killed(stage: &Stage) {
    let cluster = &stage.cluster;
    // Everything is remembered: the API will not say it.
    let all = |part| cluster.netvitals(part);
    let before: Vec<Vec<Pod>> = [Part::Cluster, Part::Agent, Part::HostAgent].map(all).to_vec();
    let replicas = &before[0];
    let dns = cluster.coredns();
    let victims = dns.replicas();
    let unheard = Unheard::start(cluster);
    let fault = cluster.kill_apiserver();
    let died = Instant::now();
    let ((), took) = timed("every watched source is down", secs(75), || {
        pages(replicas)?.iter().try_for_each(|page| {
            let up = watched(page);
            holds(up.len() >= 6 && up.iter().all(|(_, up)| *up == 0.0), || format!("{up:?}"))
        })
    });
    println!("    sources down after {:.1} s", took.as_secs_f64());
    until("roles without a log see that, too", secs(60), || unheard.are_blind());
    let broken: Vec<_> = victims.iter().map(|replica| dns.drop_on_replica(replica, 60)).collect();
    stage.monitor().fires("NetvitalsDNSSuccessLow", secs(90), |alert| {
        alert["labels"]["severity"] == "critical"
    });
    println!(
        "    the DNS alert fired {:.1} s after the API server died",
        died.elapsed().as_secs_f64()
    );
    drop(broken);
    let left = secs(182).saturating_sub(died.elapsed());
    until("what needs the API is absent", left, || {
        pages(replicas)?.iter().try_for_each(|page| {
            let stale = [
                "netvitals_node_network_ready",
                "netvitals_ip_pool_used",
                "netvitals_endpoint_mismatches",
            ];
            let there: Vec<&&str> =
                stale.iter().filter(|name| !page.all(name, &[]).is_empty()).collect();
            holds(there.is_empty(), || format!("still there: {there:?}"))
        })
    });
    // Unknown is never a finding: what needs the API finds nothing while it is away.
    for page in pages(replicas).unwrap() {
        let mut open = findings(&page, false);
        open.retain(|found| !found.code.starts_with("dns_"));
        assert!(open.is_empty(), "found while the API was away: {}", listed(&open));
    }
    cluster.rest(secs(180).saturating_sub(died.elapsed()));
    fault.heal();
    let returned = Instant::now();
    until("everything is back", secs(60), || {
        pages(replicas)?.iter().try_for_each(|page| {
            let up = watched(page);
            holds(up.len() >= 6 && up.iter().all(|(_, up)| *up == 1.0), || format!("{up:?}"))?;
            page.value("netvitals_node_network_ready", &[("node", "n1")]).map(drop)
        })
    });
    println!("    all back after {:.1} s", returned.elapsed().as_secs_f64());
    until("roles without a log know the cluster again", secs(60), || unheard.know());
    drop(unheard);
    until("the nodes are Ready", secs(120), || cluster.all_ready());
    for (part, before) in [Part::Cluster, Part::Agent, Part::HostAgent].into_iter().zip(&before) {
        assert_eq!(*before, all(part), "a pod of netvitals restarted or moved");
    }
    stage.healthy(secs(180));
    stage.monitor().resolves("NetvitalsDNSSuccessLow", secs(120));
}

/// One kind is forbidden: only what needs it is unknown.
fn forbidden(stage: &Stage) {
    let unknown = |page: &Page| -> Vec<(String, String)> {
        let all = page.all("netvitals_check_unknown", &[]);
        all.iter().map(|it| (it.label("check").to_owned(), it.label("reason").to_owned())).collect()
    };
    let fault = stage.cluster.forbid("endpointslices");
    let needs = check::ALL.iter().filter(|check| check.needs.contains(&EndpointSlice::KIND));
    let needs: Vec<&str> = needs.map(|check| check.id).collect();
    stage.every_page("the checks of endpoints are unknown", secs(150), |page| {
        let open = unknown(page);
        let said =
            |need: &&str| open.iter().any(|(check, why)| check == need && why == "forbidden");
        holds(needs.iter().all(said), || format!("{open:?}"))
    });
    for page in stage.pages() {
        for (check, why) in unknown(&page) {
            assert!(needs.contains(&check.as_str()) && why == "forbidden", "{check}: {why}");
        }
        assert!(page.all("netvitals_endpoint_mismatches", &[]).is_empty(), "no answer, no series");
        page.value("netvitals_node_network_ready", &[("node", "n1")]).unwrap();
    }
    stage.nothing_but(|_| false);
    fault.heal();
    stage.healthy(secs(90) + Duration::from_secs(30));
}

/// Every watch is told that its version is too old: all is listed again, and what is known stays right.
fn expired(stage: &Stage) {
    let cluster = &stage.cluster;
    let replicas = cluster.netvitals(Part::Cluster);
    let before: Vec<_> = pages(&replicas).unwrap().iter().map(relists).collect();
    cluster.expire_watch();
    until("every kind is listed again", secs(60), || {
        for (page, before) in pages(&replicas)?.iter().zip(&before) {
            let mut after = relists(page);
            // What was removed from the cluster is not listed any more.
            after
                .retain(|kind, _| !page.all("netvitals_source_up", &[("source", kind)]).is_empty());
            let all = after.iter().all(|(kind, count)| before.get(kind) < Some(count));
            holds(all && after.len() >= 6, || format!("{before:?}, then {after:?}"))?;
        }
        Ok(())
    });
    // A list alone would not tell of this: the watch after it goes on.
    let web = source("tests/cluster/files/web.yaml");
    cluster.apply(&web);
    cluster.rolled_out("default", "deployments", "web");
    until("the page agrees with the oracle", secs(60), || oracle::agrees(cluster));
    cluster.delete(&web);
    until("the page agrees with the oracle again", secs(60), || oracle::agrees(cluster));
    stage.nothing_but(|_| false);
    stage.healthy(secs(120));
    assert_eq!(replicas, cluster.netvitals(Part::Cluster), "a replica restarted or moved");
}

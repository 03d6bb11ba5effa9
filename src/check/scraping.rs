//! Does anybody collect these metrics?
//!
//! Without that no alert can come, and nothing else would say so: an alert on it would be made of
//! what is not collected. It is no fault of the cluster, so it is only a note. Each replica judges
//! for itself. Left out: whether the agents are collected, which only they would know.

use std::time::Duration;

use super::words::count;
use super::{Check, Code, Finding, Layer, Output, Remedy};
use crate::cluster::Cluster;
use crate::family::Desc;
use crate::model::{Fact, Key, Namespace, Skipped, Unanswered};

/// Looks whether the page of metrics was asked for of late.
pub static CHECK: Check = Check {
    id: "scraping",
    layer: Layer::Netvitals,
    question: "Does anybody collect these metrics?",
    runbook: "NetvitalsDown",
    needs: &[],
    wants: &[],
    families: NONE,
    codes: &[&NOBODY],
    run,
};

/// The server counts its own requests, wherever it is.
const NONE: &[Desc] = &[];

/// Every collector asks more often.
const PATIENCE: Duration = Duration::from_secs(300);

/// The page of metrics was not asked for.
pub static NOBODY: Code = Code::info("scraping.nobody", &[Namespace::KIND])
    .explain("Nothing collects the metrics of this replica, so that no alert can come of them.")
    .independent()
    .remedies(&[
        Remedy::inspect("kubectl -n {name} get servicemonitors,podmonitors --show-labels"),
        Remedy::inspect(
            "kubectl get prometheuses.monitoring.coreos.com -A -o \
             'custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name,SERVICES:.spec\
             .serviceMonitorSelector,PODS:.spec.podMonitorSelector'",
        ),
        Remedy::fix(
            "kubectl -n {name} label servicemonitors,podmonitors \
             -l app.kubernetes.io/name=netvitals release=kube-prometheus-stack --overwrite",
            "the second command shows the label that is asked for, mostly the name of a Helm \
             release; undone by release- in the place of release=…",
        ),
        Remedy::verify("kubectl -n {name} logs --tail=20 -l app.kubernetes.io/component=cluster"),
    ]);

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let since = cluster.unscraped_since().ok_or(Skipped::NotConfigured)?;
    let waited = cluster.now().since(since);
    out.statement(format!("/metrics was asked for {} s ago", count(waited.as_secs())));
    if waited >= PATIENCE {
        let key = Key::new("", cluster.settings().namespace.clone());
        let message = "/metrics was not asked for in the last 5 minutes: with the Prometheus \
                       operator, look at whether the ServiceMonitor is there (it is off until \
                       asked for) and has the labels that the serviceMonitorSelector asks for, \
                       mostly release=<its Helm release>; without it, look at the scrape \
                       configuration";
        out.finding(Finding::of::<Namespace>(&NOBODY, key, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Severity;
    use crate::cluster::{Change, Settings};
    use crate::fixtures::{answer, at};
    use crate::owner::Owner;

    /// What the check says in each second from `scrapes`, which are counts at their moments.
    fn found(scrapes: &[(u64, u64)], moments: &[u64]) -> Vec<bool> {
        let mut owner = Owner::new(&[], Settings::default());
        let mut found = Vec::new();
        let mut scrapes = scrapes.iter().peekable();
        for second in 0..=moments.iter().copied().max().unwrap() {
            owner.step(Change::Tick { now: at(second), spent: Duration::ZERO });
            while let Some((_, count)) = scrapes.next_if(|(at, _)| *at == second) {
                owner.step(Change::Scrapes(*count));
            }
            if moments.contains(&second) {
                let answer = answer(&CHECK, owner.cluster());
                assert_eq!(answer.result, Ok(()));
                found.push(!answer.findings.is_empty());
            }
        }
        found
    }

    #[test]
    fn five_minutes_without_a_scrape_are_a_note_and_the_next_scrape_ends_it() {
        let scrapes = [(0, 0), (299, 0), (400, 1), (430, 2), (500, 2)];
        let moments = [0, 299, 300, 399, 400, 729, 730];
        assert_eq!(found(&scrapes, &moments), [false, false, true, true, false, false, true]);
    }

    #[test]
    fn the_note_names_the_likely_reason_and_leaves_the_verdict_healthy() {
        let mut owner = Owner::new(&[], Settings::default());
        owner.step(Change::Scrapes(0));
        owner.step(Change::Tick { now: at(300), spent: Duration::ZERO });
        let finding = &answer(&CHECK, owner.cluster()).findings[0];
        assert!(finding.starts_with("scraping.nobody Namespace netvitals: /metrics"), "{finding}");
        assert!(finding.contains("serviceMonitorSelector") && finding.contains("release="));
        assert_eq!(NOBODY.severity, Severity::Info);
    }

    #[test]
    fn where_there_is_no_page_there_is_nothing_to_ask() {
        let owner = Owner::new(&[], Settings::default());
        assert_eq!(answer(&CHECK, owner.cluster()).result, Err(Skipped::NotConfigured.into()));
    }
}

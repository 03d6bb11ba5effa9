//! Do the cluster's own names resolve from where workloads live?
//!
//! Every connection begins with a name, so this is the first thing that users notice. It reads
//! observations only: an API outage must not blind it.
//!
//! Left out: the node's own resolver, which is not what workloads use.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::check::{Check, Code, Finding, Layer, Output, Remedy, Severity, Step};
use crate::family::Family;
use crate::model::{
    Cluster, DnsPath, DnsQuery, DnsRow, Fact, Key, Object, Protocol, Service, Skipped, Unanswered,
    Unknown, Vantage, Window,
};

/// Judges the queries of all agents on the pod network.
pub static CHECK: Check = Check {
    id: "dns_success",
    layer: Layer::Dns,
    question: "Do the cluster's own names resolve from where workloads live?",
    needs: &[],
    wants: &[],
    families: &[RATIO.desc()],
    codes: &[&LOW],
    run,
};

static RATIO: Family<1> = Family::gauge(
    "netvitals_node_dns_success_ratio",
    "Share of a node's queries for cluster names that succeeded; absent below 20 queries.",
    ["node"],
);

/// More than a tenth of the queries fail.
pub static LOW: Code = Code {
    id: "dns_success.low",
    severity: Severity::Problem,
    grace: Duration::from_secs(30),
    explain: "More than 10 % of the queries for names of the cluster fail.",
    remedies: &[
        Remedy { step: Step::Inspect, command: "kubectl -n {namespace} describe service {name}" },
        Remedy { step: Step::Verify, command: "netvitals diagnose --check dns_success" },
    ],
};

/// Fewer attempts than this say nothing.
const ENOUGH: u64 = 20;

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let mut totals: BTreeMap<&Key, Window> = BTreeMap::new();
    let mut agents =
        cluster.observations()?.filter(|(agent, _)| agent.vantage == Vantage::Pod).peekable();
    agents.peek().ok_or(Unknown::Stale("agents"))?;
    let mut old = true;
    for (agent, observation) in agents {
        let Some(dns) = &observation.dns else {
            out.gap("agents", Unknown::AgentTooOld);
            continue;
        };
        old = false;
        let headline = |row: &&DnsRow| {
            (row.path, row.query, row.protocol)
                == (DnsPath::Resolver, DnsQuery::Cluster, Protocol::Udp)
        };
        let (Some(service), Some(row)) = (&dns.service, dns.rows.iter().find(headline)) else {
            continue;
        };
        if row.queries.attempts >= ENOUGH
            && let Some(failed) = row.queries.failed()
        {
            out.sample(&RATIO, [&agent.node], 1.0 - failed);
        }
        totals.entry(service).or_default().add(&row.queries);
    }
    if old {
        return Err(Unknown::AgentTooOld.into());
    }
    match totals.values().map(|total| total.attempts).max() {
        None | Some(0) => return Err(Skipped::NotConfigured.into()),
        Some(attempts) if attempts < ENOUGH => return Err(Unknown::TooFewSamples.into()),
        Some(_) => {}
    }
    for (service, Window { attempts, failures, mostly, .. }) in totals {
        if attempts >= ENOUGH && failures * 10 > attempts {
            let reason = mostly.map_or("an unnamed reason", |failure| failure.as_str());
            out.finding(Finding {
                code: &LOW,
                subject: Object { kind: Service::KIND, key: service.clone() },
                node: None,
                message: format!(
                    "{failures} of {attempts} queries failed, for example with {reason}: look at \
                     the Service's endpoints"
                ),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::fixtures::{answer, cluster};
    use crate::model::{Skipped, Unknown};

    #[test]
    fn failing_queries_are_found_with_their_reason() {
        let answer = answer(&CHECK, &cluster().agent("a", 30, 0).agent("b", 30, 15));
        assert_eq!(
            answer.findings,
            ["dns_success.low Service kube-system/kube-dns: 15 of 60 queries failed, for example \
              with timeout: look at the Service's endpoints"]
        );
        assert_eq!(
            answer.samples,
            ["netvitals_node_dns_success_ratio{a} 1", "netvitals_node_dns_success_ratio{b} 0.5"]
        );
    }

    #[test]
    fn one_failure_in_ten_is_borne() {
        assert_eq!(answer(&CHECK, &cluster().agent("a", 30, 3)).findings, [""; 0]);
    }

    #[test]
    fn silent_agents_few_queries_and_no_queries_are_told_apart() {
        let result = |facts| answer(&CHECK, &facts).result;
        assert_eq!(result(cluster()), Err(Unknown::Stale("agents").into()));
        assert_eq!(result(cluster().old_agent("a")), Err(Unknown::AgentTooOld.into()));
        assert_eq!(result(cluster().agent("a", 19, 19)), Err(Unknown::TooFewSamples.into()));
        assert_eq!(result(cluster().agent("a", 0, 0)), Err(Skipped::NotConfigured.into()));
    }

    #[test]
    fn an_old_agent_among_new_ones_is_a_gap() {
        let answer = answer(&CHECK, &cluster().agent("a", 30, 0).old_agent("b"));
        assert_eq!(answer.result, Ok(()));
        assert_eq!(answer.gaps, [("agents", Unknown::AgentTooOld.into())]);
    }
}

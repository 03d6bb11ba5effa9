//! What of a report has to stay the same for its verdict to hold.

use std::collections::BTreeSet;

use crate::check::Finding;
use crate::model::Unanswered;
use crate::report::Report;

/// A report without its numbers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Summary {
    open: BTreeSet<String>,
    pending: BTreeSet<String>,
    unknown: BTreeSet<&'static str>,
    /// Whether the DNS pods have been measured, each by itself, which takes longest; checks have
    /// nothing to say of them before.
    measured: bool,
}

/// What is measured of each DNS pod.
const OF_DNS_PODS: [&str; 2] =
    ["netvitals_coredns_cpu_throttled_ratio", "netvitals_dns_replica_observers"];

/// So many there are.
const DNS_PODS: usize = 2;

impl Summary {
    pub(super) fn of(report: &Report) -> Self {
        let name = |finding: &Finding| format!("{} {}", finding.code.id, finding.subject);
        let measured = OF_DNS_PODS.iter().all(|name| {
            let family = report.rows().iter().find(|(family, _)| family.name == *name);
            family.is_some_and(|(_, series)| series.len() >= DNS_PODS)
        });
        let mut seen = Self { measured, ..Self::default() };
        for answer in &report.answers {
            seen.open.extend(answer.open.iter().map(|it| name(&it.finding)));
            seen.pending.extend(answer.pending.iter().map(|it| name(&it.finding)));
            let gaps = answer.gaps.iter().map(|(_, why)| why);
            let mut why = answer.result.as_ref().err().into_iter().chain(gaps);
            if why.any(|why| matches!(why, Unanswered::Unknown(_))) {
                seen.unknown.insert(answer.check.id);
            }
        }
        seen
    }

    /// Whether everything was answered, and nothing waits for its grace.
    pub(super) fn is_settled(&self) -> bool {
        self.measured && self.unknown.is_empty() && self.pending.is_empty()
    }
}

//! The counts of an agent's probes, over its whole life.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use super::Probe;
use crate::family::{Desc, Family, Rows};
use crate::model::{Agent, Failure, Target};

/// The families of every probe.
pub static FAMILIES: &[Desc] = &[ATTEMPTS.desc(), FAILURES.desc(), DURATION.desc(), SKIPPED.desc()];

static ATTEMPTS: Family<4> = Family::counter(
    "netvitals_probe_attempts_total",
    "Attempts that ended.",
    ["node", "vantage", "probe", "target"],
);

static FAILURES: Family<5> = Family::counter(
    "netvitals_probe_failures_total",
    "Attempts that failed.",
    ["node", "vantage", "probe", "target", "reason"],
);

static DURATION: Family<4> = Family::histogram(
    "netvitals_probe_duration_seconds",
    "Time that successful attempts took.",
    ["node", "vantage", "probe", "target"],
    BOUNDS,
);

static SKIPPED: Family<3> = Family::counter(
    "netvitals_probe_skipped_total",
    "Attempts that were not made.",
    ["node", "vantage", "reason"],
);

const BOUNDS: &[f64] = &[0.001, 0.005, 0.025, 0.1, 0.5, 2.0];

/// Counts of the combinations that the plan schedules, each from 0 on.
#[derive(Debug)]
pub struct Tally {
    agent: Agent,
    planned: BTreeMap<(&'static str, Target), Counts>,
    skipped: Counter,
}

#[derive(Debug)]
struct Counts {
    attempts: Counter,
    failures: BTreeMap<Failure, Counter>,
    /// One for each bound, and one for everything above.
    buckets: [Counter; BOUNDS.len() + 1],
    seconds: Counter<f64, AtomicU64>,
}

impl Tally {
    /// Begins with every planned combination at 0.
    pub fn new(agent: Agent, planned: impl IntoIterator<Item = (&'static Probe, Target)>) -> Self {
        let counts = |probe: &Probe| Counts {
            attempts: Counter::default(),
            failures: probe.failures.iter().map(|why| (*why, Counter::default())).collect(),
            buckets: Default::default(),
            seconds: Counter::default(),
        };
        let planned =
            planned.into_iter().map(|(probe, target)| ((probe.name, target), counts(probe)));
        Self { agent, planned: planned.collect(), skipped: Counter::default() }
    }

    /// Counts one attempt; one that never left this machine says nothing of the target.
    pub fn count(&self, probe: &Probe, target: Target, outcome: Result<Duration, Failure>) {
        let Some(counts) = self.planned.get(&(probe.name, target)) else { return };
        if outcome == Err(Failure::Local) {
            self.skipped.inc();
            return;
        }
        // First here and last in `rows`, so that no scrape sees a failure without its attempt.
        counts.attempts.inc();
        match outcome {
            Ok(took) => {
                let seconds = took.as_secs_f64();
                counts.buckets[BOUNDS.partition_point(|bound| *bound < seconds)].inc();
                counts.seconds.inc_by(seconds);
            }
            Err(failure) => {
                let known = counts.failures.get(&failure);
                if let Some(counter) = known.or_else(|| counts.failures.get(&Failure::Other)) {
                    counter.inc();
                }
            }
        }
    }

    /// Returns the counts as they are now.
    pub fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        let (node, vantage) = (&*self.agent.node, self.agent.vantage.as_str());
        rows.push(&SKIPPED, [node, vantage, Failure::Local.as_str()], self.skipped.get() as f64);
        for ((probe, target), counts) in &self.planned {
            let labels = [node, vantage, *probe, target.as_str()];
            for (failure, count) in &counts.failures {
                let [node, vantage, probe, target] = labels;
                let labels = [node, vantage, probe, target, failure.as_str()];
                rows.push(&FAILURES, labels, count.get() as f64);
            }
            let buckets = counts.buckets.iter().map(Counter::get).collect();
            rows.push_histogram(&DURATION, labels, buckets, counts.seconds.get());
            rows.push(&ATTEMPTS, labels, counts.attempts.get() as f64);
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Vantage;
    use crate::page::{Format, write};
    use crate::probe::tcp;

    fn page(outcomes: &[Result<Duration, Failure>]) -> String {
        let agent = Agent { node: "n1".into(), vantage: Vantage::Pod };
        let tally = Tally::new(agent, [(&tcp::PROBE, Target::Api)]);
        outcomes.iter().for_each(|outcome| tally.count(&tcp::PROBE, Target::Api, *outcome));
        write(&[&tally.rows()], Format::Text).replace(r#"node="n1",vantage="pod","#, "")
    }

    #[test]
    fn planned_combinations_start_at_zero_and_others_do_not_exist() {
        let page = page(&[]);
        assert!(page.contains(r#"netvitals_probe_attempts_total{probe="tcp",target="api"} 0"#));
        for failure in tcp::PROBE.failures {
            let labels = format!(r#"{{probe="tcp",target="api",reason="{}"}}"#, failure.as_str());
            assert!(page.contains(&format!("netvitals_probe_failures_total{labels} 0")), "{page}");
        }
        assert!(!page.contains("peer_pod"));
    }

    #[test]
    fn an_attempt_is_counted_once_and_a_local_error_not_at_all() {
        let fast = Ok(Duration::from_millis(5));
        let page = page(&[fast, Err(Failure::Refused), Err(Failure::Local)]);
        for line in [
            r#"netvitals_probe_attempts_total{probe="tcp",target="api"} 2"#,
            r#"netvitals_probe_failures_total{probe="tcp",target="api",reason="refused"} 1"#,
            r#"netvitals_probe_skipped_total{reason="local"} 1"#,
            r#"netvitals_probe_duration_seconds_bucket{probe="tcp",target="api",le="0.001"} 0"#,
            r#"netvitals_probe_duration_seconds_bucket{probe="tcp",target="api",le="0.005"} 1"#,
            r#"netvitals_probe_duration_seconds_count{probe="tcp",target="api"} 1"#,
        ] {
            assert!(page.lines().any(|it| it == line), "{line}\nis not in\n{page}");
        }
    }
}

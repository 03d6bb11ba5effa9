//! The owner of the facts: a fold of changes into reports.

use std::time::Duration;

use crate::check::Check;
use crate::cluster::{Change, Clock, Cluster, Settings};
use crate::report::{Past, Report, STILL, Stopwatch};

/// A report is made at least this often; one that is three times older is not served.
pub const CADENCE: Duration = Duration::from_secs(10);

/// Never sooner than this after the last.
const PAUSE: Duration = Duration::from_secs(1);

/// Evaluation takes at most this part of the time.
const SHARE: u32 = 10;

/// Holds the facts and the past; one thread owns it.
#[derive(Debug)]
pub struct Owner {
    checks: &'static [&'static Check],
    cluster: Cluster,
    past: Past,
    dirty: bool,
    last: Option<Clock>,
    stopwatch: Stopwatch,
}

impl Owner {
    /// Begins without any fact, and without measuring how long checks take.
    pub fn new(checks: &'static [&'static Check], settings: Settings) -> Self {
        let (cluster, past) = (Cluster::new(settings), Past::default());
        Self { checks, cluster, past, dirty: false, last: None, stopwatch: STILL }
    }

    /// Measures how long checks take.
    pub fn timed(self, stopwatch: Stopwatch) -> Self {
        Self { stopwatch, ..self }
    }

    /// Returns the facts as they are now.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Takes in one change; a tick may bring out a report.
    pub fn step(&mut self, change: Change) -> Option<Report> {
        match change {
            Change::Watched(event) => event.apply(&mut self.cluster),
            Change::Observed(agent, mut observation) => {
                self.cluster.keep_known(&mut observation);
                self.cluster.observe(agent, *observation);
            }
            Change::Departed(agent) => self.cluster.forget(&agent),
            // What comes of it is in no hurry.
            Change::Scrapes(count) => {
                self.cluster.scraped(count);
                return None;
            }
            Change::Now(now) => {
                self.cluster.set_now(now);
                return None;
            }
            Change::Tick { now, spent } => {
                self.cluster.tick(now);
                return self.is_due(now, spent).then(|| self.evaluate(now));
            }
        }
        self.dirty = true;
        None
    }

    fn is_due(&self, now: Clock, spent: Duration) -> bool {
        let Some(last) = self.last else { return true };
        let waited = now.since(last);
        waited >= CADENCE || (self.dirty && waited >= PAUSE.max(spent * SHARE))
    }

    fn evaluate(&mut self, now: Clock) -> Report {
        let (report, past) =
            Report::measured(self.checks, &self.cluster, &self.past, self.stopwatch);
        (self.past, self.dirty, self.last) = (past, false, Some(now));
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::service::endpoint_mismatch;
    use crate::cluster::Event;
    use crate::fixtures::at;
    use crate::model::{EndpointSlice, Fact, Key, Labels, Node, Pod, Service};
    use crate::report::Verdict;

    fn tick(seconds: u64) -> Change {
        Change::Tick { now: at(seconds), spent: Duration::ZERO }
    }

    fn list<T: Fact>(objects: Vec<(&str, T)>) -> Vec<Change> {
        let put = |(name, fact)| Event::Put(Key::new("shop", name), fact).into();
        let begin = std::iter::once(Event::<T>::Begin.into());
        begin.chain(objects.into_iter().map(put)).chain([Event::<T>::Done.into()]).collect()
    }

    fn fold(changes: impl IntoIterator<Item = Change>) -> Vec<Report> {
        static CHECKS: &[&Check] = &[&endpoint_mismatch::CHECK];
        let mut owner = Owner::new(CHECKS, Settings::default());
        changes.into_iter().filter_map(|change| owner.step(change)).collect()
    }

    #[test]
    fn changes_go_in_and_reports_come_out() {
        let selector = Labels::from([("app", "cart")]);
        let service = Service { selector: selector.clone(), routed: true, ..Service::default() };
        let pod = Pod {
            labels: selector,
            addresses: [[10, 244, 1, 7].into()].into_iter().collect(),
            ready: true,
            ..Pod::default()
        };
        let mut changes = vec![tick(0)];
        changes.extend(list(vec![("cart", service)]));
        changes.extend(list(vec![("cart-1", pod)]));
        changes.extend(list::<EndpointSlice>(vec![]));
        changes.extend(list::<Node>(vec![]));
        changes.extend([
            tick(1),
            tick(61),
            Event::<Service>::Alive.into(),
            Event::<EndpointSlice>::Alive.into(),
            Event::<Node>::Alive.into(),
            Event::<Pod>::Gone(Key::new("shop", "cart-1")).into(),
            tick(62),
        ]);
        let verdicts: Vec<Verdict> = fold(changes).iter().map(Report::verdict).collect();
        assert_eq!(
            verdicts,
            [Verdict::Unknown, Verdict::Healthy, Verdict::Problem, Verdict::Healthy]
        );
    }

    #[test]
    fn without_changes_there_is_a_report_every_ten_seconds() {
        let moments = fold((0..=25).map(tick)).into_iter().map(|report| report.at);
        assert_eq!(moments.collect::<Vec<_>>(), [at(0), at(10), at(20)]);
    }

    #[test]
    fn a_slow_report_is_followed_by_a_long_pause() {
        let slow = |seconds| Change::Tick { now: at(seconds), spent: Duration::from_millis(400) };
        let change = || Event::<Pod>::Alive.into();
        let moments = fold([slow(0), change(), slow(1), slow(3), slow(4)]);
        assert_eq!(moments.iter().map(|report| report.at).collect::<Vec<_>>(), [at(0), at(4)]);
    }
}

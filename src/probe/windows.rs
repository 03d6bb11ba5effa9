//! What came of the attempts of the last minutes, as an observation says it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::job::{Job, Row};
use super::window::Sliding;
use crate::model::{Answers, Captured, DnsRow, Failure, ProbeKind, Reached, Window};

/// The windows of all targets; each address has its own.
#[derive(Debug)]
pub struct Windows {
    dns_window: Duration,
    reach_window: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    targets: BTreeMap<(Row, SocketAddr), Target>,
    /// What is not attempted, because its address is none to be sent to.
    refused: BTreeSet<Row>,
    /// Replicas that knew a Service which is not asked for any more, the oldest first: it may come
    /// again with other addresses, and a replica that still answers with the old ones is wrong.
    knew: VecDeque<(Row, SocketAddr)>,
}

/// So many are remembered: a plan has a few Services for each of a few replicas.
const KNEW: usize = 128;

#[derive(Debug)]
struct Target {
    window: Sliding,
    /// What came of the newest attempt that says anything.
    newest: Option<Result<(), Failure>>,
    /// Whether any attempt so far was answered, and of a Service's name rightly; a target that
    /// refuses answers, too.
    worked: bool,
}

/// What all windows say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// One for each server, question and protocol.
    pub rows: Vec<DnsRow>,
    /// One for each replica and Service.
    pub answers: Vec<Answers>,
    /// One for each target and probe.
    pub reach: Vec<Reached>,
    /// What answered in the place of others.
    pub captured: Captured,
}

impl Windows {
    /// Begins without targets.
    pub fn new(dns_window: Duration, reach_window: Duration) -> Self {
        Self { dns_window, reach_window, state: Mutex::default() }
    }

    /// Makes these the targets: what stays keeps its window, what goes loses it. `refused` is what
    /// is not attempted.
    pub fn plan(&self, jobs: &[Job], refused: BTreeSet<Row>, now: Duration) {
        let mut state = self.lock();
        let mut old = std::mem::take(&mut state.targets);
        for job in jobs {
            let key = (job.row.clone(), job.address);
            let length = match job.row {
                Row::Dns { .. } | Row::Answer { .. } => self.dns_window,
                Row::Reach { .. } | Row::Canary { .. } => self.reach_window,
            };
            let target = old.remove(&key).unwrap_or_else(|| Target {
                window: Sliding::new(length, now),
                newest: None,
                worked: matches!(job.row, Row::Answer { .. }) && state.knew.contains(&key),
            });
            state.targets.insert(key, target);
        }
        for (key, _) in old.into_iter().filter(|(_, target)| target.worked) {
            if matches!(key.0, Row::Answer { .. }) && !state.knew.contains(&key) {
                state.knew.push_back(key);
            }
        }
        while state.knew.len() > KNEW {
            state.knew.pop_front();
        }
        state.refused = refused;
    }

    /// Counts one attempt, unless its target has gone since; one that never left this machine
    /// says nothing of the target.
    pub fn count(&self, job: &Job, outcome: Result<Duration, Failure>, now: Duration) {
        // The key is made before the lock is taken: it is as long as a name.
        let key = (job.row.clone(), job.address);
        if let Some(target) = self.lock().targets.get_mut(&key) {
            target.window.count(outcome, now);
            let is_name = matches!(job.row, Row::Answer { .. });
            target.worked |= match outcome {
                Ok(_) => true,
                Err(failure) => failure == Failure::Refused && !is_name,
            };
            if outcome != Err(Failure::Local) && (!is_name || is_answer(outcome)) {
                target.newest = Some(outcome.map(|_| ()));
            }
        }
    }

    /// Returns what is known now; targets that differ only by their address are added up.
    pub fn read(&self, now: Duration) -> Reading {
        let mut reading = Reading::default();
        let mut windows: BTreeMap<Row, (Window, bool)> = BTreeMap::new();
        let state = self.lock();
        for ((row, _), target) in &state.targets {
            match row {
                Row::Canary { probe: ProbeKind::Tcp } => {
                    reading.captured.tcp |= target.newest == Some(Ok(()));
                }
                Row::Canary { .. } => reading.captured.dns |= target.newest == Some(Ok(())),
                Row::Answer { replica, service } => {
                    let failures = target.window.failures(now);
                    let sum = |which: fn(Failure) -> bool| {
                        let counts = failures.iter().filter(|(failure, _)| which(**failure));
                        counts.map(|(_, count)| *count).sum::<u64>()
                    };
                    let unanswered = sum(|failure| !is_answer(Err(failure)));
                    reading.answers.push(Answers {
                        replica: replica.clone(),
                        service: service.clone(),
                        answered: target.window.read(now).attempts - unanswered,
                        wrong: sum(is_wrong),
                        wrong_now: matches!(target.newest, Some(Err(failure)) if is_wrong(failure)),
                        absent_now: matches!(target.newest, Some(Err(failure)) if is_absent(failure)),
                        known: target.worked,
                    });
                }
                Row::Dns { .. } | Row::Reach { .. } => {
                    let (window, worked) = windows.entry(row.clone()).or_default();
                    window.add(&target.window.read(now));
                    *worked |= target.worked;
                }
            }
        }
        for row in &state.refused {
            windows.entry(row.clone()).or_default();
        }
        for (row, (attempts, worked)) in windows {
            let is_of = |target: &(Row, SocketAddr)| target.0 == row;
            let denied = state.refused.contains(&row) && !state.targets.keys().any(is_of);
            match row {
                Row::Dns { path, query, protocol, replica } => {
                    let queries = attempts;
                    reading.rows.push(DnsRow { path, query, protocol, replica, queries, denied });
                }
                Row::Reach { target, probe, node, service, port } => {
                    let worked = Some(worked);
                    reading.reach.push(Reached {
                        target,
                        probe,
                        node,
                        service,
                        port,
                        attempts,
                        denied,
                        worked,
                    });
                }
                Row::Answer { .. } | Row::Canary { .. } => {}
            }
        }
        reading
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while counting loses at most that count.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells whether the server answered, however.
fn is_answer(outcome: Result<Duration, Failure>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(failure) => {
            is_wrong(failure)
                || matches!(
                    failure,
                    Failure::Servfail
                        | Failure::RcodeRefused
                        | Failure::Formerr
                        | Failure::Truncated
                )
        }
    }
}

/// Tells whether the server answered something that is not so.
fn is_wrong(failure: Failure) -> bool {
    failure == Failure::WrongAnswer || is_absent(failure)
}

/// Tells whether the server answered that there is no such name, or no address of it.
fn is_absent(failure: Failure) -> bool {
    matches!(failure, Failure::Nxdomain | Failure::Nodata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Key, Replica, Target as Class};
    use crate::probe::job::Ask;
    use crate::probe::tcp;

    const MINUTE: Duration = Duration::from_secs(60);

    fn job(row: Row, address: &str) -> Job {
        Job { row, address: address.parse().unwrap(), ask: Ask::Reach(&tcp::PROBE), every: MINUTE }
    }

    fn peer(node: &str, address: &str) -> Job {
        let node = Some(node.into());
        let (target, probe) = (Class::PeerPod, ProbeKind::Tcp);
        job(Row::Reach { target, probe, node, service: None, port: None }, address)
    }

    fn windows(jobs: &[Job]) -> Windows {
        let windows = Windows::new(5 * MINUTE, MINUTE);
        windows.plan(jobs, BTreeSet::new(), Duration::ZERO);
        windows
    }

    const OK: Result<Duration, Failure> = Ok(Duration::ZERO);

    #[test]
    fn a_target_that_stays_keeps_its_window_and_one_that_goes_loses_it() {
        let (n1, n2) = (peer("n1", "10.0.0.1:1"), peer("n2", "10.0.0.2:1"));
        let windows = windows(&[n1.clone(), n2.clone()]);
        windows.count(&n1, Err(Failure::Timeout), Duration::ZERO);
        windows.count(&n2, Err(Failure::Timeout), Duration::ZERO);
        let moved = peer("n2", "10.0.0.3:1");
        windows.plan(&[n1.clone(), moved], BTreeSet::new(), Duration::ZERO);
        // An attempt that was under way when its target went.
        windows.count(&n2, Err(Failure::Timeout), Duration::ZERO);
        let reach = windows.read(Duration::ZERO).reach;
        let attempts: Vec<_> =
            reach.iter().map(|it| (it.node.as_deref(), it.attempts.attempts)).collect();
        assert_eq!(attempts, [(Some("n1"), 1), (Some("n2"), 0)]);
    }

    #[test]
    fn addresses_of_one_target_are_one_row_and_local_errors_are_none() {
        let (v4, v6) = (peer("n1", "10.0.0.1:1"), peer("n1", "[fd00::1]:1"));
        let windows = windows(&[v4.clone(), v6.clone()]);
        windows.count(&v4, OK, Duration::ZERO);
        windows.count(&v6, Err(Failure::Refused), Duration::ZERO);
        windows.count(&v6, Err(Failure::Local), Duration::ZERO);
        let reach = windows.read(Duration::ZERO).reach;
        assert_eq!(reach.len(), 1);
        assert_eq!((reach[0].attempts.attempts, reach[0].attempts.failures), (2, 1));
    }

    #[test]
    fn a_target_has_worked_once_it_answered_however_long_ago() {
        let n1 = peer("n1", "10.0.0.1:1");
        let windows = windows(std::slice::from_ref(&n1));
        let worked = |now| windows.read(now).reach[0].worked;
        windows.count(&n1, Err(Failure::Timeout), Duration::ZERO);
        assert_eq!(worked(Duration::ZERO), Some(false));
        windows.count(&n1, Err(Failure::Refused), Duration::ZERO);
        assert_eq!(worked(10 * MINUTE), Some(true));
    }

    #[test]
    fn a_replica_that_does_not_answer_is_not_wrong() {
        let row = Row::Answer { replica: Replica::default(), service: Key::new("web", "shop") };
        let job = job(row, "10.0.0.1:53");
        let windows = windows(std::slice::from_ref(&job));
        let answers = |outcomes: &[Result<Duration, Failure>]| {
            outcomes.iter().for_each(|outcome| windows.count(&job, *outcome, Duration::ZERO));
            let answers = windows.read(Duration::ZERO).answers;
            (answers[0].answered, answers[0].wrong, answers[0].wrong_now)
        };
        assert_eq!(answers(&[]), (0, 0, false));
        assert_eq!(answers(&[OK, Err(Failure::Nxdomain)]), (2, 1, true));
        assert_eq!(answers(&[Err(Failure::Timeout)]), (2, 1, true), "still the newest answer");
        assert_eq!(answers(&[Err(Failure::Servfail)]), (3, 1, false));
    }

    #[test]
    fn a_replica_that_says_there_is_no_such_name_is_told_from_one_with_other_addresses() {
        let row = Row::Answer { replica: Replica::default(), service: Key::new("web", "shop") };
        let job = job(row, "10.0.0.1:53");
        let windows = windows(std::slice::from_ref(&job));
        let now = |outcome| {
            windows.count(&job, outcome, Duration::ZERO);
            let it = &windows.read(Duration::ZERO).answers[0];
            (it.wrong_now, it.absent_now, it.known)
        };
        assert_eq!(now(Err(Failure::Nxdomain)), (true, true, false));
        assert_eq!(now(Err(Failure::Nodata)), (true, true, false));
        assert_eq!(now(Err(Failure::WrongAnswer)), (true, false, false));
        assert_eq!(now(Err(Failure::Refused)), (true, false, false), "that is no answer");
        assert_eq!(now(OK), (false, false, true));
        assert_eq!(now(Err(Failure::WrongAnswer)), (true, false, true), "it knew it");
    }

    #[test]
    fn a_service_that_goes_and_comes_again_was_known_before() {
        let answers = |name: &str| {
            let service = Key::new("web", name);
            job(Row::Answer { replica: Replica::default(), service }, "10.0.0.1:53")
        };
        let (known, never) = (answers("known"), answers("never"));
        let windows = windows(&[known.clone(), never.clone()]);
        windows.count(&known, OK, Duration::ZERO);
        windows.count(&never, Err(Failure::Nxdomain), Duration::ZERO);
        windows.plan(&[], BTreeSet::new(), MINUTE);
        windows.plan(&[known, never], BTreeSet::new(), MINUTE);
        let answers = windows.read(MINUTE).answers;
        let known: Vec<_> = answers.iter().map(|it| (&*it.service.name, it.known)).collect();
        assert_eq!(known, [("known", true), ("never", false)]);
    }

    #[test]
    fn what_may_not_be_attempted_is_said_unless_it_has_another_address() {
        let (n1, n2) = (peer("n1", "10.0.0.1:1"), peer("n2", "10.0.0.2:1"));
        let windows = windows(&[]);
        let refused = [n1.row.clone(), n2.row].into();
        windows.plan(&[n1], refused, Duration::ZERO);
        let reach = windows.read(Duration::ZERO).reach;
        let denied: Vec<_> = reach.iter().map(|it| (it.node.as_deref(), it.denied)).collect();
        assert_eq!(denied, [(Some("n1"), false), (Some("n2"), true)]);
    }

    #[test]
    fn a_canary_that_succeeds_is_a_capture_until_it_fails() {
        let tcp = job(Row::Canary { probe: ProbeKind::Tcp }, "10.0.0.1:1");
        let dns = job(Row::Canary { probe: ProbeKind::Udp }, "10.0.0.1:53");
        let windows = windows(&[tcp.clone(), dns.clone()]);
        let captured = |job, outcome| {
            windows.count(job, outcome, Duration::ZERO);
            let Captured { tcp, dns } = windows.read(Duration::ZERO).captured;
            (tcp, dns)
        };
        assert_eq!(captured(&tcp, Err(Failure::Refused)), (false, false));
        assert_eq!(captured(&dns, OK), (false, true));
        assert_eq!(captured(&tcp, OK), (true, true));
        assert_eq!(captured(&dns, Err(Failure::Timeout)), (true, false));
    }
}

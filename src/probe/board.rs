//! What came of the attempts of the last minutes, as an observation says it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::job::{Job, Row};
use super::window::Sliding;
use crate::model::{Answers, Captured, DnsRow, Failure, ProbeKind, Reached, Window};

/// The windows of all targets; each address has its own.
#[derive(Debug)]
pub struct Board {
    dns_window: Duration,
    reach_window: Duration,
    lines: Mutex<BTreeMap<(Row, SocketAddr), Line>>,
}

#[derive(Debug)]
struct Line {
    window: Sliding,
    /// What came of the newest attempt that says anything.
    newest: Option<Result<(), Failure>>,
    /// Whether any attempt so far was answered; who refuses answers, too.
    worked: bool,
}

/// What is read off the board.
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

impl Board {
    /// Begins without targets.
    pub fn new(dns_window: Duration, reach_window: Duration) -> Self {
        Self { dns_window, reach_window, lines: Mutex::default() }
    }

    /// Makes these the targets: what stays keeps its window, what goes loses it.
    pub fn plan(&self, jobs: &[Job], now: Duration) {
        let mut lines = self.lock();
        let mut old = std::mem::take(&mut *lines);
        for job in jobs {
            let key = (job.row.clone(), job.address);
            let length = match job.row {
                Row::Dns { .. } | Row::Answer { .. } => self.dns_window,
                Row::Reach { .. } | Row::Canary { .. } => self.reach_window,
            };
            let line = old.remove(&key);
            let new = || Line { window: Sliding::new(length, now), newest: None, worked: false };
            lines.insert(key, line.unwrap_or_else(new));
        }
    }

    /// Counts one attempt, unless its target has gone since; one that never left this machine
    /// says nothing of the target.
    pub fn count(&self, job: &Job, outcome: Result<Duration, Failure>, now: Duration) {
        if outcome == Err(Failure::Local) {
            return;
        }
        // The key is made before the lock is taken: it is as long as a name.
        let key = (job.row.clone(), job.address);
        if let Some(line) = self.lock().get_mut(&key) {
            line.window.count(outcome, now);
            line.worked |= matches!(outcome, Ok(_) | Err(Failure::Refused));
            if !matches!(job.row, Row::Answer { .. }) || is_answer(outcome) {
                line.newest = Some(outcome.map(|_| ()));
            }
        }
    }

    /// Returns what is known now; lines that differ only by their address are added up.
    pub fn read(&self, now: Duration) -> Reading {
        let mut reading = Reading::default();
        let mut windows: BTreeMap<Row, (Window, bool)> = BTreeMap::new();
        for ((row, _), line) in &*self.lock() {
            match row {
                Row::Canary { probe: ProbeKind::Tcp } => {
                    reading.captured.tcp |= line.newest == Some(Ok(()));
                }
                Row::Canary { .. } => reading.captured.dns |= line.newest == Some(Ok(())),
                Row::Answer { replica, service } => {
                    let failures = line.window.failures(now);
                    let sum = |which: fn(Failure) -> bool| {
                        let counts = failures.iter().filter(|(failure, _)| which(**failure));
                        counts.map(|(_, count)| *count).sum::<u64>()
                    };
                    let unanswered = sum(|failure| !is_answer(Err(failure)));
                    reading.answers.push(Answers {
                        replica: replica.clone(),
                        service: service.clone(),
                        answered: line.window.read(now).attempts - unanswered,
                        wrong: sum(is_wrong),
                        wrong_now: matches!(line.newest, Some(Err(failure)) if is_wrong(failure)),
                    });
                }
                Row::Dns { .. } | Row::Reach { .. } => {
                    let (window, worked) = windows.entry(row.clone()).or_default();
                    window.add(&line.window.read(now));
                    *worked |= line.worked;
                }
            }
        }
        for (row, (attempts, worked)) in windows {
            match row {
                Row::Dns { path, query, protocol, replica } => {
                    let queries = attempts;
                    reading.rows.push(DnsRow { path, query, protocol, replica, queries });
                }
                Row::Reach { target, probe, node, service, port } => {
                    let worked = Some(worked);
                    let reached = Reached { target, probe, node, service, port, attempts, worked };
                    reading.reach.push(reached);
                }
                Row::Answer { .. } | Row::Canary { .. } => {}
            }
        }
        reading
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Row, SocketAddr), Line>> {
        // A panic while counting loses at most that count.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
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
    matches!(failure, Failure::WrongAnswer | Failure::Nxdomain | Failure::Nodata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Key, Replica, Target};
    use crate::probe::job::Ask;

    const MINUTE: Duration = Duration::from_secs(60);

    fn job(row: Row, address: &str) -> Job {
        Job { row, address: address.parse().unwrap(), ask: Ask::Connect, every: MINUTE }
    }

    fn peer(node: &str, address: &str) -> Job {
        let node = Some(node.into());
        let (target, probe) = (Target::PeerPod, ProbeKind::Tcp);
        job(Row::Reach { target, probe, node, service: None, port: None }, address)
    }

    fn board(jobs: &[Job]) -> Board {
        let board = Board::new(5 * MINUTE, MINUTE);
        board.plan(jobs, Duration::ZERO);
        board
    }

    const OK: Result<Duration, Failure> = Ok(Duration::ZERO);

    #[test]
    fn a_target_that_stays_keeps_its_window_and_one_that_goes_loses_it() {
        let (n1, n2) = (peer("n1", "10.0.0.1:1"), peer("n2", "10.0.0.2:1"));
        let board = board(&[n1.clone(), n2.clone()]);
        board.count(&n1, Err(Failure::Timeout), Duration::ZERO);
        board.count(&n2, Err(Failure::Timeout), Duration::ZERO);
        let moved = peer("n2", "10.0.0.3:1");
        board.plan(&[n1.clone(), moved], Duration::ZERO);
        // An attempt that was under way when its target went.
        board.count(&n2, Err(Failure::Timeout), Duration::ZERO);
        let reach = board.read(Duration::ZERO).reach;
        let attempts: Vec<_> =
            reach.iter().map(|it| (it.node.as_deref(), it.attempts.attempts)).collect();
        assert_eq!(attempts, [(Some("n1"), 1), (Some("n2"), 0)]);
    }

    #[test]
    fn addresses_of_one_target_are_one_row_and_local_errors_are_none() {
        let (v4, v6) = (peer("n1", "10.0.0.1:1"), peer("n1", "[fd00::1]:1"));
        let board = board(&[v4.clone(), v6.clone()]);
        board.count(&v4, OK, Duration::ZERO);
        board.count(&v6, Err(Failure::Refused), Duration::ZERO);
        board.count(&v6, Err(Failure::Local), Duration::ZERO);
        let reach = board.read(Duration::ZERO).reach;
        assert_eq!(reach.len(), 1);
        assert_eq!((reach[0].attempts.attempts, reach[0].attempts.failures), (2, 1));
    }

    #[test]
    fn a_target_has_worked_once_it_answered_however_long_ago() {
        let n1 = peer("n1", "10.0.0.1:1");
        let board = board(std::slice::from_ref(&n1));
        let worked = |now| board.read(now).reach[0].worked;
        board.count(&n1, Err(Failure::Timeout), Duration::ZERO);
        assert_eq!(worked(Duration::ZERO), Some(false));
        board.count(&n1, Err(Failure::Refused), Duration::ZERO);
        assert_eq!(worked(10 * MINUTE), Some(true));
    }

    #[test]
    fn a_replica_that_does_not_answer_is_not_wrong() {
        let row = Row::Answer { replica: Replica::default(), service: Key::new("web", "shop") };
        let job = job(row, "10.0.0.1:53");
        let board = board(std::slice::from_ref(&job));
        let answers = |outcomes: &[Result<Duration, Failure>]| {
            outcomes.iter().for_each(|outcome| board.count(&job, *outcome, Duration::ZERO));
            let answers = board.read(Duration::ZERO).answers;
            (answers[0].answered, answers[0].wrong, answers[0].wrong_now)
        };
        assert_eq!(answers(&[]), (0, 0, false));
        assert_eq!(answers(&[OK, Err(Failure::Nxdomain)]), (2, 1, true));
        assert_eq!(answers(&[Err(Failure::Timeout)]), (2, 1, true), "still the newest answer");
        assert_eq!(answers(&[Err(Failure::Servfail)]), (3, 1, false));
    }

    #[test]
    fn a_canary_that_succeeds_is_a_capture_until_it_fails() {
        let tcp = job(Row::Canary { probe: ProbeKind::Tcp }, "10.0.0.1:1");
        let dns = job(Row::Canary { probe: ProbeKind::Udp }, "10.0.0.1:53");
        let board = board(&[tcp.clone(), dns.clone()]);
        let captured = |job, outcome| {
            board.count(job, outcome, Duration::ZERO);
            let Captured { tcp, dns } = board.read(Duration::ZERO).captured;
            (tcp, dns)
        };
        assert_eq!(captured(&tcp, Err(Failure::Refused)), (false, false));
        assert_eq!(captured(&dns, OK), (false, true));
        assert_eq!(captured(&tcp, OK), (true, true));
        assert_eq!(captured(&dns, Err(Failure::Timeout)), (true, false));
    }
}

//! Readings that failed: what the agent goes on with then, and that it says so.

use std::fmt::Display;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;

use crate::family::{Desc, Family, Rows};
use crate::model::Agent;

/// The families of readings.
pub static FAMILIES: &[Desc] = &[FAILURES.desc(), DURATION.desc()];

static FAILURES: Family<3> = Family::counter(
    "netvitals_agent_read_failures_total",
    "Readings that failed, of what the agent works with; the last good plan and resolver's \
     configuration stay in use.",
    ["node", "vantage", "source"],
);

static DURATION: Family<3> = Family::gauge(
    "netvitals_agent_read_duration_seconds",
    "How long the last reading took that succeeded, of control groups.",
    ["node", "vantage", "source"],
);

/// What an agent reads again and again.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Input {
    /// The node's control groups.
    Cgroup,
    /// The control group of a DNS pod.
    CgroupPod,
    /// The cluster role's plan.
    Plan,
    /// The resolver's configuration.
    ResolvConf,
}

impl Input {
    const ALL: [Self; 4] = [Self::Cgroup, Self::CgroupPod, Self::Plan, Self::ResolvConf];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::CgroupPod => "cgroup_pod",
            Self::Plan => "plan",
            Self::ResolvConf => "resolv_conf",
        }
    }

    /// What to look at when it cannot be read.
    const fn remedy(self) -> &'static str {
        match self {
            Self::Cgroup => "mount the node's /sys/fs/cgroup read-only below --host-root",
            Self::CgroupPod => {
                "wait, for what begins or ends has none; if it stays so, look whether \
                 sys/fs/cgroup below --host-root is this node's, and all of it"
            }
            Self::Plan => "look at the pods of the cluster role, and at --cluster-url",
            Self::ResolvConf => "look at --resolv-conf and the pod's dnsPolicy",
        }
    }

    /// What the agent does until it can be read again.
    const fn meanwhile(self) -> &'static str {
        match self {
            // A count that stands still would read as a pod that does nothing.
            Self::Cgroup => "no CPU time of DNS pods is told",
            Self::CgroupPod => "the CPU time of the others is told",
            Self::Plan | Self::ResolvConf => "going on with what was read last",
        }
    }
}

/// The counts of failures, and which sources fail now.
#[derive(Debug)]
pub struct Readings {
    agent: Agent,
    failures: [Counter; Input::ALL.len()],
    /// The last error of each, so that a lasting one is logged once.
    errors: Mutex<[Option<String>; Input::ALL.len()]>,
    /// Nanoseconds; 0 before the first reading.
    durations: [AtomicU64; Input::ALL.len()],
}

impl Readings {
    /// Begins at 0.
    pub fn new(agent: Agent) -> Self {
        let (failures, durations) = Default::default();
        Self { agent, failures, errors: Mutex::default(), durations }
    }

    /// Does as [`read`](Self::read) does, and notes how long the reading took.
    pub fn timed<T, E: Display>(
        &self,
        input: Input,
        began: Instant,
        read: Result<T, E>,
    ) -> Option<T> {
        if read.is_ok() {
            let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.durations[input as usize].store(took.max(1), Ordering::Relaxed);
        }
        self.read(input, read)
    }

    /// Counts one reading, and logs where it went otherwise than the last one.
    pub fn read<T, E: Display>(&self, input: Input, read: Result<T, E>) -> Option<T> {
        let (read, error) = match read {
            Ok(read) => (Some(read), None),
            Err(error) => (None, Some(error.to_string())),
        };
        if error.is_some() {
            self.failures[input as usize].inc();
        }
        // Nothing in this block panics.
        let mut errors = self.errors.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let last = &mut errors[input as usize];
        if *last != error {
            let name = input.as_str();
            match &error {
                Some(error) => {
                    tracing::warn!(
                        source = name,
                        %error,
                        remedy = input.remedy(),
                        "cannot read, {}",
                        input.meanwhile()
                    );
                }
                None => tracing::info!(source = name, "can be read again"),
            }
            *last = error;
        }
        read
    }

    /// Returns the counts as they are now.
    pub fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        let (node, vantage) = (&*self.agent.node, self.agent.vantage.as_str());
        for input in Input::ALL {
            let count = self.failures[input as usize].get();
            rows.push(&FAILURES, [node, vantage, input.as_str()], count as f64);
            let took = self.durations[input as usize].load(Ordering::Relaxed);
            if took > 0 {
                let took = Duration::from_nanos(took).as_secs_f64();
                rows.push(&DURATION, [node, vantage, input.as_str()], took);
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Vantage;
    use crate::page::{Format, write};

    #[test]
    fn a_failure_is_counted_and_a_good_reading_comes_through() {
        let readings = Readings::new(Agent { node: "n1".into(), vantage: Vantage::Host });
        assert_eq!(readings.read(Input::Plan, Ok::<_, String>(7)), Some(7));
        assert_eq!(readings.read(Input::Cgroup, Err::<u8, _>("gone")), None);
        let page = write(&[&readings.rows()], Format::Text);
        let count = |input| {
            format!(
                "netvitals_agent_read_failures_total{{node=\"n1\",vantage=\"host\",source=\"{input}\"}}"
            )
        };
        assert!(page.contains(&format!("{} 1", count("cgroup"))), "{page}");
        for other in ["cgroup_pod", "resolv_conf"] {
            assert!(page.contains(&format!("{} 0", count(other))), "{page}");
        }
    }

    #[test]
    fn the_last_good_reading_says_how_long_it_took() {
        let readings = Readings::new(Agent { node: "n1".into(), vantage: Vantage::Host });
        let page = || write(&[&readings.rows()], Format::Text);
        readings.timed(Input::Plan, Instant::now(), Err::<u8, _>("gone"));
        assert!(!page().contains("netvitals_agent_read_duration_seconds{"), "{}", page());
        readings.timed(Input::Plan, Instant::now(), Ok::<_, String>(7));
        let series = r#"duration_seconds{node="n1",vantage="host",source="plan"} "#;
        assert!(page().contains(series), "{}", page());
    }
}

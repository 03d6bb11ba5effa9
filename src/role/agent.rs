//! `netvitals agent`: probes from where workloads live, and says what came of it.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::Agent;

/// How an agent runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it observes from.
    pub agent: Agent,
    /// Where the plan is, as `http://host:port`, in the order in which they are tried.
    pub cluster_urls: Vec<String>,
    /// The resolver's configuration, as workloads have it.
    pub resolv_conf: PathBuf,
    /// The port of the servers named there: 53, but in the simulated cluster, which needs no
    /// privilege. No flag sets it.
    pub dns_port: u16,
    /// The node's control groups; only read from the host's vantage.
    pub cgroup_root: PathBuf,
    /// Between two queries of the headline's row; at most 10 s.
    pub dns_interval: Duration,
    /// What an observation of DNS counts.
    pub dns_window: Duration,
    /// Between two attempts to reach one target.
    pub reach_interval: Duration,
    /// What an observation of reachability counts.
    pub reach_window: Duration,
}

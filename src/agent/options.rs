//! How an agent runs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::allowed::Allowed;
use crate::model::Agent;

/// What an agent is told when it starts.
#[derive(Clone, Debug, PartialEq)]
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
    /// Where the node's own folders are, each under its own name; only read from the host's
    /// vantage.
    pub host_root: PathBuf,
    /// The switches that are off.
    pub disabled: Vec<&'static str>,
    /// Between two queries of the headline's row; at most 10 s.
    pub dns_interval: Duration,
    /// What an observation of DNS counts.
    pub dns_window: Duration,
    /// Between two attempts to reach one target.
    pub reach_interval: Duration,
    /// What an observation of reachability counts.
    pub reach_window: Duration,
    /// The API server's address, as Kubernetes gives it to every pod (`KUBERNETES_SERVICE_HOST`
    /// and `_PORT`); absent outside.
    pub api: Option<SocketAddr>,
    /// A name of the world outside, which the cluster's DNS is asked for; absent unless wanted.
    pub external: Option<String>,
    /// Which addresses may be probed.
    pub allowed: Allowed,
}

impl Options {
    /// Returns the defaults for one agent, which knows of no cluster role and no API server.
    pub fn new(agent: Agent) -> Self {
        Self {
            agent,
            cluster_urls: Vec::new(),
            resolv_conf: "/etc/resolv.conf".into(),
            dns_port: 53,
            host_root: "/host".into(),
            disabled: Vec::new(),
            dns_interval: Duration::from_secs(10),
            dns_window: Duration::from_secs(300),
            reach_interval: Duration::from_secs(5),
            reach_window: Duration::from_secs(60),
            api: None,
            external: None,
            allowed: Allowed::cluster(),
        }
    }
}

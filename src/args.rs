//! The command line: subcommands and flags, each with its environment name, over the file.

mod demo;
mod sources;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::cluster::Settings;
use crate::config::{self, Config};
use crate::log::{Form, Level};
use crate::model::{Agent, Vantage};
use crate::role::{self, agent, cluster};
use crate::setting::{Address, Domain, Named, Period, Service, Url};
use sources::Sources;

/// The vital signs of a Kubernetes cluster's network: what is broken, where, and what to do.
///
/// Every flag has an environment name (NETVITALS_ and the flag in upper case, with _ for - and .)
/// and a key in the file of --config.file (_ for -, nested at each dot). A flag wins over its
/// environment name, that over the file, and the file over the default.
#[derive(Debug, Parser)]
#[command(name = "netvitals", version, max_term_width = 100)]
struct Line {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Probe the network from where workloads live; one on every node.
    Agent(AgentArgs),
    /// Watch the Kubernetes API and the agents, judge, serve the page.
    Cluster(ClusterArgs),
    /// Simulate a cluster in this process, and run the real roles against it.
    Demo(demo::DemoArgs),
    /// Print what a role serves, for the image has no other program: 0 for an answer of status 200.
    Get(GetArgs),
}

#[derive(clap::Args, Debug)]
struct Common {
    /// Where to listen; :PORT is every address of the machine.
    #[arg(
        long = "web.listen-address",
        env = "NETVITALS_WEB_LISTEN_ADDRESS",
        default_value = ":12350"
    )]
    listen_address: Address,
    /// What is worth a line of the log; RUST_LOG, where set, says it by target instead.
    #[arg(long = "log.level", env = "NETVITALS_LOG_LEVEL", value_enum, default_value = "info")]
    log_level: Level,
    /// How a line of the log is written.
    #[arg(long = "log.format", env = "NETVITALS_LOG_FORMAT", value_enum, default_value = "logfmt")]
    log_format: Form,
    /// A YAML file with the same names.
    #[arg(long = "config.file", env = "NETVITALS_CONFIG_FILE")]
    config_file: Option<PathBuf>,
    /// Check the flags and the file, and end: 0 when they are valid, 2 when not.
    #[arg(long = "config.check")]
    config_check: bool,
}

#[derive(clap::Args, Debug)]
struct AgentArgs {
    #[command(flatten)]
    common: Common,
    /// The node's name; needed.
    #[arg(long, env = "NETVITALS_NODE_NAME")]
    node_name: Option<String>,
    /// The network from which to observe.
    #[arg(long, env = "NETVITALS_VANTAGE", value_enum, default_value = "pod")]
    vantage: Vantage,
    /// Where the cluster role serves the plan, as http://host:port; may be given more than once.
    ///
    /// Without it, the Service --cluster-service is asked.
    #[arg(long, env = "NETVITALS_CLUSTER_URL", value_delimiter = ',', value_name = "URL")]
    cluster_url: Vec<Url>,
    /// The Service of --namespace behind which the cluster role serves the plan.
    ///
    /// It is asked first by the address that Kubernetes puts into the environment of pods that
    /// are younger than the Service, then by its DNS name and this port.
    #[arg(
        long,
        env = "NETVITALS_CLUSTER_SERVICE",
        default_value = "netvitals-cluster:12350",
        value_name = "NAME:PORT"
    )]
    cluster_service: Service,
    /// The namespace of netvitals itself.
    #[arg(long, env = "NETVITALS_NAMESPACE", default_value = "netvitals")]
    namespace: String,
    /// The resolver's configuration, as workloads have it.
    #[arg(long, env = "NETVITALS_RESOLV_CONF", default_value = "/etc/resolv.conf")]
    resolv_conf: PathBuf,
    /// The node's control groups; read from the host's vantage only.
    #[arg(long, env = "NETVITALS_CGROUP_ROOT", default_value = "/host/sys/fs/cgroup")]
    cgroup_root: PathBuf,
    /// Time between two DNS queries for a name of the cluster.
    #[arg(long = "dns.interval", env = "NETVITALS_DNS_INTERVAL", default_value = "10s")]
    dns_interval: Period,
    /// Time over which DNS queries are judged.
    #[arg(long = "dns.window", env = "NETVITALS_DNS_WINDOW", default_value = "5m")]
    dns_window: Period,
    /// A name outside the cluster to query too; none unless given.
    #[arg(long = "dns.external", env = "NETVITALS_DNS_EXTERNAL", value_name = "NAME")]
    dns_external: Option<Domain>,
    /// Time between two attempts to reach one target.
    #[arg(long = "reach.interval", env = "NETVITALS_REACH_INTERVAL", default_value = "5s")]
    reach_interval: Period,
    /// Time over which attempts to reach are judged.
    #[arg(long = "reach.window", env = "NETVITALS_REACH_WINDOW", default_value = "1m")]
    reach_window: Period,
}

#[derive(clap::Args, Debug)]
struct ClusterArgs {
    #[command(flatten)]
    common: Common,
    /// How to reach the API server; else KUBECONFIG, ~/.kube/config, or the pod's own account.
    #[arg(long, env = "NETVITALS_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// The namespace of netvitals itself.
    #[arg(long, env = "NETVITALS_NAMESPACE", default_value = "netvitals")]
    namespace: String,
    /// An agent outside Kubernetes, as http://host:port; may be given more than once.
    #[arg(long, env = "NETVITALS_AGENT", value_delimiter = ',', value_name = "URL")]
    agent: Vec<Url>,
    /// Time between two questions to one agent; longer by itself in a cluster of many.
    #[arg(long = "pull.interval", env = "NETVITALS_PULL_INTERVAL", default_value = "15s")]
    pull_interval: Period,
    /// The cluster's DNS Service.
    #[arg(long, env = "NETVITALS_DNS_SERVICE", default_value = "kube-system/kube-dns")]
    dns_service: Named,
    /// The DaemonSet of the agents on the pod network; empty where there is none.
    #[arg(
        long = "agents.daemonset",
        env = "NETVITALS_AGENTS_DAEMONSET",
        default_value = "netvitals-agent"
    )]
    agents_daemonset: String,
    /// The DaemonSet of the agents on the nodes' own network; empty where there is none.
    #[arg(
        long = "agents.host-daemonset",
        env = "NETVITALS_AGENTS_HOST_DAEMONSET",
        default_value = "netvitals-host-agent"
    )]
    agents_host_daemonset: String,
    /// The Service in front of the agents on the pod network.
    #[arg(
        long = "agents.service",
        env = "NETVITALS_AGENTS_SERVICE",
        default_value = "netvitals-agent"
    )]
    agents_service: String,
    /// The headless Service of the same pods.
    #[arg(
        long = "agents.headless-service",
        env = "NETVITALS_AGENTS_HEADLESS_SERVICE",
        default_value = "netvitals-agents"
    )]
    agents_headless_service: String,
    /// Age up to which a node may still be setting up its network, and is not judged.
    #[arg(long, env = "NETVITALS_YOUNG_NODE", default_value = "5m")]
    young_node: Period,
}

#[derive(clap::Args, Debug)]
struct GetArgs {
    /// The server, as http://host:port.
    server: Url,
    /// What to ask it for.
    #[arg(default_value = "/readyz")]
    path: String,
}

/// What to run, and how.
#[derive(Debug)]
pub struct Command {
    /// Where to listen.
    pub listen: Address,
    /// What is logged.
    pub log: (Level, Form),
    /// Whether only to check that all of this is valid.
    pub check: bool,
    /// The role.
    pub run: Run,
}

/// A role and its options.
#[derive(Clone, Debug)]
pub enum Run {
    /// `netvitals agent`
    Agent(agent::Options),
    /// `netvitals cluster`
    Cluster(cluster::Options, Option<PathBuf>),
    /// `netvitals demo`
    Demo(role::demo::Options),
    /// `netvitals demo --list`
    Scenarios,
    /// `netvitals get`
    Get(role::get::Options),
}

/// Reads the process's own command line, environment and file.
///
/// Ends the process where the command line asks for help or cannot be read.
///
/// # Errors
///
/// Fails with one line that says what is wrong, where, and what to write instead.
pub fn read() -> Result<Command, String> {
    let matches = Line::command().get_matches();
    command(&matches, |name| std::env::var(name).ok())
}

/// Reads all of it once more, and never ends the process.
///
/// # Errors
///
/// As [`read`].
pub fn read_again() -> Result<Command, String> {
    let matches = Line::command().try_get_matches().map_err(|error| error.to_string())?;
    command(&matches, |name| std::env::var(name).ok())
}

/// Turns what was given into what to run.
fn command(matches: &ArgMatches, env: impl Fn(&str) -> Option<String>) -> Result<Command, String> {
    let line = Line::from_arg_matches(matches).map_err(|error| error.to_string())?;
    let (_, given) = matches.subcommand().expect("a subcommand is required");
    match line.role {
        Role::Agent(args) => args.command(given, env),
        Role::Cluster(args) => args.command(given),
        Role::Demo(args) => args.command(given),
        Role::Get(args) => Ok(args.command()),
    }
}

impl Common {
    /// Reads the file, and takes from it what is common.
    fn file(&mut self, from: &Sources<'_>) -> Result<Config, String> {
        let mut file = match &self.config_file {
            Some(path) => config::read(path)?,
            None => Config::default(),
        };
        from.fill("listen_address", &mut self.listen_address, file.web.listen_address.take());
        from.fill("log_level", &mut self.log_level, file.log.level);
        from.fill("log_format", &mut self.log_format, file.log.format);
        Ok(file)
    }

    fn command(self, run: Run) -> Command {
        Command {
            listen: self.listen_address,
            log: (self.log_level, self.log_format),
            check: self.config_check,
            run,
        }
    }
}

impl GetArgs {
    fn command(self) -> Command {
        Command {
            // It listens nowhere.
            listen: Address::default(),
            log: (Level::Info, Form::Logfmt),
            check: false,
            run: Run::Get(role::get::Options { server: self.server.0, path: self.path }),
        }
    }
}

impl AgentArgs {
    fn command(
        mut self,
        given: &ArgMatches,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Command, String> {
        let mut from = Sources::new(given);
        let file = self.common.file(&from)?;
        let path = self.common.config_file.as_deref();
        from.fill("node_name", &mut self.node_name, file.node_name.map(Some));
        from.fill("vantage", &mut self.vantage, file.vantage);
        from.fill("cluster_url", &mut self.cluster_url, file.cluster_url);
        from.fill("cluster_service", &mut self.cluster_service, file.cluster_service);
        from.fill("namespace", &mut self.namespace, file.namespace);
        from.fill("resolv_conf", &mut self.resolv_conf, file.resolv_conf);
        from.fill("cgroup_root", &mut self.cgroup_root, file.cgroup_root);
        from.time("dns_interval", &mut self.dns_interval, file.dns.interval, path);
        from.time("dns_window", &mut self.dns_window, file.dns.window, path);
        from.fill("dns_external", &mut self.dns_external, file.dns.external.map(Some));
        from.time("reach_interval", &mut self.reach_interval, file.reach.interval, path);
        from.time("reach_window", &mut self.reach_window, file.reach.window, path);

        let node = self.node_name.unwrap_or_default();
        // Whoever only checks a file sits at no node.
        if node.is_empty() && !self.common.config_check {
            return Err("the node has no name: give --node-name, in a pod from spec.nodeName by \
                        NETVITALS_NODE_NAME"
                .to_owned());
        }
        from.within("dns_interval", self.dns_interval, SOONEST, 10 * SECOND)?;
        from.within("dns_window", self.dns_window, DNS_ENOUGH * self.dns_interval.0, HOUR)?;
        from.within("reach_interval", self.reach_interval, SOONEST, 60 * SECOND)?;
        from.within("reach_window", self.reach_window, REACH_ENOUGH * self.reach_interval.0, HOUR)?;
        let mut cluster_urls: Vec<String> = self.cluster_url.into_iter().map(|url| url.0).collect();
        if cluster_urls.is_empty() {
            cluster_urls = service_urls(&self.cluster_service, &self.namespace, &env);
        }
        let agent = Agent { node: node.into(), vantage: self.vantage };
        Ok(self.common.command(Run::Agent(agent::Options {
            cluster_urls,
            resolv_conf: self.resolv_conf,
            cgroup_root: self.cgroup_root,
            dns_interval: self.dns_interval.0,
            dns_window: self.dns_window.0,
            reach_interval: self.reach_interval.0,
            reach_window: self.reach_window.0,
            api: api_server(&env),
            external: self.dns_external.map(|name| name.0),
            ..agent::Options::new(agent)
        })))
    }
}

impl ClusterArgs {
    fn command(mut self, given: &ArgMatches) -> Result<Command, String> {
        let mut from = Sources::new(given);
        let file = self.common.file(&from)?;
        let path = self.common.config_file.as_deref();
        from.fill("kubeconfig", &mut self.kubeconfig, file.kubeconfig.map(Some));
        from.fill("namespace", &mut self.namespace, file.namespace);
        from.fill("agent", &mut self.agent, file.agent);
        from.time("pull_interval", &mut self.pull_interval, file.pull.interval, path);
        from.fill("dns_service", &mut self.dns_service, file.dns_service);
        let agents = file.agents;
        from.fill("agents_daemonset", &mut self.agents_daemonset, agents.daemonset);
        from.fill("agents_host_daemonset", &mut self.agents_host_daemonset, agents.host_daemonset);
        from.fill("agents_service", &mut self.agents_service, agents.service);
        from.fill(
            "agents_headless_service",
            &mut self.agents_headless_service,
            agents.headless_service,
        );
        from.time("young_node", &mut self.young_node, file.young_node, path);

        from.within("pull_interval", self.pull_interval, SECOND, 300 * SECOND)?;
        let named = |name: String| (!name.is_empty()).then(|| name.into());
        let settings = Settings {
            namespace: self.namespace.into(),
            agents: named(self.agents_daemonset),
            host_agents: named(self.agents_host_daemonset),
            agent_service: self.agents_service.into(),
            headless_service: self.agents_headless_service.into(),
            dns_service: self.dns_service.0,
            named_agents: self.agent.len(),
            young_node: self.young_node.0,
            ..Settings::default()
        };
        let agents = self.agent.into_iter().map(|url| url.0).collect();
        let options = cluster::Options { settings, agents, pull_interval: self.pull_interval.0 };
        Ok(self.common.command(Run::Cluster(options, self.kubeconfig)))
    }
}

/// The shortest pause between two attempts at one target.
const SOONEST: Duration = Duration::from_millis(10);

/// A window of DNS holds so many queries of a row: a check judges from 20 on.
const DNS_ENOUGH: u32 = 25;

/// A window of reachability holds so many attempts at a target: a check judges from three on.
const REACH_ENOUGH: u32 = 5;

const SECOND: Duration = Duration::from_secs(1);

const HOUR: Duration = Duration::from_secs(3600);

/// Where the cluster role is within Kubernetes, the way that needs no DNS first.
fn service_urls(
    service: &Service,
    namespace: &str,
    env: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let Service { name, port } = service;
    // As the kubelet makes environment names of a Service's.
    let variable = name.to_uppercase().replace('-', "_");
    let host = env(&format!("{variable}_SERVICE_HOST"));
    let given = env(&format!("{variable}_SERVICE_PORT"));
    let by_address = host.zip(given).map(|(host, port)| match host.contains(':') {
        true => format!("http://[{host}]:{port}"),
        false => format!("http://{host}:{port}"),
    });
    let by_name = format!("http://{name}.{namespace}.svc:{port}");
    by_address.into_iter().chain([by_name]).collect()
}

/// The API server, as Kubernetes tells every pod.
fn api_server(env: impl Fn(&str) -> Option<String>) -> Option<SocketAddr> {
    let host: IpAddr = env("KUBERNETES_SERVICE_HOST")?.parse().ok()?;
    let port = env("KUBERNETES_SERVICE_PORT")?.parse().ok()?;
    Some(SocketAddr::new(host, port))
}

impl ValueEnum for Vantage {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

#[cfg(test)]
mod tests;

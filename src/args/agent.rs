//! `netvitals agent`: its flags.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{ArgMatches, ValueEnum};

use super::sources::Sources;
use super::{Common, SECOND};
use crate::agent::Options;
use crate::model::{Agent, Vantage};
use crate::role::{Command, Run, agent};
use crate::setting::{Domain, Period, Service, Url};

#[derive(clap::Args, Debug)]
pub(super) struct AgentArgs {
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
    /// Where the node's own folders are mounted, each under its own name, as sys/fs/cgroup; read
    /// from the host's vantage only.
    #[arg(long, env = "NETVITALS_HOST_ROOT", default_value = "/host")]
    host_root: PathBuf,
    /// What not to measure: dns, tcp, icmp, cgroup; may be given more than once.
    #[arg(
        long = "part.disable",
        env = "NETVITALS_PART_DISABLE",
        value_delimiter = ',',
        value_name = "PART"
    )]
    part_disable: Vec<String>,
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

/// The shortest pause between two attempts at one target.
const SOONEST: Duration = Duration::from_millis(10);

/// A window of DNS holds so many queries of a row: a check judges from 20 on.
const DNS_ENOUGH: u32 = 25;

/// A window of reachability holds so many attempts at a target: a check judges from three on.
const REACH_ENOUGH: u32 = 5;

const HOUR: Duration = Duration::from_secs(3600);

impl AgentArgs {
    pub(super) fn command(
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
        from.fill("host_root", &mut self.host_root, file.host_root);
        from.fill("part_disable", &mut self.part_disable, file.part.disable);
        from.time("dns_interval", &mut self.dns_interval, file.dns.interval, path);
        from.time("dns_window", &mut self.dns_window, file.dns.window, path);
        from.fill("dns_external", &mut self.dns_external, file.dns.external.map(Some));
        from.time("reach_interval", &mut self.reach_interval, file.reach.interval, path);
        from.time("reach_window", &mut self.reach_window, file.reach.window, path);

        let node = self.node_name.unwrap_or_default();
        // A file is also checked where there is no node.
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
        Ok(self.common.command(Run::Agent(Options {
            cluster_urls,
            resolv_conf: self.resolv_conf,
            host_root: self.host_root,
            disabled: switches(&self.part_disable)?,
            dns_interval: self.dns_interval.0,
            dns_window: self.dns_window.0,
            reach_interval: self.reach_interval.0,
            reach_window: self.reach_window.0,
            api: api_server(&env),
            external: self.dns_external.map(|name| name.0),
            ..Options::new(agent)
        })))
    }
}

/// Returns the names of what is switched off, as the parts themselves spell them.
fn switches(names: &[String]) -> Result<Vec<&'static str>, String> {
    let known: Vec<&str> = agent::switches().iter().map(|switch| switch.name).collect();
    let switch = |name: &String| {
        let found = known.iter().find(|known| *known == name).copied();
        let all = || known.join(", ");
        found.ok_or_else(|| format!("part.disable has {name:?}: write some of {}", all()))
    };
    names.iter().map(switch).collect()
}

/// Where the cluster role is within Kubernetes, the way that needs no DNS first.
pub(super) fn service_urls(
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
pub(super) fn api_server(env: impl Fn(&str) -> Option<String>) -> Option<SocketAddr> {
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

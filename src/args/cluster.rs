//! `netvitals cluster`: its flags.

use std::path::PathBuf;

use clap::ArgMatches;

use super::sources::Sources;
use super::{Common, SECOND};
use crate::cluster::Settings;
use crate::role::{Command, Run, cluster};
use crate::setting::{CheckId, Named, Period, Url};

#[derive(clap::Args, Debug)]
pub(super) struct ClusterArgs {
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
    /// A check that is not asked; may be given more than once.
    #[arg(
        long = "check.disable",
        env = "NETVITALS_CHECK_DISABLE",
        value_delimiter = ',',
        value_name = "CHECK"
    )]
    check_disable: Vec<CheckId>,
}

impl ClusterArgs {
    pub(super) fn command(mut self, given: &ArgMatches) -> Result<Command, String> {
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
        from.fill("check_disable", &mut self.check_disable, file.check.disable);

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
            disabled: self.check_disable.into_iter().map(|check| check.0).collect(),
            ..Settings::default()
        };
        let agents = self.agent.into_iter().map(|url| url.0).collect();
        let options = cluster::Options { settings, agents, pull_interval: self.pull_interval.0 };
        Ok(self.common.command(Run::Cluster(options, self.kubeconfig)))
    }
}

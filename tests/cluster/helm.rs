//! Releases of the chart on the cluster, as a user makes them.

use serde_json::Value;

use crate::cluster::Cluster;
use crate::netvitals::Part;
use crate::program::try_run;
use crate::tools::source;

/// A release of the chart, in a namespace of its own.
pub(crate) struct Release<'a> {
    cluster: &'a Cluster,
    /// The release's name.
    pub(crate) name: &'static str,
    /// Its namespace.
    pub(crate) namespace: &'static str,
    /// How its objects' names begin.
    pub(crate) fullname: &'static str,
    /// The parts that it has.
    pub(crate) parts: &'static [Part],
}

/// A release with host agents; the names of its objects are the program's defaults.
pub(crate) const fn with_host_agents<'a>(
    cluster: &'a Cluster,
    namespace: &'static str,
) -> Release<'a> {
    let parts = &Part::ALL;
    Release { cluster, name: "netvitals", namespace, fullname: "netvitals", parts }
}

/// A release without host agents, of another name.
pub(crate) const fn without_host_agents<'a>(
    cluster: &'a Cluster,
    namespace: &'static str,
) -> Release<'a> {
    let parts = &[Part::Agent, Part::Cluster];
    Release { cluster, name: "watcher", namespace, fullname: "watcher-netvitals", parts }
}

impl Release<'_> {
    /// Installs or upgrades it; the lab's nodes are seconds old, and nobody would be judged for five minutes.
    pub(crate) fn upgrade(&self, values: &[&str]) {
        let words = ["upgrade", "--install", self.name, "--set=config.young_node=1s"];
        self.helm(&[&words, self.off(), values, &[&chart()]].concat());
    }

    /// Runs helm in its namespace.
    ///
    /// # Panics
    ///
    /// Panics with its words when it says no.
    pub(crate) fn helm(&self, args: &[&str]) -> String {
        let (helm, config) = (self.cluster.tools.path("helm"), self.cluster.kubeconfig());
        // Helm keeps what it caches at home.
        let home = self.cluster.lab.folder().join("helm").display().to_string();
        let home = format!("HOME={home}");
        let words = ["env", &home, &helm, "--kubeconfig", &config, "--namespace", self.namespace];
        try_run(&[&words, args].concat()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The objects of the chart with values.
    pub(crate) fn objects(&self, values: &[&str]) -> Vec<Value> {
        let text = self.template(values);
        let all: Vec<Value> = serde_saphyr::from_multiple(&text).expect("Helm renders YAML");
        all.into_iter().filter(Value::is_object).collect()
    }

    /// What the chart renders with values.
    pub(crate) fn template(&self, values: &[&str]) -> String {
        self.helm(&[&["template", self.name], self.off(), values, &[&chart()]].concat())
    }

    /// Waits until its pods are the newest and ready.
    pub(crate) fn rolled_out(&self) {
        for part in self.parts {
            let workload = format!("{}-{}", self.fullname, part.component());
            self.cluster.rolled_out(self.namespace, part.plural(), &workload);
        }
    }

    fn off(&self) -> &'static [&'static str] {
        let has = self.parts.contains(&Part::HostAgent);
        if has { &[] } else { &["--set=hostAgent.enabled=false"] }
    }
}

fn chart() -> String {
    source("deploy/helm/netvitals").display().to_string()
}

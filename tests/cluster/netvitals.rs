//! netvitals on the cluster: installed as a user would, and what its pods say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::api;
use crate::cluster::Cluster;
use crate::page::{Page, Sample};
use crate::tools::{netvitals, source};
use crate::wait::{secs, until};
use crate::web;

const NAMESPACE: &str = "netvitals";

/// A part of netvitals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    Agent,
    HostAgent,
    Cluster,
}

impl Part {
    pub(crate) const ALL: [Self; 3] = [Self::Agent, Self::HostAgent, Self::Cluster];

    /// The label by which its pods are selected.
    pub(crate) const fn component(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::HostAgent => "host-agent",
            Self::Cluster => "cluster",
        }
    }

    const fn port(self) -> u16 {
        if matches!(self, Self::HostAgent) { 12351 } else { 12350 }
    }

    /// The kind of its workload, as the API has it.
    pub(crate) const fn plural(self) -> &'static str {
        if matches!(self, Self::Cluster) { "deployments" } else { "daemonsets" }
    }

    fn workload(self) -> String {
        format!("netvitals-{}", self.component())
    }
}

/// A pod of netvitals.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) node: String,
    pub(crate) ip: String,
    pub(crate) restarts: i64,
    port: u16,
}

impl Pod {
    /// What it serves at a path.
    ///
    /// # Errors
    ///
    /// Fails where it does not answer, or says no.
    pub(crate) fn get(&self, path: &str) -> Result<String, String> {
        web::body(&format!("{}:{}", self.ip, self.port), path)
    }

    /// Its page of metrics.
    ///
    /// # Errors
    ///
    /// Fails where it does not answer, or with the line that is no sample.
    pub(crate) fn page(&self) -> Result<Page, String> {
        Page::read(&self.get("/metrics")?)
            .map_err(|line| format!("{}: no sample: {line}", self.name))
    }
}

/// An open finding, as the page has it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Found {
    pub(crate) code: String,
    pub(crate) severity: String,
    pub(crate) object: String,
    pub(crate) node: String,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} on {:?}", self.severity, self.code, self.object, self.node)
    }
}

impl Found {
    fn of(sample: &Sample) -> Self {
        let text = |name| sample.label(name).to_owned();
        let (kind, namespace, name) = (text("kind"), text("namespace"), text("name"));
        let object = if namespace.is_empty() || kind == "Namespace" || kind == "Node" {
            format!("{kind} {name}")
        } else {
            format!("{kind} {namespace}/{name}")
        };
        Self { code: text("code"), severity: text("severity"), object, node: text("node") }
    }
}

/// How often each kind that is followed was listed again: not one that the cluster had, and has no more.
pub(crate) fn relists(page: &Page) -> BTreeMap<String, f64> {
    let counts = page.all("netvitals_watch_relists_total", &[]);
    let counts = counts.iter().map(|it| (it.label("kind").to_owned(), it.value));
    let is_followed = |kind: &str| !page.all("netvitals_source_up", &[("source", kind)]).is_empty();
    counts.filter(|(kind, _)| is_followed(kind)).collect()
}

/// The open findings of a page, above info where not `infos`.
pub(crate) fn findings(page: &Page, infos: bool) -> BTreeSet<Found> {
    let all = page.all("netvitals_finding", &[]);
    all.into_iter().map(Found::of).filter(|found| infos || found.severity != "info").collect()
}

/// The root causes that a page names, as code and object.
pub(crate) fn roots(page: &Page) -> Vec<(String, String)> {
    let all = page.all("netvitals_root_cause", &[]);
    all.into_iter().map(Found::of).map(|found| (found.code, found.object)).collect()
}

impl Cluster {
    /// Installs netvitals by kustomize, and waits until its pods are ready; `env` is what the cluster
    /// role is told besides.
    ///
    /// # Panics
    ///
    /// Panics where `make image` was not run.
    pub(crate) fn install(&self, env: &[&str]) {
        assert!(netvitals().is_some(), "no binary at NETVITALS_BINARY: run `make image`");
        self.kubectl(&["apply", "-k", &source("deploy/kustomize/default").display().to_string()]);
        if !env.is_empty() {
            self.set_env(Part::Cluster, env);
        }
        self.installed();
    }

    /// Waits until netvitals' pods are ready and the newest.
    pub(crate) fn installed(&self) {
        for part in Part::ALL {
            self.rolled_out(NAMESPACE, part.plural(), &part.workload());
        }
    }

    /// Gives a part other environment variables, by a rollout.
    pub(crate) fn set_env(&self, part: Part, env: &[&str]) {
        let workload = format!("{}/{}", part.plural(), part.workload());
        let mut words = vec!["-n", NAMESPACE, "set", "env", workload.as_str()];
        words.extend(env);
        self.kubectl(&words);
    }

    /// The pods of a part that are there to stay, by name.
    pub(crate) fn netvitals(&self, part: Part) -> Vec<Pod> {
        self.netvitals_in(NAMESPACE, part)
    }

    /// The pods of a part of another installation, as [`Self::netvitals`] has those of the first.
    pub(crate) fn netvitals_in(&self, namespace: &str, part: Part) -> Vec<Pod> {
        let selector = format!("app.kubernetes.io/component={}", part.component());
        let pods = until("the pods of netvitals can be listed", secs(30), || {
            self.pods(namespace, &selector)
        });
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut all: Vec<Pod> = pods
            .iter()
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
            .map(|pod| Pod {
                name: api::name(pod).to_owned(),
                uid: text(&pod["metadata"]["uid"]),
                node: text(&pod["spec"]["nodeName"]),
                ip: text(&pod["status"]["podIP"]),
                restarts: pod["status"]["containerStatuses"][0]["restartCount"]
                    .as_i64()
                    .unwrap_or(0),
                port: part.port(),
            })
            .collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// The pages of all replicas of the cluster role.
    ///
    /// # Errors
    ///
    /// Fails where one does not answer.
    pub(crate) fn verdicts(&self) -> Result<Vec<Page>, String> {
        self.verdicts_in(NAMESPACE)
    }

    /// The same of another installation.
    ///
    /// # Errors
    ///
    /// Fails where one does not answer.
    pub(crate) fn verdicts_in(&self, namespace: &str) -> Result<Vec<Page>, String> {
        self.netvitals_in(namespace, Part::Cluster).iter().map(Pod::page).collect()
    }
}

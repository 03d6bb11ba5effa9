//! The objects that are there before a scenario: what it made besides has to be gone afterwards, however it ended.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::Value;

use crate::api::{self, items};
use crate::cluster::Cluster;
use crate::wait::{holds, secs, until};

/// The kinds of which scenarios make objects: where they are, and their plural.
const KINDS: &[(&str, &str)] = &[
    ("/apis/networking.k8s.io/v1", "networkpolicies"),
    ("/apis/networking.k8s.io/v1", "ingresses"),
    ("/apis/networking.k8s.io/v1", "ingressclasses"),
    ("/apis/apps/v1", "deployments"),
    ("/apis/apps/v1", "daemonsets"),
    (CORE, "pods"),
    (CORE, "services"),
    ("/apis/discovery.k8s.io/v1", "endpointslices"),
    ("/apis/rbac.authorization.k8s.io/v1", "clusterroles"),
    ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"),
    ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
    (CORE, "nodes"),
    (CORE, NAMESPACES),
];

const CORE: &str = "/api/v1";

const NAMESPACES: &str = "namespaces";

/// The workload of `files/web.yaml`, which the bed's own faults share: each makes it what it wants.
const SHARED: [&str; 2] =
    ["/apis/apps/v1/namespaces/default/deployments/web", "/api/v1/namespaces/default/services/web"];

/// The paths of the objects of a moment.
#[derive(Debug)]
pub(crate) struct Objects(BTreeSet<String>);

impl Objects {
    /// Those that are there now and stay: no other one's, and not about to go, neither they nor their namespace.
    ///
    /// # Errors
    ///
    /// Fails with the API's words.
    pub(crate) fn of(cluster: &Cluster) -> Result<Self, String> {
        let goes = |object: &Value| !object["metadata"]["deletionTimestamp"].is_null();
        let namespaces = cluster.api().list(&format!("{CORE}/{NAMESPACES}"))?;
        let gone: Vec<&str> = namespaces.iter().filter(|it| goes(it)).map(api::name).collect();
        let mut paths = BTreeSet::new();
        for (group, plural) in KINDS {
            for object in cluster.api().list(&format!("{group}/{plural}"))? {
                let metadata = &object["metadata"];
                let namespace = metadata["namespace"].as_str();
                let owned = !items(&metadata["ownerReferences"]).is_empty();
                if owned || goes(&object) || namespace.is_some_and(|it| gone.contains(&it)) {
                    continue;
                }
                let of = namespace.map(|it| format!("/{NAMESPACES}/{it}")).unwrap_or_default();
                paths.insert(format!("{group}{of}/{plural}/{}", api::name(&object)));
            }
        }
        Ok(Self(paths))
    }

    /// What is there now, and was not.
    fn since(&self, cluster: &Cluster) -> Result<Vec<String>, String> {
        Ok(Self::of(cluster)?.0.difference(&self.0).cloned().collect())
    }

    /// Whether nothing is there that was not, but for what is shared.
    ///
    /// # Errors
    ///
    /// Fails with the paths of what is there.
    pub(crate) fn are_all(&self, cluster: &Cluster) -> Result<(), String> {
        let mut left = self.since(cluster)?;
        left.retain(|path| !SHARED.contains(&path.as_str()));
        holds(left.is_empty(), || format!("left behind: {left:?}"))
    }

    /// Removes what was not there, and lets all nodes take pods: what failed may have been in the middle of anything.
    ///
    /// # Panics
    ///
    /// Panics where something cannot be removed.
    pub(crate) fn restore(&self, cluster: &Cluster) {
        until("what the scenario made is removed", secs(120), || {
            for node in cluster.nodes() {
                let said = cluster.try_kubectl(&["uncordon", &node.name]);
                said.map(drop).or_else(gone)?;
            }
            let left = self.since(cluster)?;
            left.iter().try_for_each(|path| {
                cluster.api().ask(Method::DELETE, path, None).map(drop).or_else(gone)
            })?;
            holds(left.is_empty(), || format!("{left:?}"))
        });
    }
}

/// Whether the API says no because there is no such object.
fn gone(error: String) -> Result<(), String> {
    let gone = error.contains("NotFound") || error.contains("not found");
    if gone { Ok(()) } else { Err(error) }
}

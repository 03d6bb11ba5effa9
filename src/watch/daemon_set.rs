//! DaemonSets as the API sends them.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::field::{Moment, Text, or_default};
use super::object::Watched;
use crate::model::{Counts, DaemonSet, Labels, Name, Template};

/// The labels of nodes that tell their operating system; the second is that of old manifests.
const OS: [&str; 2] = ["kubernetes.io/os", "beta.kubernetes.io/os"];

/// What is kept of `metadata`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    creation_timestamp: Option<Moment>,
    deletion_timestamp: Option<IgnoredAny>,
    generation: Option<u64>,
    labels: Option<Labels>,
}

#[derive(Deserialize)]
pub(crate) struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    spec: Spec<'a>,
    #[serde(default, deserialize_with = "or_default")]
    status: SetStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(default, deserialize_with = "or_default")]
    selector: Selector,
    #[serde(borrow, default, deserialize_with = "or_default")]
    update_strategy: Strategy<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    template: WireTemplate<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Selector {
    match_labels: Option<Labels>,
}

#[derive(Default, Deserialize)]
struct Strategy<'a> {
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
struct WireTemplate<'a> {
    #[serde(default, deserialize_with = "or_default")]
    metadata: TemplateMetadata,
    #[serde(borrow, default, deserialize_with = "or_default")]
    spec: PodSpec<'a>,
}

#[derive(Default, Deserialize)]
struct TemplateMetadata {
    labels: Option<Labels>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec<'a> {
    containers: Option<Vec<Container>>,
    node_selector: Option<Labels>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    affinity: Affinity<'a>,
    host_network: Option<bool>,
    #[serde(borrow)]
    tolerations: Option<Vec<Toleration<'a>>>,
    #[serde(borrow)]
    volumes: Option<Vec<Volume<'a>>>,
}

#[derive(Deserialize)]
struct Container {
    name: Option<Name>,
    image: Option<Name>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Affinity<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    node_affinity: NodeAffinity<'a>,
}

#[derive(Default, Deserialize)]
struct NodeAffinity<'a> {
    #[serde(
        borrow,
        default,
        deserialize_with = "or_default",
        rename = "requiredDuringSchedulingIgnoredDuringExecution"
    )]
    required: Required<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Required<'a> {
    #[serde(borrow)]
    node_selector_terms: Option<Vec<Term<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Term<'a> {
    #[serde(borrow)]
    match_expressions: Option<Vec<Expression<'a>>>,
}

#[derive(Deserialize)]
struct Expression<'a> {
    #[serde(borrow)]
    key: Option<Text<'a>>,
    #[serde(borrow)]
    operator: Option<Text<'a>>,
    values: Option<Vec<Name>>,
}

#[derive(Deserialize)]
struct Toleration<'a> {
    #[serde(borrow)]
    key: Option<Text<'a>>,
    #[serde(borrow)]
    operator: Option<Text<'a>>,
    #[serde(borrow)]
    effect: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    host_path: HostPath<'a>,
}

#[derive(Default, Deserialize)]
struct HostPath<'a> {
    #[serde(borrow)]
    path: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetStatus {
    observed_generation: Option<u64>,
    desired_number_scheduled: Option<u32>,
    current_number_scheduled: Option<u32>,
    number_ready: Option<u32>,
    updated_number_scheduled: Option<u32>,
    number_misscheduled: Option<u32>,
}

impl Watched for DaemonSet {
    type Metadata<'a> = Metadata;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata, Wire { spec, status }: Wire<'_>) -> Self {
        Self {
            created: metadata.creation_timestamp.map(|moment| moment.0),
            terminating: metadata.deletion_timestamp.is_some(),
            labels: metadata.labels.unwrap_or_default(),
            generation: metadata.generation.unwrap_or_default(),
            selector: spec.selector.match_labels.unwrap_or_default(),
            on_delete: spec.update_strategy.r#type.as_deref() == Some("OnDelete"),
            template: spec.template.into(),
            status: Counts {
                generation: status.observed_generation.unwrap_or_default(),
                desired: status.desired_number_scheduled.unwrap_or_default(),
                current: status.current_number_scheduled.unwrap_or_default(),
                ready: status.number_ready.unwrap_or_default(),
                updated: status.updated_number_scheduled.unwrap_or_default(),
                misscheduled: status.number_misscheduled.unwrap_or_default(),
            },
        }
    }
}

impl From<WireTemplate<'_>> for Template {
    fn from(WireTemplate { metadata, spec }: WireTemplate<'_>) -> Self {
        let node_selector = spec.node_selector.unwrap_or_default();
        let selected = OS.iter().find_map(|key| node_selector.get(key)).cloned();
        let named = |one: Container| Some((one.name?, one.image.unwrap_or_default()));
        Self {
            labels: metadata.labels.unwrap_or_default(),
            images: spec.containers.into_iter().flatten().filter_map(named).collect(),
            os: selected.or_else(|| spec.affinity.node_affinity.required.os()),
            node_selector,
            host_network: spec.host_network.unwrap_or_default(),
            tolerates_all: spec.tolerations.iter().flatten().any(Toleration::is_of_all),
            mounts_cni: spec.volumes.iter().flatten().any(Volume::is_of_cni),
        }
    }
}

impl Required<'_> {
    /// Returns the one operating system that every term asks for.
    fn os(&self) -> Option<Name> {
        let mut terms = self.node_selector_terms.iter().flatten().map(Term::os);
        let first = terms.next()??;
        terms.all(|other| other == Some(first)).then(|| first.clone())
    }
}

impl Term<'_> {
    fn os(&self) -> Option<&Name> {
        self.match_expressions.iter().flatten().find_map(|one| {
            let is_os = one.key.as_deref().is_some_and(|key| OS.contains(&key));
            match &one.values.as_deref()? {
                [os] if is_os && one.operator.as_deref() == Some("In") => Some(os),
                _ => None,
            }
        })
    }
}

impl Toleration<'_> {
    /// Whether it is of every taint that keeps pods from being made on a node.
    fn is_of_all(&self) -> bool {
        let has_key = self.key.as_deref().is_some_and(|key| !key.is_empty());
        let is_of_effect = matches!(self.effect.as_deref(), None | Some("" | "NoSchedule"));
        !has_key && self.operator.as_deref() == Some("Exists") && is_of_effect
    }
}

impl Volume<'_> {
    /// Whether it is a folder of CNI, wherever a distribution has it: `/etc/cni/net.d`,
    /// `/var/lib/rancher/k3s/agent/etc/cni/net.d`, `/opt/cni/bin`, `/var/lib/cni`.
    fn is_of_cni(&self) -> bool {
        self.host_path.path.as_deref().is_some_and(|path| path.split('/').any(|it| it == "cni"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Node;
    use crate::watch::object::tests::{absent, read};

    #[test]
    fn every_field_may_be_absent_or_null() {
        let empty = absent::<DaemonSet>(
            r#"{
                "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z", "generation": 2,
                    "deletionTimestamp": "2026-07-01T12:00:00Z", "labels": {} },
                "spec": {
                    "selector": { "matchLabels": {} },
                    "updateStrategy": { "type": "OnDelete" },
                    "template": { "metadata": { "labels": {} }, "spec": {
                        "containers": [{ "name": "a", "image": "b" }],
                        "nodeSelector": {}, "hostNetwork": true,
                        "affinity": { "nodeAffinity": {
                            "requiredDuringSchedulingIgnoredDuringExecution": {
                                "nodeSelectorTerms": [{ "matchExpressions": [
                                    { "key": "a", "operator": "In", "values": ["b"] }] }] } } },
                        "tolerations": [{ "key": "a", "operator": "Exists", "effect": "b" }],
                        "volumes": [{ "hostPath": { "path": "/opt/cni/bin" } }] } }
                },
                "status": { "observedGeneration": 2, "desiredNumberScheduled": 3,
                    "currentNumberScheduled": 3, "numberReady": 3, "updatedNumberScheduled": 3,
                    "numberMisscheduled": 0 }
            }"#,
        );
        assert_eq!(empty, DaemonSet::default());
    }

    #[test]
    fn a_daemon_set_has_what_its_pods_are_made_of_and_what_its_controller_counts() {
        let set: DaemonSet = read(
            r#"{
                "metadata": { "creationTimestamp": "1970-01-02T00:00:00Z", "generation": 5,
                    "labels": { "k8s-app": "calico-node" } },
                "spec": {
                    "selector": { "matchLabels": { "k8s-app": "calico-node" } },
                    "updateStrategy": { "type": "RollingUpdate" },
                    "template": { "metadata": { "labels": { "k8s-app": "calico-node" } }, "spec": {
                        "containers": [{ "name": "calico-node",
                            "image": "registry.example.com/calico/node:v3.32.1" }],
                        "nodeSelector": { "kubernetes.io/os": "linux" }, "hostNetwork": true,
                        "tolerations": [{ "operator": "Exists", "effect": "NoSchedule" },
                            { "operator": "Exists", "key": "CriticalAddonsOnly" }],
                        "volumes": [{ "name": "run", "hostPath": { "path": "/var/run/calico" } },
                            { "hostPath": { "path": "/etc/cni/net.d" } }] } }
                },
                "status": { "observedGeneration": 4, "desiredNumberScheduled": 3,
                    "currentNumberScheduled": 2, "numberReady": 1, "updatedNumberScheduled": 2 }
            }"#,
        );
        let labels: Labels = [("k8s-app", "calico-node")].into();
        let image = "registry.example.com/calico/node:v3.32.1";
        let expected = DaemonSet {
            created: Some(Duration::from_secs(86_400)),
            labels: labels.clone(),
            generation: 5,
            selector: labels.clone(),
            template: Template {
                labels,
                images: [("calico-node".into(), image.into())].into(),
                node_selector: [("kubernetes.io/os", "linux")].into(),
                os: Some("linux".into()),
                host_network: true,
                tolerates_all: true,
                mounts_cni: true,
            },
            status: Counts {
                generation: 4,
                desired: 3,
                current: 2,
                ready: 1,
                updated: 2,
                misscheduled: 0,
            },
            ..DaemonSet::default()
        };
        assert_eq!(set, expected);
        assert!(!set.is_observed());
        let waits: DaemonSet = read(r#"{ "spec": { "updateStrategy": { "type": "OnDelete" } } }"#);
        assert!(waits.on_delete && waits.is_observed());
    }

    fn template(spec: &str) -> DaemonSet {
        read(&format!(r#"{{ "spec": {{ "template": {{ "spec": {{ {spec} }} }} }} }}"#))
    }

    #[test]
    fn its_operating_system_is_that_of_the_selector_or_of_every_term() {
        let affinity = |terms: &str| {
            format!(
                r#""affinity": {{ "nodeAffinity": {{
                    "requiredDuringSchedulingIgnoredDuringExecution": {{
                        "nodeSelectorTerms": [{terms}] }} }} }}"#
            )
        };
        let term = |key: &str, operator: &str, values: &str| {
            format!(
                r#"{{ "matchExpressions": [{{ "key": "zone", "operator": "Exists" }},
                    {{ "key": "{key}", "operator": "{operator}", "values": [{values}] }}] }}"#
            )
        };
        let windows = term("kubernetes.io/os", "In", r#""windows""#);
        let linux = term("beta.kubernetes.io/os", "In", r#""linux""#);
        for (spec, os) in [
            (r#""nodeSelector": { "kubernetes.io/os": "windows" }"#.to_owned(), Some("windows")),
            (r#""nodeSelector": { "beta.kubernetes.io/os": "linux" }"#.to_owned(), Some("linux")),
            (r#""nodeSelector": { "zone": "a" }"#.to_owned(), None),
            (affinity(&windows), Some("windows")),
            (affinity(&format!("{linux}, {linux}")), Some("linux")),
            (affinity(&format!("{linux}, {windows}")), None),
            (affinity(&term("kubernetes.io/os", "NotIn", r#""windows""#)), None),
            (affinity(&term("kubernetes.io/os", "In", r#""linux", "windows""#)), None),
            (affinity(r#"{ "matchExpressions": [] }"#), None),
        ] {
            assert_eq!(template(&spec).template.os.as_deref(), os, "{spec}");
        }
    }

    #[test]
    fn it_fits_nodes_that_have_what_it_selects() {
        let node = |labels: Labels| Node { labels, ..Node::default() };
        let linux = node([("kubernetes.io/os", "linux"), ("zone", "a")].into());
        for (spec, fits) in [
            (r#""nodeSelector": {}"#, true),
            (r#""nodeSelector": { "zone": "a" }"#, true),
            (r#""nodeSelector": { "kubernetes.io/os": "windows" }"#, false),
            (r#""nodeSelector": { "zone": "a", "rack": "7" }"#, false),
        ] {
            assert_eq!(template(spec).fits(&linux), fits, "{spec}");
        }
    }

    #[test]
    fn what_it_tolerates_and_mounts_is_known() {
        for (spec, tolerates_all, mounts_cni) in [
            (r#""tolerations": [{ "operator": "Exists" }]"#, true, false),
            (r#""tolerations": [{ "operator": "Exists", "effect": "NoExecute" }]"#, false, false),
            (r#""tolerations": [{ "operator": "Exists", "key": "a" }]"#, false, false),
            (r#""volumes": [{ "hostPath": { "path": "/opt/cni/bin" } }]"#, false, true),
            (
                r#""volumes": [{ "hostPath": { "path": "/var/lib/rancher/k3s/agent/etc/cni/net.d" } }]"#,
                false,
                true,
            ),
            (r#""volumes": [{ "hostPath": { "path": "/home/cnidaria" } }]"#, false, false),
            (r#""volumes": [{ "configMap": { "name": "cni" } }]"#, false, false),
        ] {
            let found = template(spec).template;
            assert_eq!(
                (found.tolerates_all, found.mounts_cni),
                (tolerates_all, mounts_cni),
                "{spec}"
            );
        }
    }
}

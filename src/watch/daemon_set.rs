//! DaemonSets as the API sends them.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::field::{Moment, Text, or_default};
use super::object::Watched;
use crate::model::{Counts, DaemonSet, Labels, Name, Template};

/// The labels of nodes that tell their operating system; the second is that of old manifests.
const OS: [&str; 2] = ["kubernetes.io/os", "beta.kubernetes.io/os"];

/// The flags of engines that switch them on or off: AWS' agents, kube-router.
const SWITCHES: [&str; 2] = ["enable-network-policy", "run-firewall"];

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
    #[serde(borrow)]
    containers: Option<Vec<Container<'a>>>,
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
struct Container<'a> {
    name: Option<Name>,
    image: Option<Name>,
    #[serde(borrow)]
    command: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    args: Option<Vec<Text<'a>>>,
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
        let containers = spec.containers.unwrap_or_default();
        let switches = containers.iter().flat_map(Container::switches).collect();
        let named = |one: Container<'_>| Some((one.name?, one.image.unwrap_or_default()));
        Self {
            labels: metadata.labels.unwrap_or_default(),
            images: containers.into_iter().filter_map(named).collect(),
            switches,
            os: selected.or_else(|| spec.affinity.node_affinity.required.os()),
            node_selector,
            host_network: spec.host_network.unwrap_or_default(),
            tolerates_all: spec.tolerations.iter().flatten().any(Toleration::is_of_all),
            mounts_cni: spec.volumes.iter().flatten().any(Volume::is_of_cni),
        }
    }
}

impl Container<'_> {
    /// Returns the switches that it is told, one by one, as its program reads them: a flag without a value is on.
    fn switches(&self) -> impl Iterator<Item = (Name, bool)> {
        let words = self.command.iter().chain(&self.args).flatten();
        words.filter_map(|word| {
            let flag = word.trim_start_matches('-');
            let (name, value) = flag.split_once('=').unwrap_or((flag, "true"));
            let is_flag = flag.len() < word.len() && SWITCHES.contains(&name);
            let is_on = !matches!(value, "0" | "f" | "F" | "false" | "False" | "FALSE");
            is_flag.then(|| (name.into(), is_on))
        })
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
mod tests;

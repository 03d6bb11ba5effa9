//! Policies of other APIs as the API sends them: whom they select, and nothing else.

mod both;
mod calico;
mod cilium;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::network_policy::WireSelector;
use super::object::Watched;
use crate::model::{Dialect, ForeignPolicy, Subject};

#[derive(Deserialize)]
pub(crate) struct Wire<'a> {
    #[serde(borrow)]
    spec: Option<Spec<'a>>,
    /// Cilium has several in one object.
    #[serde(borrow)]
    specs: Option<Vec<Spec<'a>>>,
}

/// What any of the APIs has; each has some of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow)]
    subject: Option<WireSubject<'a>>,
    #[serde(borrow)]
    applied_to: Option<Vec<Applied<'a>>>,
    #[serde(borrow)]
    pod_selector: Option<WireSelector<'a>>,
    selector: Option<String>,
    namespace_selector: Option<String>,
    #[serde(rename = "preDNAT")]
    pre_dnat: Option<bool>,
    do_not_track: Option<bool>,
    #[serde(borrow)]
    endpoint_selector: Option<WireSelector<'a>>,
    node_selector: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct WireSubject<'a> {
    #[serde(borrow)]
    namespaces: Option<WireSelector<'a>>,
    #[serde(borrow)]
    pods: Option<Pods<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pods<'a> {
    #[serde(borrow)]
    namespace_selector: Option<WireSelector<'a>>,
    #[serde(borrow)]
    pod_selector: Option<WireSelector<'a>>,
}

/// To what a policy of Antrea's applies: to pods, or to what has a name of its own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Applied<'a> {
    #[serde(flatten, borrow)]
    pods: Pods<'a>,
    node_selector: Option<IgnoredAny>,
}

impl<const OF: usize> Watched for ForeignPolicy<OF> {
    type Metadata<'a> = IgnoredAny;
    type Wire<'a> = Wire<'a>;

    fn new(_: IgnoredAny, Wire { spec, specs }: Wire<'_>) -> Self {
        let all = spec.into_iter().chain(specs.into_iter().flatten());
        Self { subjects: all.flat_map(|spec| subjects(Self::DIALECT, spec)).collect() }
    }
}

/// Returns whom a policy selects: too many rather than too few.
fn subjects(dialect: Dialect, spec: Spec<'_>) -> Vec<Subject> {
    match dialect {
        Dialect::Admin => vec![match spec.subject {
            Some(WireSubject { pods: Some(pods), .. }) => pods.into(),
            Some(WireSubject { namespaces, .. }) => {
                Subject { namespaces: namespaces.map(Into::into), ..Subject::default() }
            }
            None => Subject::default(),
        }],
        Dialect::Antrea => match spec.applied_to {
            // Where the policy does not say it, each of its rules does.
            None => vec![Subject::default()],
            Some(all) if all.is_empty() => vec![Subject::default()],
            Some(all) => {
                let pods = all.into_iter().filter(|it| it.node_selector.is_none());
                pods.map(|it| it.pods.into()).collect()
            }
        },
        Dialect::Application => {
            let pods = spec.pod_selector.map(Into::into).unwrap_or_default();
            vec![Subject { pods, namespaces: None }]
        }
        // These are for what comes to the host.
        Dialect::Calico if [spec.pre_dnat, spec.do_not_track].contains(&Some(true)) => Vec::new(),
        Dialect::Calico => {
            calico::subject(spec.selector.as_deref(), spec.namespace_selector.as_deref())
                .into_iter()
                .collect()
        }
        Dialect::Cilium => match (spec.endpoint_selector, spec.node_selector) {
            (None, Some(_)) => Vec::new(),
            (pods, _) => {
                cilium::subject(pods.map(Into::into).unwrap_or_default()).into_iter().collect()
            }
        },
    }
}

impl From<Pods<'_>> for Subject {
    fn from(pods: Pods<'_>) -> Self {
        Self {
            namespaces: pods.namespace_selector.map(Into::into),
            pods: pods.pod_selector.map(Into::into).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Selector;
    use crate::watch::object::tests::{absent, read};

    #[test]
    fn every_field_may_be_absent_or_null() {
        let whole = r#"{
            "metadata": { "name": "a" },
            "spec": { "subject": { "namespaces": {}, "pods": { "namespaceSelector": {},
                    "podSelector": { "matchLabels": { "a": "b" } } } },
                "appliedTo": [{ "podSelector": {}, "namespaceSelector": {}, "nodeSelector": {} }],
                "podSelector": {}, "selector": "all()", "namespaceSelector": "all()",
                "preDNAT": true, "doNotTrack": true, "endpointSelector": {}, "nodeSelector": {} },
            "specs": [{ "endpointSelector": {} }]
        }"#;
        assert_eq!(absent::<ForeignPolicy<0>>(whole), ForeignPolicy::default());
    }

    /// What a policy of a kind selects, as JSON of its `spec` has it.
    fn subjects<const OF: usize>(spec: &str) -> Vec<String> {
        let policy: ForeignPolicy<OF> = read(&format!(r#"{{ "spec": {spec} }}"#));
        let of = |selector: &Selector| {
            let labels = selector.labels.iter().map(|(key, value)| format!("{key}={value}"));
            let others = selector.expressions.iter().map(|it| {
                let values: Vec<&str> = it.values.iter().map(|it| &**it).collect();
                format!("{} {:?} {}", it.key, it.operator, values.join("|")).trim_end().to_owned()
            });
            labels.chain(others).collect::<Vec<_>>().join(", ")
        };
        let text = |it: &Subject| {
            let namespaces = it.namespaces.as_ref().map_or_else(|| "-".to_owned(), of);
            format!("{namespaces}; {}", of(&it.pods))
        };
        policy.subjects.iter().map(text).collect()
    }

    #[test]
    fn a_policy_of_kubernetes_own_later_apis_has_a_subject() {
        let of = subjects::<12>;
        assert_eq!(of(r#"{ "subject": { "namespaces": {} } }"#), ["; "]);
        let team = r#"{ "subject": { "namespaces": { "matchLabels": { "team": "a" } } } }"#;
        assert_eq!(of(team), ["team=a; "]);
        let pods = r#"{ "subject": { "pods": { "namespaceSelector": {}, "podSelector": {
            "matchExpressions": [{ "key": "app", "operator": "Exists" }] } } } }"#;
        assert_eq!(of(pods), ["; app Exists"]);
        assert_eq!(of("{}"), ["-; "]);
        assert_eq!(of("null"), [] as [&str; 0]);
    }

    #[test]
    fn a_policy_of_antrea_applies_to_pods_and_each_rule_may_say_to_which() {
        let of = subjects::<1>;
        assert_eq!(of(r#"{ "appliedTo": [] }"#), ["-; "]);
        let app = r#"{ "podSelector": { "matchLabels": { "app": "cart" } } }"#;
        assert_eq!(of(&format!(r#"{{ "appliedTo": [{app}] }}"#)), ["-; app=cart"]);
        let nodes = r#"{ "appliedTo": [{ "nodeSelector": {} }] }"#;
        assert_eq!(subjects::<0>(nodes), [] as [&str; 0]);
        // A group, or a ServiceAccount, may be any pods.
        assert_eq!(subjects::<0>(r#"{ "appliedTo": [{ "group": "a" }] }"#), ["-; "]);
    }

    #[test]
    fn a_policy_of_aws_has_a_selector_of_pods() {
        let app = r#"{ "podSelector": { "matchLabels": { "app": "cart" } } }"#;
        assert_eq!(subjects::<3>(app), ["-; app=cart"]);
    }

    #[test]
    fn a_policy_of_calico_for_what_comes_to_the_host_selects_no_pod() {
        assert_eq!(subjects::<4>(r#"{ "selector": "app == 'cart'" }"#), ["-; app In cart"]);
        let host = r#"{ "selector": "all()", "preDNAT": true, "applyOnForward": true }"#;
        assert_eq!(subjects::<6>(host), [] as [&str; 0]);
    }

    #[test]
    fn the_labels_of_cilium_say_whose_they_are() {
        let of = |labels: &str| {
            subjects::<8>(&format!(r#"{{ "endpointSelector": {{ "matchLabels": {labels} }} }}"#))
        };
        assert_eq!(of("{}"), ["-; "]);
        assert_eq!(of(r#"{ "app": "cart" }"#), ["-; app In cart"]);
        assert_eq!(
            of(r#"{ "k8s:app.kubernetes.io/name": "cart" }"#),
            ["-; app.kubernetes.io/name In cart"]
        );
        let shop = "kubernetes.io/metadata.name In shop; ";
        assert_eq!(of(r#"{ "k8s:io.kubernetes.pod.namespace": "shop" }"#), [shop]);
        let team = r#"{ "any:io.cilium.k8s.namespace.labels.team": "a", "any:app": "cart" }"#;
        assert_eq!(of(team), ["team In a; app In cart"]);
        // A ServiceAccount may be that of any pod.
        assert_eq!(of(r#"{ "io.cilium.k8s.policy.serviceaccount": "a" }"#), ["-; "]);
        assert_eq!(of(r#"{ "reserved:host": "" }"#), [] as [&str; 0]);
        assert_eq!(subjects::<8>(r#"{ "nodeSelector": {} }"#), [] as [&str; 0]);
        let many: ForeignPolicy<9> = read(
            r#"{ "specs": [{ "endpointSelector": {} }, { "endpointSelector": { "matchLabels": {
                "app": "cart" } } }] }"#,
        );
        assert_eq!(many.subjects.len(), 2);
    }
}

//! Warnings about pods as the API sends them.

use std::time::Duration;

use serde::Deserialize;

use super::field::{Moment, Text, or_default};
use super::object::Watched;
use crate::model::{Key, Name, PodEvent, PodWarning, Uid};

/// What is kept of `metadata`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    creation_timestamp: Option<Moment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wire<'a> {
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    note: Option<Text<'a>>,
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    regarding: Regarding<'a>,
    reporting_instance: Option<Name>,
    event_time: Option<Moment>,
    series: Option<Series>,
    deprecated_source: Option<Source>,
    deprecated_count: Option<i64>,
    deprecated_last_timestamp: Option<Moment>,
}

#[derive(Default, Deserialize)]
struct Regarding<'a> {
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    namespace: Option<Name>,
    name: Option<Name>,
    uid: Option<Uid>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Series {
    count: Option<i64>,
    last_observed_time: Option<Moment>,
}

#[derive(Deserialize)]
struct Source {
    host: Option<Name>,
}

impl Wire<'_> {
    /// Returns the reason and the message of a warning about an object of this kind; absent where
    /// it is another one: the API was asked for nothing else, and a proxy may give more.
    pub(super) fn warns_of(&self, kind: &str) -> Option<(&str, &str)> {
        let is_meant = self.r#type.as_deref() == Some("Warning")
            && self.regarding.kind.as_deref() == Some(kind);
        let reason = self.reason.as_deref().filter(|_| is_meant)?;
        Some((reason, self.note.as_deref().unwrap_or_default()))
    }

    /// Returns the object that it is about.
    pub(super) fn regarding(&self) -> Key {
        let [namespace, name] = [&self.regarding.namespace, &self.regarding.name];
        Key {
            namespace: namespace.clone().unwrap_or_default(),
            name: name.clone().unwrap_or_default(),
        }
    }

    /// Returns what tells that object from others of its name.
    pub(super) fn uid(&self) -> Uid {
        self.regarding.uid.clone().unwrap_or_default()
    }

    /// Returns when it was said last.
    pub(super) fn last(&self, metadata: &Metadata) -> Option<Duration> {
        let moments = [
            self.series.as_ref().and_then(|it| it.last_observed_time.as_ref()),
            self.deprecated_last_timestamp.as_ref(),
            self.event_time.as_ref(),
            metadata.creation_timestamp.as_ref(),
        ];
        let last = moments.into_iter().flatten().map(|it| it.0).max();
        last.filter(|at| *at > Duration::ZERO)
    }
}

impl Watched for PodEvent {
    type Metadata<'a> = Metadata;
    type Wire<'a> = Wire<'a>;

    fn new(metadata: Metadata, wire: Wire<'_>) -> Self {
        let says = wire.warns_of("Pod").map(|(reason, note)| PodWarning::of(reason, note));
        let counts = [wire.series.as_ref().and_then(|it| it.count), wire.deprecated_count];
        let count = counts.into_iter().flatten().find_map(|count| u64::try_from(count).ok());
        let (pod, uid, last) = (wire.regarding(), wire.uid(), wire.last(&metadata));
        let host = wire.deprecated_source.and_then(|it| it.host).filter(|it| !it.is_empty());
        Self {
            pod,
            uid,
            node: host.or(wire.reporting_instance).unwrap_or_default(),
            says: says.unwrap_or_default(),
            count: count.unwrap_or_default().max(1),
            last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SandboxFailure;
    use crate::watch::object::tests::{absent, read};

    #[test]
    fn every_field_may_be_absent_or_null() {
        let empty = absent::<PodEvent>(
            r#"{
                "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z" },
                "reason": "a", "note": "b", "type": "Warning", "reportingInstance": "",
                "regarding": { "kind": "Pod", "namespace": "", "name": "", "uid": "" },
                "eventTime": "2026-07-01T12:00:00Z",
                "series": { "count": 2, "lastObservedTime": "2026-07-01T12:00:00Z" },
                "deprecatedSource": { "host": "" }, "deprecatedCount": 3,
                "deprecatedLastTimestamp": "2026-07-01T12:00:00Z"
            }"#,
        );
        assert_eq!(empty, PodEvent { count: 1, ..PodEvent::default() });
    }

    #[test]
    fn the_events_of_a_kubelet_say_which_pod_where_what_and_how_often() {
        let event: PodEvent = read(
            r#"{
                "metadata": { "name": "web-0.17", "creationTimestamp": "1970-01-02T00:00:00Z" },
                "reason": "FailedCreatePodSandBox", "type": "Warning",
                "note": "(combined from similar events): failed to find plugin \"bridge\"",
                "regarding": { "kind": "Pod", "namespace": "shop", "name": "web-0", "uid": "u1" },
                "eventTime": null, "reportingController": "kubelet", "reportingInstance": "n1",
                "deprecatedSource": { "component": "kubelet", "host": "n1" },
                "deprecatedFirstTimestamp": "1970-01-02T00:00:00Z",
                "deprecatedLastTimestamp": "1970-01-02T00:05:00Z", "deprecatedCount": 12
            }"#,
        );
        let expected = PodEvent {
            pod: Key::new("shop", "web-0"),
            uid: "u1".into(),
            node: "n1".into(),
            says: PodWarning::Sandbox(SandboxFailure::CniBinaryMissing),
            count: 12,
            last: Some(Duration::from_secs(86_700)),
        };
        assert_eq!(event, expected);
    }

    #[test]
    fn a_series_counts_before_the_count_of_old() {
        for (fields, count, last) in [
            (
                r#""series": { "count": 7, "lastObservedTime": "1970-01-01T00:01:00.000000Z" },
                    "deprecatedCount": 3"#,
                7,
                60,
            ),
            (r#""series": null, "deprecatedCount": 3"#, 3, 30),
            (r#""deprecatedCount": 0"#, 1, 30),
            (r#""deprecatedCount": -1"#, 1, 30),
        ] {
            let event: PodEvent =
                read(&format!(r#"{{ "eventTime": "1970-01-01T00:00:30.000000Z", {fields} }}"#));
            assert_eq!((event.count, event.last), (count, Some(Duration::from_secs(last))));
        }
    }

    #[test]
    fn what_is_no_warning_about_a_pod_says_nothing() {
        for (of, kind) in [("Normal", "Pod"), ("Warning", "Node")] {
            let event: PodEvent = read(&format!(
                r#"{{ "type": "{of}", "regarding": {{ "kind": "{kind}" }},
                    "reason": "FailedMount" }}"#
            ));
            assert_eq!(event.says, PodWarning::Other, "{of} {kind}");
        }
    }
}
